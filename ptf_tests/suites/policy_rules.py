"""What rules can say: port ranges, CIDRs with exceptions, overlaps; several policies on a pod (T36, T37)."""

from harness.cluster import UDP, allow, cluster, policy
from harness.packets import tcp, udp
from harness.policy_base import PolicyTest
from harness.topology import CLIENT, POD1, POD2, POD3, REMOTE_B

DENIED = "policy_ingress"


class PortRanges(PolicyTest):
    """A range that is no power of two, at both edges; a range over everything; several in one rule."""

    def runTest(self) -> None:
        rule = allow(peers=[POD1], ports=[(7999, 8101), 443, (65534, 65535), (1, 3)])
        self.apply(cluster(policies=[policy("p", POD2, ingress=[rule])]))
        for port in (7999, 8000, 8063, 8064, 8101, 443, 65534, 65535, 1, 2, 3):
            self.arrives(POD1, tcp(POD1, POD2, 53000, port), POD2)
        for port in (7998, 8102, 442, 444, 65533, 4, 0):
            self.refused(POD1, tcp(POD1, POD2, 53000, port), DENIED)
        self.apply(cluster(policies=[policy("p", POD2, ingress=[allow(ports=[(0, 65535)], protocol=UDP)])]))
        for port in (0, 1, 32768, 65535):
            self.arrives(POD3, udp(POD3, POD2, 53001, port), POD2)


class CidrWithExceptions(PolicyTest):
    """203.0.113.0/24 but not .0/29 and not .128/25: every edge from both sides."""

    def runTest(self) -> None:
        rule = allow(cidr="203.0.113.0/24", excepts=["203.0.113.0/29", "203.0.113.128/25"], ports=[80])
        self.apply(cluster(policies=[policy("p", POD2, ingress=[rule])]))
        for last in (8, 9, 64, 127):
            self.arrives(CLIENT, tcp(f"203.0.113.{last}", POD2, 53100, 80), POD2)
        for address in (
            "203.0.113.1",
            "203.0.113.7",
            "203.0.113.128",
            "203.0.113.255",
            "203.0.112.9",
            "203.0.114.9",
        ):
            self.refused(CLIENT, tcp(address, POD2, 53100, 80), DENIED)


class OverlappingCidrs(PolicyTest):
    """A /16, a /24 in it, a host in that, each with another port: all that cover a source count (D14)."""

    def runTest(self) -> None:
        rules = [
            allow(cidr="203.0.0.0/16", ports=[16]),
            allow(cidr="203.0.113.0/24", ports=[24]),
            allow(cidr="203.0.113.7/32", ports=[32]),
            allow(cidr="0.0.0.0/0", ports=[1]),
        ]
        self.apply(cluster(policies=[policy("p", POD2, ingress=rules)]))
        reach = {
            "203.0.113.7": {1, 16, 24, 32},
            "203.0.113.8": {1, 16, 24},
            "203.0.112.8": {1, 16},
            "203.1.0.8": {1},
        }
        for source, ports in reach.items():
            for port in (1, 16, 24, 32):
                packet = tcp(source, POD2, 53200, port)
                if port in ports:
                    self.arrives(CLIENT, packet, POD2)
                else:
                    self.refused(CLIENT, packet, DENIED)


class PoliciesAddUp(PolicyTest):
    """Three policies select one pod: what one of them allows is allowed; with none left, everything is."""

    def runTest(self) -> None:
        from_pod1 = policy("a", POD2, ingress=[allow(peers=[POD1], ports=[80])])
        from_pod3 = policy("b", POD2, ingress=[allow(peers=[POD3], ports=[80])])
        nobody = policy("c", POD2, ingress=[])
        self.apply(cluster(policies=[from_pod1, from_pod3, nobody]))
        self.arrives(POD1, tcp(POD1, POD2, 53300, 80), POD2)
        self.arrives(POD3, tcp(POD3, POD2, 53300, 80), POD2)
        self.refused(REMOTE_B, tcp(REMOTE_B, POD2, 53300, 80), DENIED)
        self.apply(cluster(policies=[from_pod1, nobody]))
        self.refused(POD3, tcp(POD3, POD2, 53301, 80), DENIED)
        self.apply(cluster(policies=[nobody]))
        self.refused(POD1, tcp(POD1, POD2, 53301, 80), DENIED)
        self.apply(cluster())
        self.arrives(POD1, tcp(POD1, POD2, 53302, 80), POD2)
        self.arrives(REMOTE_B, tcp(REMOTE_B, POD2, 53302, 80), POD2)


class ManyGovernedPods(PolicyTest):
    """Two pods under different policies do not borrow each other's rules (D15)."""

    def runTest(self) -> None:
        first = policy("first", POD2, ingress=[allow(peers=[POD1], ports=[80])])
        second = policy("second", POD3, ingress=[allow(peers=[POD1], ports=[81])])
        self.apply(cluster(policies=[first, second]))
        self.arrives(POD1, tcp(POD1, POD2, 53400, 80), POD2)
        self.arrives(POD1, tcp(POD1, POD3, 53400, 81), POD3)
        self.refused(POD1, tcp(POD1, POD2, 53401, 81), DENIED)
        self.refused(POD1, tcp(POD1, POD3, 53401, 80), DENIED)
