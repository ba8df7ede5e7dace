"""A connection keeps its endpoint while the pool changes; a new one is balanced anew (T24)."""

from harness.cluster import cluster, service
from harness.conversation import connect, conversation
from harness.lb_base import LbTest
from harness.oracle import chosen
from harness.packets import tcp
from harness.topology import POD1, POD2, POD3, POD4

VIP = "10.96.0.10"
TWO = service("web", VIP, 80, [POD2, POD3])
ONE = service("web", VIP, 80, [POD4])


class RetransmittedSynKeepsItsEndpoint(LbTest):
    """The SYN again, after every endpoint was replaced: the server that has seen the first one gets it."""

    def runTest(self) -> None:
        self.apply(cluster(TWO))
        talk = conversation(self, POD1, TWO, 45000)
        talk.to_server("S")
        self.assert_pinned(talk.request("S"), talk.response("SA"))
        self.apply(cluster(ONE))
        talk.to_server("S")
        talk.to_client("SA")
        talk.to_server("A")


class PortReuseAfterTheEndIsBalancedAnew(LbTest):
    """The same 5-tuple, once the old connection's time is up, goes where the hash says now (D3)."""

    def runTest(self) -> None:
        self.apply(cluster(TWO))
        talk = connect(self, POD1, TWO, 45001)
        talk.to_server("FA")
        talk.to_client("FA")
        talk.to_server("A")
        self.advance(31)
        self.assert_unknown(talk.request(), talk.response())
        self.apply(cluster(ONE))
        connect(self, POD1, ONE, 45001)


class BurstOfTheFirstPackets(LbTest):
    """Two packets of a new flow back to back, both before anything can be learned: one endpoint (T19)."""

    def runTest(self) -> None:
        self.apply(cluster(TWO))
        for sport in range(45100, 45116):
            talk = conversation(self, POD1, TWO, sport)
            for flags in ("S", "S", "PA"):
                self.send(POD1, talk.request(flags))
        for sport in range(45100, 45116):
            server = chosen(TWO, tcp(POD1, VIP, sport, 80), self.target)
            self.assertIn(server, (POD2, POD3))
        self.settle()
        seen = [self.receive_any() for _ in range(48)]
        for port, frame in seen:
            packet = frame["IP"]
            wanted = chosen(TWO, tcp(POD1, VIP, packet["TCP"].sport, 80), self.target)
            self.assertEqual((port, packet.dst), (wanted.port, wanted.ip))
