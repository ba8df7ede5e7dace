"""A pod may only send from its own address (T30)."""

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import tcp, translated
from harness.topology import CLIENT, POD1, POD2

VIP = "10.96.0.43"


class PodsSpeakForThemselves(LbTest):
    """Another pod's address, a stranger's and the VIP's are refused; the pod's own works."""

    def runTest(self) -> None:
        self.apply(cluster(service("web", VIP, 80, [POD2])))
        for source in (POD2.ip, CLIENT.ip, VIP):
            self.send(POD1, tcp(source, VIP, 40000, 80))
            self.expect_drop("spoofed_source")
        syn = tcp(POD1, VIP, 40000, 80)
        self.send(POD1, syn)
        self.expect(POD2, translated(syn, dst=POD2.ip, dport=8080))
