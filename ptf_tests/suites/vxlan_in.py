"""Packets out of the tunnel are packets like any other: delivered, balanced, answered, sent on."""

from scapy.packet import Raw

from harness.cluster import cluster, service
from harness.conversation import connect
from harness.lb_base import LbTest
from harness.packets import echo, tcp, translated, udp
from harness.topology import POD2, POD3, REMOTE_B, REMOTE_C

VIP = "10.96.0.10"


class RemotePodReachesLocalPod(LbTest):
    """TCP, UDP and ICMP to a pod's own address, and the answers back into the tunnel."""

    def runTest(self) -> None:
        self.apply(cluster())
        pairs = [
            (tcp(REMOTE_B, POD2, 48000, 9000, "S"), tcp(POD2, REMOTE_B, 9000, 48000, "SA")),
            (udp(REMOTE_B, POD2, 48000, 9000), udp(POD2, REMOTE_B, 9000, 48000)),
            (echo(REMOTE_B, POD2, 77), echo(POD2, REMOTE_B, 77, reply=True)),
        ]
        for request, answer in pairs:
            self.send(REMOTE_B, request)
            self.expect(POD2, translated(request))
            self.send(POD2, answer)
            self.expect(REMOTE_B, translated(answer))


class RemotePodUsesAService(LbTest):
    """Out of one tunnel, balanced, to a local endpoint and into another tunnel."""

    def runTest(self) -> None:
        for pool in ([POD2, POD3], [REMOTE_C]):
            web = service("web", VIP, 80, pool)
            self.apply(cluster(web))
            talk = connect(self, REMOTE_B, web, 48100)
            talk.to_server("PA", b"over the wire")
            talk.to_client("PA", b"and back")
            self.environment.reset()


class BackIntoTheSameTunnel(LbTest):
    """A pod of node-b whose service lives on node-b: there and back through this node."""

    def runTest(self) -> None:
        web = service("web", VIP, 80, [REMOTE_B])
        self.apply(cluster(web))
        talk = connect(self, REMOTE_C, web, 48200)
        talk.to_client("PA", b"hello")


class InnerPaddingSurvives(LbTest):
    """An inner frame padded to Ethernet's minimum stays padded; checksums ignore the padding (T11)."""

    def runTest(self) -> None:
        web = service("web", VIP, 80, [POD2])
        self.apply(cluster(web))
        syn = tcp(REMOTE_B, VIP, 48300, 80)
        padding = Raw(bytes(range(1, 7)))
        self.send(REMOTE_B, syn / padding)
        self.expect(POD2, translated(syn, dst=POD2.ip, dport=8080) / padding)
