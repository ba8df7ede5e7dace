"""Fragments (T10, D5): to a service they are refused whole, between pods they pass untouched."""

from scapy.layers.inet import IP, fragment

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import built, udp
from harness.topology import POD1, POD2
from lbctl.model import Protocol

VIP = "10.96.0.35"


class ServiceRefusesFragments(LbTest):
    """The first has ports, the others have none: balancing only the first would corrupt the datagram."""

    def runTest(self) -> None:
        self.apply(cluster(service("dns", VIP, 53, [POD2], protocol=Protocol.UDP)))
        for piece in fragment(udp(POD1, VIP, 40000, 53, b"x" * 3000), fragsize=1400):
            self.send(POD1, built(piece))
            self.expect_drop("fragment_to_service")


class PodsGetTheirFragments(LbTest):
    """Each piece with the payload it had; nothing in it is taken for ports."""

    def runTest(self) -> None:
        self.apply(cluster())
        pieces = fragment(udp(POD1, POD2, 40000, 53, b"x" * 3000), fragsize=1400)
        self.assertGreater(len(pieces), 2)
        for piece in pieces:
            packet = built(piece)
            self.send(POD1, packet)
            out = packet.copy()
            out[IP].ttl -= 1
            del out[IP].chksum
            self.expect(POD2, built(out))
