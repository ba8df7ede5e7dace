"""Tables: each match kind, priorities, const entries, changes, statistics, direct
resources.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any as Json

import pytest
from ir_builders import (
    action,
    const,
    entry,
    header_type,
    key,
    m,
    one,
    pipeline,
    swx,
    table,
    traced,
)

from p4nic.backend.api import Backend, MeterConfig, Pipeline
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.ops import (
    Apply,
    Binary,
    Branch,
    BranchAction,
    BranchHit,
    CountDirect,
    Emit,
    EntryId,
    Extract,
    Label,
    Meter,
    Move,
    Op,
    PacketLength,
    Param,
    Ref,
    SetValid,
    Temp,
    Transmit,
)
from p4nic.ir.program import (
    ActionCall,
    Any,
    ConstEntry,
    Counter,
    Exact,
    Key,
    Lpm,
    Match,
    MeterArray,
    Range,
    Ternary,
)
from p4nic.ir.types import Field, HeaderType

WIDTHS = {"a": 8, "b": 16}
TO = action("to", [Move(m("out"), Param("port"))], port=32)
MISS = 999


def lookup_program(backend: Backend, kinds: str, *after: Op, **more: Json) -> Pipeline:
    """A table over the first fields of the frame (a: 8 bits, b: 16) of the given kinds; `to` sets the
    output port.
    """
    keys = [key(Ref("k", name), WIDTHS[name], kind) for name, kind in zip("ab", kinds.split(), strict=False)]
    key_type = HeaderType("k_t", (Field("a", 8), Field("b", 16)))
    code: list[Op] = [Extract("k"), Move(m("out"), const(MISS)), Apply("t"), *after, Transmit(m("out"))]
    table_options = {n: more.pop(n) for n in list(more) if n in TABLE_OPTIONS}
    return pipeline(
        backend,
        swx(
            code,
            metadata={"out": 32, "id": 32},
            types=[key_type],
            headers={"k": "k_t"},
            actions=[TO, *more.pop("actions", [])],
            tables=[table("t", keys, ["to"], **table_options)],
            **more,
        ),
        port_count=2000,
    )


TABLE_OPTIONS = (
    "size",
    "const_entries",
    "entries_are_const",
    "counter",
    "counts_on_hit",
    "meter",
    "meter_result",
)


def out_port(running: Pipeline, a: int, b: int = 0) -> int:
    """Where a packet with this key goes; both builds agree."""
    frame = a.to_bytes(1, "big") + b.to_bytes(2, "big")
    outcome = one(running, frame)
    assert traced(running, frame) == outcome
    return outcome.sent[0][0]


def add(running: Pipeline, match: Sequence[Match], port: int, priority: int = 0) -> None:
    running.insert(entry("t", match, "to", port, priority=priority), 0)


def test_exact_single_and_double_key(backend: Backend) -> None:
    single, double = lookup_program(backend, "exact"), lookup_program(backend, "exact exact")
    add(single, [Exact(5)], 1)
    add(double, [Exact(5), Exact(6)], 2)
    assert (out_port(single, 5), out_port(single, 6)) == (1, MISS)
    assert (out_port(double, 5, 6), out_port(double, 6, 5)) == (2, MISS)


def test_table_without_keys_runs_its_default_and_misses(backend: Backend) -> None:
    running = lookup_program(backend, "")
    running.set_default_action("t", ActionCall("to", (7,)))
    assert out_port(running, 1) == 7
    assert running.statistics()["table.t.miss"] == 2


def test_longest_prefix_wins_and_any_is_the_default_route(backend: Backend) -> None:
    running = lookup_program(backend, "exact lpm")
    add(running, [Exact(1), Lpm(0x0A00, 8)], 1)
    add(running, [Exact(1), Lpm(0x0A80, 9)], 2)
    add(running, [Exact(1), Lpm(0x0AFF, 16)], 3)
    assert [out_port(running, 1, b) for b in (0x0A01, 0x0A81, 0x0AFF, 0x0B00)] == [1, 2, 3, MISS]
    add(running, [Exact(1), Any()], 4)
    assert out_port(running, 1, 0x0B00) == 4
    assert out_port(running, 2, 0x0A01) == MISS
    running.delete(entry("t", [Exact(1), Lpm(0x0A80, 9)], "to"))
    assert out_port(running, 1, 0x0A81) == 1
    running.delete(entry("t", [Exact(1), Lpm(0, 0)], "to"))
    assert out_port(running, 1, 0x0B00) == MISS


def test_single_lpm_key(backend: Backend) -> None:
    running = lookup_program(backend, "lpm")
    add(running, [Lpm(0x80, 1)], 1)
    add(running, [Lpm(0xC0, 2)], 2)
    assert [out_port(running, a) for a in (0x40, 0x80, 0xC1)] == [MISS, 1, 2]


def test_highest_priority_wins_then_the_earlier_entry(backend: Backend) -> None:
    running = lookup_program(backend, "ternary ternary")
    add(running, [Ternary(1, 1), Any()], 1, priority=10)
    add(running, [Any(), Ternary(0x100, 0xF00)], 2, priority=20)
    add(running, [Ternary(3, 3), Any()], 3, priority=10)
    assert out_port(running, 1, 0x100) == 2
    assert out_port(running, 3, 0x200) == 1
    assert out_port(running, 2, 0x200) == MISS
    running.delete(entry("t", [Ternary(1, 1), Any()], "to", priority=10))
    assert out_port(running, 3, 0x200) == 3


def test_ranges_include_both_ends_and_optional_takes_a_value_or_anything(backend: Backend) -> None:
    running = lookup_program(backend, "range optional")
    add(running, [Range(10, 20), Exact(7)], 1, priority=1)
    add(running, [Range(15, 255), Any()], 2, priority=2)
    assert [out_port(running, a, 7) for a in (9, 10, 14, 15, 20, 255)] == [MISS, 1, 1, 2, 2, 2]
    assert [out_port(running, a, 8) for a in (10, 15)] == [MISS, 2]


def test_key_mask_is_applied_before_the_lookup(backend: Backend) -> None:
    built = swx(
        [Extract("k"), Apply("t"), Transmit(m("out"))],
        metadata={"out": 32},
        types=[HeaderType("k_t", (Field("a", 8),))],
        headers={"k": "k_t"},
        actions=[TO],
        tables=[table("t", [Key("a", "exact", Ref("k", "a"), 8, mask=0x0F)], ["to"])],
    )
    running = pipeline(backend, built)
    add(running, [Exact(3)], 5)
    assert one(running, b"\xf3").sent[0][0] == 5


# --- against the definition, spelled out: scan everything ---


def matches(match: Match, value: int, width: int) -> bool:
    match match:
        case Exact(wanted):
            return value == wanted
        case Lpm(wanted, length):
            return value >> (width - length) == wanted >> (width - length)
        case Ternary(wanted, mask):
            return value & mask == wanted
        case Range(low, high):
            return low <= value <= high
        case Any():
            return True


def naive(entries: list[tuple[tuple[Match, ...], int, int]], values: tuple[int, int]) -> int:
    """The port of the best of all matching entries: longest prefix if there is one, priority, then the
    earliest.
    """
    best: tuple[int, int, int] | None = None
    for number, (match, priority, _port) in enumerate(entries):
        if all(matches(x, v, w) for x, v, w in zip(match, values, (8, 16), strict=True)):
            length = max((x.prefix_length for x in match if isinstance(x, Lpm)), default=0)
            rank = (priority, length if priority == 0 else 0, -number)
            if best is None or rank > best:
                best = rank
    return MISS if best is None else entries[-best[2]][2]


def random_match(draw: random.Random, kind: str, width: int) -> Match:
    """Few distinct values, so that entries overlap."""
    value = draw.randrange(4) << (width - 2) | draw.randrange(4)
    if kind == "exact":
        return Exact(value)
    if kind == "lpm":
        length = draw.choice((0, 1, 2, width - 1, width))
        return Lpm(value >> (width - length) << (width - length), length)
    if draw.random() < 0.3:
        return Any()
    if kind == "optional":
        return Exact(value)
    if kind == "range":
        low, high = sorted((value, draw.randrange(1 << width)))
        return Range(low, high)
    bits = draw.choice(((1 << width) - 1, 3 << (width - 2), 3))
    return Ternary(value & bits, bits)


@pytest.mark.parametrize(
    "kinds", ["exact lpm", "ternary ternary", "range lpm", "optional ternary", "exact range"]
)
@pytest.mark.parametrize("seed", range(4))
def test_random_tables_agree_with_a_scan(backend: Backend, kinds: str, seed: int) -> None:
    draw = random.Random(f"{kinds} {seed}")
    running = lookup_program(backend, kinds, size=500)
    priorities = "ternary" in kinds or "range" in kinds or "optional" in kinds
    present: list[tuple[tuple[Match, ...], int, int]] = []
    for step in range(120):
        first, second = (random_match(draw, kind, w) for kind, w in zip(kinds.split(), (8, 16), strict=True))
        priority = draw.randrange(1, 6) if priorities else 0
        if present and draw.random() < 0.3:
            gone = present.pop(draw.randrange(len(present)))
            running.delete(entry("t", gone[0], "to", priority=gone[1]))
        elif running.lookup("t", (first, second), priority, 0) is None:
            add(running, (first, second), step, priority)
            present.append(((first, second), priority, step))
    for _ in range(150):
        a = draw.randrange(4) << 6 | draw.randrange(4)
        b = draw.randrange(4) << 14 | draw.randrange(4)
        frame = a.to_bytes(1, "big") + b.to_bytes(2, "big")
        assert one(running, frame).sent[0][0] == naive(present, (a, b)), (a, b)


# --- changes and reads ---


def refused(call: Json, *args: Json) -> ErrorKind:
    with pytest.raises(StateError) as caught:
        call(*args)
    return caught.value.kind


def test_what_would_corrupt_a_table_is_refused(backend: Backend) -> None:
    running = lookup_program(backend, "exact", size=2)
    add(running, [Exact(1)], 1)
    assert refused(add, running, [Exact(1)], 2) is ErrorKind.ALREADY_EXISTS
    assert refused(running.modify, entry("t", [Exact(2)], "to", 1), 0) is ErrorKind.NOT_FOUND
    assert refused(running.delete, entry("t", [Exact(2)], "to", 1)) is ErrorKind.NOT_FOUND
    add(running, [Exact(2)], 2)
    assert refused(add, running, [Exact(3)], 3) is ErrorKind.RESOURCE_EXHAUSTED
    assert running.entry_count("t") == 2
    assert out_port(running, 1) == 1


def test_size_can_be_overridden(backend: Backend) -> None:
    built = swx(
        [Apply("t"), Transmit(const(0))],
        actions=[TO],
        metadata={"out": 32},
        tables=[table("t", [key(m("out"), 32)], ["to"], size=1)],
    )
    running = pipeline(backend, built, table_sizes={"t": 2})
    add(running, [Exact(1)], 1)
    add(running, [Exact(2)], 2)
    assert refused(add, running, [Exact(3)], 3) is ErrorKind.RESOURCE_EXHAUSTED


def test_entries_are_read_in_order_of_insertion_as_they_were_written(backend: Backend) -> None:
    running = lookup_program(backend, "ternary optional")
    first = entry("t", [Any(), Exact(2)], "to", 1, priority=3, metadata=b"m", controller_metadata=9)
    second = entry("t", [Ternary(1, 1), Any()], "to", 2, priority=9)
    running.insert(first, 0)
    running.insert(second, 0)
    running.modify(entry("t", first.key, "to", 5, priority=3), 0)
    states = list(running.entries("t", 0))
    assert [s.entry.action for s in states] == [ActionCall("to", (5,)), ActionCall("to", (2,))]
    assert states[1].entry == second
    assert running.lookup("t", (Ternary(0, 0), Exact(2)), 3, 0) == states[0]
    assert running.lookup("t", (Ternary(0, 0), Exact(2)), 4, 0) is None


def test_entries_can_change_while_they_are_read(backend: Backend) -> None:
    running = lookup_program(backend, "exact")
    for a in range(4):
        add(running, [Exact(a)], a)
    seen = []
    for state in running.entries("t", 0):
        seen.append(state.entry.key)
        running.delete(state.entry)
        if running.lookup("t", (Exact(3),), 0, 0) is not None:
            running.delete(entry("t", [Exact(3)], "to"))
    assert seen == [(Exact(0),), (Exact(1),), (Exact(2),)]


def test_const_entries_are_there_from_the_start(backend: Backend) -> None:
    consts = (ConstEntry((Exact(4),), ActionCall("to", (44,))),)
    running = lookup_program(backend, "exact", const_entries=consts)
    assert out_port(running, 4) == 44
    assert [s.entry.origin for s in running.entries("t", 0)] == ["control"], "preinitialized, not const"
    running = lookup_program(backend, "exact", const_entries=consts, entries_are_const=True)
    assert [s.entry.origin for s in running.entries("t", 0)] == ["const"]


@pytest.mark.parametrize("size", [16, 20_000])
def test_a_table_in_a_loop_is_looked_up_each_time(backend: Backend, size: int) -> None:
    """Each entry names the next key; the last one is missed. A ring burns the packet's fuel."""
    running = pipeline(
        backend,
        swx(
            [Extract("k"), Move(m("out"), Ref("k", "b")), Label("next"), Apply("t"), BranchHit("next"),
             Transmit(m("out"))],
            metadata={"out": 32},
            types=[HeaderType("k_t", (Field("a", 8), Field("b", 16)))],
            headers={"k": "k_t"},
            actions=[TO],
            tables=[table("t", [key(m("out"), 32)], ["to"], size=size, counter="hits", counts_on_hit=True)],
            counters=[Counter("hits", "both", table="t")],
        ),
        port_count=2000,
    )  # fmt: skip
    for step in range(10):
        add(running, [Exact(step)], step + 1)
    assert [out_port(running, 0, b) for b in (0, 7, 10, 600)] == [10, 10, 10, 600]
    assert running.statistics()["table.t.hit"] == 2 * 13
    assert running.statistics()["table.t.miss"] == 2 * 4
    assert [s.packets for s in running.entries("t", 0)] == [2] * 7 + [4] * 3
    add(running, [Exact(10)], 0)
    assert one(running, bytes(3)).sent == ()


@pytest.mark.parametrize("size", [16, 20_000])
def test_temporary_outlives_a_lookup(backend: Backend, size: int) -> None:
    kept = Temp("kept", 32)
    running = pipeline(
        backend,
        swx(
            [Extract("k"), Move(kept, Ref("k", "a")), Apply("t"), Binary(m("out"), "add", m("out"), kept),
             Transmit(m("out"))],
            metadata={"out": 32},
            types=[HeaderType("k_t", (Field("a", 8), Field("b", 16)))],
            headers={"k": "k_t"},
            actions=[TO],
            tables=[table("t", [key(Ref("k", "b"), 16)], ["to"], size=size)],
        ),
    )  # fmt: skip
    add(running, [Exact(7)], 100)
    assert [out_port(running, a, 7) for a in (1, 2)] == [101, 102]
    packets = [(0, bytes([a, 0, 7])) for a in range(40)]  # side by side
    assert [o.sent[0][0] for o in running.process(packets, 0)] == [*range(100, 140)]


def test_branches_on_hit_and_on_the_action_that_ran(backend: Backend) -> None:
    other = action("other")
    after: list[Op] = [
        BranchHit("hit"),
        Move(m("out"), const(1)),
        Label("hit"),
        BranchAction("other", "not_other", ran=False),
        Move(m("out"), const(2)),
        Label("not_other"),
        BranchHit("end", hit=False),
        Binary(m("out"), "add", m("out"), const(100)),
        Label("end"),
    ]
    running = lookup_program(backend, "exact", *after, actions=[other])
    add(running, [Exact(5)], 5)
    running.insert(entry("t", [Exact(6)], "other"), 0)
    assert [out_port(running, a) for a in (4, 5, 6)] == [1, 105, 102]
    running.set_default_action("t", ActionCall("other"))
    assert out_port(running, 4) == 2


def test_entry_numbers_are_stable_and_used_again(backend: Backend) -> None:
    running = lookup_program(backend, "exact", EntryId(m("out")))
    for a in (10, 11, 12):
        add(running, [Exact(a)], a)
    assert [out_port(running, a) for a in (10, 11, 12, 13)] == [0, 1, 2, 0]
    running.delete(entry("t", [Exact(11)], "to"))
    assert out_port(running, 12) == 2
    add(running, [Exact(13)], 1)
    assert out_port(running, 13) == 1


def test_hits_and_misses_are_counted(backend: Backend) -> None:
    running = lookup_program(backend, "exact")
    add(running, [Exact(5)], 1)
    running.process([(1, b"\x05\0\0"), (1, b"\x05\0\0"), (1, b"\x06\0\0")], 0)
    assert running.statistics()["table.t.hit"] == 2
    assert running.statistics()["table.t.miss"] == 1


# --- direct counters and meters ---


def test_direct_counter_of_the_artifact_counts_the_hit_entry(backend: Backend) -> None:
    count = CountDirect("c", const(1), PacketLength())
    running = lookup_program(backend, "exact", count, counters=[Counter("c", "both", table="t")], counter="c")
    add(running, [Exact(5)], 1)
    running.process([(1, b"\x05\0\0abc"), (1, b"\x06\0\0abc")], 0)
    state = next(running.entries("t", 0))
    assert (state.packets, state.bytes) == (1, 6)
    running.set_direct_counter(state.entry, 10, 20)
    running.modify(entry("t", [Exact(5)], "to", 3), 0)
    state = next(running.entries("t", 0))
    assert (state.packets, state.bytes) == (10, 20)


def test_v1model_direct_counter_counts_by_itself(backend: Backend) -> None:
    running = lookup_program(
        backend, "exact", counters=[Counter("c", "both", table="t")], counter="c", counts_on_hit=True
    )
    add(running, [Exact(5)], 1)
    running.process([(1, b"\x05\0\0abc")] * 3, 0)
    state = next(running.entries("t", 0))
    assert (state.packets, state.bytes) == (3, 18)


METER = MeterConfig("two_rate_three_color", cir=1, cburst=1, pir=1, pburst=2)


def test_direct_meter_colours_by_entry(backend: Backend) -> None:
    meter = Meter(m("out"), "mt", None)
    running = lookup_program(
        backend, "exact", meter, meters=[MeterArray("mt", "packets", table="t")], meter="mt"
    )
    add(running, [Exact(5)], 1)
    frame = [(1, b"\x05\0\0")]
    assert running.process(frame, 0)[0].sent[0][0] == 0  # not configured: green
    running.set_direct_meter(entry("t", [Exact(5)], "to"), METER)
    assert running.direct_meter(entry("t", [Exact(5)], "to")) == METER
    assert [o.sent[0][0] for o in running.process(frame * 3, 0)] == [0, 1, 2]
    assert running.process([(1, b"\x06\0\0")], 0)[0].sent[0][0] == 0  # a miss has no meter
    running.set_direct_meter(entry("t", [Exact(5)], "to"), None)
    assert [o.sent[0][0] for o in running.process(frame * 3, 0)] == [0, 0, 0]


def test_v1model_direct_meter_puts_its_colour_into_a_field(backend: Backend) -> None:
    running = lookup_program(
        backend,
        "exact",
        Move(m("out"), m("id")),
        meters=[MeterArray("mt", "packets", table="t")],
        meter="mt",
        meter_result=m("id"),
    )
    add(running, [Exact(5)], 1)
    running.set_direct_meter(entry("t", [Exact(5)], "to"), METER)
    assert [o.sent[0][0] for o in running.process([(1, b"\x05\0\0")] * 3, 0)] == [0, 1, 2]


def test_a_direct_meter_is_paid_although_its_fields_header_is_invalid(backend: Backend) -> None:
    """BMv2 executes the meter, then sets the field: only the second needs the header."""
    code: list[Op] = [
        Extract("k"), Branch("eq", Ref("k", "b"), const(0), "unnoted"), SetValid("note"), Label("unnoted"),
        Apply("t"), Emit("note"), Transmit(const(1)),
    ]  # fmt: skip
    metered = table("t", [key(Ref("k", "a"), 8)], ["to"], meter="mt", meter_result=Ref("note", "colour"))
    running = pipeline(
        backend,
        swx(
            code,
            metadata={"out": 32},
            types=[HeaderType("k_t", (Field("a", 8), Field("b", 16))), header_type("note_t", colour=8)],
            headers={"k": "k_t", "note": "note_t"},
            actions=[TO],
            tables=[metered],
            meters=[MeterArray("mt", "packets", table="t")],
        ),
    )
    add(running, [Exact(5)], 1)
    running.set_direct_meter(entry("t", [Exact(5)], "to"), METER)
    frames = [(1, b"\x05\0" + bytes([noted])) for noted in (0, 0, 1)]
    assert [o.sent[0][1] for o in running.process(frames, 0)] == [b"", b"", b"\x02"]
