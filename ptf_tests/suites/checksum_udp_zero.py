"""UDP without a checksum (T3, D4): 0 means none and stays 0; a computed 0 is sent as 0xFFFF."""

from scapy.layers.inet import UDP
from scapy.packet import Packet

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import built, translated, udp
from harness.topology import POD1, POD2
from lbctl.model import Protocol

VIP = "10.96.0.36"


class NoChecksumStaysNone(LbTest):
    """In both directions."""

    def runTest(self) -> None:
        self.apply(cluster(service("dns", VIP, 53, [POD2], protocol=Protocol.UDP)))
        query = udp(POD1, VIP, 40000, 53, checksum=0)
        self.send(POD1, query)
        self.expect(POD2, translated(query, dst=POD2.ip, dport=8080))
        self.assert_pinned(query)
        answer = udp(POD2, POD1, 8080, 40000, checksum=0)
        self.send(POD2, answer)
        self.expect(POD1, translated(answer, src=VIP, sport=53))


class ComputedZeroIsSentAsOnes(LbTest):
    """A payload chosen so that the translated datagram's checksum would be 0."""

    def runTest(self) -> None:
        self.apply(cluster(service("dns", VIP, 53, [POD2], protocol=Protocol.UDP)))
        query = self._summing_to_zero()
        self.send(POD1, query)
        out = translated(query, dst=POD2.ip, dport=8080)
        self.assertEqual(out[UDP].chksum, 0xFFFF)
        self.expect(POD2, out)

    @staticmethod
    def _summing_to_zero() -> Packet:
        """The payload makes up what is missing: the checksum added to the data it covers gives 0."""
        plain = udp(POD1, VIP, 40001, 53, b"\0\0")
        missing = translated(plain, dst=POD2.ip, dport=8080)[UDP].chksum
        query = plain.copy()
        query[UDP].payload.load = missing.to_bytes(2, "big")
        del query[UDP].chksum
        return built(query)
