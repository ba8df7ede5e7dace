"""A connection that ends is forgotten after ten seconds, both halves, whatever trickles in later (D3)."""

from harness.cluster import cluster, service
from harness.conversation import connect
from harness.lb_base import LbTest
from harness.topology import POD1, POD2, POD3

WEB = service("web", "10.96.0.10", 80, [POD2, POD3])


class FinFromBothSides(LbTest):
    """FIN, FIN, ACK: the last ACK does not make the connection twelve hours younger."""

    def runTest(self) -> None:
        self.requires("virtual_time")
        self.apply(cluster(WEB))
        talk = connect(self, POD1, WEB, 57000)
        talk.to_server("FA")
        self.environment.learned()
        talk.to_client("FA")
        self.environment.learned()
        talk.to_server("A")
        grain = self.profile.timer_granularity_s()
        self.advance(9 - grain)
        self.assert_pinned(talk.request(), talk.response())
        self.advance(2 + 2 * grain)
        self.assert_unknown(talk.request(), talk.response())


class Reset(LbTest):
    """RST from either side: the reset itself still arrives, then both halves go."""

    def runTest(self) -> None:
        self.requires("virtual_time")
        self.apply(cluster(WEB))
        for sport, of_client in ((57100, True), (57101, False)):
            talk = connect(self, POD1, WEB, sport)
            if of_client:
                talk.to_server("R")
            else:
                talk.to_client("RA")
            self.environment.learned()
            self.advance(11)
            self.assert_unknown(talk.request(), talk.response())


class HalfClosedStillDelivers(LbTest):
    """After the client's FIN the server goes on sending: every segment arrives while they keep coming."""

    def runTest(self) -> None:
        self.requires("virtual_time")
        self.apply(cluster(WEB))
        talk = connect(self, POD1, WEB, 57200)
        talk.to_server("FA")
        self.environment.learned()
        for _ in range(4):
            self.advance(6)
            talk.to_client("PA", b"the long rest of the answer")
            talk.to_server("A")


class ResetOfNothing(LbTest):
    """A reset for a connection nobody knows pins nothing (T22)."""

    def runTest(self) -> None:
        self.apply(cluster(WEB))
        talk = connect(self, POD1, WEB, 57300)
        self.environment.controller.flush_flows()
        talk.to_server("R")
        self.assert_unknown(talk.request(), talk.response())
