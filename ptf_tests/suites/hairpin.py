"""Hairpin (T28): a pod reaches itself through its service, and never sees its own address twice."""

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import tcp, translated
from harness.topology import POD1

VIP = "10.96.0.21"


class PodReachesItself(LbTest):
    """pod1 -> VIP -> pod1: the source becomes the VIP; the answer and the next packet find their way."""

    def runTest(self) -> None:
        self.apply(cluster(service("mirror", VIP, 80, [POD1])))

        syn = tcp(POD1, VIP, 40000, 80)
        self.send(POD1, syn)
        self.expect(POD1, translated(syn, src=VIP, dst=POD1.ip, dport=8080))
        self.assert_pinned(syn)

        answer = tcp(POD1, VIP, 8080, 40000, "SA")
        self.send(POD1, answer)
        self.expect(POD1, translated(answer, src=VIP, dst=POD1.ip, sport=80))

        data = tcp(POD1, VIP, 40000, 80, "PA", b"hello")
        self.send(POD1, data)
        self.expect(POD1, translated(data, src=VIP, dst=POD1.ip, dport=8080))
