"""UDP and ICMP flows: 120 and 30 idle seconds; one-way traffic keeps both halves."""

from harness.cluster import UDP, cluster, service
from harness.conversation import ask
from harness.lb_base import LbTest
from harness.packets import echo, translated
from harness.topology import POD1, POD2, POD3

DNS = service("dns", "10.96.0.53", 53, [POD2, POD3], target_port=5353, protocol=UDP)


class DatagramsStop(LbTest):
    """Request and answer; gone after two minutes."""

    def runTest(self) -> None:
        self.requires("virtual_time")
        self.apply(cluster(DNS))
        talk = ask(self, POD1, DNS, 58000)
        grain = self.profile.timer_granularity_s()
        self.advance(119 - grain)
        self.assert_pinned(talk.request(), talk.response())
        self.advance(2 + 2 * grain)
        self.assert_unknown(talk.request(), talk.response())


class OneWaySender(LbTest):
    """A client that only sends for ten minutes: then the server's first word still comes from the VIP."""

    def runTest(self) -> None:
        self.requires("virtual_time")
        self.apply(cluster(DNS))
        talk = ask(self, POD1, DNS, 58100)
        for _ in range(6):
            self.advance(100)
            talk.to_server(payload=b"log line")
        talk.to_client(payload=b"enough")


class OneWayReceiver(LbTest):
    """A server that streams for ten minutes keeps the client's half: no new endpoint for the next request."""

    def runTest(self) -> None:
        self.requires("virtual_time")
        self.apply(cluster(DNS))
        talk = ask(self, POD1, DNS, 58200)
        for _ in range(6):
            self.advance(100)
            talk.to_client(payload=b"frame")
        self.assert_pinned(talk.request(), talk.response())


class EchoStops(LbTest):
    """Ping, pong; gone after 30 seconds."""

    def runTest(self) -> None:
        self.requires("virtual_time")
        self.apply(cluster())
        request, answer = echo(POD1, POD2, 12), echo(POD2, POD1, 12, reply=True)
        self.send(POD1, request)
        self.expect(POD2, translated(request))
        self.assert_pinned(request)
        self.send(POD2, answer)
        self.expect(POD1, translated(answer))
        grain = self.profile.timer_granularity_s()
        self.advance(29 - grain)
        self.assert_pinned(request, answer)
        self.advance(2 + 2 * grain)
        self.assert_unknown(request, answer)
