"""Ingress policy: what may reach a pod that a policy selects."""

from scapy.layers.inet import IP
from scapy.packet import Raw

from harness.cluster import allow, cluster, policy, service
from harness.packets import built, echo, tcp, udp
from harness.policy_base import PolicyTest
from harness.topology import CLIENT, NODE, POD1, POD2, POD3, REMOTE_B, REMOTE_C

VIP = "10.96.0.10"
WEB = service("web", VIP, 80, [POD2])
DENIED = "policy_ingress"


class OnlyAllowedPeersComeIn(PolicyTest):
    """pod2 takes TCP 8080 from pod1 and remote-b: directly and through its service."""

    def runTest(self) -> None:
        self.apply(
            cluster(WEB, policies=[policy("p", POD2, ingress=[allow(peers=[POD1, REMOTE_B], ports=[8080])])])
        )
        for peer in (POD1, REMOTE_B):
            self.arrives(peer, tcp(peer, POD2, 50000, 8080), POD2)
            self.arrives(peer, tcp(peer, VIP, 50001, 80), POD2, dport=8080)
        for stranger in (POD3, CLIENT, REMOTE_C):
            self.refused(stranger, tcp(stranger, POD2, 50000, 8080), DENIED)
            self.refused(stranger, tcp(stranger, VIP, 50001, 80), DENIED)
        self.refused(POD1, tcp(POD1, POD2, 50002, 8081), DENIED)
        self.refused(POD1, tcp(POD1, POD2, 50002, 80), DENIED)
        # Others are not governed.
        self.arrives(POD3, tcp(POD3, POD1, 50003, 8080), POD1)


class OtherProtocolsAreNotLetThrough(PolicyTest):
    """A rule for TCP 8080 lets in no UDP, ICMP or SCTP, not even on 8080 (D13, C12)."""

    def runTest(self) -> None:
        self.apply(cluster(policies=[policy("p", POD2, ingress=[allow(peers=[POD1], ports=[8080])])]))
        self.arrives(POD1, tcp(POD1, POD2, 50100, 8080), POD2)
        self.refused(POD1, udp(POD1, POD2, 50100, 8080), DENIED)
        self.refused(POD1, echo(POD1, POD2, 5), DENIED)
        sctp = built(IP(src=POD1.ip, dst=POD2.ip, proto=132, id=9) / Raw(b"\xc3\xb4\x1f\x90" + bytes(16)))
        self.refused(POD1, sctp, DENIED)


class DefaultDenyIsForEverybodyButTheNode(PolicyTest):
    """An empty ingress list closes the pod; its own node still gets in, as Kubernetes documents."""

    def runTest(self) -> None:
        self.apply(cluster(WEB, policies=[policy("closed", POD2, ingress=[])]))
        for stranger in (POD1, CLIENT, REMOTE_B):
            self.refused(stranger, tcp(stranger, POD2, 50200, 8080), DENIED)
            self.refused(stranger, tcp(stranger, VIP, 50201, 80), DENIED)
            self.refused(stranger, udp(stranger, POD2, 50200, 53), DENIED)
        self.arrives(NODE, tcp(NODE, POD2, 50202, 8080), POD2)


class AnybodyOnOnePort(PolicyTest):
    """A rule without peers: every source, that port."""

    def runTest(self) -> None:
        self.apply(cluster(policies=[policy("open", POD2, ingress=[allow(ports=[8080])])]))
        for peer in (POD1, CLIENT, REMOTE_B):
            self.arrives(peer, tcp(peer, POD2, 50300, 8080), POD2)
            self.refused(peer, tcp(peer, POD2, 50301, 8443), DENIED)
