"""The first packet to a service reaches an endpoint, and the answer comes back as the VIP's."""

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.oracle import chosen
from harness.packets import tcp, translated
from harness.topology import POD1, POD2, POD3

VIP = "10.96.0.10"


class ServiceIsReachable(LbTest):
    """pod1 -> VIP:80 -> pod2 or pod3 on 8080, and back."""

    def runTest(self) -> None:
        web = service("web", VIP, 80, [POD2, POD3], target_port=8080)
        self.apply(cluster(web))

        syn = tcp(POD1, VIP, 40000, 80, "S")
        self.send(POD1, syn)
        server = chosen(web, syn, self.target)
        self.expect(server, translated(syn, dst=server.ip, dport=8080))
        self.assert_pinned(syn)

        answer = tcp(server, POD1, 8080, 40000, "SA")
        self.send(server, answer)
        self.expect(POD1, translated(answer, src=VIP, sport=80))
