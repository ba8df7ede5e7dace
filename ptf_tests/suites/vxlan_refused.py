"""A tunnel is taken down only for our VTEP, our network, and peers we know; pods cannot speak it (T18)."""

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from harness.cluster import cluster
from harness.lb_base import LbTest
from harness.packets import built, tcp, translated
from harness.topology import (
    CLIENT,
    GATEWAY_MAC,
    NODE,
    POD1,
    POD2,
    REMOTE_B,
    REMOTE_C,
    ROUTER_MAC,
    UPLINK_PORT,
    VNI,
    VTEP_IP,
    VTEP_MAC,
    VXLAN_PORT,
    tunnel_frame,
)
from lbctl.model import ip_text

INNER = tcp(REMOTE_B, POD2, 49000, 9000)


class WrongVni(LbTest):
    """Another tenant's network."""

    def runTest(self) -> None:
        self.apply(cluster())
        for vni in (0, 1, VNI - 1, VNI + 1, VNI << 8 & 0xFFFFFF, 0xFFFFFF):
            self.send_frame(UPLINK_PORT, tunnel_frame(REMOTE_B, INNER, vni=vni))
            self.expect_drop("wrong_vni")


class UnknownPeer(LbTest):
    """A tunnel from an address that is no node of the cluster."""

    def runTest(self) -> None:
        self.apply(cluster())
        for source in ("192.168.10.99", CLIENT.ip, POD1.ip):
            self.send_frame(UPLINK_PORT, tunnel_frame(REMOTE_B, INNER, source=source))
            self.expect_drop("unknown_peer")


class AnotherNodesTunnel(LbTest):
    """VXLAN to another node's VTEP is none of our business: routed as the UDP packet it is."""

    def runTest(self) -> None:
        self.apply(cluster())
        assert REMOTE_C.peer is not None
        vtep = ip_text(REMOTE_C.peer.vtep_ip)
        frame = built(tunnel_frame(REMOTE_B, INNER, vtep=vtep))
        self.send_frame(UPLINK_PORT, frame)
        seen = self.expect_like(
            UPLINK_PORT, Ether(src=VTEP_MAC) / IP(dst=vtep, ttl=60) / UDP(dport=VXLAN_PORT)
        )
        self.assertEqual(bytes(seen[UDP]), bytes(frame[UDP]))


class PodsCannotSpeakTheTunnel(LbTest):
    """A pod's VXLAN to our VTEP reaches the node as UDP; what is inside is nobody's packet."""

    def runTest(self) -> None:
        self.apply(cluster())
        forged = Ether(src=ROUTER_MAC, dst=GATEWAY_MAC) / tcp(REMOTE_B, POD2, 49001, 9000)
        outer = IP(src=POD1.ip, dst=VTEP_IP, id=7) / UDP(sport=50000, dport=VXLAN_PORT)
        packet = built(outer / VXLAN(flags=8, vni=VNI) / forged)
        self.send(POD1, packet)
        self.expect(NODE, translated(packet, hops=0))


class MalformedTunnels(LbTest):
    """To us, from a peer, and wrong: no I flag, lengths that lie, nothing or something else inside."""

    def runTest(self) -> None:
        self.apply(cluster())
        self.tunnel("tunnel_malformed", flags=0)
        self.tunnel("tunnel_malformed", udp_length=49)
        self.tunnel("tunnel_malformed", udp_length=1000)
        longer = built(INNER / Raw(b"z" * 40))
        longer.len = 400
        del longer.chksum
        self.tunnel("tunnel_malformed", inner=bytes(built(longer)))
        self.tunnel("not_ipv4", ether_type=0x86DD)
        self.tunnel("not_ipv4", ether_type=0x0806)
        self.tunnel("not_ipv4", ether_type=0x8100)
        broken = bytearray(bytes(INNER))
        broken[10] ^= 0x40
        self.tunnel("bad_checksum", inner=bytes(broken))

    def tunnel(
        self,
        reason: str,
        *,
        flags: int = 8,
        udp_length: int | None = None,
        inner: bytes = bytes(INNER),
        ether_type: int = 0x0800,
    ) -> None:
        assert REMOTE_B.peer is not None
        outer = IP(src=ip_text(REMOTE_B.peer.vtep_ip), dst=VTEP_IP)
        udp = UDP(sport=50000, dport=VXLAN_PORT, chksum=0, len=udp_length)
        body = Ether(src=REMOTE_B.mac, dst=GATEWAY_MAC, type=ether_type) / Raw(inner)
        vxlan = VXLAN(flags=flags, vni=VNI)
        self.send_frame(UPLINK_PORT, Ether(src=ROUTER_MAC, dst=VTEP_MAC) / outer / udp / vxlan / body)
        self.expect_drop(reason)


class BrokenOuterHeader(LbTest):
    """An outer IPv4 checksum that does not add up."""

    def runTest(self) -> None:
        self.apply(cluster())
        frame = bytearray(bytes(tunnel_frame(REMOTE_B, INNER)))
        frame[14 + 10] ^= 0x01
        self.send_frame(UPLINK_PORT, bytes(frame))
        self.expect_drop("bad_checksum")


class PeersPacketToNobody(LbTest):
    """A good tunnel around a packet for a pod this node does not have: the node's own stack gets it."""

    def runTest(self) -> None:
        self.apply(cluster())
        stranger = tcp(REMOTE_B, "10.244.1.99", 49002, 9000)
        self.send(REMOTE_B, stranger)
        self.expect(NODE, translated(stranger, hops=0))
        self.assertEqual(translated(stranger, hops=0).ttl, 64)
