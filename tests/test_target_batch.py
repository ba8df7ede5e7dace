"""A batch is one: in order, under one lock, and with "rollback" or "dataplane" all of it or nothing."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from fake_pipeline import SECOND, FakePipeline

from p4nic.backend.api import (
    ActionSet,
    CloneSession,
    Entry,
    MemberRef,
    MeterConfig,
    Outcome,
    Pipeline,
    Replica,
    WeightedAction,
)
from p4nic.clock import ManualClock
from p4nic.ir.program import ActionCall, Exact, Lpm
from p4nic.target.entities import (
    Atomicity,
    CloneSessionEntry,
    CounterCell,
    DefaultEntry,
    DirectCounter,
    Entity,
    EntryKey,
    Group,
    GroupMember,
    Member,
    MeterCell,
    MulticastGroup,
    Operation,
    RegisterCell,
    TableWrite,
    ValueSetMembers,
)
from p4nic.target.switch import Switch
from p4nic.target.tables import Tables

DROP = ActionCall("C.drop")
FORWARD = ActionCall("C.forward", (1, 2))
METER = MeterConfig("two_rate_three_color", 1, 1, 2, 2)
ONE_SHOT = ActionSet((WeightedAction(DROP, 1), WeightedAction(FORWARD, 2, watch_port=4)))


def exact(dst: int) -> Entry:
    return Entry("C.exact", (Exact(dst), Exact(0)), DROP)


def snapshot(switch: Switch) -> list[object]:
    """Everything a control plane can read, with idle times; entries in a fixed order, as reading promises
    none.
    """
    tables = switch.tables
    return [
        sorted(map(repr, tables.read())),
        [tables.default(name) for name in switch.program.tables],
        tables.members(),
        tables.groups(),
        tables.counters(),
        tables.meters(),
        tables.registers(),
        tables.value_sets(),
        tables.multicast_groups(),
        tables.clone_sessions(),
        tables.direct_meter(EntryKey("C.route", (Lpm(0, 1),))),
    ]


@pytest.fixture
def switch(sample_pipeline: Pipeline) -> Switch:
    return populated(sample_pipeline)


def populated(pipeline: Pipeline) -> Switch:
    switch = Switch(pipeline, ManualClock())
    tables = switch.tables
    tables.insert(
        TableWrite(Entry("C.route", (Lpm(0, 1),), DROP, idle_timeout_ns=60 * SECOND), (5, 500), METER)
    )
    tables.insert(Member("C.profile", 1, DROP))
    tables.insert(Entry("C.spread", (Exact(1),), ONE_SHOT))
    tables.modify(CounterCell("C.seen", 1, 7, 70))
    tables.modify(RegisterCell("C.state", 2, 0xFFF))
    tables.insert(MulticastGroup(3, (Replica(1, 0),)))
    tables.insert(CloneSessionEntry(9, CloneSession((Replica(2, 0),))))
    switch.advance(7 * SECOND)
    return switch


CHANGES: list[tuple[Operation, Entity]] = [
    ("insert", exact(1)),
    ("modify", TableWrite(Entry("C.route", (Lpm(0, 1),), FORWARD), (0, 0))),
    ("modify", DirectCounter(EntryKey("C.route", (Lpm(0, 1),)), 1, 1)),
    ("delete", EntryKey("C.route", (Lpm(0, 1),))),
    ("insert", Entry("C.route", (Lpm(0, 1),), DROP)),
    ("modify", Entry("C.spread", (Exact(1),), ActionSet((WeightedAction(FORWARD, 5),)))),
    ("insert", Entry("C.spread", (Exact(2),), ONE_SHOT)),
    ("delete", EntryKey("C.spread", (Exact(1),))),
    ("modify", Member("C.profile", 1, FORWARD)),
    ("insert", Member("C.profile", 2, FORWARD)),
    ("insert", Entry("C.plain", (Exact(3),), MemberRef(2))),
    ("modify", DefaultEntry("C.exact", FORWARD)),
    ("modify", CounterCell("C.seen", None, 1, 1)),
    ("modify", MeterCell("C.limit", 0, METER)),
    ("modify", RegisterCell("C.state", None, 1)),
    ("modify", ValueSetMembers("C.types", ((Exact(5),),))),
    ("modify", MulticastGroup(3, ())),
    ("insert", MulticastGroup(4, (Replica(1, 1),))),
    ("delete", MulticastGroup(3)),
    ("delete", CloneSessionEntry(9)),
]


def test_every_change_is_accepted(switch: Switch) -> None:
    before = snapshot(switch)
    assert switch.tables.batch(CHANGES, "dataplane") == [None] * len(CHANGES)
    assert snapshot(switch) != before


@pytest.mark.parametrize("atomicity", ["rollback", "dataplane"])
def test_a_failed_batch_is_undone_whole(atomicity: Atomicity) -> None:
    pipeline = FakePipeline()
    switch = populated(pipeline)
    before = snapshot(switch)
    members, groups = dict(pipeline.member_calls), dict(pipeline.group_weights)
    results = switch.tables.batch([*CHANGES, ("insert", exact(1)), ("insert", exact(2))], atomicity)
    assert snapshot(switch) == before
    # The ids behind a one-shot may differ, what they stand for may not.
    assert sorted(map(repr, pipeline.member_calls.values())) == sorted(map(repr, members.values()))
    assert len(pipeline.group_weights) == len(groups)
    kinds = [result.kind.value if result else "OK" for result in results]
    assert kinds == ["ABORTED"] * len(CHANGES) + ["ALREADY_EXISTS", "ABORTED"]
    sentence = "table C.exact: entry dst=0x1 vlan=0x0 exists already; modify it instead"
    assert str(results[0]) == f"undone, because update 21 of the batch failed: {sentence}"
    assert str(results[-1]) == f"not tried, because update 21 of the batch failed: {sentence}"


@pytest.mark.parametrize("length", range(1, len(CHANGES) + 1))
def test_any_beginning_of_the_changes_is_undone(switch: Switch, length: int) -> None:
    before = snapshot(switch)
    switch.tables.batch([*CHANGES[:length], ("delete", exact(9))], "rollback")
    assert snapshot(switch) == before


def test_continue_applies_what_it_can(switch: Switch) -> None:
    results = switch.tables.batch(
        [("insert", exact(1)), ("delete", exact(2)), ("insert", exact(3))], "continue"
    )
    assert [r.kind.value if r else "OK" for r in results] == ["OK", "NOT_FOUND", "OK"]
    assert [s.entry for s in switch.tables.read("C.exact")] == [exact(1), exact(3)]


def test_updates_of_a_batch_see_those_before_them(switch: Switch) -> None:
    same = [("insert", exact(1)), ("delete", exact(1)), ("insert", exact(1))]
    assert switch.tables.batch(same, "rollback") == [None] * 3  # type: ignore[arg-type]


class WatchingPipeline(FakePipeline):
    """Notes at each burst how many entries the packets could see."""

    seen: list[int]

    def process(self, packets: Sequence[tuple[int, bytes]], now_ns: int) -> list[Outcome]:
        self.seen.append(self.entry_count("quiet"))
        return super().process(packets, now_ns)


def test_no_packet_sees_half_a_batch() -> None:
    pipeline = WatchingPipeline()
    pipeline.seen = []
    switch = Switch(pipeline, ManualClock())
    done = threading.Event()

    def send() -> None:
        while not done.is_set():
            switch.inject(1, b"\x02")

    sender = threading.Thread(target=send)
    sender.start()
    updates: list[tuple[Operation, Entity]] = [
        ("insert", Entry("quiet", (Exact(x),), DROP)) for x in range(200)
    ]
    broken: list[tuple[Operation, Entity]] = [*updates, ("delete", exact(1))]
    for _ in range(5):
        assert switch.tables.batch(broken, "rollback")[-1] is not None
    assert switch.tables.batch(updates) == [None] * 200
    done.set()
    sender.join()
    assert set(pipeline.seen) <= {0, 200}


def test_tables_are_of_the_pipeline_of_now(switch: Switch) -> None:
    old = switch.tables
    switch.replace_pipeline(FakePipeline())
    assert isinstance(switch.tables, Tables)
    assert switch.tables is not old
    assert list(switch.tables.read("C.route")) == []
    assert switch.tables.groups() == []
    switch.tables.insert(Member("C.selector", 1, DROP))
    switch.tables.insert(Group("C.selector", 1, (GroupMember(1, 1),), max_size=2))
