"""VLAN tags (T12, D17): a tagged frame is balanced like any other and keeps its tag; tunnels carry none."""

from scapy.layers.l2 import Dot1Q, Ether

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import tcp, translated
from harness.topology import GATEWAY_MAC, POD1, POD2, REMOTE_B

VIP = "10.96.0.39"


class TagIsKept(LbTest):
    """Tag, priority and all."""

    def runTest(self) -> None:
        self.apply(cluster(service("web", VIP, 80, [POD2])))
        syn = tcp(POD1, VIP, 40000, 80)
        self.send_frame(POD1.port, Ether(src=POD1.mac, dst=GATEWAY_MAC) / Dot1Q(vlan=100, prio=5) / syn)
        out = translated(syn, dst=POD2.ip, dport=8080)
        self.expect_frame(POD2.port, Ether(src=GATEWAY_MAC, dst=POD2.mac) / Dot1Q(vlan=100, prio=5) / out)


class TagStaysOutOfTheTunnel(LbTest):
    """RFC 7348: no tag on the inner frame."""

    def runTest(self) -> None:
        self.apply(cluster(service("web", VIP, 80, [REMOTE_B])))
        syn = tcp(POD1, VIP, 40001, 80)
        self.send_frame(POD1.port, Ether(src=POD1.mac, dst=GATEWAY_MAC) / Dot1Q(vlan=100) / syn)
        self.expect(REMOTE_B, translated(syn, dst=REMOTE_B.ip, dport=8080))
