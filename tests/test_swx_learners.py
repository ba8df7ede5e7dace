"""The load balancer on real DPDK: what packets taught it, read back, aged on our clock, and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_samples import ENTRIES, syn
from swx_samples import needs_dpdk

from p4nic.backend.api import Backend, Entry, Expired, Options
from p4nic.backend.interp import InterpreterBackend
from p4nic.backend.swx import SwxBackend
from p4nic.cli.entries_file import apply_file
from p4nic.clock import ManualClock
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.program import ActionCall, Exact
from p4nic.load.artifact import load_program
from p4nic.target.entities import CounterCell, EntryKey
from p4nic.target.switch import Switch

pytestmark = needs_dpdk
SECOND = 10**9
FLOWS = "Lb.flow_table"
TICK = 2 * SECOND
"""DPDK's learners count time in 2^32 cycles: below two seconds on any machine of more than 2.1 GHz."""


def balancer(backend: Backend, folder: Path) -> Switch:
    program = load_program([])
    made = Switch(backend.build(program, Options()), ManualClock(), notify=[FLOWS])
    entries = folder / "lb.yaml"
    entries.write_text(ENTRIES, encoding="utf-8")
    apply_file(entries, program, made.tables)
    return made


@pytest.fixture
def switch(tmp_path: Path) -> Iterator[Switch]:
    with balancer(SwxBackend(), tmp_path) as made:
        yield made


def learned(switch: Switch) -> dict[tuple[object, ...], ActionCall]:
    states = switch.tables.read(FLOWS)
    return {
        state.entry.key: state.entry.action for state in states if isinstance(state.entry.action, ActionCall)
    }


def test_learned_entries_are_those_of_the_interpreter(switch: Switch, tmp_path: Path) -> None:
    with balancer(InterpreterBackend(), tmp_path) as reference:
        for sport in (1025, 77, 1025, 40000):
            assert switch.inject(1, syn(sport=sport)) == reference.inject(1, syn(sport=sport))
        assert learned(switch) == learned(reference)
        assert len(learned(switch)) == 6
        assert switch.tables.entry_count(FLOWS) == 6


def test_a_flow_expires_on_the_manual_clock_and_is_told(switch: Switch) -> None:
    expired: list[Expired] = []
    switch.subscribe(on_expired=expired.append)
    switch.inject(1, syn())
    switch.advance(30 * SECOND - TICK)
    assert (len(learned(switch)), expired) == (2, [])
    switch.advance(TICK)
    assert learned(switch) == {}
    assert len(expired) == 2
    assert all(e.removed and e.state.entry.table == FLOWS for e in expired)
    assert all(30 * SECOND - TICK < e.state.idle_ns <= 30 * SECOND for e in expired)


def test_a_packet_of_the_flow_puts_its_end_off(switch: Switch) -> None:
    switch.inject(1, syn())
    for _ in range(5):
        switch.advance(20 * SECOND)
        switch.inject(1, syn())
    states = {state.entry.key: state for state in switch.tables.read(FLOWS)}
    assert len(states) == 1, "the direction without packets has ended"
    (state,) = states.values()
    assert state.idle_ns == 0
    # DPDK forgets the byte and packet counts of no entry: this one had five packets after the first.
    assert (state.packets, state.bytes) == (5, 5 * len(syn()))


def test_the_control_plane_deletes_a_learned_flow(switch: Switch) -> None:
    switch.inject(1, syn())
    keys = list(learned(switch))
    switch.tables.delete(EntryKey(FLOWS, keys[0]))  # type: ignore[arg-type]  # a key is a tuple of matches
    assert list(learned(switch)) == keys[1:]
    with pytest.raises(StateError, match="there is no entry") as caught:
        switch.tables.delete(EntryKey(FLOWS, keys[0]))  # type: ignore[arg-type]
    assert caught.value.kind is ErrorKind.NOT_FOUND


def test_packets_alone_write_to_a_learner(switch: Switch) -> None:
    key = tuple(Exact(n) for n in (1, 2, 6, 3, 4))
    entry = Entry(FLOWS, key, ActionCall("Lb.flow_hit", (1, 1, 1, 1, 1, 1)))
    with pytest.raises(StateError, match="DPDK lets packets alone add") as caught:
        switch.tables.insert(entry)
    assert caught.value.kind is ErrorKind.UNIMPLEMENTED


def test_counters_and_statistics_are_read_from_dpdk(switch: Switch) -> None:
    for _ in range(3):
        switch.inject(1, syn())
    assert switch.tables.counters("Lb.service_counter", 7) == [
        CounterCell("Lb.service_counter", 7, 3, 3 * len(syn()))
    ]
    told = switch.statistics()
    assert (told["learned"], told["rearmed"]) == (2, 2)
    assert told["table.Lb.service_vip.hit"] == 1
