"""A service goes: its pins go with it (T26), so that nothing of it leaks into a service that comes later."""

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.oracle import chosen
from harness.packets import tcp, translated
from harness.topology import POD1, POD2, POD3

VIP = "10.96.0.33"


class PinsGoWithTheService(LbTest):
    """After removal nothing is pinned; after re-creation old connections find the new endpoint."""

    def runTest(self) -> None:
        self.apply(cluster(service("old", VIP, 80, [POD2])))
        syn = tcp(POD1, VIP, 40000, 80)
        self.send(POD1, syn)
        self.expect(POD2, translated(syn, dst=POD2.ip, dport=8080))
        self.assert_pinned(syn)

        self.apply(cluster())
        self.assert_unknown(syn)

        new = service("new", VIP, 80, [POD3])
        self.apply(cluster(new))
        data = tcp(POD1, VIP, 40000, 80, "PA", b"more")
        self.assertIs(chosen(new, data, self.target), POD3)
        self.send(POD1, data)
        self.expect(POD3, translated(data, dst=POD3.ip, dport=8080))
