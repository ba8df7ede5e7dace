"""Idle-timeout notifications at thousands a second: as bytes what protobuf would write, in few messages, each
entry once for everyone who wants it (P4Runtime 1.5 §9.1.8, §16.5)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import cast

import pytest

from p4nic.backend.api import Entry, EntryState, Expired, Options
from p4nic.backend.interp import InterpreterBackend
from p4nic.clock import RealClock
from p4nic.ir.program import ActionCall, Any, Exact, Lpm, Match, Program, Range, Table, Ternary
from p4nic.load.artifact import load_program
from p4nic.load.p4info import load_p4info
from p4nic.load.shipped import shipped
from p4nic.server.codec.expired import ExpiredCodec, expired_message, varint
from p4nic.server.codec.schema import Codec
from p4nic.server.forwarding import Forwarding
from p4nic.server.notifications import Notifications
from p4nic.server.outbox import Outbox
from p4nic.server.roles import RoleRules
from p4nic.server.sessions import Sessions
from p4nic.target.switch import Switch
from p4rt import p4r

BUILT = Path(__file__).parent / "programs" / "build"
LB = (*shipped().paths, shipped().p4info)
V1 = (*shipped("json").paths, shipped("json").p4info)
FLOWS = "Lb.flow_table"


def loaded(files: tuple[Path, ...]) -> tuple[Program, Codec]:
    program = load_program(files)
    return program, Codec(load_p4info(files[-1]), program)


def values(width: int) -> list[int]:
    """Where lengths change, and the ends."""
    return [v for v in (0, 1, 127, 128, 255, 256, 65_535, 65_536, (1 << width) - 1) if not v >> width]


def some_state(program: Program, table: Table, rng: random.Random) -> EntryState:
    def match(kind: str, width: int) -> Match:
        value = rng.choice([*values(width), rng.getrandbits(width)])
        full = (1 << width) - 1
        if kind == "lpm":
            return Lpm(value & ~0xF & full, max(width - 4, 1)) if width > 4 else Any()
        if kind == "ternary":
            return Any() if rng.random() < 0.5 else Ternary(value, full)
        if kind == "range":
            return Range(0, value)
        return Any() if kind == "optional" and rng.random() < 0.5 else Exact(value)

    names = [ref.action for ref in table.actions if ref.scope != "default_only"] or [table.default.action]
    action = program.actions[rng.choice(names)]
    call = ActionCall(action.name, tuple(rng.choice(values(p.width)) for p in action.params))
    entry = Entry(
        table.name,
        tuple(match(k.kind, k.width) for k in table.keys),
        call,
        rng.randrange(1, 1 << 31) if table.has_priority else 0,
        rng.choice([0, 1, 60_000_000_000]),
        rng.choice([b"", b"", b"mine"]),
        rng.choice([0, 0, 7]),
        origin=rng.choice(["learned", "control"]),
    )
    return EntryState(entry, *(rng.choice([0, 1, 1 << 40]) for _ in range(3)))


@pytest.mark.parametrize(
    "files",
    [
        LB,
        V1,
        *((BUILT / f"{n}.json", BUILT / f"{n}.p4info.txtpb") for n in ("v1_matching", "bulk", "v1_meters")),
    ],
    ids=lambda files: files[0].stem,
)
def test_bytes_are_the_message(files: tuple[Path, ...]) -> None:
    program, codec = loaded(files)
    rng = random.Random(5)
    written = 0
    for name, tables in codec.tables.items():
        writer = ExpiredCodec(tables)
        for _ in range(60):
            state = some_state(program, program.tables[name], rng)
            if tables.table.implementation is None:
                assert p4r.TableEntry.FromString(writer.write(state)) == expired_message(tables, state), state
                written += 1
    assert written


@pytest.mark.parametrize("value", [0, 1, 127, 128, 16_383, 16_384, 1 << 40])
def test_varint(value: int) -> None:
    assert varint(value) == p4r.Uint128(high=value).SerializeToString()[1:] or value == 0
    assert varint(0) == b"\0"


class Two:
    """Sessions with two primaries: both want everything."""

    def __init__(self) -> None:
        self.boxes = [Outbox(), Outbox()]

    def receivers(self, _wants: Callable[[RoleRules], bool]) -> list[Outbox]:
        return self.boxes


@pytest.fixture
def heard() -> Iterator[tuple[Switch, Two, list[int]]]:
    """A switch under the real clock, its listeners, and what its timestamps will be (the last one stays)."""
    program, codec = loaded(LB)
    switch, sessions, times = Switch(InterpreterBackend().build(program, Options()), RealClock()), Two(), [5]
    running = Forwarding(p4r.ForwardingPipelineConfig(), codec, program, lambda: switch.tables)
    made = Notifications(switch, cast(Sessions, sessions), lambda: running)
    made._timestamp = lambda: times.pop(0) if len(times) > 1 else times[0]  # type: ignore[method-assign]
    yield switch, sessions, times
    made.close()
    switch.stop()


def expired(program: Program, count: int) -> list[Expired]:
    state = some_state(program, program.tables[FLOWS], random.Random(1))
    width = len(state.entry.key)
    keys = [(Exact(i), *(Exact(0) for _ in range(width - 1))) for i in range(count)]
    return [Expired(replace(state, entry=replace(state.entry, key=key)), removed=True) for key in keys]


def taken(box: Outbox) -> list[list[bytes]]:
    """Of each message the entries' first key value."""
    box.close()
    notices = [message.idle_timeout_notification for message in box]
    return [[entry.match[0].exact.value for entry in notice.table_entry] for notice in notices]


def deliver(switch: Switch, events: list[Expired]) -> None:
    for event in events:
        switch._events.put(event)
    switch._events.deliver()


def numbers(count: int) -> list[bytes]:
    return [i.to_bytes(2, "big").lstrip(b"\0") or b"\0" for i in range(count)]


def test_what_expires_at_once_shares_messages(heard: tuple[Switch, Two, list[int]]) -> None:
    switch, sessions, _ = heard
    deliver(switch, expired(switch.program, 700))
    messages = taken(sessions.boxes[0])
    assert [len(m) for m in messages] == [512, 188]
    assert [*chain(*messages)] == numbers(700)


def test_each_primary_hears_each_expiry_once(heard: tuple[Switch, Two, list[int]]) -> None:
    """Two deliveries near each other: the second joins the message that still waits, in both boxes."""
    switch, sessions, _ = heard
    events = expired(switch.program, 4)
    deliver(switch, events[:2])
    deliver(switch, events[2:])
    for box in sessions.boxes:
        assert [*chain(*taken(box))] == numbers(4)


def test_what_expires_later_has_a_message_of_its_own(heard: tuple[Switch, Two, list[int]]) -> None:
    switch, sessions, times = heard
    times[:] = [0, 1, 50_000_000]
    deliver(switch, expired(switch.program, 3))
    assert [len(m) for m in taken(sessions.boxes[0])] == [2, 1]
