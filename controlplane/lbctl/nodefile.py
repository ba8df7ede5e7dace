"""The node file to `model.NodeConfig`: which node am I, and what hangs on which port.

In: one YAML file of kind NodeConfig (schema: docs/lbctl.md). Out: a NodeConfig. Called by `__main__`,
suites, tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from lbctl.errors import ManifestError
from lbctl.model import Name, NodeConfig, NodePeer, PodPort, cidr_text, prefix_mask
from lbctl.yamlread import Document, ipv4, ipv4_cidr, load_yaml, mac_address, mapping, number, sequence, text

DEFAULT_GATEWAY = 0xA9FE0101  # 169.254.1.1, the next hop that Calico-style CNIs give every pod
MAX_PORT = 0xFFFF
API_VERSION = "lbctl/v1"
_FIELDS = {
    "apiVersion",
    "kind",
    "metadata",
    "node",
    "nodeIPs",
    "podCIDR",
    "gateway",
    "vtep",
    "uplink",
    "host",
    "pods",
    "peers",
}


def load_node_config(path: Path | str) -> NodeConfig:
    """Read a node file. Raises ManifestError with one sentence for the first thing that is wrong."""
    bodies = [body for body in load_yaml(Path(path)) if body is not None]
    if len(bodies) != 1 or not isinstance(bodies[0], Mapping) or bodies[0].get("kind") != "NodeConfig":
        raise ManifestError(
            f"{path}: is not a node file; write one document of `kind: NodeConfig` (docs/lbctl.md)"
        )
    return read_node(Document(str(path), 1, None, "NodeConfig", _named(bodies[0])))


def _named(body: Mapping[str, Any]) -> Mapping[str, Any]:
    # So that messages name the node although the file has no metadata.
    return {**body, "metadata": {"name": body.get("node")}}


def read_node(document: Document) -> NodeConfig:
    """Build a NodeConfig from one document."""
    body = document.body
    version = body.get("apiVersion")
    if version not in (None, API_VERSION):
        document.fail(f"apiVersion is {version!r}; write {API_VERSION}")
    unknown = sorted(set(body) - _FIELDS)
    if unknown:
        document.fail(f"has the unknown field {unknown[0]!r}; write one of {', '.join(sorted(_FIELDS))}")
    vtep = mapping(document, body.get("vtep"), "vtep")
    uplink = mapping(document, body.get("uplink"), "uplink")
    host = mapping(document, body.get("host"), "host")
    gateway = mapping(document, body.get("gateway"), "gateway")
    vtep_ip = ipv4(document, vtep.get("ip"), "vtep.ip")
    vtep_mac = mac_address(document, vtep.get("mac"), "vtep.mac")
    gateway_mac = mac_address(document, gateway.get("mac"), "gateway.mac") if "mac" in gateway else vtep_mac
    cidr, next_hop = body.get("podCIDR"), uplink.get("nextHopMac")
    config = NodeConfig(
        name=text(document, body.get("node"), "node"),
        vtep_ip=vtep_ip,
        vtep_mac=vtep_mac,
        vni=number(document, vtep.get("vni"), "vtep.vni", 1, 0xFFFFFF),
        uplink_port=number(document, uplink.get("port"), "uplink.port", 0, MAX_PORT),
        host_port=number(document, host.get("port"), "host.port", 0, MAX_PORT),
        host_mac=mac_address(document, host["mac"], "host.mac") if "mac" in host else vtep_mac,
        gateway_mac=gateway_mac,
        gateways=_addresses(document, gateway.get("ips"), "gateway.ips") or (DEFAULT_GATEWAY,),
        node_ips=_addresses(document, body.get("nodeIPs"), "nodeIPs") or (vtep_ip,),
        pod_cidr=None if cidr is None else ipv4_cidr(document, cidr, "podCIDR"),
        next_hop_mac=None if next_hop is None else mac_address(document, next_hop, "uplink.nextHopMac"),
        pods=tuple(
            _pod(document, item, f"pods[{i}]")
            for i, item in enumerate(sequence(document, body.get("pods"), "pods"))
        ),
        peers=tuple(
            _peer(document, item, f"peers[{i}]", gateway_mac)
            for i, item in enumerate(sequence(document, body.get("peers"), "peers"))
        ),
    )
    _check(document, config)
    return config


def _addresses(document: Document, value: Any, field: str) -> tuple[int, ...]:
    return tuple(
        ipv4(document, item, f"{field}[{i}]") for i, item in enumerate(sequence(document, value, field))
    )


def _pod(document: Document, value: Any, field: str) -> PodPort:
    body = mapping(document, value, field)
    namespace, slash, name = text(document, body.get("pod"), f"{field}.pod").partition("/")
    if not slash or not namespace or not name:
        document.fail(f"{field}.pod is {body['pod']!r}; write namespace/name")
    return PodPort(
        Name(namespace, name),
        number(document, body.get("port"), f"{field}.port", 0, MAX_PORT),
        mac_address(document, body.get("mac"), f"{field}.mac"),
        None if body.get("ip") is None else ipv4(document, body["ip"], f"{field}.ip"),
    )


def _peer(document: Document, value: Any, field: str, gateway_mac: int) -> NodePeer:
    body = mapping(document, value, field)
    inner = body.get("innerMac")
    return NodePeer(
        text(document, body.get("node"), f"{field}.node"),
        ipv4(document, body.get("vtep"), f"{field}.vtep"),
        mac_address(document, body.get("mac"), f"{field}.mac"),
        ipv4_cidr(document, body.get("podCIDR"), f"{field}.podCIDR"),
        gateway_mac if inner is None else mac_address(document, inner, f"{field}.innerMac"),
    )


def _check(document: Document, config: NodeConfig) -> None:
    used: dict[int, str] = {config.uplink_port: "the uplink"}
    claims = [(config.host_port, "the host")] + [(pod.port, f"pod {pod.pod}") for pod in config.pods]
    for port, owner in claims:
        if port in used:
            document.fail(f"port {port} is given to {used[port]} and to {owner}; give each its own port")
        used[port] = owner
    for what, names in (
        ("pod", [str(pod.pod) for pod in config.pods]),
        ("peer", [p.node for p in config.peers]),
    ):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            document.fail(f"{what} {twice[0]} is listed twice; keep one of the two")
    for peer in config.peers:
        if peer.node == config.name or peer.vtep_ip == config.vtep_ip:
            document.fail(f"peer {peer.node} is this node itself; list only the other nodes")
    _check_cidrs(document, config)


def _check_cidrs(document: Document, config: NodeConfig) -> None:
    """Every pod address leads to one node: of two equal routes the switch would take just one."""
    owners = [(peer.pod_cidr, f"peer {peer.node}") for peer in config.peers]
    if config.pod_cidr is not None:
        owners.insert(0, (config.pod_cidr, "this node"))
    for (cidr, owner), (other, another) in combinations(owners, 2):
        shorter = prefix_mask(min(cidr[1], other[1]))
        if cidr[0] & shorter == other[0] & shorter:
            document.fail(
                f"podCIDR {cidr_text(other)} of {another} overlaps {cidr_text(cidr)} of {owner}; "
                "give each node its own"
            )
