"""Session affinity ClientIP: every connection of a client goes to one endpoint, and clients spread."""

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.oracle import chosen
from harness.packets import tcp, translated
from harness.topology import CLIENT, POD1, POD2, POD3, POD4, REMOTE_B

VIP = "10.96.0.20"


class OneClientOneEndpoint(LbTest):
    """Twenty connections of one client, whatever their ports; others by their own address."""

    def runTest(self) -> None:
        web = service(
            "sticky", VIP, 80, [POD2, POD3, REMOTE_B], client_ip_affinity=True, external_ips=["198.51.100.40"]
        )
        self.apply(cluster(web))

        for client in (POD1, POD4):
            first = tcp(client, VIP, 40000, 80)
            server = chosen(web, first, self.target)
            for port in range(40000, 40020):
                syn = tcp(client, VIP, port, 80)
                self.send(client, syn)
                self.expect(server, translated(syn, dst=server.ip, dport=8080))

        # Through another address of the service the hash is another one, but still one per client.
        seen = set()
        for port in range(40000, 40010):
            syn = tcp(CLIENT, "198.51.100.40", port, 80)
            server = chosen(web, syn, self.target)
            self.send(CLIENT, syn)
            self.expect(server, translated(syn, dst=server.ip, dport=8080))
            seen.add(server)
        self.assertEqual(len(seen), 1)
