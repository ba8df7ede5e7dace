"""The objects a test applies, in a line each: what `kubectl apply` would have brought.

    shop = cluster(service("web", "10.96.0.10", 80, [POD2, REMOTE_B], target_port=8080),
                   policies=[policy("only-pod1", POD2, ingress=[allow(peers=[POD1], ports=[8080])])])

In: Hosts of the topology. Out: `lbctl.model` objects. Called by the suites.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.topology import NODE_CONFIG, PODS, REMOTE_B, REMOTE_B2, REMOTE_C, Host, address
from lbctl.model import (
    Cluster,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    IpBlock,
    Name,
    Node,
    Operator,
    Pod,
    PodPeer,
    Policy,
    PolicyPort,
    PolicyRule,
    Protocol,
    Requirement,
    Selector,
    Service,
    ServicePort,
)

NAMESPACE = "test"
Offer = tuple[Service, EndpointSlice]
TCP, UDP = Protocol.TCP, Protocol.UDP


def service(
    name: str,
    vip: str,
    port: int,
    endpoints: Iterable[Host | Endpoint],
    *,
    target_port: int = 8080,
    protocol: Protocol = TCP,
    node_port: int | None = None,
    external_ips: Sequence[str] = (),
    client_ip_affinity: bool = False,
    internal_local: bool = False,
    external_local: bool = False,
) -> Offer:
    """A Service with one port and its EndpointSlice."""
    kind = "NodePort" if node_port is not None else "ClusterIP"
    spec = Service(
        Name(NAMESPACE, name),
        kind,
        (address(vip),),
        (ServicePort("main", protocol, port, target_port, node_port),),
        external_ips=tuple(address(ip) for ip in external_ips),
        client_ip_affinity=client_ip_affinity,
        internal_local=internal_local,
        external_local=external_local,
    )
    members = tuple(e if isinstance(e, Endpoint) else endpoint(e) for e in endpoints)
    ports = (EndpointPort("main", protocol, target_port),)
    return spec, EndpointSlice(Name(NAMESPACE, f"{name}-1"), spec.name, ports, members)


def endpoint(host: Host, *, ready: bool = True, terminating: bool = False, weight: int = 1) -> Endpoint:
    """`host` as an endpoint; a pod that goes away is not ready, terminating and still serving."""
    return Endpoint(
        address(host.ip),
        ready=ready,
        serving=True,
        terminating=terminating,
        node=_node_of(host),
        pod=Name(NAMESPACE, host.name),
        weight=weight,
    )


def cluster(*offers: Offer, policies: Sequence[Policy] = ()) -> Cluster:
    """Everything together, with the pods and nodes of the topology."""
    return Cluster(
        services=tuple(offer[0] for offer in offers),
        slices=tuple(offer[1] for offer in offers),
        pods=tuple(_pod(host) for host in (*PODS, REMOTE_B, REMOTE_B2, REMOTE_C)),
        nodes=(
            Node(NODE_CONFIG.name, NODE_CONFIG.node_ips),
            *(Node(peer.node, (peer.vtep_ip,), (peer.pod_cidr,)) for peer in NODE_CONFIG.peers),
        ),
        namespaces={NAMESPACE: {}},
        policies=tuple(policies),
    )


def policy(
    name: str,
    selected: Host,
    *,
    ingress: Sequence[PolicyRule] | None = None,
    egress: Sequence[PolicyRule] | None = None,
) -> Policy:
    """A NetworkPolicy that selects one pod; a direction left out is not governed, [] denies everything."""
    return Policy(
        Name(NAMESPACE, name),
        _is(selected),
        None if ingress is None else tuple(ingress),
        None if egress is None else tuple(egress),
    )


def allow(
    *,
    peers: Sequence[Host] | None = None,
    cidr: str | None = None,
    excepts: Sequence[str] = (),
    ports: Sequence[int | tuple[int, int]] | None = None,
    protocol: Protocol = TCP,
) -> PolicyRule:
    """One rule: pods or a CIDR (neither: anybody), on ports or (first, last) ranges (None: all protocols)."""
    who: tuple[IpBlock | PodPeer, ...] | None = None
    if cidr is not None:
        who = (IpBlock(_cidr(cidr), tuple(_cidr(text) for text in excepts)),)
    elif peers is not None:
        who = tuple(PodPeer(_is(peer)) for peer in peers)
    on = None if ports is None else tuple(_port(protocol, port) for port in ports)
    return PolicyRule(who, on)


def _port(protocol: Protocol, port: int | tuple[int, int]) -> PolicyPort:
    if isinstance(port, tuple):
        return PolicyPort(protocol, port[0], port[1])
    return PolicyPort(protocol, port)


def _cidr(text: str) -> tuple[int, int]:
    network, _, length = text.partition("/")
    return address(network), int(length)


def _is(host: Host) -> Selector:
    return Selector((Requirement("name", Operator.IN, frozenset({host.name})),))


def _pod(host: Host) -> Pod:
    return Pod(Name(NAMESPACE, host.name), address(host.ip), {"name": host.name}, _node_of(host))


def _node_of(host: Host) -> str:
    return NODE_CONFIG.name if host.peer is None else host.peer.node
