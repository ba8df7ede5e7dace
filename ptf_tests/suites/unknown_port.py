"""A port nobody is assigned to: whatever comes in there is dropped and counted (D16)."""

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import echo, tcp, udp
from harness.topology import POD1, POD2, REMOTE_B, SPARE_PORT, frame_from


class UnassignedPort(LbTest):
    """Good packets of a pod, of a remote pod and for a service."""

    def runTest(self) -> None:
        self.apply(cluster(service("web", "10.96.0.10", 80, [POD2])))
        for packet in (tcp(POD1, "10.96.0.10", 40000, 80), udp(POD1, POD2, 40000, 53), echo(POD1, POD2, 1)):
            self.send_frame(SPARE_PORT, frame_from(POD1, packet))
            self.expect_drop("unknown_port")
        self.send_frame(SPARE_PORT, frame_from(REMOTE_B, tcp(REMOTE_B, POD2, 40000, 80)))
        self.expect_drop("unknown_port")
        self.assertEqual(self.flows(), {})
