"""The objects the control plane reasons about, as plain frozen data.

In: built by `kube` (manifests) and `nodefile` (this node's wiring). Out: read by `plan`, `policy`, `where`.
Imports nothing of Kubernetes, protobuf or gRPC. An IPv4 address is an `int` (host order), a MAC address an
`int`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum


class Protocol(IntEnum):
    """IP protocol numbers of the services the pipeline balances."""

    TCP = 6
    UDP = 17


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """namespace/name, the identity of a namespaced object."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service; `target_port` is a number or a container port's name."""

    name: str
    protocol: Protocol
    port: int
    target_port: int | str
    node_port: int | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A Service as kube-proxy would see it; headless and ExternalName ones have no `cluster_ips`."""

    name: Name
    kind: str  # ClusterIP, NodePort, LoadBalancer, ExternalName
    cluster_ips: tuple[int, ...]
    ports: tuple[ServicePort, ...]
    external_ips: tuple[int, ...] = ()
    load_balancer_ips: tuple[int, ...] = ()
    client_ip_affinity: bool = False
    internal_local: bool = False  # internalTrafficPolicy: Local
    external_local: bool = False  # externalTrafficPolicy: Local
    publish_not_ready: bool = False
    headless: bool = False
    selector: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of an EndpointSlice; `weight` comes from the pod's annotation `lbctl/weight`."""

    ip: int
    ready: bool = True
    serving: bool = True
    terminating: bool = False
    node: str | None = None
    pod: Name | None = None
    weight: int = 1


@dataclass(frozen=True, slots=True)
class EndpointPort:
    """A resolved port of an EndpointSlice."""

    name: str
    protocol: Protocol
    port: int


@dataclass(frozen=True, slots=True)
class EndpointSlice:
    """Endpoints of one Service."""

    name: Name
    service: Name
    ports: tuple[EndpointPort, ...]
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod: what policies select and named ports resolve on. `ip` is None until it has one."""

    name: Name
    ip: int | None
    labels: Mapping[str, str] = field(default_factory=dict)
    node: str | None = None
    host_network: bool = False
    ports: tuple[EndpointPort, ...] = ()  # named container ports
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Node:
    """A node: its internal addresses and the pod CIDRs it owns, as (network, prefix length)."""

    name: str
    internal_ips: tuple[int, ...]
    pod_cidrs: tuple[tuple[int, int], ...] = ()


class Operator(Enum):
    """Label selector operators."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One matchExpressions row (matchLabels rows become IN with one value)."""

    key: str
    operator: Operator
    values: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; no requirements selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with `labels` is selected."""
        return all(_holds(requirement, labels) for requirement in self.requirements)


def _holds(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case Operator.IN:
            return value is not None and value in requirement.values
        case Operator.NOT_IN:
            # A missing key counts as "not in", as in the API server.
            return value is None or value not in requirement.values
        case Operator.EXISTS:
            return value is not None
        case Operator.DOES_NOT_EXIST:
            return value is None


@dataclass(frozen=True, slots=True)
class IpBlock:
    """A CIDR without the `excepts`, each as (network, prefix length)."""

    cidr: tuple[int, int]
    excepts: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class PodPeer:
    """Pods by label; `namespaces` None means the policy's own namespace."""

    pods: Selector
    namespaces: Selector | None = None


@dataclass(frozen=True, slots=True)
class PolicyPort:
    """A port, a range `port`..`end_port`, a container port's name, or (None) every port of the protocol."""

    protocol: Protocol
    port: int | str | None = None
    end_port: int | None = None


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """Allow `peers` on `ports`. None is "any"; an empty tuple is "none" (all of them were skipped, e.g.
    IPv6): the difference keeps a rule that lost its last peer from failing open."""

    peers: tuple[IpBlock | PodPeer, ...] | None
    ports: tuple[PolicyPort, ...] | None


@dataclass(frozen=True, slots=True)
class Policy:
    """A NetworkPolicy; a direction that it does not govern is None, one that denies all is ()."""

    name: Name
    pods: Selector
    ingress: tuple[PolicyRule, ...] | None
    egress: tuple[PolicyRule, ...] | None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything read from manifests. `warnings` are sentences about what was skipped."""

    services: tuple[Service, ...] = ()
    slices: tuple[EndpointSlice, ...] = ()
    pods: tuple[Pod, ...] = ()
    nodes: tuple[Node, ...] = ()
    namespaces: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # name -> labels
    policies: tuple[Policy, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PodPort:
    """A local pod and the switch port it hangs on; `ip` None means "as the Pod object says"."""

    pod: Name
    port: int
    mac: int
    ip: int | None = None


@dataclass(frozen=True, slots=True)
class NodePeer:
    """Another node, reached through the tunnel. `mac` is the outer next hop, `inner_mac` the far gateway."""

    node: str
    vtep_ip: int
    mac: int
    pod_cidr: tuple[int, int]
    inner_mac: int


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """How this node is wired: read from the node file, see docs/lbctl.md for the schema."""

    name: str
    vtep_ip: int
    vtep_mac: int
    vni: int
    uplink_port: int
    host_port: int
    host_mac: int
    gateway_mac: int
    gateways: tuple[int, ...]  # addresses the NIC answers ARP for on pod ports
    node_ips: tuple[int, ...]  # delivered to the host; NodePorts listen on them
    pod_cidr: tuple[int, int] | None = None
    next_hop_mac: int | None = None  # default route; None: no default route
    pods: tuple[PodPort, ...] = ()
    peers: tuple[NodePeer, ...] = ()


def ip_text(address: int) -> str:
    """Dotted quad of an IPv4 address."""
    return f"{address >> 24 & 255}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"


def mac_text(mac: int) -> str:
    """Colon form of a MAC address."""
    return ":".join(f"{mac >> shift & 255:02x}" for shift in range(40, -8, -8))


def cidr_text(cidr: tuple[int, int]) -> str:
    """a.b.c.d/len of a (network, prefix length) pair."""
    return f"{ip_text(cidr[0])}/{cidr[1]}"


def prefix_mask(length: int) -> int:
    """The 32-bit mask of a prefix length 0..32."""
    return 0xFFFFFFFF & ~((1 << (32 - length)) - 1)
