"""Echo between pods, nodes and the world; protocols the load balancer does not look into pass as they are."""

from scapy.layers.inet import ICMP, IP, UDP
from scapy.packet import Raw

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import built, echo, translated, udp
from harness.topology import CLIENT, NODE, POD1, POD2, REMOTE_B


class PingAndAnswer(LbTest):
    """pod1 pings a neighbour, a remote pod, its node and the world; identifiers and data stay."""

    def runTest(self) -> None:
        self.apply(cluster())
        for peer in (POD2, REMOTE_B, NODE, CLIENT):
            request, answer = echo(POD1, peer, 0x4D2), echo(peer, POD1, 0x4D2, reply=True)
            self.send(POD1, request)
            self.expect(peer, translated(request, hops=0 if peer is NODE else 1))
            self.assert_pinned(request, answer)
            self.send(peer, answer)
            self.expect(POD1, translated(answer))


class OtherProtocols(LbTest):
    """SCTP, GRE, ESP, an unassigned number: routed, TTL down, not a byte else."""

    def runTest(self) -> None:
        self.apply(cluster())
        for number in (132, 47, 50, 253):
            for receiver in (POD2, REMOTE_B):
                packet = built(IP(src=POD1.ip, dst=receiver.ip, proto=number, id=3) / Raw(bytes(range(64))))
                self.send(POD1, packet)
                self.expect(receiver, translated(packet))


class IcmpErrors(LbTest):
    """Destination unreachable about a plain flow is delivered untouched, quote and all."""

    def runTest(self) -> None:
        self.apply(cluster())
        offending = udp(POD1, POD2, 61000, 9)
        error = built(IP(src=POD2.ip, dst=POD1.ip, id=4) / ICMP(type=3, code=3) / Raw(bytes(offending)[:28]))
        self.assertIn(UDP, offending)
        self.send(POD2, error)
        self.expect(POD1, translated(error))


class EchoToAVip(LbTest):
    """A VIP is no host to ICMP: the echo follows the default route, untranslated, and no endpoint sees it."""

    def runTest(self) -> None:
        self.apply(cluster(service("web", "10.96.0.10", 80, [POD2])))
        self.send(POD1, echo(POD1, "10.96.0.10", 5))
        self.expect(CLIENT, translated(echo(POD1, "10.96.0.10", 5)))
