"""What the node file alone decides: port roles, ARP, tunnel and routes; and which pods are local.

In: Cluster and NodeConfig. Out: LocalPods and entries. Called by `plan`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lbctl.entries import Entry, Key
from lbctl.errors import PlanError
from lbctl.model import Cluster, NodeConfig, Pod, PodPort, ip_text
from lbctl.policy import Direction, local_pod


@dataclass(frozen=True, slots=True)
class LocalPod:
    """A pod on a switch port of this node, with its address settled."""

    pod: Pod
    wiring: PodPort
    ip: int


def local_pods(cluster: Cluster, node: NodeConfig) -> tuple[tuple[LocalPod, ...], list[str]]:
    """The node file's pods with addresses, and sentences about pods that cannot be wired."""
    by_name = {pod.name: pod for pod in cluster.pods}
    found: list[LocalPod] = []
    warnings: list[str] = []
    for wiring in node.pods:
        known = by_name.get(wiring.pod)
        said = known.ip if known is not None else None
        if said is not None and wiring.ip is not None and said != wiring.ip:
            raise PlanError(
                f"pod {wiring.pod} has IP {ip_text(wiring.ip)} in the node file of {node.name} and "
                f"{ip_text(said)} in its manifest; remove `ip` from the node file, or correct it"
            )
        ip = wiring.ip if wiring.ip is not None else said
        if ip is None:
            warnings.append(
                f"pod {wiring.pod} on port {wiring.port} has no IP in the manifests or the node file; "
                "its port stays closed"
            )
            continue
        found.append(LocalPod(local_pod(cluster, wiring.pod, ip), wiring, ip))
    _reject_shared_addresses(found, node)
    wired = {wiring.pod for wiring in node.pods}
    warnings += (
        f"pod {pod.name} runs on {node.name} and the node file gives it no port; it is not reachable"
        for pod in cluster.pods
        if pod.node == node.name and pod.ip is not None and not pod.host_network and pod.name not in wired
    )
    return tuple(found), warnings


def _reject_shared_addresses(found: list[LocalPod], node: NodeConfig) -> None:
    owners: dict[int, LocalPod] = {}
    for local in found:
        first = owners.setdefault(local.ip, local)
        if first is not local:
            raise PlanError(
                f"pods {first.wiring.pod} and {local.wiring.pod} of the node file of {node.name} both have "
                f"{ip_text(local.ip)}; correct one of the two"
            )


def node_entries(
    node: NodeConfig, pods: tuple[LocalPod, ...], policy_ids: Mapping[tuple[int, Direction], int]
) -> Iterator[Entry]:
    """Entries of port_role, arp_responder, route and the tunnel tables."""
    yield from _routes(node, pods, policy_ids)
    yield from _arp(node, pods)
    yield from _tunnel(node)
    yield _exact("port_role", node.uplink_port, "uplink")
    yield _exact("port_role", node.host_port, "host_port")
    for local in pods:
        policy = policy_ids.get((local.ip, Direction.EGRESS), 0)
        yield _exact("port_role", local.wiring.port, "pod_port", local.ip, policy)


def _exact(table: str, key: int, action: str, *params: int) -> Entry:
    return Entry(Key(table, (key,)), action, params)


def _route(network: int, length: int, action: str, *params: int) -> Entry:
    return Entry(Key("route", ((network, length) if length else None,)), action, params)


def _routes(
    node: NodeConfig, pods: tuple[LocalPod, ...], policy_ids: Mapping[tuple[int, Direction], int]
) -> Iterator[Entry]:
    for local in pods:
        policy = policy_ids.get((local.ip, Direction.INGRESS), 0)
        yield _route(local.ip, 32, "to_pod", local.wiring.port, node.gateway_mac, local.wiring.mac, policy)
    for address in dict.fromkeys((*node.node_ips, node.vtep_ip)):
        yield _route(address, 32, "to_host", node.host_port, node.gateway_mac, node.host_mac)
    for peer in node.peers:
        yield _route(peer.vtep_ip, 32, "to_next_hop", node.uplink_port, node.vtep_mac, peer.mac)
        yield _route(
            *peer.pod_cidr,
            "to_tunnel",
            node.uplink_port,
            node.vtep_mac,
            peer.mac,
            node.vtep_ip,
            peer.vtep_ip,
            node.vni,
            peer.inner_mac,
        )
    if node.pod_cidr is not None:
        # Pods that hang on no switch port are the node's; without this row they would leave by the default
        # route and the peers' tunnels would bring them back.
        yield _route(*node.pod_cidr, "to_host", node.host_port, node.gateway_mac, node.host_mac)
    if node.next_hop_mac is not None:
        yield _route(0, 0, "to_next_hop", node.uplink_port, node.vtep_mac, node.next_hop_mac)


def _arp(node: NodeConfig, pods: tuple[LocalPod, ...]) -> Iterator[Entry]:
    answers = dict.fromkeys(node.gateways, node.gateway_mac)
    answers[node.vtep_ip] = node.vtep_mac
    for address, mac in answers.items():
        yield _exact("arp_responder", address, "arp_reply", mac)
    for address in node.node_ips:
        if address not in answers:
            yield _exact("arp_responder", address, "arp_forward", node.host_port)
    for local in pods:
        yield _exact("arp_responder", local.ip, "arp_forward", local.wiring.port)


def _tunnel(node: NodeConfig) -> Iterator[Entry]:
    yield _exact("known_vni", node.vni, "accept_vni")
    for peer in node.peers:
        yield _exact("tunnel_peer", peer.vtep_ip, "accept_peer")
    yield _exact("local_vtep", node.vtep_ip, "terminate_tunnel")
