"""Which endpoints serve a VIP: kube-proxy's rules, pure.

In: a Cluster, this node's name and addresses. Out: `Backend`s, one per Service port and traffic policy, each
with its VIPs and its endpoints. Called by `plan` and `where`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from lbctl.model import Cluster, Endpoint, EndpointSlice, Name, Protocol, Service, ServicePort, ip_text


class Vip(NamedTuple):
    """A virtual address the data plane matches."""

    ip: int
    proto: int
    port: int


class Destination(NamedTuple):
    """A resolved endpoint: where packets go, and its weight."""

    ip: int
    port: int
    weight: int
    pod: Name | None


class Backend(NamedTuple):
    """One balanced thing: a Service port under one traffic policy. `destinations` is sorted and free of
    repeats.
    """

    service: Name
    port: ServicePort
    scope: str  # "cluster" or "local", for names in messages
    vips: tuple[Vip, ...]
    destinations: tuple[Destination, ...]
    affinity: bool

    @property
    def label(self) -> str:
        """`shop/web:http`, as messages name it."""
        local = " (local)" if self.scope == "local" else ""
        return f"{self.service}:{self.port.name or self.port.port}{local}"


def backends(cluster: Cluster, node: str, node_ips: Iterable[int]) -> list[Backend]:
    """All Backends of the cluster as seen from `node`, in name order."""
    slices: dict[Name, list[EndpointSlice]] = defaultdict(list)
    for piece in cluster.slices:
        slices[piece.service].append(piece)
    addresses = tuple(node_ips)
    return [
        backend
        for service in cluster.services
        if not service.headless and service.kind != "ExternalName"
        for port in service.ports
        for backend in _of_port(service, port, slices[service.name], node, addresses)
    ]


def _of_port(
    service: Service, port: ServicePort, slices: list[EndpointSlice], node: str, node_ips: tuple[int, ...]
) -> list[Backend]:
    internal = [Vip(ip, port.protocol, port.port) for ip in service.cluster_ips]
    external = [
        Vip(ip, port.protocol, port.port) for ip in (*service.external_ips, *service.load_balancer_ips)
    ]
    if port.node_port is not None:
        external += [Vip(ip, port.protocol, port.node_port) for ip in node_ips]
    by_scope: dict[str, list[Vip]] = defaultdict(list)
    # The two traffic policies are independent: internalTrafficPolicy governs cluster IPs,
    # externalTrafficPolicy node ports, external and load-balancer IPs. Where they agree one bucket table
    # serves both.
    by_scope["local" if service.internal_local else "cluster"] += internal
    by_scope["local" if service.external_local else "cluster"] += external
    found = _endpoints(port, slices)
    return [
        Backend(
            service.name,
            port,
            scope,
            tuple(dict.fromkeys(vips)),
            _destinations(service, found, node if scope == "local" else None),
            service.client_ip_affinity,
        )
        for scope, vips in sorted(by_scope.items())
        if vips
    ]


def _endpoints(port: ServicePort, slices: list[EndpointSlice]) -> list[tuple[Endpoint, int]]:
    return [
        (endpoint, mine.port)
        for piece in slices
        for mine in piece.ports
        if mine.name == port.name and mine.protocol is port.protocol
        for endpoint in piece.endpoints
    ]


def _destinations(
    service: Service, found: list[tuple[Endpoint, int]], only_node: str | None
) -> tuple[Destination, ...]:
    if only_node is not None:
        found = [(endpoint, port) for endpoint, port in found if endpoint.node == only_node]
    usable = [(endpoint, port) for endpoint, port in found if endpoint.ready or service.publish_not_ready]
    if not usable:
        # A rolling update can leave only endpoints that are going away: better those than a refusal.
        usable = [(endpoint, port) for endpoint, port in found if endpoint.serving and endpoint.terminating]
    # During a move between slices an endpoint may be listed twice (discovery.k8s.io/v1).
    unique = {(e.ip, port): Destination(e.ip, port, e.weight, e.pod) for e, port in usable}
    return tuple(unique[key] for key in sorted(unique))


def vip_text(vip: Vip) -> str:
    """`10.96.0.10:53/UDP`."""
    return f"{ip_text(vip.ip)}:{vip.port}/{Protocol(vip.proto).name}"
