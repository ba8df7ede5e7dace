"""A full flow table (T20, T21, D11): nothing is black-holed, and no half of a pair is left alone."""

from typing import ClassVar

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.oracle import chosen
from harness.packets import tcp, translated
from harness.topology import POD1, POD2, POD3, REMOTE_B
from lbctl.hashing import FiveTuple

VIP = "10.96.0.27"


class FullTableFallsBackToTheHash(LbTest):
    """Room for two connections, ten arrive: all of them work, in both directions."""

    target_options: ClassVar = ("--table-size", "Lb.flow_table=4")

    def runTest(self) -> None:
        web = service("web", VIP, 80, [POD2, POD3, REMOTE_B])
        self.apply(cluster(web))

        connections = [tcp(POD1, VIP, port, 80) for port in range(40000, 40010)]
        for syn in connections:
            server = chosen(web, syn, self.target)
            self.send(POD1, syn)
            self.expect(server, translated(syn, dst=server.ip, dport=8080))

        flows = self.flows()
        self.assertLessEqual(len(flows), 4)
        for key, flow in flows.items():
            back = FiveTuple(flow.new_dst, flow.new_src, key.proto, flow.new_dport, flow.new_sport)
            self.assertIn(back, flows, "a pair is learned whole or not at all")

        for syn in connections:
            server = chosen(web, syn, self.target)
            data = tcp(POD1, VIP, syn.sport, 80, "PA", b"more")
            self.send(POD1, data)
            self.expect(server, translated(data, dst=server.ip, dport=8080))

            answer = tcp(server, POD1, 8080, syn.sport, "PA", b"answer")
            self.send(server, answer)
            self.expect(POD1, translated(answer, src=VIP, sport=80))
