"""What packets do where several workers run: as the interpreter says, told on one worker that goes their way
(`-DAS_ONE_OF_SEVERAL`); and that a small learner does not stay full of what packets deleted."""

from __future__ import annotations

import time

import pytest
from conformance.engine_fuzz.engines import engine
from ir_builders import action, entry, key, m, pipeline, swx, table
from test_engine_learners import FORGET, learner

from p4nic.backend.api import REPEAT_NS, Backend
from p4nic.backend.interp import InterpreterBackend
from p4nic.backend.native import NativeBackend, NativePipeline, compiler
from p4nic.bench.traffic import Traffic
from p4nic.ir.ops import Apply, Transmit
from p4nic.ir.program import Exact

pytestmark = pytest.mark.skipif(not compiler.compiler(), reason="there is no C compiler on this machine")


@pytest.mark.parametrize(
    "shared", [InterpreterBackend(), engine("native-O0-shared")], ids=["interp", "native"]
)
def test_a_hit_does_not_have_an_idle_entry_told_again_too_soon(shared: Backend) -> None:
    built = swx(
        [Apply("t"), Transmit(m("in_port"))],
        actions=[action("a", [])],
        tables=[table("t", [key(m("in_port"), 32)], ["a"], "a", idle_timeout=True)],
    )
    running = pipeline(shared, built)
    running.insert(entry("t", [Exact(1)], "a", idle_timeout_ns=1000), 0)
    assert len(running.expire(1000)) == 1
    running.process([(1, b"")], 2000)
    assert running.expire(REPEAT_NS) == []
    assert len(running.expire(1000 + REPEAT_NS)) == 1
    running.close()


def test_entries_that_packets_deleted_do_not_keep_a_small_learner_full() -> None:
    """No gate of the control plane comes to the rescue here."""
    running = learner(NativeBackend(), size=8)
    assert isinstance(running, NativePipeline)
    frames = [(1, flow.to_bytes(2, "big") + bytes((5, 0, FORGET))) for flow in range(4) for _ in range(2)]
    running.workers.replay(Traffic.of(frames * 8), 2, time.monotonic_ns())
    while not all(running.workers.replayed(worker).packets > 20_000 for worker in range(2)):
        time.sleep(0.01)
    running.workers.stop()
    assert running.statistics()["learned"] > 1000
    running.close()
