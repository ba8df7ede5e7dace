"""External and load-balancer addresses: VIPs that clients beyond the uplink dial."""

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.oracle import chosen
from harness.packets import tcp, translated
from harness.topology import CLIENT, POD2, REMOTE_B

EXTERNAL = "198.51.100.50"


class ClientDialsAnExternalAddress(LbTest):
    """CLIENT -> external address -> endpoint, and back as that address."""

    def runTest(self) -> None:
        web = service("web", "10.96.0.23", 80, [POD2, REMOTE_B], external_ips=[EXTERNAL])
        self.apply(cluster(web))

        for port in range(51000, 51010):
            syn = tcp(CLIENT, EXTERNAL, port, 80)
            server = chosen(web, syn, self.target)
            self.send(CLIENT, syn)
            self.expect(server, translated(syn, dst=server.ip, dport=8080))
            self.assert_pinned(syn)

            answer = tcp(server, CLIENT, 8080, port, "SA")
            self.send(server, answer)
            self.expect(CLIENT, translated(answer, src=EXTERNAL, sport=80))
