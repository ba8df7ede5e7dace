"""Packets of connections nobody has seen begin (T31): after a failover the hash alone finds the endpoint."""

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.oracle import chosen
from harness.packets import tcp, translated
from harness.topology import POD1, POD2, POD3, POD4

VIP = "10.96.0.26"


class MidConnectionFollowsTheHash(LbTest):
    """An ACK, data and a FIN of unknown connections go to the hashed endpoint, and are pinned there."""

    def runTest(self) -> None:
        web = service("web", VIP, 80, [POD2, POD3, POD4])
        self.apply(cluster(web))

        for port, flags in ((40000, "A"), (40001, "PA"), (40002, "FA"), (40003, "A"), (40004, "PA")):
            packet = tcp(POD1, VIP, port, 80, flags)
            server = chosen(web, packet, self.target)
            self.send(POD1, packet)
            self.expect(server, translated(packet, dst=server.ip, dport=8080))
            self.assert_pinned(packet)


class ResetLeavesNoTrace(LbTest):
    """A RST of an unknown connection (T22: blind resets) is delivered, and makes no flow."""

    def runTest(self) -> None:
        web = service("web", VIP, 80, [POD2, POD3, POD4])
        self.apply(cluster(web))

        reset = tcp(POD1, VIP, 40000, 80, "R")
        server = chosen(web, reset, self.target)
        self.send(POD1, reset)
        self.expect(server, translated(reset, dst=server.ip, dport=8080))
        self.assert_unknown(reset)
