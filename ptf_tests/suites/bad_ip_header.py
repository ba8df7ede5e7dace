"""IPv4 headers that cannot be right are dropped and counted (T9)."""

from scapy.layers.l2 import Ether
from scapy.packet import Raw

from harness.cluster import cluster, service
from harness.lb_base import LbTest
from harness.packets import tcp
from harness.topology import POD1, POD2, frame_from

VIP = "10.96.0.10"
GOOD = bytes(frame_from(POD1, tcp(POD1, VIP, 40000, 80)))
IP_AT = 14


class _Mutated(LbTest):
    def refuse(self, reason: str, changes: dict[int, int]) -> None:
        """GOOD with bytes of its IPv4 header (offset -> value) replaced and its checksum made right again."""
        frame = bytearray(GOOD)
        for offset, value in changes.items():
            frame[IP_AT + offset] = value
        if not {10, 11} & set(changes):
            frame[IP_AT + 10 : IP_AT + 12] = b"\0\0"
            words = [int.from_bytes(frame[i : i + 2], "big") for i in range(IP_AT, IP_AT + 20, 2)]
            total = sum(words)
            total = (total & 0xFFFF) + (total >> 16)
            total = (total & 0xFFFF) + (total >> 16)
            frame[IP_AT + 10 : IP_AT + 12] = (~total & 0xFFFF).to_bytes(2, "big")
        self.send_frame(POD1.port, bytes(frame))
        self.expect_drop(reason)


class WrongVersionOrLength(_Mutated):
    """Versions other than 4, IHL below 5, total length shorter than the header."""

    def runTest(self) -> None:
        self.apply(cluster(service("web", VIP, 80, [POD2])))
        for version in (0, 1, 3, 5, 6, 15):
            self.refuse("bad_ip_header", {0: version << 4 | 5})
        for ihl in range(5):
            self.refuse("bad_ip_header", {0: 0x40 | ihl})
        for total_length in (0, 1, 19):
            self.refuse("bad_ip_header", {2: 0, 3: total_length})


class WrongHeaderChecksum(_Mutated):
    """One bit of the checksum, and one bit of each field that it covers."""

    def runTest(self) -> None:
        self.apply(cluster(service("web", VIP, 80, [POD2])))
        for bit in range(16):
            self.refuse("bad_checksum", {10 + bit // 8: GOOD[IP_AT + 10 + bit // 8] ^ 1 << bit % 8})
        for offset in (1, 4, 5, 6, 8, 19):
            frame = bytearray(GOOD)
            frame[IP_AT + offset] ^= 0x40
            self.send_frame(POD1.port, bytes(frame))
            self.expect_drop("bad_checksum")


class NotIpv4AtAll(LbTest):
    """IPv6, LLDP, MPLS, 802.1ad, a length in place of a type."""

    def runTest(self) -> None:
        self.apply(cluster(service("web", VIP, 80, [POD2])))
        for ether_type in (0x86DD, 0x88CC, 0x8847, 0x88A8, 0x0026, 0xFFFF):
            self.send_frame(POD1.port, Ether(GOOD[:12] + ether_type.to_bytes(2, "big")) / Raw(GOOD[14:]))
            self.expect_drop("not_ipv4")


class GoodOneStillPasses(LbTest):
    """After a hundred wrong ones the right one is balanced: nothing stuck (T16)."""

    def runTest(self) -> None:
        self.apply(cluster(service("web", VIP, 80, [POD2])))
        for i in range(100):
            frame = bytearray(GOOD)
            frame[IP_AT] = i % 64
            self.send_frame(POD1.port, bytes(frame))
        self.settle()
        self.expect_drop("bad_ip_header", 100)
        self.send_frame(POD1.port, GOOD)
        self.assertEqual([port for port, _ in self.receive_all()], [POD2.port])
