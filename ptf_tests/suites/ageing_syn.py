"""A half-open connection is forgotten after 30 idle seconds; each retransmission starts them anew (T22)."""

from harness.cluster import cluster, service
from harness.conversation import conversation
from harness.lb_base import LbTest
from harness.topology import POD1, POD2, POD3, REMOTE_B

WEB = service("web", "10.96.0.10", 80, [POD2, POD3, REMOTE_B])


class HalfOpenIsForgotten(LbTest):
    """SYN, silence."""

    def runTest(self) -> None:
        self.requires("virtual_time")
        self.apply(cluster(WEB))
        talk = conversation(self, POD1, WEB, 55000)
        talk.to_server("S")
        self.assert_pinned(talk.request("S"), talk.response("SA"))
        grain = self.profile.timer_granularity_s()
        self.advance(29.5 - grain)
        self.assert_pinned(talk.request("S"), talk.response("SA"))
        self.advance(1 + 2 * grain)
        self.assert_unknown(talk.request("S"), talk.response("SA"))


class RetransmissionKeepsIt(LbTest):
    """SYN every 20 seconds: still there after 80, gone 30 after the last."""

    def runTest(self) -> None:
        self.requires("virtual_time")
        self.apply(cluster(WEB))
        talk = conversation(self, POD1, WEB, 55100)
        for _ in range(5):
            talk.to_server("S")
            self.assert_pinned(talk.request("S"))
            self.advance(20)
        self.assert_pinned(talk.request("S"))
        self.advance(31)
        self.assert_unknown(talk.request("S"), talk.response("SA"))
