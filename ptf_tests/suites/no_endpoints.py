"""A service without endpoints refuses: nothing is sent anywhere, and the reason is counted."""

from harness.cluster import cluster, endpoint, service
from harness.lb_base import LbTest
from harness.packets import tcp, udp
from harness.topology import POD1, POD2
from lbctl.model import Protocol

VIP = "10.96.0.24"


class EmptyServiceRefuses(LbTest):
    """No endpoint at all, and one that is not ready."""

    def runTest(self) -> None:
        empty = service("empty", VIP, 80, [])
        unready = service("unready", "10.96.0.25", 53, [endpoint(POD2, ready=False)], protocol=Protocol.UDP)
        self.apply(cluster(empty, unready))

        self.send(POD1, tcp(POD1, VIP, 40000, 80))
        self.expect_drop("no_endpoints")
        self.send(POD1, udp(POD1, "10.96.0.25", 40000, 53))
        self.expect_drop("no_endpoints")
