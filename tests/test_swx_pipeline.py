"""Real DPDK behind the Pipeline protocol: tables, registers, meters, mirrors, crashes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from swx_samples import SPEC, entry, frame, needs_dpdk, ports, swx_switch

from p4nic.backend.api import CloneSession, MeterConfig, Outcome, Replica
from p4nic.errors import ErrorKind, StateError, TargetError
from p4nic.ir.program import ActionCall, Any, Exact, Lpm, Ternary
from p4nic.target.entities import (
    CloneSessionEntry,
    Entity,
    EntryKey,
    MeterCell,
    MulticastGroup,
    Operation,
    RegisterCell,
)
from p4nic.target.switch import Switch

pytestmark = needs_dpdk


@pytest.fixture
def switch() -> Iterator[Switch]:
    with swx_switch() as made:
        yield made


def test_an_exact_entry_is_inserted_modified_and_deleted(switch: Switch) -> None:
    assert ports(switch, frame(1, 9)) == [7]
    switch.tables.insert(entry("same", Exact(9), 3))
    assert ports(switch, frame(1, 9)) == [3]
    switch.tables.modify(entry("same", Exact(9), 4))
    assert ports(switch, frame(1, 9)) == [4]
    assert ports(switch, frame(1, 8)) == [7]
    switch.tables.delete(EntryKey("same", (Exact(9),)))
    assert ports(switch, frame(1, 9)) == [7]


def test_a_batch_of_a_thousand_changes_is_one_transaction() -> None:
    with swx_switch(SPEC.replace("size 0x40", "size 0x400")) as switch:
        updates = [("insert", entry("same", Exact(number), number % 5)) for number in range(1000)]
        assert not any(switch.tables.batch([("insert", e) for _, e in updates]))
        outcomes = switch.burst([(0, frame(1, number)) for number in range(1000)])
        assert [o.sent[0][0] for o in outcomes] == [number % 5 for number in range(1000)]
        assert switch.tables.entry_count("same") == 1000


def test_a_full_table_is_exchanged_in_one_batch(switch: Switch) -> None:
    old = [entry("same", Exact(number), 1) for number in range(64)]
    new = [entry("same", Exact(number + 1000), 2) for number in range(64)]
    assert not any(switch.tables.batch([("insert", e) for e in old]))
    exchange: list[tuple[Operation, Entity]] = [*(("delete", e) for e in old), *(("insert", e) for e in new)]
    assert not any(switch.tables.batch(exchange))
    assert {ports(switch, frame(1, number + 1000))[0] for number in range(64)} == {2}
    assert {ports(switch, frame(1, number))[0] for number in range(64)} == {7}
    with pytest.raises(StateError, match="full with 64 entries") as caught:
        switch.tables.insert(entry("same", Exact(5), 1))
    assert caught.value.kind is ErrorKind.RESOURCE_EXHAUSTED


def test_an_undone_batch_leaves_dpdk_as_it_was(switch: Switch) -> None:
    switch.tables.insert(entry("same", Exact(9), 3))
    wrong = entry("same", Exact(9), 5)
    updates: list[tuple[Operation, Entity]] = [
        ("modify", entry("same", Exact(9), 4)),
        ("insert", entry("same", Exact(8), 4)),
        ("insert", wrong),
    ]
    results = switch.tables.batch(updates, "rollback")
    assert [r.kind.name if r else "" for r in results] == ["ABORTED", "ABORTED", "ALREADY_EXISTS"]
    assert (ports(switch, frame(1, 9)), ports(switch, frame(1, 8))) == ([3], [7])


def test_the_higher_priority_wins_and_one_below_it_comes_back(switch: Switch) -> None:
    some = Ternary(0xFF00, 0xFF00)
    switch.tables.insert(entry("masked", some, 1, priority=10))
    switch.tables.insert(entry("masked", Ternary(0xFF01, 0xFFFF), 2, priority=20))
    # The same key at two priorities: DPDK itself would take the second for a change of the first.
    switch.tables.insert(entry("masked", some, 3, priority=15))
    assert ports(switch, frame(2, 0xFF01)) == [2]
    assert ports(switch, frame(2, 0xFF02)) == [3]
    switch.tables.delete(EntryKey("masked", (some,), 15))
    assert ports(switch, frame(2, 0xFF02)) == [1]
    switch.tables.insert(entry("masked", Any(), 4, priority=1))
    assert ports(switch, frame(2, 0x1234)) == [4]


def test_the_longest_prefix_wins(switch: Switch) -> None:
    switch.tables.insert(entry("routes", Any(), 1))
    switch.tables.insert(entry("routes", Lpm(0xAA << 40, 8), 2))
    switch.tables.insert(entry("routes", Lpm(0xAABB << 32, 16), 3))
    assert ports(switch, frame(3, 0xAABB << 32 | 1)) == [3]
    assert ports(switch, frame(3, 0xAA00 << 32 | 1)) == [2]
    assert ports(switch, frame(3, 1)) == [1]


def test_the_default_action_changes_and_is_reset(switch: Switch) -> None:
    switch.tables.set_default("same", ActionCall("to", (5,)))
    assert ports(switch, frame(1)) == [5]
    assert switch.tables.default("same") == ActionCall("to", (5,))
    switch.tables.set_default("same", None)
    assert ports(switch, frame(1)) == [7]


def test_registers_are_dpdks_own(switch: Switch) -> None:
    ports(switch, frame(0), port=3)
    assert switch.tables.registers("seen", 3) == [RegisterCell("seen", 3, 8)]
    switch.tables.modify(RegisterCell("seen", 3, 100))
    ports(switch, frame(0), port=3)
    assert switch.tables.registers("seen", 3) == [RegisterCell("seen", 3, 101)]
    assert switch.tables.registers("seen", 4) == [RegisterCell("seen", 4, 7)]


def test_a_mirrored_copy_is_cut_and_a_session_nobody_set_makes_none(switch: Switch) -> None:
    assert ports(switch, frame(4)) == [7]
    session = CloneSession((Replica(2, 0),), truncate_bytes=16)
    switch.tables.insert(CloneSessionEntry(5, session))
    sent = frame(4)
    assert switch.inject(0, sent) == Outcome(((2, sent[:16]), (7, sent)))
    switch.tables.delete(CloneSessionEntry(5))
    assert ports(switch, frame(4)) == [7]


def test_a_meter_colours_by_its_bursts(switch: Switch) -> None:
    assert [ports(switch, frame(6)) for _ in range(3)] == [[0], [0], [0]]
    # 100 bytes per packet and one byte per second: nothing comes back while the test runs.
    config = MeterConfig("two_rate_three_color", cir=1, cburst=150, pir=1, pburst=250)
    switch.tables.modify(MeterCell("rate", 0, config))
    assert [ports(switch, frame(6))[0] for _ in range(3)] == [0, 1, 2]
    assert switch.tables.meters("rate", 0) == [MeterCell("rate", 0, config)]
    switch.tables.modify(MeterCell("rate", 0, None))
    assert ports(switch, frame(6)) == [0]


def test_a_runt_is_read_as_zeros_and_leaves_as_long_as_it_came(switch: Switch) -> None:
    switch.tables.insert(entry("same", Exact(0xAABB << 32), 3))
    assert switch.inject(0, b"\xaa\xbb") == Outcome(((7, b"\xaa\xbb"),))


def test_a_burst_keeps_its_order(switch: Switch) -> None:
    switch.tables.insert(entry("routes", Lpm(0xAA << 40, 8), 2))
    frames = [(i % 4, frame(3 if i % 3 else 0, 0xAA << 40, bytes([i]))) for i in range(200)]
    outcomes = switch.burst(frames)
    assert [o.sent[0][1] for o in outcomes] == [f for _, f in frames]


def test_frames_of_a_port_that_does_not_exist_never_reach_dpdk(switch: Switch) -> None:
    outcomes = switch.burst([(0, frame(0)), (100_000, frame(0)), (1, frame(0))])
    assert [o.drop_reason for o in outcomes] == ["", "ingress port does not exist", ""]


# --- crashes ---------------------------------------------------------------------------------------


def test_a_crash_names_the_packet_and_the_next_one_finds_the_entries_again(switch: Switch) -> None:
    switch.tables.insert(entry("same", Exact(9), 3))
    switch.tables.set_default("masked", ActionCall("to", (4,)))
    deadly = frame(5, payload=b"deadly")
    with pytest.raises(
        TargetError, match="DPDK crashed with SIG.* on packet 3 of a burst of 3: port 2, "
    ) as caught:
        switch.burst([(0, frame(0)), (1, frame(0)), (2, deadly)])
    assert caught.value.packet == (2, deadly)
    assert deadly.hex() in str(caught.value)
    assert "with 1 entries" in str(caught.value)
    assert ports(switch, frame(1, 9)) == [3]
    assert ports(switch, frame(2, 9)) == [4]


def test_an_endless_program_is_ended() -> None:
    endless = SPEC.replace("mov m.out_port 0xFFFFFFF0\n\tjmp OUT", "mov m.out_port 0x1\n\tjmp AWAY")
    with swx_switch(endless) as switch:
        with pytest.raises(TargetError, match="DPDK does not come to an end with the packet"):
            switch.inject(0, frame(5))
        assert ports(switch, frame(0)) == [7]


# --- what DPDK cannot do ----------------------------------------------------------------------------


def test_what_dpdk_has_not_is_said_in_a_sentence(switch: Switch) -> None:
    single = MeterConfig("single_rate_three_color", 1, 1, 1, 1)
    two = CloneSession((Replica(1, 0), Replica(2, 0)))
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: switch.trace(0, frame(0)), "DPDK tells nothing about a packet's way"),
        (lambda: switch.tables.insert(MulticastGroup(1, (Replica(1, 0),))), "multicast group 1"),
        (lambda: switch.tables.insert(CloneSessionEntry(1, two)), "DPDK mirrors to one port, not to 2"),
        (lambda: switch.tables.modify(MeterCell("rate", 1, single)), "RFC 2698"),
    ]
    for change, words in refused:
        with pytest.raises(StateError, match=words) as caught:
            change()
        assert caught.value.kind is ErrorKind.UNIMPLEMENTED


def test_a_priority_dpdk_cannot_keep_is_refused(switch: Switch) -> None:
    with pytest.raises(StateError, match="priorities up to") as caught:
        switch.tables.insert(entry("masked", Ternary(1, 1), 1, priority=2**31 - 1))
    assert caught.value.kind is ErrorKind.OUT_OF_RANGE
    assert switch.tables.entry_count("masked") == 0
