"""The interpreter as the switch sees it: `backend.api.Backend` and `Pipeline`.

Called by `target` (packets, table changes, time) and by `__main__` (build).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never, final

from p4nic.backend.api import (
    Alike,
    CloneSession,
    Count,
    DefaultOf,
    DigestMessage,
    Entry,
    EntryState,
    Expired,
    Marks,
    MeterConfig,
    MeterIndex,
    MeterPlace,
    Options,
    Outcome,
    Pipeline,
    Replica,
    TraceEvent,
)
from p4nic.backend.interp import engine
from p4nic.backend.interp.architecture import Architecture
from p4nic.backend.interp.engine import Build
from p4nic.backend.interp.layout import Layout
from p4nic.backend.interp.meters import TokenMeter
from p4nic.backend.interp.pna import Pna
from p4nic.backend.interp.psa import Psa
from p4nic.backend.interp.state import State
from p4nic.backend.interp.swx import Swx
from p4nic.backend.interp.v1model import V1Model
from p4nic.bits import mask
from p4nic.ir.program import ActionCall, Match, Program


def _architecture(program: Program, build: Build, state: State, layout: Layout) -> Architecture:
    match program.architecture:
        case "v1model":
            return V1Model(build, state, layout)
        case "swx":
            return Swx(build, state, layout)
        case "psa":
            return Psa(build, state, layout)
        case "pna":
            return Pna(build, state, layout)
        case _:
            assert_never(program.architecture)


@final
class InterpreterPipeline:
    """A Program made executable, with all its state."""

    def __init__(self, program: Program, options: Options) -> None:
        self.program = program
        self.options = options
        self._state = State(program, options)
        self._layout = Layout(program)
        self._fast_build = engine.build(program, self._state, self._layout, traced=False)
        self._fast = _architecture(program, self._fast_build, self._state, self._layout)
        self._traced: Architecture | None = None

    @property
    def source(self) -> str:
        """The Python text of the fast build, for people who want to read what runs."""
        return self._fast_build.source

    # --- packets ---

    def process(self, packets: Sequence[tuple[int, bytes]], now_ns: int) -> list[Outcome]:
        run = self._fast.run
        return [run(port, frame, now_ns, None) for port, frame in packets]

    def trace(self, port: int, frame: bytes, now_ns: int) -> tuple[Outcome, list[TraceEvent]]:
        if self._traced is None:
            build = engine.build(self.program, self._state, self._layout, traced=True)
            self._traced = _architecture(self.program, build, self._state, self._layout)
        events: list[TraceEvent] = []
        return self._traced.run(port, frame, now_ns, events), events

    def digests(self) -> list[DigestMessage]:
        taken, self._state.digests = self._state.digests, []
        return taken

    def expire(self, now_ns: int) -> list[Expired]:
        expired = []
        for entry in self._state.ageing.due(now_ns):
            table = self._state.tables[entry.table]
            removed = entry.origin == "learned"
            expired.append(Expired(table.describe(entry, now_ns), removed))
            if removed:
                table.remove(entry)
            else:
                self._state.ageing.restart(entry, now_ns)
        self._state.statistics["expired"] += len(expired)
        return expired

    def next_expiry_ns(self) -> int | None:
        return self._state.ageing.next_ns()

    # --- tables ---

    def insert(self, entry: Entry, now_ns: int) -> None:
        self._state.tables[entry.table].insert(entry, now_ns)

    def modify(self, entry: Entry, now_ns: int) -> None:
        self._state.tables[entry.table].modify(entry, now_ns)

    def delete(self, entry: Entry) -> None:
        self._state.tables[entry.table].delete(entry)

    def lookup(self, table: str, key: tuple[Match, ...], priority: int, now_ns: int) -> EntryState | None:
        found = self._state.tables[table].get(key, priority)
        return None if found is None else self._state.tables[table].describe(found, now_ns)

    def entries(self, table: str, now_ns: int) -> Iterator[EntryState]:
        found = self._state.tables[table]
        for entry in list(found.entries.values()):
            if entry.identity in found.entries:
                yield found.describe(entry, now_ns)

    def entry_count(self, table: str) -> int:
        return len(self._state.tables[table].entries)

    def default_action(self, table: str) -> ActionCall:
        default = self._state.tables[table].default
        assert default.action is not None
        return ActionCall(default.action.name, default.args)

    def set_default_action(self, table: str, call: ActionCall) -> None:
        self._state.tables[table].set_default(call)

    def set_direct_counter(self, entry: Entry, packets: int, bytes_: int) -> None:
        found = self._state.tables[entry.table].existing(entry.key, entry.priority)
        found.packets, found.bytes = packets, bytes_

    def direct_meter(self, entry: Entry) -> MeterConfig | None:
        meter = self._state.tables[entry.table].existing(entry.key, entry.priority).meter
        return None if meter is None else meter.config

    def set_direct_meter(self, entry: Entry, config: MeterConfig | None) -> None:
        table = self._state.tables[entry.table]
        table.meter_of(table.existing(entry.key, entry.priority)).configure(config)

    def default_counter(self, table: str) -> Count:
        default = self._state.tables[table].default
        return default.packets, default.bytes

    def set_default_counter(self, table: str, packets: int, bytes_: int) -> None:
        default = self._state.tables[table].default
        default.packets, default.bytes = packets, bytes_

    def default_meter(self, table: str) -> MeterConfig | None:
        meter = self._state.tables[table].default.meter
        return None if meter is None else meter.config

    def set_default_meter(self, table: str, config: MeterConfig | None) -> None:
        found = self._state.tables[table]
        found.meter_of(found.default).configure(config)

    def marks(self, place: MeterPlace) -> Marks:
        return self._meter_at(place).marks

    def set_marks(self, place: MeterPlace, marks: Marks) -> None:
        self._meter_at(place).marks = marks

    def _meter_at(self, place: MeterPlace) -> TokenMeter:
        match place:
            case MeterIndex(name, index):
                return self._state.meters[name].cell(index)
            case DefaultOf(table):
                return self._state.tables[table].meter_of(self._state.tables[table].default)
            case Entry():
                found = self._state.tables[place.table]
                return found.meter_of(found.existing(place.key, place.priority))
            case _:
                assert_never(place)

    # --- action profiles ---

    def set_member(self, profile: str, member_id: int, call: ActionCall | None) -> None:
        self._state.profiles[profile].set_member(member_id, call)

    def set_group(
        self, profile: str, group_id: int, members: tuple[tuple[int, int], ...] | None, random: bool = False
    ) -> None:
        self._state.profiles[profile].set_group(group_id, members, random)

    # --- arrays ---

    def counter(self, name: str, index: int) -> tuple[int, int]:
        packets, bytes_ = self._state.counters[name].cells.get(index, (0, 0))
        return packets, bytes_

    def set_counter(self, name: str, index: int, packets: int, bytes_: int) -> None:
        self._state.counters[name].cells[index] = [packets, bytes_]

    def meter(self, name: str, index: int) -> MeterConfig | None:
        cell = self._state.meters[name].cells.get(index)
        return None if cell is None else cell.config

    def set_meter(self, name: str, index: int, config: MeterConfig | None) -> None:
        self._state.meters[name].cell(index).configure(config)

    def register(self, name: str, index: int) -> int:
        register = self._state.registers[name]
        return register.read(index) & mask(register.width)

    def set_register(self, name: str, index: int, value: int) -> None:
        self._state.registers[name].write(index, value)

    # --- parser value sets, replication ---

    def set_value_set(self, name: str, members: tuple[tuple[Match, ...], ...]) -> None:
        self._state.value_sets[name].members = members

    def set_multicast_group(self, group_id: int, replicas: tuple[Replica, ...] | None) -> None:
        if replicas is None:
            self._state.multicast_groups.pop(group_id, None)
        else:
            self._state.multicast_groups[group_id] = replicas

    def set_clone_session(self, session_id: int, session: CloneSession | None) -> None:
        if session is None:
            self._state.clone_sessions.pop(session_id, None)
        else:
            self._state.clone_sessions[session_id] = session

    # --- replacing another pipeline ---

    def adoptable(self, old: Pipeline, alike: Alike) -> Alike:
        return alike if isinstance(old, InterpreterPipeline) and old.options == self.options else Alike()

    def adopt(self, old: Pipeline, what: Alike) -> None:
        assert isinstance(old, InterpreterPipeline)
        self._state.adopt(old._state, what)

    # --- statistics ---

    def statistics(self) -> Mapping[str, int]:
        told = dict(self._state.statistics)
        for name, table in self._state.tables.items():
            told[f"table.{name}.hit"] = table.hits
            told[f"table.{name}.miss"] = table.misses
        return told

    def close(self) -> None:
        """Nothing to give back."""


@final
class InterpreterBackend:
    """The definition: pure Python, every step traceable."""

    name = "interp"

    def build(self, program: Program, options: Options) -> InterpreterPipeline:
        """Raises UnsupportedError for what this backend cannot execute; the Program has been verified."""
        return InterpreterPipeline(program, options)
