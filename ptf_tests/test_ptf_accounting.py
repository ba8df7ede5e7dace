"""A suite cannot pass by looking away: frames and drops that nobody asked about fail it.

The suites' base class on an environment of four lists: what is in the queues, and what was dropped.
"""

from __future__ import annotations

import unittest
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from ptf.dataplane import DataPlane
from scapy.layers.inet import TCP

from harness import environment
from harness.lb_base import LbTest
from harness.packets import built, ones_complement_sum, tcp
from harness.profile import Finding, Profile
from harness.testbed import Testbed
from harness.topology import POD1, POD2, frame_to
from lbctl.hashing import Target

LACKS = {"length_checks": Finding("it cannot count bytes", "its manual says so")}
PROFILE = Profile(Target.PNA, lacks=LACKS)
FRAME = bytes(frame_to(POD2, tcp(POD1, POD2, 1, 2), Target.PNA))


class _Poll(NamedTuple):
    port: int
    packet: bytes


class _Queues:
    """PTF's data plane: only its queues."""

    PollFailure = DataPlane.PollFailure

    def __init__(self) -> None:
        self.frames: list[_Poll] = []

    def poll(
        self,
        device_number: int,
        port_number: int | None = None,
        timeout: float = 0,
        exp_pkt: bytes | None = None,
    ) -> Any:
        for frame in self.frames:
            if port_number in (None, frame.port) and exp_pkt in (None, frame.packet):
                self.frames.remove(frame)
                return frame
        return self.PollFailure(None, [], 0)


def verdict(
    monkeypatch: pytest.MonkeyPatch,
    body: Callable[[Any, _Queues, dict[str, int]], None],
    profile: Profile = PROFILE,
) -> str:
    """Run `body(test, queues, drop counters)` as a suite; "" or what failed."""
    queues, counters = _Queues(), {"no_route": 5, "martian": 0}
    made = SimpleNamespace(
        testbed=Testbed("fake", "p4runtime", profile),
        profile=profile,
        dataplane=queues,
        time=object(),
        reset=lambda: None,
        settle=lambda: None,
        drops=lambda: dict(counters),
    )
    monkeypatch.setattr(environment, "_current", made)

    class Suite(LbTest):
        def runTest(self) -> None:
            body(self, queues, counters)

    result = unittest.TestResult()
    Suite("runTest").run(result)
    told = [text for _, text in (*result.failures, *result.errors)] + [text for _, text in result.skipped]
    return told[0].strip().splitlines()[-1] if told else ""


def test_nothing_happens_and_nothing_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdict(monkeypatch, lambda test, queues, counters: None) == ""


def test_a_frame_nobody_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    said = verdict(monkeypatch, lambda test, queues, counters: queues.frames.append(_Poll(2, FRAME)))
    assert "frames nobody expected" in said


def test_a_drop_nobody_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "drops, by reason" in verdict(
        monkeypatch, lambda test, queues, counters: counters.update(no_route=6)
    )


def test_a_drop_for_another_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def body(test: LbTest, queues: _Queues, counters: dict[str, int]) -> None:
        counters.update(no_route=6)
        test.expect_drop("martian")

    assert "drops, by reason" in verdict(monkeypatch, body)


def test_a_drop_that_also_came_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def body(test: LbTest, queues: _Queues, counters: dict[str, int]) -> None:
        counters.update(martian=1)
        queues.frames.append(_Poll(2, FRAME))
        test.expect_drop("martian")

    assert "expected a drop (martian)" in verdict(monkeypatch, body)


def test_a_frame_on_another_port(monkeypatch: pytest.MonkeyPatch) -> None:
    def body(test: LbTest, queues: _Queues, counters: dict[str, int]) -> None:
        queues.frames.append(_Poll(3, FRAME))
        test.expect(POD2, tcp(POD1, POD2, 1, 2))

    assert "port 2: nothing, expected" in verdict(monkeypatch, body)


def test_one_wrong_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    def body(test: LbTest, queues: _Queues, counters: dict[str, int]) -> None:
        queues.frames.append(_Poll(2, FRAME))
        test.expect(POD2, tcp(POD1, POD2, 1, 3))

    assert "TCP.chksum: expected" in verdict(monkeypatch, body)


def test_a_wrong_checksum_that_was_expected_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def body(test: LbTest, queues: _Queues, counters: dict[str, int]) -> None:
        wrong = FRAME[:-4] + bytes([FRAME[-4] ^ 1]) + FRAME[-3:]
        queues.frames.append(_Poll(2, wrong))
        test.expect_frame(2, wrong)

    assert "wrong checksums in" in verdict(monkeypatch, body)


def test_a_lack_skips_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    said = verdict(monkeypatch, lambda test, queues, counters: test.requires("length_checks"))
    assert said == "length_checks: it cannot count bytes"


def _sent_late(test: LbTest, queues: _Queues, counters: dict[str, int]) -> None:
    overtaken = bytes(frame_to(POD2, tcp(POD1, POD2, 7, 8), Target.PNA))
    queues.frames += [_Poll(2, overtaken), _Poll(2, FRAME)]
    test.expect(POD2, tcp(POD1, POD2, 1, 2))
    test.expect(POD2, tcp(POD1, POD2, 7, 8))


def test_frames_may_overtake_each_other_only_where_the_profile_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "TCP.dport" in verdict(monkeypatch, _sent_late) or "expected" in verdict(monkeypatch, _sent_late)
    reorders = Profile(Target.PNA, differs={"reordering": Finding("two rings", "seen with two cores")})
    assert verdict(monkeypatch, _sent_late, reorders) == ""


def test_a_checksum_of_ffff_for_0_only_where_the_profile_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    # The last two bytes of the payload make TCP's checksum 0.
    whole = built(tcp(POD1, POD2, 1, 2, "PA", b"xx"))
    payload = (ones_complement_sum(b"xx" + whole[TCP].chksum.to_bytes(2, "big"))).to_bytes(2, "big")
    packet = tcp(POD1, POD2, 1, 2, "PA", payload)
    frame = bytes(frame_to(POD2, packet, Target.PNA))
    assert frame[50:52] == b"\0\0"

    def body(test: LbTest, queues: _Queues, counters: dict[str, int]) -> None:
        queues.frames.append(_Poll(2, frame[:50] + b"\xff\xff" + frame[52:]))
        test.expect(POD2, packet)

    assert "chksum" in verdict(monkeypatch, body)
    swapped = {"zero_checksum_as_ffff": Finding("never writes zero", "section 4.2 of its manual")}
    assert verdict(monkeypatch, body, Profile(Target.PNA, differs=swapped)) == ""
