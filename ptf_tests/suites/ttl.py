"""TTL: one less for every hop, and nothing that has none left goes on (T13)."""

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import tcp, translated
from harness.topology import CLIENT, NODE, POD1, POD2, REMOTE_B

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


class TheNodeIsNoHop(LbTest):
    """A packet for the node itself arrives with the TTL it has, even 1; with 0 it does not."""

    def runTest(self) -> None:
        self.apply(cluster())
        for sender in (POD1, CLIENT):
            last = tcp(sender, NODE, 40003, 10250, ttl=1)
            self.send(sender, last)
            self.expect(NODE, translated(last, hops=0))
            self.send(sender, tcp(sender, NODE, 40004, 10250, ttl=0))
            self.expect_drop("ttl_expired")


class TunnelsAreHops(LbTest):
    """Into the tunnel and out of it: TTL 1 ends here, 2 goes on as 1."""

    def runTest(self) -> None:
        self.apply(cluster())
        for sender, receiver in ((POD1, REMOTE_B), (REMOTE_B, POD1)):
            self.send(sender, tcp(sender, receiver, 40005, 80, ttl=1))
            self.expect_drop("ttl_expired")
            syn = tcp(sender, receiver, 40006, 80, ttl=2)
            self.send(sender, syn)
            self.expect(receiver, translated(syn))
