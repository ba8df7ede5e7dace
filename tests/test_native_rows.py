"""Entries by columns: what the native engine takes as rows, made ready beside the packets, ends as on the
interpreter, which takes them one by one; and packets see a batch whole or not at all."""

from __future__ import annotations

import random
import time
from array import array

from p4nic.backend.api import Options, Pipeline
from p4nic.backend.interp import InterpreterBackend
from p4nic.backend.native import NativeBackend, NativePipeline
from p4nic.bench import programs
from p4nic.bench.traffic import Traffic
from p4nic.clock import ManualClock
from p4nic.ir.program import Exact
from p4nic.target.entities import EntryKey
from p4nic.target.switch import Switch

TABLE, ACTION = "Main.stations", "Main.to_port"


def _pipeline(backend: InterpreterBackend | NativeBackend, size: int) -> Pipeline:
    return backend.build(programs.load("l2_exact"), Options(table_sizes={TABLE: size}))


def _told(switch: Switch, keys: list[int], ports: list[int]) -> list[str]:
    found = switch.tables.insert_columns(TABLE, ACTION, [array("Q", keys)], [array("I", ports)])
    return [str(error or "") for error in found]


def _state(switch: Switch) -> list[object]:
    return [(s.entry.key, s.entry.action, s.packets) for s in switch.tables.read(TABLE)]


def test_columns_end_as_single_entries_do() -> None:
    """Batches with keys that are there already, twice in one batch, and for which there is no room."""
    draw = random.Random(7)
    with (
        Switch(_pipeline(NativeBackend(), 400), ManualClock()) as fast,
        Switch(_pipeline(InterpreterBackend(), 400), ManualClock()) as slow,
    ):
        refusals = 0
        for _ in range(120):
            count = draw.choice([1, 7, 60])
            keys = [draw.randrange(1 << 40, (1 << 40) + 4000) for _ in range(count)]
            ports = [draw.randrange(4) for _ in range(count)]
            told = _told(fast, keys, ports)
            assert told == _told(slow, keys, ports)
            refusals += any(told)
            assert _state(fast) == _state(slow)
            for state in list(fast.tables.read(TABLE)):
                if draw.random() < 0.1:
                    for switch in (fast, slow):
                        switch.tables.delete(EntryKey(TABLE, state.entry.key, 0))
            assert fast.tables.entry_count(TABLE) == slow.tables.entry_count(TABLE)
        assert 10 < refusals < 110


def test_a_growing_table_keeps_every_entry() -> None:
    """Through many splits of the index, some of them while a batch is being made ready."""
    with Switch(_pipeline(NativeBackend(), 50_000), ManualClock()) as switch:
        for first in range(0, 40_000, 1000):
            keys = list(range(first * 7919, (first + 1000) * 7919, 7919))
            assert not any(_told(switch, keys, [first % 3] * 1000))
        for at in range(0, 40_000, 17):
            assert switch.tables.find(EntryKey(TABLE, (Exact(at * 7919),), 0)) is not None
        assert switch.tables.find(EntryKey(TABLE, (Exact(1),), 0)) is None
        assert switch.tables.entry_count(TABLE) == 40_000


def test_packets_see_a_batch_whole() -> None:
    """A worker sends to the first and the last station of a batch in turn, 32 frames to a burst: in each
    burst all of them hit or all miss."""
    pipeline = _pipeline(NativeBackend(), 200_000)
    assert isinstance(pipeline, NativePipeline)
    station = 1 << 40
    frames = [
        (0, (station + i).to_bytes(6, "big") + bytes(6) + b"\x08\x00" + bytes(46))
        for _ in range(16)
        for i in (0, 999)
    ]
    with Switch(pipeline, ManualClock()) as switch:
        pipeline.workers.replay(Traffic.of(frames), 1, time.monotonic_ns())
        for first in range(20):
            at = station if first == 10 else station + (first + 1) * 1_000_000
            assert not any(_told(switch, list(range(at, at + 1000)), [1] * 1000))
        told = pipeline.statistics()
        pipeline.resume()
        pipeline.workers.stop()
        last = pipeline.statistics()
        assert told[f"table.{TABLE}.hit"] % 32 == 0
        assert told[f"table.{TABLE}.miss"] % 32 == 0
        assert last[f"table.{TABLE}.miss"] == told[f"table.{TABLE}.miss"]
        pipeline.resume()
