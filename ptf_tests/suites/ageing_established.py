"""An established connection survives twelve idle hours, and is forgotten after them (D1, T22)."""

from harness.cluster import cluster, service
from harness.conversation import connect
from harness.lb_base import LbTest
from harness.topology import CLIENT, POD1, POD2, POD3

WEB = service("web", "10.96.0.10", 80, [POD2, POD3])
TWELVE_HOURS = 12 * 3600


class TwelveIdleHours(LbTest):
    """Nothing for almost twelve hours, then data both ways, from the same endpoint."""

    def runTest(self) -> None:
        self.requires("virtual_time")
        self.apply(cluster(WEB))
        talk = connect(self, POD1, WEB, 56000)
        self.advance(TWELVE_HOURS - 5)
        self.assert_pinned(talk.request(), talk.response())
        self.apply(cluster(service("web", "10.96.0.10", 80, [POD2, POD3, CLIENT])))
        talk.to_server("PA", b"good morning")
        talk.to_client("PA", b"good morning")


class LongerThanTwelveHours(LbTest):
    """Both halves go. Where the control plane keeps time, its twelve hours begin after the first 30 s."""

    def runTest(self) -> None:
        self.requires("virtual_time")
        self.apply(cluster(WEB))
        talk = connect(self, POD1, WEB, 56100)
        if self.can("data_plane_learning"):
            self.advance(TWELVE_HOURS + 1)
        else:
            self.advance(31)
            self.advance(TWELVE_HOURS)
        self.assert_unknown(talk.request(), talk.response())


class OnePacketEveryEightHours(LbTest):
    """A connection that says something now and then lives for days; the direction does not matter."""

    def runTest(self) -> None:
        self.requires("virtual_time")
        self.apply(cluster(WEB))
        talk = connect(self, POD1, WEB, 56200)
        for _ in range(3):
            self.advance(8 * 3600)
            talk.to_server("PA", b"ping")
            talk.to_client("A")
        self.advance(8 * 3600)
        self.assert_pinned(talk.request(), talk.response())
