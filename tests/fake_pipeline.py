"""A Pipeline in 200 lines that executes no program: for tests of the target alone.

It holds entries, members and cells in dictionaries, and forwards by the first bytes of a frame:

b"\\x03..."      to port 3                       b"\\xff..."       dropped, "drop action" b"\\xfd\\x07..."
learn key 7 in "learned", out of port 1        b"\\xfc..."  digest "news" of the second byte, port 1
b"\\xfb..."      to the CPU port (510)            b"\\xfa..."  to ports 1 and 2
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any as Anything

from p4nic.backend.api import (
    CloneSession,
    DigestMessage,
    Entry,
    EntryState,
    Expired,
    MeterConfig,
    Options,
    Outcome,
    Replica,
    TraceEvent,
)
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.ops import Const
from p4nic.ir.program import (
    Action,
    ActionCall,
    ActionParam,
    ActionProfile,
    ActionRef,
    Block,
    BlockKind,
    ConstEntry,
    Counter,
    DigestList,
    Exact,
    Key,
    Match,
    MatchKind,
    MeterArray,
    Program,
    Register,
    Table,
    ValueSet,
)

SECOND = 1_000_000_000
Identity = tuple[tuple[Match, ...], int]


def _key(name: str, kind: MatchKind, width: int) -> Key:
    return Key(name, kind, Const(0, width), width)


def _table(name: str, keys: tuple[Key, ...], **more: Anything) -> Table:
    own = (ActionRef("C.forward"), ActionRef("C.drop"), ActionRef("C.only_entries", "table_only"))
    table = Table(name, keys, (*own, ActionRef("NoAction", "default_only")), ActionCall("NoAction"))
    return replace(table, **more)


BLOCKS: dict[str, BlockKind] = {
    "parser": "parser",
    "verify_checksum": "control",
    "ingress": "control",
    "egress": "control",
    "compute_checksum": "control",
    "deparser": "deparser",
}


def sample_program() -> Program:
    """One table of each sort, and blocks that do nothing, so that a real backend takes it too."""
    proto = _key("proto", "optional", 8)
    tables = [
        _table("C.exact", (_key("dst", "exact", 16), _key("vlan", "exact", 12)), size=3),
        _table("C.route", (_key("ip", "lpm", 32),), counter="C.hits", meter="C.rate", idle_timeout=True),
        _table("C.acl", (_key("src", "ternary", 32), _key("port", "range", 16), proto)),
        _table("C.keyless", (), default_is_const=True),
        _table("C.fixed", (_key("x", "exact", 8),), entries_are_const=True, counter="C.fixed_hits",
               const_entries=(ConstEntry((Exact(1),), ActionCall("C.drop")),)),
        _table("C.spread", (_key("x", "exact", 8),), implementation="C.selector"),
        _table("C.plain", (_key("x", "exact", 8),), implementation="C.profile"),
        _table("learned", (_key("k", "exact", 8),), learner_timeouts=(10, 30), size=4),
        _table("quiet", (_key("k", "exact", 8),), learner_timeouts=(10,)),
    ]  # fmt: skip
    actions = [
        Action("C.forward", (ActionParam("port", 9), ActionParam("mac", 48)), ()),
        Action("C.drop", (), ()),
        Action("C.only_entries", (), ()),
        Action("NoAction", (), ()),
        Action("C.unused", (), ()),
    ]
    return Program(
        name="sample",
        architecture="v1model",
        header_types={},
        headers={},
        blocks={name: Block(name, kind, ()) for name, kind in BLOCKS.items()},
        actions={a.name: a for a in actions},
        tables={t.name: t for t in tables},
        action_profiles={
            "C.selector": ActionProfile("C.selector", 8, 6, "crc16", (Const(0, 8),)),
            "C.profile": ActionProfile("C.profile", 2),
        },
        counters={
            "C.hits": Counter("C.hits", "both", table="C.route"),
            "C.fixed_hits": Counter("C.fixed_hits", "both", table="C.fixed"),
            "C.seen": Counter("C.seen", "both", size=4),
        },
        meters={
            "C.rate": MeterArray("C.rate", "bytes", table="C.route"),
            "C.limit": MeterArray("C.limit", "packets", 2),
        },
        registers={"C.state": Register("C.state", 12, 3)},
        digests={"news": DigestList("news", (("what", 8),))},
        value_sets={"C.types": ValueSet("C.types", (16,), 2)},
    )


@dataclass
class _Row:
    entry: Entry
    since_ns: int
    packets: int = 0
    bytes: int = 0
    meter: MeterConfig | None = None
    told_ns: int = 0


@dataclass
class FakePipeline:
    """See the module. `refuse_insert` makes the next insert fail as a backend may, when a bucket is full."""

    program: Program = field(default_factory=sample_program)
    options: Options = field(default_factory=Options)
    refuse_insert: bool = False
    closed: bool = False

    def __post_init__(self) -> None:
        self.rows: dict[str, dict[Identity, _Row]] = {name: {} for name in self.program.tables}
        self.defaults = {t.name: t.default for t in self.program.tables.values()}
        self.member_calls: dict[tuple[str, int], ActionCall] = {}
        self.group_weights: dict[tuple[str, int], tuple[tuple[int, int], ...]] = {}
        self.counters: dict[tuple[str, int], tuple[int, int]] = {}
        self.meters: dict[tuple[str, int], MeterConfig] = {}
        self.cells: dict[tuple[str, int], int] = {}
        self.sets: dict[str, tuple[tuple[Match, ...], ...]] = {}
        self.multicast: dict[int, tuple[Replica, ...]] = {}
        self.sessions: dict[int, CloneSession] = {}
        self.told: list[DigestMessage] = []
        self.bursts: list[int] = []
        for table in self.program.tables.values():
            for const in table.const_entries:
                entry = Entry(table.name, const.key, const.call, const.priority, origin="const")
                self.rows[table.name][entry.key, entry.priority] = _Row(entry, 0)

    # packets

    def process(self, packets: Sequence[tuple[int, bytes]], now_ns: int) -> list[Outcome]:
        self.bursts.append(len(packets))
        return [self._one(frame, now_ns) for _, frame in packets]

    def _one(self, frame: bytes, now_ns: int) -> Outcome:
        match frame[0]:
            case 0xFF:
                return Outcome((), "drop action")
            case 0xFD:
                entry = Entry(
                    "learned", (Exact(frame[1]),), ActionCall("C.drop"), 0, 10 * SECOND, origin="learned"
                )
                self.insert(entry, now_ns)
            case 0xFC:
                self.told.append(DigestMessage("news", (frame[1],)))
            case 0xFB:
                return Outcome(((self.options.cpu_port, frame),))
            case 0xFA:
                return Outcome(((1, frame), (2, frame)))
            case port:
                return Outcome(((port, frame),))
        return Outcome(((1, frame),))

    def trace(self, port: int, frame: bytes, now_ns: int) -> tuple[Outcome, list[TraceEvent]]:
        outcome = self._one(frame, now_ns)
        return outcome, [
            TraceEvent("send", "", {"port": number, "bytes": copy.hex()}) for number, copy in outcome.sent
        ]

    def digests(self) -> list[DigestMessage]:
        told, self.told = self.told, []
        return told

    def expire(self, now_ns: int) -> list[Expired]:
        due = sorted((d, t, i) for d, t, i in self._deadlines() if d <= now_ns)
        out = []
        for _, table, identity in due:
            row = self.rows[table][identity]
            removed = row.entry.origin == "learned"
            out.append(Expired(self._state(row, now_ns), removed))
            row.told_ns = now_ns
            if removed:
                del self.rows[table][identity]
        return out

    def next_expiry_ns(self) -> int | None:
        return min((d for d, _, _ in self._deadlines()), default=None)

    def _deadlines(self) -> Iterator[tuple[int, str, Identity]]:
        for table, rows in self.rows.items():
            for identity, row in rows.items():
                if row.entry.idle_timeout_ns:
                    yield max(row.since_ns, row.told_ns) + row.entry.idle_timeout_ns, table, identity

    # tables

    def insert(self, entry: Entry, now_ns: int) -> None:
        if self.refuse_insert:
            self.refuse_insert = False
            raise StateError(ErrorKind.RESOURCE_EXHAUSTED, f"table {entry.table}: its bucket is full")
        self.rows[entry.table][entry.key, entry.priority] = _Row(entry, now_ns)

    def modify(self, entry: Entry, now_ns: int) -> None:
        row = self.rows[entry.table][entry.key, entry.priority]
        row.entry, row.since_ns, row.told_ns = entry, now_ns, 0

    def delete(self, entry: Entry) -> None:
        del self.rows[entry.table][entry.key, entry.priority]

    def lookup(self, table: str, key: tuple[Match, ...], priority: int, now_ns: int) -> EntryState | None:
        row = self.rows[table].get((key, priority))
        return self._state(row, now_ns) if row is not None else None

    def entries(self, table: str, now_ns: int) -> Iterator[EntryState]:
        return iter([self._state(row, now_ns) for row in self.rows[table].values()])

    def _state(self, row: _Row, now_ns: int) -> EntryState:
        return EntryState(row.entry, now_ns - row.since_ns, row.packets, row.bytes)

    def entry_count(self, table: str) -> int:
        return len(self.rows[table])

    def default_action(self, table: str) -> ActionCall:
        return self.defaults[table]

    def set_default_action(self, table: str, call: ActionCall) -> None:
        self.defaults[table] = call

    def set_direct_counter(self, entry: Entry, packets: int, bytes_: int) -> None:
        row = self.rows[entry.table][entry.key, entry.priority]
        row.packets, row.bytes = packets, bytes_

    def direct_meter(self, entry: Entry) -> MeterConfig | None:
        return self.rows[entry.table][entry.key, entry.priority].meter

    def set_direct_meter(self, entry: Entry, config: MeterConfig | None) -> None:
        self.rows[entry.table][entry.key, entry.priority].meter = config

    # profiles, arrays, the rest

    def set_member(self, profile: str, member_id: int, call: ActionCall | None) -> None:
        if call is None:
            del self.member_calls[profile, member_id]
        else:
            self.member_calls[profile, member_id] = call

    def set_group(
        self, profile: str, group_id: int, members: tuple[tuple[int, int], ...] | None, random: bool = False
    ) -> None:
        if members is None:
            del self.group_weights[profile, group_id]
        else:
            self.group_weights[profile, group_id] = members

    def counter(self, name: str, index: int) -> tuple[int, int]:
        return self.counters.get((name, index), (0, 0))

    def set_counter(self, name: str, index: int, packets: int, bytes_: int) -> None:
        self.counters[name, index] = (packets, bytes_)

    def meter(self, name: str, index: int) -> MeterConfig | None:
        return self.meters.get((name, index))

    def set_meter(self, name: str, index: int, config: MeterConfig | None) -> None:
        if config is None:
            self.meters.pop((name, index), None)
        else:
            self.meters[name, index] = config

    def register(self, name: str, index: int) -> int:
        return self.cells.get((name, index), 0)

    def set_register(self, name: str, index: int, value: int) -> None:
        self.cells[name, index] = value

    def set_value_set(self, name: str, members: tuple[tuple[Match, ...], ...]) -> None:
        self.sets[name] = members

    def set_multicast_group(self, group_id: int, replicas: tuple[Replica, ...] | None) -> None:
        if replicas is None:
            del self.multicast[group_id]
        else:
            self.multicast[group_id] = replicas

    def set_clone_session(self, session_id: int, session: CloneSession | None) -> None:
        if session is None:
            del self.sessions[session_id]
        else:
            self.sessions[session_id] = session

    def statistics(self) -> Mapping[str, int]:
        return {"learned": len(self.rows["learned"])}

    def close(self) -> None:
        self.closed = True
