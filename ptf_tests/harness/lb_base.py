"""The base class of the suites: send as a host, expect at a host, and account for every packet.

    class SynIsTranslated(LbTest):
        def runTest(self) -> None:
            web = service("web", "10.96.0.10", 80, [POD2, POD3])
            self.apply(cluster(web))
            syn = tcp(POD1, "10.96.0.10", 40000, 80)
            self.send(POD1, syn)
            to = chosen(web, syn, self.target)
            self.expect(to, translated(syn, dst=to.ip, dport=8080))

Hosts are the topology's; packets are IP packets, links and tunnels come with the host. `expect` compares
every byte. A frame nobody expected, or a drop nobody expected, fails the test at its end.
"""

from __future__ import annotations

import unittest
from collections.abc import Sequence
from typing import Any, ClassVar

from ptf.base_tests import BaseTest
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from harness import environment, results
from harness.environment import Environment, eventually
from harness.packets import difference, same_but_zero_checksums, unlike, wrong_checksums
from harness.profile import Profile
from harness.topology import Host, five_tuple, frame_from, frame_to
from lbctl.entries import Flow
from lbctl.hashing import FiveTuple, Target
from lbctl.model import Cluster


class LbTest(BaseTest):
    """One behaviour. `target_options`: the test starts a target of its own, with these options of
    `p4nic serve`.
    """

    target_options: ClassVar[Sequence[str]] = ()

    def run(self, result: unittest.TestResult | None = None) -> Any:
        """As unittest; the outcome also goes to the run's report, if there is one."""
        with results.recorded(self.id().removesuffix(".runTest"), result):
            return super().run(result)

    def setUp(self) -> None:
        super().setUp()
        self._private: Environment | None = None
        self._sent_since_settled = 0
        self.environment = environment.current()
        if self.target_options:
            self.requires("private_target")
            self.environment = self._private = Environment(self.environment.testbed, self.target_options)
            self.addCleanup(self._private.close)
        self.dataplane: Any = self.environment.dataplane
        self.environment.reset()
        self._drops_before = self.environment.drops()
        self._drops_expected: dict[str, int] = {}

    def tearDown(self) -> None:
        if not self._has_failed():
            self.settle()
            self.assertEqual(self._left_over(), [], "frames nobody expected")
            self.assertEqual(self.drops(), self._drops_expected, "drops, by reason")
        super().tearDown()

    def _has_failed(self) -> bool:
        outcome = getattr(self, "_outcome", None)
        return outcome is not None and not outcome.success

    # What the target can.

    @property
    def target(self) -> Target:
        """Which hash the target computes."""
        return self.profile.hash

    @property
    def profile(self) -> Profile:
        """What the target lacks and does differently."""
        return self.environment.profile

    def requires(self, capability: str) -> None:
        """Skip the test where the target lacks a capability, with the reason its testbed gives."""
        lack = self.profile.lacks.get(capability)
        if lack is not None:
            raise unittest.SkipTest(f"{capability}: {lack.reason}")

    def can(self, capability: str) -> bool:
        """Whether the target has a capability: for a detail that only then can be checked."""
        return capability not in self.profile.lacks

    # What the control plane does.

    def apply(self, desired: Cluster) -> None:
        """Make `desired` the state of the cluster, as `kubectl apply` and lbctl would."""
        self.environment.controller.apply(desired)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.environment.advance(seconds)

    def flows(self) -> dict[FiveTuple, Flow]:
        """The flow table, once the control plane has learned what it is going to learn."""
        self.environment.learned()
        return {flow.key: flow for flow in self.environment.controller.flows()}

    def assert_pinned(self, *packets: Packet) -> None:
        """The flow table knows the flow of each packet (now, or once it has been learned from a digest)."""
        self.settle()
        wanted = {five_tuple(packet) for packet in packets}
        read = self.environment.controller.flows
        if not eventually(lambda: wanted <= {flow.key for flow in read()}):
            self.fail(f"not in the flow table: {sorted(wanted - {flow.key for flow in read()})}")

    def assert_unknown(self, *packets: Packet) -> None:
        """The flow table knows none of these flows (any more)."""
        known = self.flows()
        self.assertEqual([key for key in map(five_tuple, packets) if key in known], [])

    # Packets.

    def send(self, host: Host, packet: Packet) -> None:
        """`host` sends an IP packet."""
        self.send_frame(host.port, frame_from(host, packet))

    def send_frame(self, port: int, frame: Packet | bytes) -> None:
        """Any bytes, as they are, into a port."""
        burst = self.profile.burst_frames()
        if burst is not None and self._sent_since_settled >= burst:
            self.settle()
        self._sent_since_settled += 1
        data = bytes(frame)
        if len(data) < 15:
            # PTF warns that kernels may refuse such frames, through a deprecated method of logging.
            self.dataplane.ports[0, port].send(data)
        else:
            self.dataplane.send(0, port, data)

    def expect(self, host: Host, packet: Packet) -> None:
        """`host` receives exactly this IP packet: link, tunnel and payload are compared byte by byte."""
        self.expect_frame(host.port, frame_to(host, packet, self.target))

    def expect_frame(self, port: int, frame: Packet | bytes, checksums: bool = True) -> None:
        """Exactly these bytes leave the port next. `checksums` False: they are wrong on purpose."""
        wanted = bytes(frame)
        seen = self.receive(port, f"expected {Ether(wanted).summary()}", checksums, wanted)
        if seen != wanted and not (
            self.profile.has("zero_checksum_as_ffff") and same_but_zero_checksums(wanted, seen)
        ):
            self.fail(f"port {port}: {Ether(seen).summary()}\n{difference(wanted, seen)}")

    def expect_like(self, port: int, partial: Packet) -> Packet:
        """A frame with the fields set in `partial` (Ether()/...), all others don't care; the frame seen."""
        seen = self.receive(port, f"expected one like {partial.summary()}")
        wrong = unlike(partial, seen)
        self.assertEqual(wrong, [], f"port {port}: {Ether(seen).summary()}")
        return Ether(seen)

    def receive(self, port: int, why: str, checksums: bool = True, wanted: bytes | None = None) -> bytes:
        """The next frame of a port; it must have right checksums. Where frames overtake each other, `wanted`
        is taken out of turn.
        """
        if self.environment.time is not None:
            self.settle()
        overtaking = wanted if self.profile.has("reordering") else None
        found = self.dataplane.poll(
            device_number=0, port_number=port, timeout=self._patience(), exp_pkt=overtaking
        )
        if isinstance(found, self.dataplane.PollFailure):
            elsewhere = self._left_over()
            self.fail(f"port {port}: nothing, {why}; other frames: {elsewhere}; drops: {self.drops()}")
        frame = bytes(found.packet)
        if checksums:
            self.assertEqual(wrong_checksums(frame), [], f"wrong checksums in {Ether(frame).summary()}")
        return frame

    def receive_any(self) -> tuple[int, Packet]:
        """The oldest frame of any port, and the port; its checksums are right."""
        if self.environment.time is not None:
            self.settle()
        found = self.dataplane.poll(device_number=0, timeout=self._patience())
        if isinstance(found, self.dataplane.PollFailure):
            self.fail(f"nothing came out of any port; drops: {self.drops()}")
        frame = bytes(found.packet)
        self.assertEqual(wrong_checksums(frame), [], f"wrong checksums in {Ether(frame).summary()}")
        return found.port, Ether(frame)

    def receive_all(self) -> list[tuple[int, Packet]]:
        """Everything that came out of any port, oldest first; for tests that send many packets at once."""
        self.settle()
        found: list[tuple[int, Packet]] = []
        while True:
            frame: Any = self.dataplane.poll(device_number=0, timeout=0)
            if isinstance(frame, self.dataplane.PollFailure):
                return found
            self.assertEqual(wrong_checksums(bytes(frame.packet)), [], Ether(bytes(frame.packet)).summary())
            found.append((frame.port, Ether(bytes(frame.packet))))

    def expect_drop(self, reason: str, packets: int = 1) -> None:
        """Since the last call nothing came out, and exactly this was counted."""
        self.settle()
        self.assertEqual(self._left_over(), [], f"expected a drop ({reason})")
        self._drops_expected[reason] = self._drops_expected.get(reason, 0) + packets
        self.assertEqual(self.drops(), self._drops_expected, "drops, by reason")

    def expect_silence(self) -> None:
        """Nothing came out, and no reason was counted: the target itself refused the frame."""
        self.settle()
        self.assertEqual(self._left_over(), [])
        self.assertEqual(self.drops(), self._drops_expected, "drops, by reason")

    def drops(self) -> dict[str, int]:
        """Drops since the test began, by reason, without zeroes."""
        now = self.environment.drops()
        return {name: now[name] - was for name, was in self._drops_before.items() if now[name] != was}

    def settle(self) -> None:
        """Everything sent so far has had its effect."""
        self._sent_since_settled = 0
        self.environment.settle()

    def _patience(self) -> float:
        return 0.0 if self.environment.time is not None else self.environment.testbed.timeouts.frame

    def _left_over(self) -> list[str]:
        found: list[str] = []
        while True:
            frame: Any = self.dataplane.poll(device_number=0, timeout=0)
            if isinstance(frame, self.dataplane.PollFailure):
                return found
            found.append(f"port {frame.port}: {Ether(bytes(frame.packet)).summary()}")
