"""NetworkPolicy semantics, pure: which policies select a pod, and the allow rules that are their union.

In: a Cluster and a pod. Out: None (no policy selects the pod in that direction: everything is allowed) or a
set of `Allow` rows; what no row matches is denied. Called by `plan`, which gives each row a table entry.

Every row allows, so the order and the overlap of CIDRs do not matter (a deny row for `except` would also cut
into what *another* rule allows; `except` is therefore expanded into the prefixes that remain).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import NamedTuple

from lbctl.model import (
    Cluster,
    IpBlock,
    Name,
    Pod,
    PodPeer,
    Policy,
    PolicyPort,
    PolicyRule,
    Protocol,
    prefix_mask,
)


class Direction(Enum):
    """Seen from the pod that the policy selects."""

    INGRESS = "ingress"
    EGRESS = "egress"


class Allow(NamedTuple):
    """One row: a peer's prefix, a protocol (None: any) and a port prefix (value, mask; None: any)."""

    network: int
    mask: int
    proto: int | None = None
    port: tuple[int, int] | None = None


ANYONE = (0, 0)


class PolicyIndex:
    """A Cluster with its pods by namespace and the selected peers cached; build once per plan."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        # A host-network pod has the node's address: policies neither select it nor mean it as a peer.
        self._pods = [pod for pod in cluster.pods if pod.ip is not None and not pod.host_network]
        self._namespace_labels = {
            # The API server puts this label on every namespace; manifests seldom hold Namespace objects.
            name: {"kubernetes.io/metadata.name": name, **cluster.namespaces.get(name, {})}
            for name in {pod.name.namespace for pod in cluster.pods} | set(cluster.namespaces)
        }
        self._peer_cache: dict[tuple[str, PodPeer], tuple[Pod, ...]] = {}

    def selecting(self, pod: Pod, direction: Direction) -> list[Policy]:
        """Policies that govern `pod` in `direction`."""
        return [
            policy
            for policy in self._cluster.policies
            if _rules(policy, direction) is not None
            and policy.name.namespace == pod.name.namespace
            and policy.pods.matches(pod.labels)
        ]

    def allowed(self, pod: Pod, direction: Direction, node_ips: Iterable[int]) -> frozenset[Allow] | None:
        """The union of what the policies allow `pod`, or None when none selects it.

        Traffic from and to the pod's own node and the pod itself is always allowed, as Kubernetes documents.
        """
        policies = self.selecting(pod, direction)
        if not policies:
            return None
        rows = {Allow(address, 0xFFFFFFFF) for address in node_ips}
        if pod.ip is not None:
            rows.add(Allow(pod.ip, 0xFFFFFFFF))
        for policy in policies:
            for rule in _rules(policy, direction) or ():
                rows.update(self._rule_rows(policy.name, rule, pod, direction))
        return frozenset(_without_covered(rows))

    def _rule_rows(self, policy: Name, rule: PolicyRule, pod: Pod, direction: Direction) -> Iterator[Allow]:
        for network, mask, peer in self._peers(policy, rule):
            if rule.ports is None:
                yield Allow(network, mask)
                continue
            # A port belongs to the destination: the pod itself for ingress, the peer for egress.
            destinations = [pod] if direction is Direction.INGRESS else [peer] if peer else self._pods
            for port in rule.ports:
                if not isinstance(port.port, str):
                    for prefix in _port_prefixes(port):
                        yield Allow(network, mask, port.protocol, prefix)
                    continue
                for destination in destinations:
                    yield from _named_port_rows(port, port.port, destination, network, mask, direction)

    def _peers(self, policy: Name, rule: PolicyRule) -> Iterator[tuple[int, int, Pod | None]]:
        if rule.peers is None:
            yield (*ANYONE, None)
            return
        for peer in rule.peers:
            match peer:
                case IpBlock():
                    for network, length in remaining_prefixes(peer):
                        yield network, prefix_mask(length), None
                case PodPeer():
                    for pod in self._selected(policy.namespace, peer):
                        if pod.ip is not None:
                            yield pod.ip, 0xFFFFFFFF, pod

    def _selected(self, namespace: str, peer: PodPeer) -> tuple[Pod, ...]:
        key = (namespace, peer)
        if key not in self._peer_cache:
            self._peer_cache[key] = tuple(
                pod
                for pod in self._pods
                if (
                    pod.name.namespace == namespace
                    if peer.namespaces is None
                    else peer.namespaces.matches(self._namespace_labels[pod.name.namespace])
                )
                and peer.pods.matches(pod.labels)
            )
        return self._peer_cache[key]


def _rules(policy: Policy, direction: Direction) -> tuple[PolicyRule, ...] | None:
    match direction:
        case Direction.INGRESS:
            return policy.ingress
        case Direction.EGRESS:
            return policy.egress


def _named_port_rows(
    port: PolicyPort, name: str, destination: Pod, network: int, mask: int, direction: Direction
) -> Iterator[Allow]:
    for mine in destination.ports:
        if mine.name != name or mine.protocol is not port.protocol:
            continue
        if direction is Direction.INGRESS:
            yield Allow(network, mask, port.protocol, (mine.port, 0xFFFF))
        elif destination.ip is not None and destination.ip & mask == network:
            # Egress to a block: the name means a different number on each pod inside it.
            yield Allow(destination.ip, 0xFFFFFFFF, port.protocol, (mine.port, 0xFFFF))


def _port_prefixes(port: PolicyPort) -> Iterator[tuple[int, int] | None]:
    if port.port is None or isinstance(port.port, str):
        yield None
        return
    yield from range_prefixes(port.port, port.port if port.end_port is None else port.end_port)


def range_prefixes(low: int, high: int, width: int = 16) -> Iterator[tuple[int, int]]:
    """The fewest (value, mask) prefixes that cover low..high, at most 2 * width - 2 of them."""
    full = (1 << width) - 1
    while low <= high:
        size = low & -low if low else full + 1
        while size > high - low + 1:
            size >>= 1
        yield low, full & ~(size - 1)
        low += size


def remaining_prefixes(block: IpBlock) -> list[tuple[int, int]]:
    """The prefixes of `cidr` that no `except` covers, as (network, length)."""
    pieces = [ipaddress.IPv4Network(block.cidr)]
    for cut in block.excepts:
        hole = ipaddress.IPv4Network(cut)
        pieces = [left for piece in pieces for left in _subtract(piece, hole)]
    return sorted((int(piece.network_address), piece.prefixlen) for piece in pieces)


def _subtract(piece: ipaddress.IPv4Network, hole: ipaddress.IPv4Network) -> list[ipaddress.IPv4Network]:
    if not piece.overlaps(hole):
        return [piece]
    if piece.subnet_of(hole):
        return []
    return list(piece.address_exclude(hole))


def _without_covered(rows: set[Allow]) -> Iterator[Allow]:
    """Drop rows of one peer that a row for all its protocols or ports includes: fewer entries, same
    verdict.
    """
    for row in rows:
        wider = [Allow(row.network, row.mask)]
        if row.port is not None:
            wider.append(Allow(row.network, row.mask, row.proto))
        if not any(other in rows and other != row for other in wider):
            yield row


def local_pod(cluster: Cluster, name: Name, ip: int) -> Pod:
    """The Pod object of a local pod; one without manifest has no labels and is selected only by `{}`."""
    for pod in cluster.pods:
        if pod.name == name:
            return pod
    return Pod(name, ip)


def proto_name(proto: int | None) -> str:
    """TCP, UDP or any."""
    return "any" if proto is None else Protocol(proto).name
