"""Direct counters on real DPDK, which keeps them by the entry's place in its table."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from swx_samples import frame, needs_dpdk

from p4nic.backend.api import Entry, Options
from p4nic.backend.swx import SwxBackend
from p4nic.clock import ManualClock
from p4nic.ir.program import ActionCall, Exact
from p4nic.load.dpdk_spec import load_text
from p4nic.load.p4info import decode_p4info, parse_p4info
from p4nic.target.entities import DirectCounter, EntryKey, TableWrite
from p4nic.target.switch import Switch

pytestmark = needs_dpdk
SPEC = """\
struct eth_t {
	bit<48> dst
	bit<48> src
	bit<16> type
}
struct to_arg_t {
	bit<32> port
}
struct meta_t {
	bit<32> in_port
	bit<32> out_port
	bit<32> table_entry_index
	bit<32> length
}
metadata instanceof meta_t
header eth instanceof eth_t
regarray hits_packets size 0x41 initval 0x0
regarray hits_bytes size 0x41 initval 0x0
action to args instanceof to_arg_t {
	entryid m.table_entry_index
	regadd hits_packets m.table_entry_index 1
	regadd hits_bytes m.table_entry_index m.length
	mov m.out_port t.port
	return
}
table hosts {
	key {
		h.eth.dst exact
	}
	actions {
		to
	}
	default_action to args port 0x7
	size 0x40
}
apply {
	rx m.in_port
	mov m.length 0x64
	extract h.eth
	table hosts
	emit h.eth
	tx m.out_port
}
"""
P4INFO = """\
tables {
  preamble { id: 33554433 name: "Main.hosts" }
  match_fields { id: 1 name: "dst" bitwidth: 48 match_type: EXACT }
  action_refs { id: 16777217 }
  direct_resource_ids: 318767105
  size: 64
}
actions { preamble { id: 16777217 name: "Main.to" } params { id: 1 name: "port" bitwidth: 32 } }
direct_counters {
  preamble { id: 318767105 name: "Main.hits" } spec { unit: BOTH } direct_table_id: 33554433
}
"""
TABLE = "Main.hosts"


@pytest.fixture
def switch() -> Iterator[Switch]:
    info = decode_p4info(parse_p4info(P4INFO.encode(), "hits.txtpb"), "hits.txtpb")
    program = load_text(SPEC, "hits.spec", info)
    with Switch(SwxBackend().build(program, Options()), ManualClock()) as made:
        yield made


def entry(dst: int, port: int = 1) -> Entry:
    return Entry(TABLE, (Exact(dst),), ActionCall("Main.to", (port,)))


def counts(switch: Switch, dst: int) -> tuple[int, int]:
    state = switch.tables.find(EntryKey(TABLE, (Exact(dst),)))
    assert state is not None
    return state.packets, state.bytes


def test_packets_and_bytes_are_counted_per_entry(switch: Switch) -> None:
    for dst in (1, 2):
        switch.tables.insert(entry(dst))
    for dst in (1, 2, 2, 9):
        switch.inject(0, frame(0, dst))
    assert (counts(switch, 1), counts(switch, 2)) == ((1, 100), (2, 200))


def test_a_new_entry_begins_at_zero_where_another_was(switch: Switch) -> None:
    """DPDK itself goes on from what was counted at that place."""
    switch.tables.insert(entry(1))
    switch.inject(0, frame(0, 1))
    switch.tables.delete(EntryKey(TABLE, (Exact(1),)))
    for dst in range(64):
        switch.tables.insert(entry(dst))
    assert [counts(switch, dst) for dst in range(64)] == [(0, 0)] * 64


def test_a_changed_entry_goes_on_counting(switch: Switch) -> None:
    switch.tables.insert(entry(1))
    switch.inject(0, frame(0, 1))
    switch.tables.modify(entry(1, 5))
    assert switch.inject(0, frame(0, 1)).sent[0][0] == 5
    assert counts(switch, 1) == (2, 200)


def test_the_control_plane_sets_a_counter(switch: Switch) -> None:
    switch.tables.insert(TableWrite(entry(1), counter=(10, 1000)))
    switch.inject(0, frame(0, 1))
    assert counts(switch, 1) == (11, 1100)
    switch.tables.modify(DirectCounter(EntryKey(TABLE, (Exact(1),)), 3, 30))
    assert counts(switch, 1) == (3, 30)
