"""Ageing of learned flows in the shipped load balancer: told exactly once, with the flow that ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_samples import ENTRIES, syn

from p4nic.backend.api import Backend, Expired, Options
from p4nic.cli.entries_file import apply_file
from p4nic.clock import ManualClock
from p4nic.load.artifact import load_program
from p4nic.target.entities import EntryKey
from p4nic.target.switch import Switch

SECOND = 1_000_000_000
FLOWS = "Lb.flow_table"


def load_balancer(
    backend: Backend, tmp_path: Path, notify: list[str]
) -> tuple[Switch, list[tuple[int, Expired]]]:
    pipeline = backend.build(load_program([]), Options())
    switch = Switch(pipeline, ManualClock(), notify=notify)
    file = tmp_path / "lb.yaml"
    file.write_text(ENTRIES)
    apply_file(file, switch.program, switch.tables)
    told: list[tuple[int, Expired]] = []
    switch.subscribe(on_expired=lambda expired: told.append((switch.clock.now_ns(), expired)))
    return switch, told


def test_a_flow_that_ages_out_is_told_once(backend: Backend, tmp_path: Path) -> None:
    switch, told = load_balancer(backend, tmp_path, [FLOWS])
    assert switch.inject(1, syn()).sent
    assert switch.tables.entry_count(FLOWS) == 2
    switch.advance(12 * 3600 * SECOND)
    assert [(at, e.removed, e.state.entry.origin) for at, e in told] == [(30 * SECOND, True, "learned")] * 2
    assert {e.state.entry.table for _, e in told} == {FLOWS}
    assert switch.tables.entry_count(FLOWS) == 0


def test_a_refresh_moves_the_end(backend: Backend, tmp_path: Path) -> None:
    switch, told = load_balancer(backend, tmp_path, [FLOWS])
    switch.inject(1, syn())
    switch.advance(20 * SECOND)
    switch.inject(1, syn())
    switch.advance(40 * SECOND)
    assert {e.state.entry.key: at for at, e in told} != {}
    assert max(at for at, _ in told) == 50 * SECOND
    assert len(told) == 2


@pytest.mark.parametrize("notify", [[], [FLOWS]])
def test_a_deleted_flow_is_told_never(backend: Backend, tmp_path: Path, notify: list[str]) -> None:
    switch, told = load_balancer(backend, tmp_path, notify)
    switch.inject(1, syn())
    for state in list(switch.tables.read(FLOWS)):
        switch.tables.delete(EntryKey(FLOWS, state.entry.key))
    switch.advance(3600 * SECOND)
    assert told == []
    assert switch.statistics()["expired_silently"] == 0


def test_without_notification_it_vanishes_silently_and_is_counted(backend: Backend, tmp_path: Path) -> None:
    switch, told = load_balancer(backend, tmp_path, [])
    switch.inject(1, syn())
    switch.advance(3600 * SECOND)
    assert told == []
    assert switch.statistics()["expired_silently"] == 2


def test_ports_and_drops_tell_of_every_packet(backend: Backend, tmp_path: Path) -> None:
    """I9: received = sent + dropped, whatever the length of the frame."""
    switch, _ = load_balancer(backend, tmp_path, [])
    frames = [syn()[:length] for length in range(55)]
    switch.burst([(1, frame) for frame in frames])
    received = sum(p.rx_packets for p in switch.port_statistics().values())
    sent = sum(p.tx_packets for p in switch.port_statistics().values())
    assert received == 55
    assert sent + sum(switch.drop_statistics().values()) == received
