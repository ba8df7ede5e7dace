"""The flow hash itself, where it can be seen: 14 of its bits are the outer source port of a tunnelled packet.

The profile declares the target's function (testbeds/profiles/, lbctl.hashing); each flow here differs from
the first in one bit of its ports, in an address, or in its protocol.
"""

from collections.abc import Iterator

from scapy.packet import Packet

from harness.cluster import cluster
from harness.lb_base import LbTest
from harness.packets import tcp, translated, udp
from harness.topology import POD1, POD2, POD8, REMOTE_B, REMOTE_B2, REMOTE_C, Host


class EveryBitOfThePorts(LbTest):
    """32 flows, one bit apart from 0x5a5a -> 0xa5a5 each, and that one."""

    def runTest(self) -> None:
        self.apply(cluster())
        for bit in (None, *range(32)):
            ports = 0x5A5AA5A5 ^ (1 << bit if bit is not None else 0)
            packet = tcp(POD1, REMOTE_B, ports >> 16, ports & 0xFFFF)
            self.send(POD1, packet)
            self.expect(REMOTE_B, translated(packet))


class AddressesAndProtocol(LbTest):
    """The same ports between other hosts, over TCP and UDP."""

    def runTest(self) -> None:
        self.apply(cluster())
        for source, target, packet in pairs():
            self.send(source, packet)
            self.expect(target, translated(packet))


def pairs() -> Iterator[tuple[Host, Host, Packet]]:
    for source in (POD1, POD2, POD8):
        for target in (REMOTE_B, REMOTE_B2, REMOTE_C):
            yield source, target, tcp(source, target, 4000, 5000)
            yield source, target, udp(source, target, 4000, 5000)
