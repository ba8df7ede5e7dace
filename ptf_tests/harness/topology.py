"""Who is connected to the NIC under test, and how their packets look on the port they use.

    POD1..POD8  on ports 1..8: local pods           CLIENT          beyond the router on port 0
    NODE        on port 15: the node itself         REMOTE_B, _C    pods of node-b, node-c: VXLAN on port 0

In: testbeds/topology/node.yaml, the file the control plane gets as well. Out: `Host`s, and for a bare IP
packet the frame a host would send (`frame_from`) or must receive (`frame_to`). Called by `lb_base` and the
suites.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, assert_never

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Packet

from lbctl.hashing import FiveTuple, Target, flow_hash
from lbctl.model import NodeConfig, NodePeer, ip_text, mac_text
from lbctl.nodefile import load_node_config

NODE_CONFIG = load_node_config(Path(__file__).resolve().parents[2] / "testbeds" / "topology" / "node.yaml")

UPLINK_PORT = NODE_CONFIG.uplink_port
SPARE_PORT = 9  # connected, and given to nobody by the node file
GATEWAY_IP = ip_text(NODE_CONFIG.gateways[0])
GATEWAY_MAC = mac_text(NODE_CONFIG.gateway_mac)
VTEP_IP = ip_text(NODE_CONFIG.vtep_ip)
VTEP_MAC = mac_text(NODE_CONFIG.vtep_mac)
ROUTER_MAC = mac_text(NODE_CONFIG.next_hop_mac or 0)
VNI = NODE_CONFIG.vni
VXLAN_PORT = 4789
TUNNEL_SOURCE_PORT = 55555  # of the frames our peers send: any entropy they like

Place = Literal["pod", "router", "tunnel", "node"]


@dataclass(frozen=True, slots=True)
class Host:
    """Somebody with an IPv4 address, and the port they are behind. `peer`: the node of a remote pod."""

    name: str
    ip: str
    mac: str
    port: int
    place: Place
    peer: NodePeer | None = None

    def __str__(self) -> str:
        return self.name


PODS = tuple(
    Host(wiring.pod.name, ip_text(wiring.ip or 0), mac_text(wiring.mac), wiring.port, "pod")
    for wiring in NODE_CONFIG.pods
)
POD1, POD2, POD3, POD4, POD5, POD6, POD7, POD8 = PODS
NODE = Host(
    "node-a", ip_text(NODE_CONFIG.node_ips[0]), mac_text(NODE_CONFIG.host_mac), NODE_CONFIG.host_port, "node"
)
CLIENT = Host("client", "203.0.113.7", ROUTER_MAC, UPLINK_PORT, "router")
OTHER_CLIENT = Host("other-client", "198.51.100.9", ROUTER_MAC, UPLINK_PORT, "router")


def _remote(name: str, ip: str, node: str) -> Host:
    peer = next(peer for peer in NODE_CONFIG.peers if peer.node == node)
    return Host(name, ip, mac_text(peer.inner_mac), UPLINK_PORT, "tunnel", peer)


REMOTE_B = _remote("remote-b", "10.244.2.21", "node-b")
REMOTE_B2 = _remote("remote-b2", "10.244.2.22", "node-b")
REMOTE_C = _remote("remote-c", "10.244.3.31", "node-c")
HOSTS = (*PODS, NODE, CLIENT, OTHER_CLIENT, REMOTE_B, REMOTE_B2, REMOTE_C)

# What a testbed binds to a device's ports. The numbers are the suites' own, and PTF's.
ROLES = {
    "uplink": UPLINK_PORT,
    "node": NODE.port,
    "spare": SPARE_PORT,
    **{pod.name: pod.port for pod in PODS},
}
PORTS = tuple(sorted(ROLES.values()))


def wired(device_ports: Mapping[int, int]) -> NodeConfig:
    """The node file for a device whose ports have other numbers: suites' number -> the device's."""
    return replace(
        NODE_CONFIG,
        uplink_port=device_ports[UPLINK_PORT],
        host_port=device_ports[NODE.port],
        pods=tuple(replace(pod, port=device_ports[pod.port]) for pod in NODE_CONFIG.pods),
    )


def host_at(ip: str) -> Host:
    """The host with this address."""
    return next(host for host in HOSTS if host.ip == ip)


def frame_from(host: Host, packet: Packet) -> Packet:
    """The frame on `host.port` when `host` sends the IP packet: what the NIC receives."""
    match host.place:
        case "pod" | "node":
            return Ether(src=host.mac, dst=GATEWAY_MAC) / packet
        case "router":
            return Ether(src=ROUTER_MAC, dst=VTEP_MAC) / packet
        case "tunnel":
            return tunnel_frame(host, packet)
        case _:
            assert_never(host.place)


def tunnel_frame(
    host: Host, packet: Packet, *, vni: int = VNI, vtep: str = VTEP_IP, source: str | None = None
) -> Packet:
    """A remote pod's IP packet as its node wraps it. The keywords are for peers who get something wrong."""
    assert host.peer is not None
    inner = Ether(src=host.mac, dst=GATEWAY_MAC) / packet
    outer = IP(src=source or ip_text(host.peer.vtep_ip), dst=vtep, ttl=61, id=0x7001)
    udp = UDP(sport=TUNNEL_SOURCE_PORT, dport=VXLAN_PORT, chksum=0)
    return Ether(src=mac_text(host.peer.mac), dst=VTEP_MAC) / outer / udp / VXLAN(flags=8, vni=vni) / inner


def frame_to(host: Host, packet: Packet, target: Target) -> Packet:
    """The frame on `host.port` with which the NIC must deliver the IP packet to `host`.

    Tunnels (RFC 7348, RFC 6040, T18): fresh outer TTL, DSCP copied without ECN, don't fragment, UDP checksum
    0, source port 49152-65535 from the hash of the packet's own 5-tuple.
    """
    match host.place:
        case "pod" | "node":
            return Ether(src=GATEWAY_MAC, dst=host.mac) / packet
        case "router":
            return Ether(src=VTEP_MAC, dst=ROUTER_MAC) / packet
        case "tunnel":
            assert host.peer is not None
            inner = Ether(src=VTEP_MAC, dst=mac_text(host.peer.inner_mac)) / packet
            remote = ip_text(host.peer.vtep_ip)
            outer = IP(src=VTEP_IP, dst=remote, ttl=64, id=0, flags="DF", tos=packet[IP].tos & 0xFC)
            entropy = flow_hash(five_tuple(packet), target) & 0xFFFF | 0xC000
            udp = UDP(sport=entropy, dport=VXLAN_PORT, chksum=0)
            link = Ether(src=VTEP_MAC, dst=mac_text(host.peer.mac))
            return link / outer / udp / VXLAN(flags=8, vni=VNI) / inner
        case _:
            assert_never(host.place)


def five_tuple(packet: Packet) -> FiveTuple:
    """The flow key of an IP packet, as docs/pipeline.md defines it."""
    ip = packet[IP]
    sport = dport = 0
    transport = ip.payload
    match transport:
        case _ if ip.frag:
            pass
        case TCP() | UDP():
            sport, dport = transport.sport, transport.dport
        case ICMP(type=8):
            sport = transport.id
        case ICMP(type=0):
            dport = transport.id
        case _:
            pass
    return FiveTuple(address(ip.src), address(ip.dst), ip.proto, sport, dport)


def address(text: str) -> int:
    """A dotted quad as the int the control plane uses."""
    return int.from_bytes(bytes(int(part) for part in text.split(".")), "big")
