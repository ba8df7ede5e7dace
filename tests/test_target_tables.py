"""What `Tables` refuses, in the words a person reads, and what it accepts and gives back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_pipeline import SECOND, FakePipeline

from p4nic.backend.api import Entry, GroupRef, MemberRef, MeterConfig, Pipeline
from p4nic.clock import ManualClock
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.program import ActionCall, Any, Exact, Lpm, Match, Range, Ternary
from p4nic.target.entities import DirectCounter, DirectMeter, EntryKey, TableWrite
from p4nic.target.switch import Switch
from p4nic.target.tables import Tables

FORWARD = ActionCall("C.forward", (3, 0xAABB))
DROP = ActionCall("C.drop")
METER = MeterConfig("two_rate_three_color", 10, 1, 20, 2)


@pytest.fixture
def switch(sample_pipeline: Pipeline) -> Switch:
    return Switch(sample_pipeline, ManualClock())


@pytest.fixture
def tables(switch: Switch) -> Tables:
    return switch.tables


def exact(dst: int = 5, vlan: int = 1, action: ActionCall = FORWARD) -> Entry:
    return Entry("C.exact", (Exact(dst), Exact(vlan)), action)


def route(value: int, length: int, action: ActionCall = DROP, timeout: int = 0) -> Entry:
    return Entry("C.route", (Lpm(value, length),), action, idle_timeout_ns=timeout)


def acl(*key: Match, priority: int = 10) -> Entry:
    return Entry("C.acl", key, DROP, priority)


def spread(action: ActionCall | MemberRef | GroupRef) -> Entry:
    return Entry("C.spread", (Exact(1),), action)


REFUSED = [
    (Entry("C.exakt", (), DROP), "NOT_FOUND", 'there is no table "C.exakt"; did you mean "C.exact"?'),
    (
        Entry("zzz", (), DROP),
        "NOT_FOUND",
        'there is no table "zzz"; choose one of C.acl, C.exact, C.fixed, C.keyless, C.plain, C.route, '
        "C.spread, learned, quiet",
    ),
    (
        Entry("C.exact", (Exact(1),), DROP),
        "INVALID_ARGUMENT",
        "table C.exact: the key has 1 fields, the table 2 (dst, vlan)",
    ),
    (
        exact(dst=0x10000),
        "OUT_OF_RANGE",
        "table C.exact, field dst: 0x10000 does not fit in 16 bits (at most 0xffff)",
    ),
    (
        exact(vlan=-1),
        "OUT_OF_RANGE",
        "table C.exact, field vlan: -0x1 does not fit in 12 bits (at most 0xfff)",
    ),
    (
        Entry("C.exact", (Exact(1), Any()), DROP),
        "INVALID_ARGUMENT",
        "table C.exact, field vlan: exact fields cannot be left out",
    ),
    (
        Entry("C.exact", (Exact(1), Ternary(1, 1)), DROP),
        "INVALID_ARGUMENT",
        "table C.exact, field vlan: the field is exact, the entry gives a ternary match",
    ),
    (
        Entry("C.exact", (Exact(1), Exact(1)), DROP, priority=1),
        "INVALID_ARGUMENT",
        "table C.exact: priority 1 must be 0, as no field is ternary, range or optional",
    ),
    (
        exact(action=ActionCall("C.forwrad", (1, 2))),
        "INVALID_ARGUMENT",
        'table C.exact: action "C.forwrad" is not one of its actions; did you mean "C.forward"?',
    ),
    (
        exact(action=ActionCall("C.unused")),
        "INVALID_ARGUMENT",
        'table C.exact: action "C.unused" is not one of its actions; '
        "choose one of C.drop, C.forward, C.only_entries, NoAction",
    ),
    (
        exact(action=ActionCall("NoAction")),
        "PERMISSION_DENIED",
        "table C.exact: action NoAction is for the default entry only",
    ),
    (
        exact(action=ActionCall("C.forward", (1,))),
        "INVALID_ARGUMENT",
        "table C.exact, action C.forward: 1 arguments given, parameters are port, mac",
    ),
    (
        exact(action=ActionCall("C.forward", (512, 0))),
        "OUT_OF_RANGE",
        "table C.exact, action C.forward, parameter port: 0x200 does not fit in 9 bits (at most 0x1ff)",
    ),
    (
        route(0x0A000001, 8),
        "INVALID_ARGUMENT",
        "table C.route, field ip: 0xa000001/8 has bits beyond the prefix; 0xa000000/8 has not",
    ),
    (
        route(0, 0),
        "INVALID_ARGUMENT",
        "table C.route, field ip: prefix length 0 matches everything; leave the field out instead",
    ),
    (route(0, 33), "INVALID_ARGUMENT", "table C.route, field ip: prefix length 33 is not in 0..32"),
    (
        acl(Ternary(0xFF, 0x0F), Any(), Any()),
        "INVALID_ARGUMENT",
        "table C.acl, field src: 0xff has bits outside the mask 0xf; 0xf has not",
    ),
    (
        acl(Ternary(0, 0), Any(), Any()),
        "INVALID_ARGUMENT",
        "table C.acl, field src: mask 0 matches everything; leave the field out instead",
    ),
    (
        acl(Ternary(1, 1 << 32), Any(), Any()),
        "OUT_OF_RANGE",
        "table C.acl, field src, mask: 0x100000000 does not fit in 32 bits (at most 0xffffffff)",
    ),
    (
        acl(Any(), Range(9, 8), Any()),
        "INVALID_ARGUMENT",
        "table C.acl, field port: the range 0x9..0x8 is empty, as low is above high",
    ),
    (
        acl(Any(), Range(0, 0xFFFF), Any()),
        "INVALID_ARGUMENT",
        "table C.acl, field port: the range 0x0..0xffff is every value; leave the field out instead",
    ),
    (
        acl(Any(), Any(), Exact(256)),
        "OUT_OF_RANGE",
        "table C.acl, field proto: 0x100 does not fit in 8 bits (at most 0xff)",
    ),
    (
        acl(Any(), Any(), Exact(6), priority=0),
        "INVALID_ARGUMENT",
        "table C.acl: priority 0 is not in 1..2147483647, which it must be as src is ternary, port is range, "
        "proto is optional",
    ),
    (
        Entry("C.keyless", (), DROP),
        "INVALID_ARGUMENT",
        "table C.keyless has no key: it holds no entries; set its default action instead",
    ),
    (
        Entry("C.fixed", (Exact(9),), DROP),
        "PERMISSION_DENIED",
        "table C.fixed: its entries are constant; only their counters and meters and the default action may "
        "change",
    ),
    (
        Entry("C.exact", (Exact(1), Exact(1)), DROP, idle_timeout_ns=5),
        "INVALID_ARGUMENT",
        "table C.exact does not support idle timeouts; 5 ns must be 0",
    ),
    (
        spread(DROP),
        "INVALID_ARGUMENT",
        "table C.spread: entries point to members or groups of action profile C.selector, "
        "they do not carry an action (C.drop) of their own",
    ),
    (
        Entry("C.exact", (Exact(1), Exact(1)), MemberRef(1)),
        "INVALID_ARGUMENT",
        "table C.exact has no action profile: its entries carry an action, not a reference to one",
    ),
    (spread(MemberRef(7)), "NOT_FOUND", "action profile C.selector: there is no member 7"),
    (spread(GroupRef(7)), "NOT_FOUND", "action profile C.selector: there is no group 7"),
    (
        Entry("C.plain", (Exact(1),), GroupRef(1)),
        "INVALID_ARGUMENT",
        "table C.plain: action profile C.profile has no selector, so entries point to members only",
    ),
]


@pytest.mark.parametrize(("entry", "kind", "sentence"), REFUSED, ids=[row[2][:50] for row in REFUSED])
def test_refuses_an_insert(switch: Switch, entry: Entry, kind: str, sentence: str) -> None:
    before = list(switch.tables.read())
    with pytest.raises(StateError) as refusal:
        switch.tables.insert(entry)
    assert (refusal.value.kind.value, str(refusal.value)) == (kind, sentence)
    assert list(switch.tables.read()) == before


@pytest.mark.parametrize(
    "entry",
    [
        exact(dst=0xFFFF, vlan=0xFFF),
        route(0x0A000000, 8),
        route(0xFFFFFFFF, 32),
        Entry("C.route", (Any(),), DROP),
        Entry("C.route", (Any(),), DROP, idle_timeout_ns=SECOND, metadata=b"x", controller_metadata=7),
        acl(Any(), Any(), Any()),
        acl(Ternary(0x0A, 0xFF), Range(1, 1), Exact(6), priority=(1 << 31) - 1),
        Entry("learned", (Exact(1),), DROP, idle_timeout_ns=SECOND),
        exact(action=ActionCall("C.only_entries")),
    ],
)
def test_reads_back_what_was_written(tables: Tables, entry: Entry) -> None:
    tables.insert(entry)
    assert [state.entry for state in tables.read(entry.table)] == [entry]
    found = tables.find(EntryKey(entry.table, entry.key, entry.priority))
    assert found is not None
    assert found.entry == entry


def kind_of(call: Callable[[], object]) -> tuple[ErrorKind, str]:
    with pytest.raises(StateError) as refusal:
        call()
    return refusal.value.kind, str(refusal.value)


def test_an_entry_is_inserted_once(tables: Tables) -> None:
    tables.insert(exact())
    assert kind_of(lambda: tables.insert(exact(action=DROP))) == (
        ErrorKind.ALREADY_EXISTS,
        "table C.exact: entry dst=0x5 vlan=0x1 exists already; modify it instead",
    )
    assert next(tables.read("C.exact")).entry.action == FORWARD


def test_the_same_key_with_another_priority_is_another_entry(tables: Tables) -> None:
    tables.insert(acl(Any(), Any(), Exact(6), priority=1))
    tables.insert(acl(Any(), Any(), Exact(6), priority=2))
    assert tables.entry_count("C.acl") == 2


def test_what_is_missing_can_be_neither_modified_nor_deleted(tables: Tables) -> None:
    missing = (ErrorKind.NOT_FOUND, "table C.acl: there is no entry src=* port=0x1..0x2 proto=* priority=4")
    entry = acl(Any(), Range(1, 2), Any(), priority=4)
    assert kind_of(lambda: tables.modify(entry)) == missing
    assert kind_of(lambda: tables.delete(entry)) == missing


def test_a_table_is_full_at_its_size(tables: Tables) -> None:
    for dst in range(3):
        tables.insert(exact(dst))
    assert kind_of(lambda: tables.insert(exact(3))) == (
        ErrorKind.RESOURCE_EXHAUSTED,
        "table C.exact: full with 3 entries; delete some first",
    )
    tables.delete(exact(0))
    tables.insert(exact(3))


def test_delete_looks_at_the_key_alone(tables: Tables) -> None:
    tables.insert(exact())
    tables.delete(Entry("C.exact", (Exact(5), Exact(1)), ActionCall("nonsense"), metadata=b"?"))
    assert tables.entry_count("C.exact") == 0


def test_modify_replaces_action_timeout_and_metadata(tables: Tables) -> None:
    tables.insert(route(0x0A000000, 8, timeout=SECOND))
    changed = Entry("C.route", (Lpm(0x0A000000, 8),), FORWARD, idle_timeout_ns=2 * SECOND, metadata=b"new")
    tables.modify(changed)
    assert [s.entry for s in tables.read("C.route")] == [changed]


def test_a_const_table_takes_direct_resources_only(tables: Tables) -> None:
    key = EntryKey("C.fixed", (Exact(1),))
    entry = Entry("C.fixed", (Exact(1),), DROP)
    assert kind_of(lambda: tables.modify(entry))[0] is ErrorKind.PERMISSION_DENIED
    assert kind_of(lambda: tables.delete(entry))[0] is ErrorKind.PERMISSION_DENIED
    tables.modify(DirectCounter(key, 4, 400))
    (state,) = tables.read("C.fixed")
    assert (state.packets, state.bytes, state.entry.origin) == (4, 400, "const")


def test_default_action_is_modified_and_reset(tables: Tables) -> None:
    assert tables.default("C.exact") == ActionCall("NoAction")
    tables.set_default("C.exact", FORWARD)
    assert tables.default("C.exact") == FORWARD
    tables.set_default("C.exact", None)
    assert tables.default("C.exact") == ActionCall("NoAction")


def test_default_action_refusals(tables: Tables) -> None:
    assert kind_of(lambda: tables.set_default("C.keyless", DROP)) == (
        ErrorKind.PERMISSION_DENIED,
        "table C.keyless: its default action NoAction is constant",
    )
    assert kind_of(lambda: tables.set_default("C.exact", ActionCall("C.only_entries"))) == (
        ErrorKind.PERMISSION_DENIED,
        "table C.exact: action C.only_entries cannot be the default action",
    )
    assert kind_of(lambda: tables.set_default("C.spread", DROP))[0] is ErrorKind.INVALID_ARGUMENT
    assert (
        kind_of(lambda: tables.set_default("C.exact", ActionCall("C.forward")))[0]
        is ErrorKind.INVALID_ARGUMENT
    )


def test_direct_resources_follow_p4runtime(tables: Tables) -> None:
    """A counter left out stays as it is; a meter left out is reset (P4Runtime §9.1.6)."""
    key = EntryKey("C.route", (Lpm(0x0A000000, 8),))
    tables.insert(TableWrite(route(0x0A000000, 8), (3, 300), METER))
    tables.modify(TableWrite(route(0x0A000000, 8, FORWARD), None, METER))
    (state,) = tables.read("C.route")
    assert (state.packets, state.bytes, tables.direct_meter(key)) == (3, 300, METER)
    tables.modify(route(0x0A000000, 8))
    assert tables.direct_meter(key) is None
    tables.modify(DirectMeter(key, METER))
    assert tables.direct_meter(key) == METER


def test_direct_resource_refusals(tables: Tables) -> None:
    tables.insert(exact())
    key = EntryKey("C.exact", (Exact(5), Exact(1)))
    assert kind_of(lambda: tables.modify(DirectCounter(key, 1, 1))) == (
        ErrorKind.INVALID_ARGUMENT,
        "table C.exact has no direct counter",
    )
    assert (
        kind_of(lambda: tables.insert(TableWrite(exact(6), meter=METER)))[1]
        == "table C.exact has no direct meter"
    )
    assert kind_of(lambda: tables.delete(DirectCounter(key, 1, 1))) == (
        ErrorKind.INVALID_ARGUMENT,
        "a direct resource of table C.exact can only be modified, not deleted",
    )
    assert kind_of(lambda: tables.insert(key))[1] == (
        "table C.exact: to insert an entry, give the whole entry, not its key alone"
    )


def test_read_filters(tables: Tables) -> None:
    for dst in range(3):
        tables.insert(exact(dst, action=DROP if dst else FORWARD))
    kept = [
        s.entry.key[0]
        for s in tables.read(None, lambda s: s.entry.action == DROP and s.entry.table == "C.exact")
    ]
    assert kept == [Exact(1), Exact(2)]


def test_a_long_read_tolerates_writes_in_between(tables: Tables) -> None:
    for x in range(256):
        tables.insert(Entry("quiet", (Exact(x),), DROP))
    reader = tables.read("quiet")
    first = next(reader)
    tables.delete(EntryKey("quiet", (Exact(255),)))
    assert first.entry.key == (Exact(0),)
    assert len(list(reader)) in (254, 255)


def test_a_backend_may_refuse_too_and_nothing_is_left_behind() -> None:
    pipeline = FakePipeline()
    tables = Switch(pipeline, ManualClock()).tables
    pipeline.refuse_insert = True
    assert kind_of(lambda: tables.insert(exact()))[0] is ErrorKind.RESOURCE_EXHAUSTED
    assert tables.entry_count("C.exact") == 0
    tables.insert(exact())
