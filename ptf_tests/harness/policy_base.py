"""What the policy suites ask of a packet: does it arrive, or is it refused, counted and forgotten?

In: an LbTest's means. Out: two checks. Called by the policy_* suites.
"""

from __future__ import annotations

from scapy.packet import Packet

from harness.lb_base import LbTest
from harness.packets import translated
from harness.topology import Host


class PolicyTest(LbTest):
    """`arrives` and `refused`; the packet that matters is always the first of its flow."""

    def arrives(self, sender: Host, packet: Packet, receiver: Host, dport: int | None = None) -> None:
        """`receiver` gets the packet (on `dport`, if a service put it there)."""
        self.send(sender, packet)
        hops = 0 if receiver.place == "node" else 1
        self.expect(receiver, translated(packet, dst=receiver.ip, dport=dport, hops=hops))

    def refused(self, sender: Host, packet: Packet, reason: str) -> None:
        """Nobody gets it, `reason` counts it, and no flow is remembered."""
        self.send(sender, packet)
        self.expect_drop(reason)
        self.assert_unknown(packet)
