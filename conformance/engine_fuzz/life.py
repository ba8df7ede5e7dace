"""What happens to a pipeline: packets in bursts, changes by the control plane, time, and reads of everything.

In: a random program. Out: Steps, each one call of `backend.api.Pipeline`. Called by `trial`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any as Json
from typing import Literal, final

from conformance.engine_fuzz.draw import Draw
from conformance.engine_fuzz.frames import changed, random_frame
from conformance.engine_fuzz.matches import random_key
from conformance.engine_fuzz.program import Made
from p4nic.backend.api import (
    CloneSession,
    DefaultOf,
    Entry,
    GroupRef,
    MemberRef,
    MeterConfig,
    MeterIndex,
    Replica,
)
from p4nic.ir.program import ActionCall, ActionRef, Any, Exact, Match, Program, Range, Table, Ternary

Packet = tuple[int, bytes]
POOL = 300
"""Different frames of one program; one in seven is changed once more before it is sent."""
SECOND = 1_000_000_000
METERS: tuple[Literal["two_rate_three_color", "single_rate_three_color", "single_rate_two_color"], ...] = (
    "two_rate_three_color",
    "single_rate_three_color",
    "single_rate_two_color",
)


@final
@dataclass(frozen=True, slots=True)
class Step:
    """`pipeline.method(*args)`; for `process`, args are (packets, now_ns)."""

    method: str
    args: tuple[Json, ...] = ()


@final
class LifeMaker:
    """Draws the steps of one life."""

    def __init__(self, made: Made, seed: int | str) -> None:
        self.draw = Draw(f"life {seed}")
        self.program: Program = made.program
        self.now = 0
        self.known: list[Entry] = []
        self.frames = [random_frame(self.draw, made.shape, made.states) for _ in range(POOL)]

    def steps(self, packets: int) -> list[Step]:
        """A life with so many packets."""
        steps: list[Step] = []
        for _ in range(25):
            steps += self._change()
        sent = 0
        for size in (1, 1, 2, 3):  # small ones first: the judge ends a life of packets that loop for ever
            steps += [self._burst(size), Step("digests")]
        while sent < packets:
            kind = self.draw.random.random()
            if kind < 0.55:
                burst = self._burst(min(self.draw.pick((1, 2, 7, 32, 33, 64, 100, 400)), packets - sent))
                sent += len(burst.args[0])
                steps += [burst, Step("digests")]
            elif kind < 0.88:
                steps += self._change()
            elif kind < 0.96:
                steps += self._wait()
            elif self.draw.chance(0.3):
                steps += self.reads()
        return [*steps, *self.reads()]

    def _burst(self, size: int) -> Step:
        draw = self.draw
        packets = []
        for _ in range(size):
            frame = draw.pick(self.frames)
            if draw.below(7) == 0:
                frame = changed(draw, frame)
            packets.append((draw.pick((0, 1, 1, 1, 2, 3, 5, 510)), frame))
        return Step("process", (packets, self.now))

    def _wait(self) -> list[Step]:
        self.now += self.draw.pick((1, 1000, 3_000_000, SECOND, 5 * SECOND, 11 * SECOND, 60 * SECOND))
        return [Step("next_expiry_ns"), Step("expire", (self.now,))]

    def reads(self) -> list[Step]:
        """All state there is to read."""
        program = self.program
        steps = [Step("entries", (name, self.now)) for name in program.tables]
        steps += [Step("entry_count", (name,)) for name in program.tables]
        steps += [
            Step("counter", (c.name, i)) for c in program.counters.values() for i in range(min(c.size, 8))
        ]
        steps += [
            Step("register", (r.name, i)) for r in program.registers.values() for i in range(min(r.size, 8))
        ]
        return [*steps, Step("statistics")]

    # --- changes ---

    def _change(self) -> list[Step]:
        program = self.program
        tables = [t for t in program.tables.values() if t.keys]
        kinds = ["entry"] * 9 if tables else []
        kinds += ["replication"] * 2
        kinds += ["default"]
        for what, there in (
            ("member", program.action_profiles), ("member", program.action_profiles),
            ("counter", program.counters), ("meter", program.meters), ("register", program.registers),
            ("value_set", program.value_sets),
        ):  # fmt: skip
            if there:
                kinds.append(what)
        match self.draw.pick(kinds):
            case "entry":
                return [self._entry_step(self.draw.pick(tables))]
            case "replication":
                return [self._replication()]
            case "default":
                return [self._default()]
            case "member":
                return [self._member()]
            case "counter":
                return self._counter()
            case "meter":
                return self._meter()
            case "register":
                register = self.draw.pick(list(program.registers.values()))
                value = self.draw.value(register.width)
                return [Step("set_register", (register.name, self.draw.below(register.size), value))]
            case _:
                return [self._value_set()]

    def _entry_step(self, table: Table) -> Step:
        method = self.draw.weighted([(7, "insert"), (2, "modify"), (2, "delete"), (1, "lookup")])
        entry = self._entry(table)
        if self.known and method != "insert" and self.draw.chance(0.85):
            old = self.draw.pick(self.known)
            fresh = self._entry(self.program.tables[old.table])
            entry = Entry(old.table, old.key, fresh.action, old.priority, fresh.idle_timeout_ns)
        match method:
            case "insert":
                self.known.append(entry)
                return Step("insert", (entry, self.now))
            case "modify":
                return Step("modify", (entry, self.now))
            case "delete":
                return Step("delete", (entry,))
            case _:
                return Step("lookup", (entry.table, entry.key, entry.priority, self.now))

    def _entry(self, table: Table) -> Entry:
        draw = self.draw
        key = tuple(random_key(draw, k) for k in table.keys)
        action: ActionCall | MemberRef | GroupRef
        if table.implementation is not None:
            action = MemberRef(draw.below(4)) if draw.chance(0.4) else GroupRef(draw.below(3))
        else:
            action = self._call(draw.pick([r for r in table.actions if r.scope != "default_only"]))
        timeout = (
            draw.pick((0, 1, 2_000_000, SECOND, 7 * SECOND)) if table.idle_timeout or table.is_learner else 0
        )
        priority = draw.between(1, 4) if table.has_priority else 0
        return Entry(table.name, key, action, priority, timeout, b"", 0)

    def _call(self, ref: ActionRef) -> ActionCall:
        params = self.program.actions[ref.action].params
        return ActionCall(ref.action, tuple(self.draw.value(p.width) for p in params))

    def _default(self) -> Step:
        table = self.draw.pick(list(self.program.tables.values()))
        return Step("set_default_action", (table.name, self._call(self.draw.pick(table.actions))))

    def _member(self) -> Step:
        draw = self.draw
        if draw.chance(0.5):
            users = [t for t in self.program.tables.values() if t.implementation == "ap"]
            actions = users[0].actions if users else ()
            call = self._call(draw.pick(actions)) if actions and draw.chance(0.8) else None
            return Step("set_member", ("ap", draw.below(4), call))
        members = tuple((m, draw.between(1, 3)) for m in draw.some(range(4), 3))
        return Step("set_group", ("ap", draw.below(3), members if draw.chance(0.85) else None))

    def _counter(self) -> list[Step]:
        draw = self.draw
        counter = draw.pick(list(self.program.counters.values()))
        packets, bytes_ = draw.below(1000), draw.below(100_000)
        if counter.table is None:
            return [Step("set_counter", (counter.name, draw.below(counter.size), packets, bytes_))]
        entries = [e for e in self.known if e.table == counter.table]
        return [Step("set_direct_counter", (draw.pick(entries), packets, bytes_))] if entries else []

    def _meter(self) -> list[Step]:
        draw = self.draw
        meter = draw.pick(list(self.program.meters.values()))
        kind = draw.pick(METERS)
        config = None
        if draw.chance(0.85):
            cir, cburst = draw.below(2000), draw.below(300)
            config = MeterConfig(kind, cir, cburst, cir + draw.below(2000), draw.below(600))
        if meter.table is None:
            cell = draw.below(meter.size)
            read = Step("marks", (MeterIndex(meter.name, cell),))
            return [read, Step("set_meter", (meter.name, cell, config))] if draw.chance(0.6) else [read]
        if draw.chance(0.3):
            read = Step("marks", (DefaultOf(meter.table),))
            return [read, Step("set_default_meter", (meter.table, config))]
        entries = [e for e in self.known if e.table == meter.table]
        if not entries:
            return []
        entry = draw.pick(entries)
        return [
            Step("marks", (entry,)),
            Step("set_direct_meter", (entry, config)),
            Step("direct_meter", (entry,)),
            Step("default_counter", (meter.table,)),
        ]

    def _value_set(self) -> Step:
        draw, width = self.draw, self.program.value_sets["vs"].widths[0]
        members: list[tuple[Match, ...]] = []
        for _ in range(draw.below(4)):
            value, other = draw.value(width), draw.value(width)
            choices: tuple[Match, ...] = (
                Exact(value),
                Ternary(value & other, other),
                Range(min(value, other), max(value, other)),
                Any(),
            )
            members.append((draw.pick(choices),))
        return Step("set_value_set", ("vs", tuple(members)))

    def _replication(self) -> Step:
        draw = self.draw
        replicas = tuple(
            Replica(draw.pick((0, 1, 2, 3, 7, 600)), draw.below(4)) for _ in range(draw.below(4))
        )
        if draw.chance(0.5):
            return Step("set_multicast_group", (draw.between(1, 5), replicas if draw.chance(0.85) else None))
        session = CloneSession(replicas, draw.pick((0, 0, 10, 40)), draw.below(3))
        return Step("set_clone_session", (draw.below(3), session if draw.chance(0.85) else None))
