"""Packets to a pod of another node leave in VXLAN (RFC 7348, RFC 6040, T18).

pod1 (port 1) -> node-a -> [Ether / IP / UDP 4789 / VXLAN / the packet] -> port 0 -> node-b
"""

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from harness.cluster import cluster, service
from harness.conversation import connect
from harness.lb_base import LbTest
from harness.packets import tcp, translated, udp
from harness.topology import POD1, REMOTE_B, REMOTE_C, UPLINK_PORT, VNI, VTEP_IP, VTEP_MAC, VXLAN_PORT
from lbctl.model import ip_text, mac_text

WEB = service("web", "10.96.0.10", 80, [REMOTE_B])


class OuterHeaders(LbTest):
    """Every outer field that has one right value, spelled out here rather than in the harness."""

    def runTest(self) -> None:
        self.apply(cluster(WEB))
        for remote in (REMOTE_B, REMOTE_C):
            assert remote.peer is not None
            packet = udp(POD1, remote, 47000, 9, b"payload", ttl=17)
            self.send(POD1, packet)
            inner_length = len(packet)
            seen = self.expect_like(
                UPLINK_PORT,
                Ether(src=VTEP_MAC, dst=mac_text(remote.peer.mac), type=0x0800)
                / IP(
                    version=4,
                    ihl=5,
                    src=VTEP_IP,
                    dst=ip_text(remote.peer.vtep_ip),
                    ttl=64,
                    id=0,
                    flags="DF",
                    frag=0,
                    proto=17,
                    len=inner_length + 50,
                )
                / UDP(dport=VXLAN_PORT, chksum=0, len=inner_length + 30)
                / VXLAN(flags=0x08, reserved1=0, reserved2=0, vni=VNI)
                / Ether(src=VTEP_MAC, dst=mac_text(remote.peer.inner_mac), type=0x0800)
                / IP(src=POD1.ip, dst=remote.ip, ttl=16),
            )
            self.assertEqual(bytes(seen)[50:][14:], bytes(translated(packet)))


class SourcePortIsEntropy(LbTest):
    """In 49152-65535, one per flow and stable, different between flows: what ECMP on the way needs."""

    def runTest(self) -> None:
        self.apply(cluster(WEB))
        ports = set()
        for sport in range(47100, 47132):
            packets = [tcp(POD1, REMOTE_B, sport, 9000, flags) for flags in ("S", "A", "PA")]
            for packet in packets:
                self.send(POD1, packet)
            (port,) = {frame[UDP].sport for _, frame in self.receive_all()}
            self.assertGreaterEqual(port, 49152)
            ports.add(port)
        self.assertGreater(
            len(ports), 28, "32 flows, 16384 ports: even three collisions are one in a million"
        )


class DscpIsCopiedEcnIsNot(LbTest):
    """The outer packet keeps the inner DSCP and is Not-ECT; the inner one keeps both."""

    def runTest(self) -> None:
        self.apply(cluster(WEB))
        for tos in (0x00, 0x01, 0x02, 0x03, 0xB8, 0xBB, 0xFF):
            packet = udp(POD1, REMOTE_B, 47200, 9, tos=tos)
            self.send(POD1, packet)
            frame = self.expect_like(UPLINK_PORT, Ether() / IP(tos=tos & 0xFC))
            self.assertEqual(frame[VXLAN][IP].tos, tos)


class ServiceWithARemoteEndpoint(LbTest):
    """DNAT and encapsulation of one packet; the answer comes out of the tunnel and is the VIP's again."""

    def runTest(self) -> None:
        self.apply(cluster(WEB))
        talk = connect(self, POD1, WEB, 47300)
        self.assertIs(talk.server, REMOTE_B)
        talk.to_server("PA", b"x" * 1400)
        talk.to_client("PA", b"y" * 1400)
