"""Replies come back as the VIP: the flow decides, not the endpoint's address."""

from harness.cluster import UDP, cluster, service
from harness.conversation import ask, connect
from harness.lb_base import LbTest
from harness.packets import tcp, translated
from harness.topology import CLIENT, POD1, POD2, POD3, REMOTE_B

WEB = service("web", "10.96.0.10", 80, [POD2])


class ReplyComesFromTheVip(LbTest):
    """TCP and UDP, to clients everywhere."""

    def runTest(self) -> None:
        dns = service("dns", "10.96.0.53", 53, [POD3], target_port=5353, protocol=UDP)
        self.apply(cluster(WEB, dns))
        for client in (POD1, CLIENT, REMOTE_B):
            connect(self, client, WEB, 44000).to_client("PA", b"hello")
            ask(self, client, dns, 44000).to_client(payload=b"again")


class ConnectionsOfTheEndpointItself(LbTest):
    """A server that opens a connection from its service port to somebody else is not the service (D9)."""

    def runTest(self) -> None:
        self.apply(cluster(WEB))
        connect(self, POD1, WEB, 44100)
        own = tcp(POD2, POD3, 8080, 9000, "S")
        self.send(POD2, own)
        self.expect(POD3, translated(own))
        self.assert_pinned(own)
        answer = tcp(POD3, POD2, 9000, 8080, "SA")
        self.send(POD3, answer)
        self.expect(POD2, translated(answer))
