"""A learner's index from nothing to more buckets than 16 bits of a hash tell apart: every key is found and
none twice, before and after entries have gone."""

from __future__ import annotations

import pytest

from p4nic.backend.api import Options, Pipeline
from p4nic.backend.native import NativeBackend, compiler
from p4nic.bench import lb
from p4nic.bench.api import NOW_NS
from p4nic.bench.engines import Loop
from p4nic.ir.program import Exact, Match

pytestmark = pytest.mark.skipif(not compiler.compiler(), reason="there is no C compiler on this machine")

FLOWS = 160_000
"""Twice as many entries: more than 4.5 for each of 65,536 buckets."""


def _reverse(flow: int) -> tuple[Match, ...]:
    source, port = lb.client(flow)
    return tuple(Exact(value) for value in (lb.POD, source, 6, 8080, port))


def _learned(pipeline: Pipeline, flags: int) -> int:
    """Entries learned so far, after a frame of each flow."""
    Loop(pipeline, lb.flow_frames(lb.flow_order(FLOWS), lb.to_vip(flags))).once()
    return pipeline.statistics()["learned"]


def test_every_key_is_found_once_while_the_index_grows() -> None:
    program = lb.program()
    pipeline = NativeBackend().build(program, Options(table_sizes={lb.FLOW_TABLE: 3 * FLOWS}))
    for entry in lb.configuration(program):
        pipeline.insert(entry, 0)
    assert _learned(pipeline, lb.SYN) == 2 * FLOWS
    assert _learned(pipeline, lb.ACK) == 2 * FLOWS  # each of them was a hit
    some = set(range(0, FLOWS, 37))
    for flow in sorted(some):
        found = pipeline.lookup(lb.FLOW_TABLE, _reverse(flow), 0, NOW_NS)
        assert found is not None
        assert found.entry.key == _reverse(flow)
        pipeline.delete(found.entry)
    assert pipeline.entry_count(lb.FLOW_TABLE) == 2 * FLOWS - len(some)
    for flow in sorted(some)[::5]:
        assert pipeline.lookup(lb.FLOW_TABLE, _reverse(flow), 0, NOW_NS) is None
        if flow + 1 not in some:
            assert pipeline.lookup(lb.FLOW_TABLE, _reverse(flow + 1), 0, NOW_NS) is not None
    assert _learned(pipeline, lb.ACK) == 2 * FLOWS  # their other direction is still there
    pipeline.close()
