"""Martians (T13): addresses that can never be a source, or a destination here, are dropped."""

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import tcp
from harness.topology import CLIENT, POD2

VIP = "10.96.0.42"


class ImpossibleSourcesAreDropped(LbTest):
    """From the wire: this network, loopback, multicast, broadcast, and the destination itself (land)."""

    def runTest(self) -> None:
        self.apply(cluster(service("web", VIP, 80, [POD2], external_ips=["198.51.100.60"])))
        for source in ("0.0.0.1", "127.0.0.1", "224.0.0.5", "255.255.255.255", "198.51.100.60"):
            self.send(CLIENT, tcp(source, "198.51.100.60", 40000, 80))
            self.expect_drop("martian")


class MulticastIsNotForwarded(LbTest):
    """IP multicast and the limited broadcast as destinations."""

    def runTest(self) -> None:
        self.apply(cluster())
        for destination in ("224.0.0.251", "255.255.255.255"):
            self.send(CLIENT, tcp(CLIENT, destination, 40000, 80))
            self.expect_drop("multicast")
