"""Counters, meters, registers, value sets, multicast groups and clone sessions: writes, refusals, reads."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from p4nic.backend.api import CloneSession, MeterConfig, Pipeline, Replica
from p4nic.clock import ManualClock
from p4nic.errors import StateError
from p4nic.ir.program import Any, Exact, Ternary
from p4nic.target.entities import (
    CloneSessionEntry,
    CounterCell,
    Entity,
    MeterCell,
    MulticastGroup,
    Operation,
    RegisterCell,
    ValueSetMembers,
)
from p4nic.target.switch import Switch
from p4nic.target.tables import Tables

SLOW = MeterConfig("two_rate_three_color", 1, 1, 2, 2)


@pytest.fixture
def tables(sample_pipeline: Pipeline) -> Tables:
    return Switch(sample_pipeline, ManualClock()).tables


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(StateError) as raised:
        call()
    return raised.value.kind.value, str(raised.value)


def test_counter_cells(tables: Tables) -> None:
    tables.modify(CounterCell("C.seen", 2, 3, 300))
    assert tables.counters("C.seen", 2) == [CounterCell("C.seen", 2, 3, 300)]
    tables.modify(CounterCell("C.seen", None, 1, 100))
    assert tables.counters() == [CounterCell("C.seen", i, 1, 100) for i in range(4)]


def test_meter_cells(tables: Tables) -> None:
    tables.modify(MeterCell("C.limit", 1, SLOW))
    assert tables.meters() == [MeterCell("C.limit", 0, None), MeterCell("C.limit", 1, SLOW)]
    tables.modify(MeterCell("C.limit", None, None))
    assert tables.meters("C.limit", 1) == [MeterCell("C.limit", 1, None)]


def test_register_cells(tables: Tables) -> None:
    tables.modify(RegisterCell("C.state", 0, 0xABC))
    assert [cell.value for cell in tables.registers("C.state")] == [0xABC, 0, 0]


def test_value_sets(tables: Tables) -> None:
    members = ((Exact(0x22F3),), (Ternary(0, 0xFF),))
    tables.modify(ValueSetMembers("C.types", members))
    assert tables.value_sets() == [ValueSetMembers("C.types", members)]
    tables.modify(ValueSetMembers("C.types", ()))
    assert tables.value_sets("C.types") == [ValueSetMembers("C.types", ())]


def test_multicast_groups_and_clone_sessions(tables: Tables) -> None:
    tables.insert(MulticastGroup(2, (Replica(1, 0), Replica(1, 1))))
    tables.insert(MulticastGroup(1))
    tables.modify(MulticastGroup(1, (Replica(9, 0),)))
    assert tables.multicast_groups() == [
        MulticastGroup(1, (Replica(9, 0),)),
        MulticastGroup(2, (Replica(1, 0), Replica(1, 1))),
    ]
    tables.delete(MulticastGroup(2))
    assert [group.group_id for group in tables.multicast_groups()] == [1]
    session = CloneSessionEntry(5, CloneSession((Replica(1, 0),), truncate_bytes=64))
    tables.insert(session)
    assert tables.clone_sessions() == [session]
    tables.delete(CloneSessionEntry(5))
    assert tables.clone_sessions() == []


REFUSED: list[tuple[Operation, Entity, str, str]] = [
    (
        "modify",
        CounterCell("C.sen", 0, 0, 0),
        "NOT_FOUND",
        'there is no counter "C.sen"; did you mean "C.seen"?',
    ),
    ("modify", CounterCell("C.seen", -1, 0, 0), "INVALID_ARGUMENT", "counter C.seen: index -1 is negative"),
    (
        "modify",
        CounterCell("C.seen", 4, 0, 0),
        "OUT_OF_RANGE",
        "counter C.seen: index 4 is beyond the last, 3",
    ),
    (
        "modify",
        CounterCell("C.seen", 0, -1, 0),
        "OUT_OF_RANGE",
        "counter C.seen: -1 packets is not in 0..9223372036854775807",
    ),
    (
        "modify",
        CounterCell("C.hits", 0, 0, 0),
        "INVALID_ARGUMENT",
        "counter C.hits is direct: its cells belong to the entries of table C.route, not to an index",
    ),
    (
        "insert",
        CounterCell("C.seen", 0, 0, 0),
        "INVALID_ARGUMENT",
        "cells of C.seen can only be modified, not inserted",
    ),
    ("modify", MeterCell("C.limit", 2, SLOW), "OUT_OF_RANGE", "meter C.limit: index 2 is beyond the last, 1"),
    (
        "modify",
        MeterCell("C.limit", 0, MeterConfig("two_rate_three_color", 9, 1, 2, 2)),
        "INVALID_ARGUMENT",
        "meter C.limit: the peak rate pir 2 is below the committed rate cir 9",
    ),
    (
        "modify",
        MeterCell("C.limit", 0, MeterConfig("single_rate_two_color", -9, 1, 2, 2)),
        "OUT_OF_RANGE",
        "meter C.limit: cir -9 is not in 0..9223372036854775807",
    ),
    (
        "modify",
        RegisterCell("C.state", 0, 0x1000),
        "OUT_OF_RANGE",
        "register C.state: 0x1000 does not fit in 12 bits (at most 0xfff)",
    ),
    (
        "modify",
        ValueSetMembers("C.types", ((Exact(1),), (Exact(2),), (Exact(3),))),
        "RESOURCE_EXHAUSTED",
        "value set C.types: 3 members, it holds 2",
    ),
    (
        "modify",
        ValueSetMembers("C.types", ((Exact(1),), (Exact(1),))),
        "ALREADY_EXISTS",
        "value set C.types: member 0x1 is listed twice",
    ),
    (
        "modify",
        ValueSetMembers("C.types", ((Exact(1), Any()),)),
        "INVALID_ARGUMENT",
        "value set C.types, member 0: 2 fields given, it has 1",
    ),
    (
        "modify",
        ValueSetMembers("C.types", ((Exact(0x10000),),)),
        "OUT_OF_RANGE",
        "value set C.types, member 0: 0x10000 does not fit in 16 bits (at most 0xffff)",
    ),
    (
        "delete",
        ValueSetMembers("C.types", ()),
        "INVALID_ARGUMENT",
        "value set C.types can only be modified, not deleted",
    ),
    (
        "insert",
        MulticastGroup(0),
        "INVALID_ARGUMENT",
        "multicast group: id 0 is not allowed; ids go from 1 to 4294967295",
    ),
    (
        "insert",
        MulticastGroup(1, (Replica(1, 0), Replica(1, 0))),
        "INVALID_ARGUMENT",
        "multicast group 1: port 1 with instance 0 is listed twice",
    ),
    ("modify", MulticastGroup(1), "NOT_FOUND", "there is no multicast group 1"),
    (
        "insert",
        MulticastGroup(1, (Replica(-1, 0),)),
        "OUT_OF_RANGE",
        "multicast group 1: port -1 does not fit in 32 bits",
    ),
    (
        "insert",
        CloneSessionEntry(0),
        "INVALID_ARGUMENT",
        "clone session: id 0 is not allowed; ids go from 1 to 4294967295",
    ),
    ("insert", CloneSessionEntry(1), "INVALID_ARGUMENT", "clone session 1: nothing is given for it"),
    (
        "insert",
        CloneSessionEntry(1, CloneSession((), 65536)),
        "INVALID_ARGUMENT",
        "clone session 1: truncation to 65536 bytes is not in 0..65535 (0 is the whole packet)",
    ),
    ("delete", CloneSessionEntry(1), "NOT_FOUND", "there is no clone session 1"),
]


@pytest.mark.parametrize(
    ("operation", "entity", "kind", "sentence"), REFUSED, ids=[row[3][:50] for row in REFUSED]
)
def test_refuses(tables: Tables, operation: Operation, entity: Entity, kind: str, sentence: str) -> None:
    (result,) = tables.batch([(operation, entity)])
    assert result is not None
    assert (result.kind.value, str(result)) == (kind, sentence)


def test_an_index_out_of_range_is_refused_in_reads_too(tables: Tables) -> None:
    assert refusal(lambda: tables.counters("C.seen", 4)) == (
        "OUT_OF_RANGE",
        "counter C.seen: index 4 is beyond the last, 3",
    )
    assert refusal(lambda: tables.registers("nope"))[0] == "NOT_FOUND"
    assert refusal(lambda: tables.counters("C.hits"))[0] == "INVALID_ARGUMENT"


def test_a_group_exists_once(tables: Tables) -> None:
    tables.insert(MulticastGroup(1))
    assert refusal(lambda: tables.insert(MulticastGroup(1))) == (
        "ALREADY_EXISTS",
        "multicast group 1 exists already; modify it instead",
    )
