"""The one writer of data-plane state (I4): every change is judged here, then given to the pipeline.

In: entities by name (`target.entities`, `backend.api.Entry`). Out: calls on the pipeline that can be trusted,
StateErrors otherwise, and readers that give back what was written. Called by the P4Runtime server, the
command line and tests, from any thread: every method takes the switch's lock, so that a batch becomes visible
whole, between two bursts.

A refused write changes nothing. The parts (`entries`, `profiles`, `arrays`, `replication`) judge and apply,
and return how to undo what they applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import assert_never

from p4nic.backend.api import (
    ColourCounting,
    DefaultOf,
    DefaultResources,
    Entry,
    EntryState,
    Marks,
    MeterConfig,
    Pipeline,
    Transactional,
)
from p4nic.clock import Clock
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.program import ActionCall, Program
from p4nic.target.arrays import Arrays
from p4nic.target.checks import check_key, invalid, named
from p4nic.target.entities import (
    Atomicity,
    CloneSessionEntry,
    CounterCell,
    DefaultEntry,
    DirectCounter,
    DirectMeter,
    Entity,
    EntryKey,
    Group,
    Member,
    MeterCell,
    MulticastGroup,
    Operation,
    RegisterCell,
    TableWrite,
    ValueSetMembers,
)
from p4nic.target.entries import Entries
from p4nic.target.profiles import Profiles
from p4nic.target.replication import Replication
from p4nic.target.rows import Column, Rows

Undo = Callable[[], None]
_READ_CHUNK = 512
"""Entries read under one hold of the lock, so that a long read does not stop the packets."""


class Tables:
    """State of one pipeline. `changed` is called after every write, so that timers can be looked at anew;
    `is_up` tells whether a port is up.
    """

    def __init__(
        self,
        program: Program,
        pipeline: Pipeline,
        clock: Clock,
        lock: AbstractContextManager[object],
        changed: Callable[[], None] = lambda: None,
        is_up: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self._program = program
        self._pipeline = pipeline
        self._transactional = pipeline if isinstance(pipeline, Transactional) else None
        self.counts_colours = isinstance(pipeline, ColourCounting)
        self.has_default_resources = isinstance(pipeline, DefaultResources)
        self._clock = clock
        self._lock = lock
        self._changed = changed
        self._profiles = Profiles(program, pipeline, is_up)
        self._entries = Entries(program, pipeline, clock, self._profiles)
        self._arrays = Arrays(program, pipeline)
        self.replication = Replication(pipeline, is_up)
        self.rows = Rows(program, pipeline, clock, lock, self._commit, changed)

    def ports_changed(self) -> None:
        """A port went up or down: groups that watch it change, in the pipeline only."""
        with self._lock:
            self._profiles.ports_changed()
            self.replication.ports_changed()
            self._commit()

    # --- writing ---

    def insert(self, entity: Entity) -> None:
        """Add an entry, member, group or session; it must not be there yet."""
        self._write("insert", entity)

    def modify(self, entity: Entity) -> None:
        """Replace what exists, or write a cell, a default entry or a value set."""
        self._write("modify", entity)

    def delete(self, entity: Entity) -> None:
        """Remove what exists; of an entry only table, key and priority count."""
        self._write("delete", entity)

    def set_default(self, table: str, call: ActionCall | None) -> None:
        """Set the default action; None resets it to what the program says."""
        self._write("modify", DefaultEntry(table, call))

    def batch(
        self, updates: Sequence[tuple[Operation, Entity]], atomicity: Atomicity = "continue"
    ) -> list[StateError | None]:
        """Apply updates in order, under one hold of the lock; one result per update, None where applied.

        "continue" applies what it can. "rollback" and "dataplane" undo everything at the first error; the
        others' results are then ABORTED. No packet sees a half-done batch with any of them.
        """
        results: list[StateError | None] = []
        undos: list[Undo] = []
        with self._lock:
            for number, (operation, entity) in enumerate(updates, start=1):
                try:
                    undos.append(self._apply(operation, entity))
                    results.append(None)
                except StateError as error:
                    if atomicity != "continue":
                        for undo in reversed(undos):
                            undo()
                        return _aborted(len(updates), number, error)
                    results.append(error)
            try:
                self._commit()
            except StateError as error:
                # The target takes a batch whole or not at all, whatever atomicity was asked for.
                for undo in reversed(undos):
                    undo()
                return [one or error for one in results]
        self._changed()
        return results

    def insert_columns(
        self, table: str, action: str, keys: Sequence[Column], args: Sequence[Column] = ()
    ) -> list[StateError | None]:
        """Insert many entries of an exact table with one action: a column of values for each key field and
        each parameter, in the program's order. Results as of `batch` with "continue".
        """
        return self.rows.insert(table, action, keys, args, self.batch)

    def _write(self, operation: Operation, entity: Entity) -> None:
        with self._lock:
            undo = self._apply(operation, entity)
            try:
                self._commit()
            except StateError:
                undo()
                raise
        self._changed()

    def _commit(self) -> None:
        """Targets of their own (DPDK) show packets a whole transaction at once."""
        if self._transactional is not None:
            self._transactional.commit()

    def _apply(self, operation: Operation, entity: Entity) -> Undo:
        match entity:
            case Entry() | TableWrite():
                return self._entries.write(
                    operation, entity if isinstance(entity, TableWrite) else TableWrite(entity)
                )
            case EntryKey():
                if operation != "delete":
                    invalid(
                        f"table {entity.table}: to {operation} an entry, give the whole entry, not its key "
                        "alone"
                    )
                return self._entries.delete(entity)
            case Member():
                return self._write_member(operation, entity)
            case Group():
                return self._write_group(operation, entity)
            case MulticastGroup():
                return self.replication.write_group(operation, entity)
            case CloneSessionEntry():
                return self.replication.write_session(operation, entity)
            case _:
                if operation != "modify":
                    invalid(
                        f"{_what(entity)} can only be modified, not "
                        f"{'inserted' if operation == 'insert' else 'deleted'}"
                    )
                return self._modify_cell(entity)

    def _write_member(self, operation: Operation, member: Member) -> Undo:
        match operation:
            case "insert":
                return self._profiles.insert_member(member)
            case "modify":
                return self._profiles.modify_member(member)
            case "delete":
                return self._profiles.delete_member(member)
            case _:
                assert_never(operation)

    def _write_group(self, operation: Operation, group: Group) -> Undo:
        match operation:
            case "insert":
                return self._profiles.insert_group(group)
            case "modify":
                return self._profiles.modify_group(group)
            case "delete":
                return self._profiles.delete_group(group)
            case _:
                assert_never(operation)

    def _modify_cell(
        self,
        cell: DefaultEntry
        | DirectCounter
        | DirectMeter
        | CounterCell
        | MeterCell
        | RegisterCell
        | ValueSetMembers,
    ) -> Undo:
        match cell:
            case DefaultEntry():
                return self._entries.direct.modify_default(cell)
            case DirectCounter():
                return self._entries.modify_direct_counter(cell)
            case DirectMeter():
                return self._entries.modify_direct_meter(cell)
            case CounterCell():
                return self._arrays.write_counter(cell)
            case MeterCell():
                return self._arrays.write_meter(cell)
            case RegisterCell():
                return self._arrays.write_register(cell)
            case ValueSetMembers():
                return self._arrays.write_value_set(cell)
            case _:
                assert_never(cell)

    # --- reading ---

    def read(
        self, table: str | None = None, predicate: Callable[[EntryState], bool] | None = None
    ) -> Iterator[EntryState]:
        """Entries of one table or of all, const and learned ones included, default entries not.

        The lock is held for a few hundred entries at a time: a long read is not one snapshot, each entry in
        it is true.
        """
        chosen = (
            list(self._program.tables.values())
            if table is None
            else [named("table", table, self._program.tables)]
        )
        for one in chosen:
            with self._lock:
                states = self._pipeline.entries(one.name, self._clock.now_ns())
            while chunk := self._chunk(states):
                for state in chunk:
                    shown = self._entries.as_written(one, state)
                    if predicate is None or predicate(shown):
                        yield shown

    def find(self, key: EntryKey) -> EntryState | None:
        """The entry with exactly this key and priority."""
        with self._lock:
            table = named("table", key.table, self._program.tables)
            check_key(table, key.key, key.priority)
            state = self._pipeline.lookup(key.table, key.key, key.priority, self._clock.now_ns())
            return self._entries.as_written(table, state) if state is not None else None

    def default(self, table: str) -> ActionCall:
        """The default action as it is now."""
        with self._lock:
            return self._pipeline.default_action(named("table", table, self._program.tables).name)

    def entry_count(self, table: str) -> int:
        """Entries in the table now, learned ones included."""
        with self._lock:
            return self._pipeline.entry_count(named("table", table, self._program.tables).name)

    def direct_meter(self, key: EntryKey | DefaultOf) -> MeterConfig | None:
        """The meter of an entry that exists, None where it is the default."""
        with self._lock:
            table, owner = self._entries.owner(key)
            self._entries.direct.require(table, "meter")
            if isinstance(owner, DefaultOf):
                return self._entries.direct.of_defaults(table).default_meter(table.name)
            return self._pipeline.direct_meter(owner)

    def default_counter(self, name: str) -> tuple[int, int]:
        """(packets, bytes) of a default entry's direct counter."""
        with self._lock:
            table = named("table", name, self._program.tables)
            self._entries.direct.require(table, "counter")
            return self._entries.direct.of_defaults(table).default_counter(name)

    def direct_marks(self, key: EntryKey | DefaultOf) -> Marks:
        """What the meter of an entry that exists has coloured."""
        with self._lock:
            table, owner = self._entries.owner(key)
            self._entries.direct.require(table, "meter")
            return self._entries.direct.marks(owner)

    def meter_marks(self, name: str, index: int) -> Marks:
        """What a cell of an indexed meter has coloured."""
        with self._lock:
            return self._arrays.marks(name, index)

    def members(self, profile: str | None = None) -> list[Member]:
        """Members the control plane wrote, by profile and id."""
        with self._lock:
            return list(self._profiles.members(profile))

    def groups(self, profile: str | None = None) -> list[Group]:
        """Groups the control plane wrote, by profile and id."""
        with self._lock:
            return list(self._profiles.groups(profile))

    def counters(self, name: str | None = None, index: int | None = None) -> list[CounterCell]:
        """Cells of indexed counters."""
        with self._lock:
            return list(self._arrays.counters(name, index))

    def meters(self, name: str | None = None, index: int | None = None) -> list[MeterCell]:
        """Cells of indexed meters; config None is the default."""
        with self._lock:
            return list(self._arrays.meters(name, index))

    def registers(self, name: str | None = None, index: int | None = None) -> list[RegisterCell]:
        """Cells of registers."""
        with self._lock:
            return list(self._arrays.registers(name, index))

    def value_sets(self, name: str | None = None) -> list[ValueSetMembers]:
        """Parser value sets as written."""
        with self._lock:
            return list(self._arrays.value_sets(name))

    def multicast_groups(self) -> list[MulticastGroup]:
        """Multicast groups by id."""
        with self._lock:
            return [group for _, group in sorted(self.replication.groups.items())]

    def clone_sessions(self) -> list[CloneSessionEntry]:
        """Clone sessions by id."""
        with self._lock:
            return [
                CloneSessionEntry(number, session)
                for number, session in sorted(self.replication.sessions.items())
            ]

    def _chunk(self, states: Iterator[EntryState]) -> list[EntryState]:
        with self._lock:
            return list(islice(states, _READ_CHUNK))


def _what(entity: object) -> str:
    match entity:
        case DefaultEntry(table):
            return f"the default entry of table {table}"
        case DirectCounter(key) | DirectMeter(key):
            return f"a direct resource of table {key.table}"
        case CounterCell(name) | MeterCell(name) | RegisterCell(name):
            return f"cells of {name}"
        case ValueSetMembers(name):
            return f"value set {name}"
        case _:
            raise AssertionError(entity)


def _aborted(total: int, failed: int, error: StateError) -> list[StateError | None]:
    """Results of an all-or-nothing batch whose update number `failed` was refused."""
    undone = StateError(ErrorKind.ABORTED, f"undone, because update {failed} of the batch failed: {error}")
    untried = StateError(
        ErrorKind.ABORTED, f"not tried, because update {failed} of the batch failed: {error}"
    )
    return [*[undone] * (failed - 1), error, *[untried] * (total - failed)]
