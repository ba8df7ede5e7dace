"""Egress policy: where a pod that a policy selects may go. The real destination counts, not the VIP (T36)."""

from harness.cluster import UDP, allow, cluster, policy, service
from harness.packets import echo, tcp, udp
from harness.policy_base import PolicyTest
from harness.topology import CLIENT, NODE, POD1, POD2, POD3, REMOTE_B, REMOTE_C

ALLOWED = service("allowed", "10.96.0.10", 80, [POD2])
OTHER = service("other", "10.96.0.11", 80, [POD3])
FAR = service("far", "10.96.0.12", 80, [REMOTE_B])
DENIED = "policy_egress"


class OnlyAllowedDestinations(PolicyTest):
    """pod1 may reach pod2 and remote-b on TCP 8080: directly and through services that lead there."""

    def runTest(self) -> None:
        rules = [allow(peers=[POD2, REMOTE_B], ports=[8080])]
        self.apply(cluster(ALLOWED, OTHER, FAR, policies=[policy("p", POD1, egress=rules)]))
        self.arrives(POD1, tcp(POD1, POD2, 51000, 8080), POD2)
        self.arrives(POD1, tcp(POD1, "10.96.0.10", 51001, 80), POD2, dport=8080)
        self.arrives(POD1, tcp(POD1, REMOTE_B, 51000, 8080), REMOTE_B)
        self.arrives(POD1, tcp(POD1, "10.96.0.12", 51001, 80), REMOTE_B, dport=8080)
        self.refused(POD1, tcp(POD1, "10.96.0.11", 51002, 80), DENIED)
        self.refused(POD1, tcp(POD1, POD2, 51003, 8081), DENIED)
        for stranger in (POD3, REMOTE_C, CLIENT):
            self.refused(POD1, tcp(POD1, stranger, 51004, 8080), DENIED)
        # Others are not governed.
        self.arrives(POD2, tcp(POD2, POD3, 51005, 9999), POD3)


class DefaultDenyKeepsThePodIn(PolicyTest):
    """An empty egress list: nothing leaves, of any protocol, except to its own node."""

    def runTest(self) -> None:
        self.apply(cluster(ALLOWED, policies=[policy("closed", POD1, egress=[])]))
        self.refused(POD1, tcp(POD1, "10.96.0.10", 51100, 80), DENIED)
        self.refused(POD1, tcp(POD1, POD2, 51101, 8080), DENIED)
        self.refused(POD1, udp(POD1, CLIENT, 51102, 53), DENIED)
        self.refused(POD1, echo(POD1, REMOTE_B, 6), DENIED)
        self.arrives(POD1, tcp(POD1, NODE, 51103, 10250), NODE)


class DnsOnly(PolicyTest):
    """UDP 53 to anybody: neither UDP 54 nor TCP 53."""

    def runTest(self) -> None:
        self.apply(cluster(policies=[policy("dns", POD1, egress=[allow(ports=[53], protocol=UDP)])]))
        self.arrives(POD1, udp(POD1, POD2, 51200, 53), POD2)
        self.arrives(POD1, udp(POD1, REMOTE_C, 51200, 53), REMOTE_C)
        self.refused(POD1, udp(POD1, POD2, 51201, 54), DENIED)
        self.refused(POD1, tcp(POD1, POD2, 51202, 53), DENIED)


class BothSidesMustAgree(PolicyTest):
    """pod1 may send to pod2, pod2 may not take it: refused by pod2's ingress; and the other way round."""

    def runTest(self) -> None:
        out, shut_out = policy("out", POD1, egress=[allow(peers=[POD2])]), policy("in", POD2, ingress=[])
        self.apply(cluster(policies=[out, shut_out]))
        self.refused(POD1, tcp(POD1, POD2, 51300, 80), "policy_ingress")
        keep, let = policy("out", POD1, egress=[]), policy("in", POD2, ingress=[allow(peers=[POD1])])
        self.apply(cluster(policies=[keep, let]))
        self.refused(POD1, tcp(POD1, POD2, 51300, 80), DENIED)
