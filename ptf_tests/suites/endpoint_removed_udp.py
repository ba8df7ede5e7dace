"""An endpoint goes: UDP flows to it move at once, or a one-way sender would keep them for ever (T25)."""

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.oracle import chosen, slots
from harness.packets import translated, udp
from harness.topology import POD1, POD2, POD3, POD4
from lbctl.model import Protocol

VIP = "10.96.0.32"


class UdpMovesAtOnce(LbTest):
    """The next datagram of every flow goes where the new table says; flows to other endpoints stay."""

    def runTest(self) -> None:
        before = service("dns", VIP, 53, [POD2, POD3, POD4], protocol=Protocol.UDP)
        after = service("dns", VIP, 53, [POD2, POD3], protocol=Protocol.UDP)
        size = len(slots(before))
        self.apply(cluster(before))

        queries = [udp(POD1, VIP, port, 53) for port in range(40000, 40012)]
        servers = {query.sport: chosen(before, query, self.target) for query in queries}
        self.assertIn(POD4, servers.values(), "some flow is to the endpoint that goes")
        for query in queries:
            self.send(POD1, query)
            self.expect(servers[query.sport], translated(query, dst=servers[query.sport].ip, dport=8080))
        self.assert_pinned(*queries)

        self.apply(cluster(after))
        self.assert_unknown(*(query for query in queries if servers[query.sport] is POD4))
        for query in queries:
            server = servers[query.sport]
            if server is POD4:
                server = chosen(after, query, self.target, size)
            self.send(POD1, query)
            self.expect(server, translated(query, dst=server.ip, dport=8080))
