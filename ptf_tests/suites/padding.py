"""Padding of short frames (T11): it survives translation, and never enters a checksum."""

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import translated, udp
from harness.topology import POD1, POD2, frame_from, frame_to
from lbctl.model import Protocol

VIP = "10.96.0.40"


class PaddingSurvives(LbTest):
    """One byte of UDP payload in a frame of 60, the rest garbage."""

    def runTest(self) -> None:
        self.apply(cluster(service("dns", VIP, 53, [POD2], protocol=Protocol.UDP)))
        query = udp(POD1, VIP, 40000, 53, b"?")
        padding = bytes(range(0xA0, 0xA0 + 60 - len(frame_from(POD1, query))))
        self.assertGreater(len(padding), 10)
        self.send_frame(POD1.port, bytes(frame_from(POD1, query)) + padding)
        out = frame_to(POD2, translated(query, dst=POD2.ip, dport=8080), self.target)
        self.expect_frame(POD2.port, bytes(out) + padding)
