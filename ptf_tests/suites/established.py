"""An established connection: data both ways, of every size, from every kind of client."""

from harness.cluster import cluster, service
from harness.conversation import connect
from harness.lb_base import LbTest
from harness.topology import CLIENT, POD1, POD2, POD3, REMOTE_B, REMOTE_C

WEB = service("web", "10.96.0.10", 80, [POD2, POD3])


class DataFlowsBothWays(LbTest):
    """Clients: a local pod, one beyond the router, a pod of another node."""

    def runTest(self) -> None:
        self.apply(cluster(WEB))
        for client in (POD1, CLIENT, REMOTE_B):
            talk = connect(self, client, WEB, 42000)
            for size in (0, 1, 2, 3, 536, 1379, 1460):
                talk.to_server("PA", bytes(i & 0xFF for i in range(size)))
                talk.to_client("PA", bytes(i * 7 & 0xFF for i in range(size)))


class JumboSegments(LbTest):
    """9000-byte packets pass whole, through the tunnel as well (no MTU is enforced)."""

    def runTest(self) -> None:
        far = service("far", "10.96.0.20", 80, [REMOTE_C])
        self.apply(cluster(WEB, far))
        for offer in (WEB, far):
            talk = connect(self, POD1, offer, 42100)
            talk.to_server("PA", b"\xa5" * 8900)
            talk.to_client("PA", b"\x5a" * 8900)


class ManyConnectionsKeepApart(LbTest):
    """Twenty connections to one VIP: each has its own endpoint and its own way back."""

    def runTest(self) -> None:
        self.apply(cluster(WEB))
        talks = [
            connect(self, client, WEB, sport) for client in (POD1, CLIENT) for sport in range(43000, 43010)
        ]
        for talk in talks:
            talk.to_server("PA", b"question %d" % talk.sport)
        for talk in reversed(talks):
            talk.to_client("PA", b"answer %d" % talk.sport)
