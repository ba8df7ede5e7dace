"""Flows from one client port that end at one endpoint keep apart (D9, D10, T27).

    pod1:40000 -> VIP A:80 --\
    pod1:40000 -> VIP B:80 ---> pod2:8080        each reply must come from where the request went
    pod1:40000 -> pod2:8080 -/

Seen from the endpoint the three are one 5-tuple, so the later ones get another source port. A control plane
that learns from digests decides that after the first packet has left: there the second packet counts.
"""

from dataclasses import dataclass

from harness.cluster import cluster, service
from harness.conversation import connect
from harness.lb_base import LbTest
from harness.packets import tcp, translated
from harness.topology import POD1, POD2, five_tuple
from lbctl.hashing import clash_port
from lbctl.model import ip_text

A = service("a", "10.96.0.10", 80, [POD2])
B = service("b", "10.96.0.11", 80, [POD2])
SPORT = 40000


@dataclass(frozen=True, slots=True)
class Second:
    """A flow from the port that is already in use towards the endpoint, to what the client calls `dst`."""

    test: LbTest
    dst: str
    dport: int

    def open(self) -> int:
        """SYN (twice, where learning takes a packet); the source port the server sees."""
        syn = tcp(POD1, self.dst, SPORT, self.dport, "S")
        other = clash_port(five_tuple(syn), self.test.target)
        self.test.assertNotEqual(other, SPORT)
        if not self.test.can("data_plane_learning"):
            self.test.send(POD1, syn)
            self.test.expect(POD2, translated(syn, dst=POD2.ip, dport=8080))
            self.test.assert_pinned(syn)
        self.test.send(POD1, syn)
        self.test.expect(POD2, translated(syn, dst=POD2.ip, dport=8080, sport=other))
        return other

    def exchange(self, port: int) -> None:
        """Data both ways; the client never notices the port."""
        answer = tcp(POD2, POD1, 8080, port, "SA")
        self.test.send(POD2, answer)
        self.test.expect(POD1, translated(answer, src=self.dst, sport=self.dport, dport=SPORT))
        data = tcp(POD1, self.dst, SPORT, self.dport, "PA", b"data")
        self.test.send(POD1, data)
        self.test.expect(POD2, translated(data, dst=POD2.ip, dport=8080, sport=port))


class TwoVips(LbTest):
    """VIP A and VIP B share the endpoint."""

    def runTest(self) -> None:
        self.apply(cluster(A, B))
        talk = connect(self, POD1, A, SPORT)
        second = Second(self, ip_text(B[0].cluster_ips[0]), 80)
        port = second.open()
        second.exchange(port)
        talk.to_server("PA", b"still A")
        talk.to_client("PA", b"still A")


class TwoPortsOfOneVip(LbTest):
    """VIP A:80 and VIP A:81 share the endpoint: the flows differ in the VIP's port and in nothing else."""

    def runTest(self) -> None:
        self.apply(cluster(A, service("a81", ip_text(A[0].cluster_ips[0]), 81, [POD2])))
        talk = connect(self, POD1, A, SPORT)
        second = Second(self, talk.vip, 81)
        port = second.open()
        second.exchange(port)
        talk.to_client("PA", b"still port 80")


class ServiceThenDirect(LbTest):
    """First through VIP A, then straight to the pod."""

    def runTest(self) -> None:
        self.apply(cluster(A))
        talk = connect(self, POD1, A, SPORT)
        second = Second(self, POD2.ip, 8080)
        port = second.open()
        second.exchange(port)
        talk.to_client("PA", b"still A")


class DirectThenService(LbTest):
    """First straight to the pod, then through VIP A."""

    def runTest(self) -> None:
        self.apply(cluster(A))
        syn = tcp(POD1, POD2, SPORT, 8080, "S")
        self.send(POD1, syn)
        self.expect(POD2, translated(syn))
        self.assert_pinned(syn)
        second = Second(self, ip_text(A[0].cluster_ips[0]), 80)
        port = second.open()
        second.exchange(port)
        answer = tcp(POD2, POD1, 8080, SPORT, "SA")
        self.send(POD2, answer)
        self.expect(POD1, translated(answer))


class ThirdFlowHasNoPortLeft(LbTest):
    """Both source ports are taken: the packet is refused and counted, and the others stay as they were."""

    def runTest(self) -> None:
        self.requires("data_plane_learning")
        self.apply(cluster(A, B))
        talk = connect(self, POD1, A, SPORT)
        syn = tcp(POD1, ip_text(B[0].cluster_ips[0]), SPORT, 80, "S")
        other = clash_port(five_tuple(syn), self.target)
        connect(self, POD1, A, other)
        self.send(POD1, syn)
        self.expect_drop("port_clash")
        self.assert_unknown(syn)
        talk.to_server("PA", b"still A")
        talk.to_client("PA", b"still A")
