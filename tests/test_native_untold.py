"""Learned entries that expire: the native engine takes them out in C, in pieces, told or untold; what is
left, and what is told in which order, is what the interpreter leaves and tells."""

from __future__ import annotations

import random

import pytest
from ir_builders import entry
from test_engine_learners import REARM, SHORTEN, S, learner

from p4nic.backend.api import Forgetting, Pipeline
from p4nic.backend.interp import InterpreterBackend
from p4nic.backend.native import NativeBackend, compiler
from p4nic.ir.program import Exact

pytestmark = pytest.mark.skipif(not compiler.compiler(), reason="there is no C compiler on this machine")


class _Two:
    """One life on both engines."""

    def __init__(self, told: tuple[str, ...]) -> None:
        self.native = learner(NativeBackend(), size=2200)
        self.interp = learner(InterpreterBackend(), size=2200)
        self.told = told

    @property
    def both(self) -> tuple[Pipeline, Pipeline]:
        return self.native, self.interp

    def burst(self, frames: list[tuple[int, int, int]], now: int) -> None:
        """(flow, profile, what) each."""
        packets = [(1, flow.to_bytes(2, "big") + bytes((5, *rest))) for flow, *rest in frames]
        assert self.native.process(packets, now) == self.interp.process(packets, now)

    def expire(self, now: int) -> int:
        """How many went untold."""
        assert isinstance(self.native, Forgetting)
        untold, done = self.native.expire_untold(now, self.told)
        assert done
        left, all_ = self.native.expire(now), self.interp.expire(now)
        if self.told:
            assert (untold, left) == (0, all_)
        else:
            assert [e for e in left if not e.removed] == [e for e in all_ if not e.removed]
            assert untold + sum(e.removed for e in left) == sum(e.removed for e in all_)
        assert self.native.entry_count("flows") == self.interp.entry_count("flows")
        assert self.native.statistics()["expired"] == self.interp.statistics()["expired"]
        due = self.native.next_expiry_ns()
        assert due is None or due > now
        return untold

    def compare(self, now: int) -> None:
        assert list(self.native.entries("flows", now)) == list(self.interp.entries("flows", now))


@pytest.mark.parametrize("told", [(), ("flows",)])
def test_thousands_of_one_time_go_and_those_hit_just_before_stay(told: tuple[str, ...]) -> None:
    two = _Two(told)
    two.burst([(flow, 0, 0) for flow in range(1800)], 0)
    two.burst([(flow, 0, REARM) for flow in range(0, 1800, 3)], 10 * S - 1)
    assert two.expire(10 * S - 1) == 0
    assert two.expire(10 * S) == (0 if told else 1200)
    assert two.expire(20 * S - 2) == 0
    two.compare(20 * S - 2)
    assert two.expire(20 * S - 1) == (0 if told else 600)
    assert two.native.entry_count("flows") == 0


@pytest.mark.parametrize("told", [(), ("flows",)])
@pytest.mark.parametrize("seed", range(2))
def test_a_random_life_ends_the_same(seed: int, told: tuple[str, ...]) -> None:
    draw = random.Random(seed)
    two = _Two(told)
    now = untold = 0
    for step in range(60):
        count = draw.choice([1, 30, 700])
        two.burst(
            [
                (draw.randrange(2500), draw.randrange(4), draw.choice([0, REARM, SHORTEN]))
                for _ in range(count)
            ],
            now,
        )
        if step % 5 == 0:
            number, timeout = draw.randrange(2500, 2600), draw.choice([0, 7 * S])
            written = entry("flows", [Exact(number)], "hit", 3, idle_timeout_ns=timeout)
            there = two.interp.lookup("flows", written.key, 0, now)
            for one in two.both:
                if there is None:
                    one.insert(written, now)
                else:
                    one.delete(written)
        due = two.interp.next_expiry_ns()
        if due is not None and draw.random() < 0.6:
            now = max(now, due + draw.choice([-1, 0, 0, 1, S // 2]))
        else:
            now += draw.choice([1, S // 10, 3 * S, 40 * S])
        untold += two.expire(now)
        if step % 10 == 9:
            two.compare(now)
    assert bool(untold) != bool(told)
