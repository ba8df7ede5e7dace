"""An endpoint goes: TCP connections to it drain, new ones avoid it (T25)."""

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.oracle import chosen, slots
from harness.packets import tcp, translated
from harness.topology import POD1, POD2, POD3, POD4

VIP = "10.96.0.31"


class TcpDrains(LbTest):
    """Old connections, those to the removed endpoint too, go on in both directions."""

    def runTest(self) -> None:
        before = service("web", VIP, 80, [POD2, POD3, POD4])
        after = service("web", VIP, 80, [POD2, POD3])
        size = len(slots(before))
        self.apply(cluster(before))

        connections = [tcp(POD1, VIP, port, 80) for port in range(40000, 40012)]
        servers = {syn.sport: chosen(before, syn, self.target) for syn in connections}
        self.assertIn(POD4, servers.values(), "some connection is to the endpoint that goes")
        for syn in connections:
            self.send(POD1, syn)
            self.expect(servers[syn.sport], translated(syn, dst=servers[syn.sport].ip, dport=8080))
        self.assert_pinned(*connections)

        self.apply(cluster(after))
        for syn in connections:
            server = servers[syn.sport]
            data = tcp(POD1, VIP, syn.sport, 80, "PA", b"more")
            self.send(POD1, data)
            self.expect(server, translated(data, dst=server.ip, dport=8080))
            answer = tcp(server, POD1, 8080, syn.sport, "PA", b"answer")
            self.send(server, answer)
            self.expect(POD1, translated(answer, src=VIP, sport=80))

        for port in range(41000, 41012):
            syn = tcp(POD1, VIP, port, 80)
            server = chosen(after, syn, self.target, size)
            self.assertIsNot(server, POD4)
            self.send(POD1, syn)
            self.expect(server, translated(syn, dst=server.ip, dport=8080))
