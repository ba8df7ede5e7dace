"""TTL: one less for every hop, and nothing that has none left goes on (T13)."""

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import tcp, translated
from harness.topology import CLIENT, POD1, POD2

VIP = "10.96.0.34"


class OneHopLess(LbTest):
    """255, 64 and 2 leave as 254, 63 and 1."""

    def runTest(self) -> None:
        self.apply(cluster(service("web", VIP, 80, [POD2])))
        for port, ttl in ((40000, 255), (40001, 64), (40002, 2)):
            syn = tcp(POD1, VIP, port, 80, ttl=ttl)
            self.send(POD1, syn)
            self.expect(POD2, translated(syn, dst=POD2.ip, dport=8080))


class NoneLeft(LbTest):
    """0 and 1 are dropped before they become a flow, to a service and to a pod."""

    def runTest(self) -> None:
        self.apply(cluster(service("web", VIP, 80, [POD2])))
        dying = [
            tcp(POD1, VIP, 40000, 80, ttl=1),
            tcp(POD1, VIP, 40001, 80, ttl=0),
            tcp(POD1, CLIENT, 40002, 80, ttl=1),
        ]
        for packet in dying:
            self.send(POD1, packet)
            self.expect_drop("ttl_expired")
        self.assert_unknown(*dying)
