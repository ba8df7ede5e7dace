"""Packets that are shorter than they say, at every layer: nothing leaves half translated (T9, T15)."""

from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Packet, Raw

from harness.cluster import UDP as UDP_SERVICE
from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import built, echo, tcp, udp
from harness.topology import POD1, POD2, REMOTE_B, frame_from

VIP = "10.96.0.10"
WEB = service("web", VIP, 80, [POD2])
DNS = service("dns", VIP, 53, [POD2], protocol=UDP_SERVICE)
PADDING = Raw(bytes(40))


class TransportBeyondThePacket(LbTest):
    """The IPv4 total length leaves no room for what the transport says; the frame itself is long enough."""

    def runTest(self) -> None:
        self.apply(cluster(WEB, DNS))
        for length in (0, 1, 19):
            self.refuse(_total_length(tcp(POD1, VIP, 40000, 80), 20 + length))
        for length in (0, 7):
            self.refuse(_total_length(udp(POD1, VIP, 40000, 53), 20 + length))
            self.refuse(_total_length(echo(POD1, POD2, 1), 20 + length))
        for offset in (0, 4, 6, 15):
            packet = tcp(POD1, VIP, 40000, 80)
            packet[TCP].dataofs = offset
            self.refuse(packet)
        for length in (0, 1, 7, 14, 0xFFFF):
            packet = udp(POD1, VIP, 40000, 53, b"query")
            packet[UDP].len = length
            self.refuse(packet)

    def refuse(self, packet: Packet) -> None:
        self.send(POD1, packet / PADDING)
        self.expect_drop("truncated")


def _total_length(packet: Packet, length: int) -> Packet:
    packet = packet.copy()
    packet.len = length
    del packet.chksum
    header = built(packet)
    header.len = length
    return header


class FrameShorterThanItsPacket(LbTest):
    """The end of the payload is missing."""

    def runTest(self) -> None:
        self.requires("length_checks")
        self.apply(cluster(WEB))
        segment = bytes(frame_from(POD1, tcp(POD1, VIP, 40000, 80, "PA", b"x" * 100)))
        datagram = bytes(frame_from(POD1, udp(POD1, VIP, 40000, 53, b"x" * 100)))
        tagged = segment[:12] + b"\x81\0\0\x05" + segment[12:]
        for frame in (segment, datagram, tagged):
            for cut in (1, 50, 99):
                self.send_frame(POD1.port, frame[:-cut])
                self.expect_drop("truncated")


class FrameEndsInsideAHeader(LbTest):
    """Every prefix of a TCP frame, of one in a tunnel and of an ARP request: nothing comes out."""

    def runTest(self) -> None:
        self.requires("drops_short_headers")
        self.apply(cluster(WEB))
        plain = bytes(frame_from(POD1, tcp(POD1, VIP, 40000, 80)))
        tunnelled = bytes(frame_from(REMOTE_B, tcp(REMOTE_B, VIP, 40000, 80)))
        shortest = 1 if self.can("runt_frames") else 14
        for port, frame, headers in ((POD1.port, plain, 54), (REMOTE_B.port, tunnelled, 104)):
            for length in range(shortest, headers):
                self.send_frame(port, frame[:length])
                self.assertEqual(self.receive_all(), [], f"{length} of {len(frame)} bytes")
        self.account_for(54 + 104 - 2 * shortest)

    def account_for(self, packets: int) -> None:
        """Where they are counted it is as truncated, but for those that have no IPv4 header yet."""
        seen = self.drops()
        if self.can("counts_short_headers"):
            self.assertEqual(sum(seen.values()), packets)
            self.assertLessEqual(set(seen), {"truncated", "tunnel_malformed", "not_ipv4"})
        self._drops_expected = seen


class TheTargetSurvives(LbTest):
    """After every kind of stump, the whole frame is balanced."""

    def runTest(self) -> None:
        self.apply(cluster(WEB))
        frame = bytes(frame_from(POD1, tcp(POD1, VIP, 40000, 80)))
        for length in range(1 if self.can("runt_frames") else 14, 54):
            self.send_frame(POD1.port, frame[:length])
        self.send_frame(POD1.port, frame)
        *stumps, seen = self.receive_all()
        if self.can("drops_short_headers"):
            self.assertEqual(stumps, [])
        self.assertEqual(seen[0], POD2.port)
        self.assertEqual(seen[1][IP].dst, POD2.ip)
        self._drops_expected = self.drops()
