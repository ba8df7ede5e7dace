"""Table entries: validated writes that can be undone.

In: TableWrite, EntryKey, DirectCounter, DirectMeter. Out: calls on the pipeline, undo functions
for `tables.batch`. Called by `target.tables` alone, under the switch's lock. P4Runtime 1.5 §9.1.

An undo is exact: entry, idle time (of one that was reported idle: the time since the report), counter and
meter come back; only an entry's place in the order of reading may change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import assert_never

from p4nic.backend.api import ActionSet, DefaultOf, Entry, EntryState, GroupRef, MemberRef, Pipeline
from p4nic.clock import Clock
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.program import ActionCall, Program, Table
from p4nic.target.checks import check_call, check_key, invalid, named, refuse, spell_key
from p4nic.target.direct import Direct
from p4nic.target.entities import DirectCounter, DirectMeter, EntryKey, Operation, TableWrite
from p4nic.target.profiles import Profiles

Undo = Callable[[], None]


class Entries:
    """What all tables of one pipeline hold."""

    def __init__(self, program: Program, pipeline: Pipeline, clock: Clock, profiles: Profiles) -> None:
        self._program = program
        self._pipeline = pipeline
        self._clock = clock
        self._profiles = profiles
        self.direct = Direct(program, pipeline)

    def write(self, operation: Operation, write: TableWrite) -> Undo:
        match operation:
            case "insert":
                return self._insert(write)
            case "modify":
                return self._modify(write)
            case "delete":
                return self.delete(EntryKey(write.entry.table, write.entry.key, write.entry.priority))
            case _:
                assert_never(operation)

    def _insert(self, write: TableWrite) -> Undo:
        entry = write.entry
        table = self._mutable(entry.table)
        if not table.keys:
            invalid(f"table {table.name} has no key: it holds no entries; set its default action instead")
        check_key(table, entry.key, entry.priority)
        self._check_parts(table, write)
        now = self._clock.now_ns()
        if self._pipeline.lookup(table.name, entry.key, entry.priority, now) is not None:
            spelled = spell_key(table.keys, entry.key, entry.priority)
            refuse(
                ErrorKind.ALREADY_EXISTS,
                f"table {table.name}: entry {spelled} exists already; modify it instead",
            )
        size = (self._pipeline.options.table_sizes or {}).get(table.name, table.size)
        if self._pipeline.entry_count(table.name) >= size:
            refuse(
                ErrorKind.RESOURCE_EXHAUSTED,
                f"table {table.name}: full with {size} entries; delete some first",
            )
        stored, release = self._take_action(table, replace(entry, origin="control"))
        try:
            self._pipeline.insert(stored, now)
        except StateError:
            release()
            raise
        self._set_direct(table, stored, write)

        def undo() -> None:
            self._pipeline.delete(stored)
            release()

        return undo

    def _modify(self, write: TableWrite) -> Undo:
        entry = write.entry
        table = self._mutable(entry.table)
        check_key(table, entry.key, entry.priority)
        self._check_parts(table, write)
        now = self._clock.now_ns()
        before = self.existing(table, EntryKey(entry.table, entry.key, entry.priority), now)
        put_meter = self.direct.kept(table, before.entry)
        stored, release = self._take_action(table, replace(entry, origin=before.entry.origin))
        written = self.as_written(table, before).entry
        self._pipeline.modify(stored, now)
        self._release_action(table, before.entry)
        self._set_direct(table, stored, write)

        def undo() -> None:
            restored, _ = self._take_action(table, written)
            self._pipeline.modify(restored, now - timer_age_ns(before))
            release()
            self._restore_direct(table, restored, before, put_meter)

        return undo

    def delete(self, key: EntryKey) -> Undo:
        table = self._mutable(key.table)
        check_key(table, key.key, key.priority)
        now = self._clock.now_ns()
        before = self.existing(table, key, now)
        put_meter = self.direct.kept(table, before.entry)
        written = self.as_written(table, before).entry
        self._pipeline.delete(before.entry)
        self._release_action(table, before.entry)

        def undo() -> None:
            restored, _ = self._take_action(table, written)
            self._pipeline.insert(restored, now - timer_age_ns(before))
            self._restore_direct(table, restored, before, put_meter)

        return undo

    def _mutable(self, name: str) -> Table:
        table = named("table", name, self._program.tables)
        if table.entries_are_const:
            refuse(
                ErrorKind.PERMISSION_DENIED,
                f"table {name}: its entries are constant; only their counters and meters and the default "
                "action may change",
            )
        return table

    def _check_parts(self, table: Table, write: TableWrite) -> None:
        entry = write.entry
        if table.implementation is None:
            if not isinstance(entry.action, ActionCall):
                invalid(
                    f"table {table.name} has no action profile: its entries carry an action, not a "
                    "reference to one"
                )
            check_call(self._program, table, entry.action, "entry")
        elif isinstance(entry.action, ActionCall):
            invalid(
                f"table {table.name}: entries point to members or groups of action profile "
                f"{table.implementation}, "
                f"they do not carry an action ({entry.action.action}) of their own"
            )
        if entry.idle_timeout_ns < 0:
            invalid(f"table {table.name}: idle timeout {entry.idle_timeout_ns} ns is negative")
        if entry.idle_timeout_ns and not (table.idle_timeout or table.is_learner):
            invalid(
                f"table {table.name} does not support idle timeouts; {entry.idle_timeout_ns} ns must be 0"
            )
        call = entry.action if isinstance(entry.action, ActionCall) else None
        self.direct.check(table, write.counter, write.meter, write.unmark, call)

    def _take_action(self, table: Table, entry: Entry) -> tuple[Entry, Undo]:
        """The entry as the pipeline gets it, and how to give up what it refers to."""
        if isinstance(entry.action, ActionCall):
            return entry, lambda: None
        ref, release = self._profiles.acquire(table, entry.action)
        return replace(entry, action=ref), release

    def _release_action(self, table: Table, entry: Entry) -> None:
        if isinstance(entry.action, MemberRef | GroupRef):
            self._profiles.release(table, entry.action)

    def existing(self, table: Table, key: EntryKey, now_ns: int) -> EntryState:
        state = self._pipeline.lookup(table.name, key.key, key.priority, now_ns)
        if state is None:
            refuse(
                ErrorKind.NOT_FOUND,
                f"table {table.name}: there is no entry {spell_key(table.keys, key.key, key.priority)}",
            )
        return state

    # --- direct resources ---

    def modify_direct_counter(self, entity: DirectCounter) -> Undo:
        after = entity.packets, entity.bytes
        if isinstance(entity.entry, DefaultOf):
            table = named("table", entity.entry.table, self._program.tables)
            self.direct.check(table, after, None, False)
            return self.direct.default_counter(table, after)
        table, state = self.addressed(entity.entry)
        self.direct.check(table, after, None, False)
        return self.direct.counter(state.entry, (state.packets, state.bytes), after)

    def modify_direct_meter(self, entity: DirectMeter) -> Undo:
        table, owner = self.owner(entity.entry)
        self.direct.require(table, "meter")
        self.direct.check(table, None, entity.config, entity.unmark)
        mark_again = self.direct.unmark(owner) if entity.unmark else None
        if isinstance(owner, DefaultOf):
            put_back = self.direct.default_meter(table, entity.config)
        else:
            put_back = self.direct.meter(owner, entity.config)

        def undo() -> None:
            put_back()
            if mark_again is not None:
                mark_again()

        return undo

    def addressed(self, key: EntryKey) -> tuple[Table, EntryState]:
        table = named("table", key.table, self._program.tables)
        check_key(table, key.key, key.priority)
        return table, self.existing(table, key, self._clock.now_ns())

    def owner(self, key: EntryKey | DefaultOf) -> tuple[Table, Entry | DefaultOf]:
        """Whose direct resources `key` names, and its table."""
        if isinstance(key, DefaultOf):
            return named("table", key.table, self._program.tables), key
        table, state = self.addressed(key)
        return table, state.entry

    def _set_direct(self, table: Table, entry: Entry, write: TableWrite) -> None:
        if write.counter is not None:
            self._pipeline.set_direct_counter(entry, *write.counter)
        if table.meter:
            self._pipeline.set_direct_meter(entry, write.meter)
        if write.unmark:
            self.direct.unmark(entry)

    def _restore_direct(
        self, table: Table, entry: Entry, before: EntryState, put_meter: Callable[[Entry], None]
    ) -> None:
        if table.counter:
            self._pipeline.set_direct_counter(entry, before.packets, before.bytes)
        put_meter(entry)

    def as_written(self, table: Table, state: EntryState) -> EntryState:
        action = state.entry.action
        if not isinstance(action, MemberRef | GroupRef):
            return state
        written: MemberRef | GroupRef | ActionSet = self._profiles.as_written(table, action)
        return state if written is action else replace(state, entry=replace(state.entry, action=written))


def timer_age_ns(before: EntryState) -> int:
    """How long ago the timer of an entry that comes back began. One that has been reported idle counts from
    its last report, so that the same time is not reported twice.
    """
    timeout = before.entry.idle_timeout_ns
    return before.idle_ns % timeout if timeout and before.entry.origin != "learned" else before.idle_ns
