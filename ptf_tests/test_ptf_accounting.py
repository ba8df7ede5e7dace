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

from harness import environment
from harness.lb_base import LbTest
from harness.packets import tcp
from harness.testbed import Testbed
from harness.topology import POD1, POD2, frame_to
from lbctl.hashing import Target

FRAME = bytes(frame_to(POD2, tcp(POD1, POD2, 1, 2), Target.PNA))


class _Poll(NamedTuple):
    port: int
    packet: bytes


class _Queues:
    """PTF's data plane: only its queues."""

    PollFailure = DataPlane.PollFailure

    def __init__(self) -> None:
        self.frames: list[_Poll] = []

    def poll(self, device_number: int, port_number: int | None = None, timeout: float = 0) -> Any:
        for frame in self.frames:
            if port_number in (None, frame.port):
                self.frames.remove(frame)
                return frame
        return self.PollFailure(None, [], 0)


def verdict(monkeypatch: pytest.MonkeyPatch, body: Callable[[Any, _Queues, dict[str, int]], None]) -> str:
    """Run `body(test, queues, drop counters)` as a suite; "" or what failed."""
    queues, counters = _Queues(), {"no_route": 5, "martian": 0}
    made = SimpleNamespace(
        testbed=Testbed("fake", Target.PNA, lacks={"length_checks": "it cannot count bytes"}),
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
