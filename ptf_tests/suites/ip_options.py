"""IPv4 options (T9, D6): skipped by length, kept, and the ports behind them found where they are."""

from scapy.layers.inet import IPOption_NOP, IPOption_Router_Alert, IPOption_RR

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import tcp, translated, udp
from harness.topology import POD1, POD2, REMOTE_B
from lbctl.model import Protocol

VIP = "10.96.0.41"
FEW = [IPOption_Router_Alert()]
MOST = [IPOption_RR(routers=["10.0.0.1"] * 9), IPOption_NOP()]


class OptionsAreSkippedAndKept(LbTest):
    """One word of options and nine, TCP and UDP, to a local endpoint and through a tunnel."""

    def runTest(self) -> None:
        for where, first in ((POD2, 40000), (REMOTE_B, 41000)):
            web = service("web", VIP, 80, [where])
            dns = service("dns", VIP, 53, [where], protocol=Protocol.UDP)
            self.apply(cluster(web, dns))
            for port, options in ((first, FEW), (first + 1, MOST)):
                syn = tcp(POD1, VIP, port, 80, options=options)
                self.send(POD1, syn)
                self.expect(where, translated(syn, dst=where.ip, dport=8080))
                query = udp(POD1, VIP, port, 53, options=options)
                self.send(POD1, query)
                self.expect(where, translated(query, dst=where.ip, dport=8080))


class EveryLength(LbTest):
    """One to ten words of options, from a pod and out of a tunnel."""

    def runTest(self) -> None:
        self.apply(cluster(service("web", VIP, 80, [POD2])))
        for client in (POD1, REMOTE_B):
            for words in range(1, 11):
                syn = tcp(client, VIP, 42000 + words, 80, options=[IPOption_NOP()] * 4 * words)
                self.assertEqual(syn.ihl, 5 + words)
                self.send(client, syn)
                self.expect(POD2, translated(syn, dst=POD2.ip, dport=8080))
