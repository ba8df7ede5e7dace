"""Direct counters and meters: of entries and of default entries, and the default entries themselves.

In: DefaultEntry, and what a TableWrite, DirectCounter or DirectMeter says. Out: calls on the pipeline, undo
functions for `tables.batch`. Called by `target.entries` and `target.tables`, under the switch's lock.
P4Runtime 1.5 §9.1.3, §9.1.6, §9.3.1, §9.4.1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from p4nic.backend.api import (
    ColourCounting,
    Count,
    DefaultOf,
    DefaultResources,
    Entry,
    Marks,
    MeterConfig,
    Pipeline,
)
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.ops import CountDirect, Meter
from p4nic.ir.program import ActionCall, Program, Table
from p4nic.target.arrays import check_meter, colour_counting, unmark
from p4nic.target.checks import check_call, check_count, invalid, named, refuse
from p4nic.target.entities import DefaultEntry

Undo = Callable[[], None]
Owner = Entry | DefaultOf


@final
class Direct:
    """The direct resources of all tables of one pipeline."""

    def __init__(self, program: Program, pipeline: Pipeline) -> None:
        self._program = program
        self._pipeline = pipeline
        self._used = {name: _used(program, table) for name, table in program.tables.items()}

    # --- what can be wrong ---

    def require(self, table: Table, what: str) -> None:
        """INVALID_ARGUMENT if the table has no direct counter or meter."""
        if (table.counter if what == "counter" else table.meter) is None:
            invalid(f"table {table.name} has no direct {what}")

    def check(
        self,
        table: Table,
        counter: Count | None,
        meter: MeterConfig | None,
        marks: bool,
        call: ActionCall | None = None,
    ) -> None:
        """What an update says of the resources; `call`: the action it programs (§9.1.6: one that does not use
        the resource is an error).
        """
        if counter is not None:
            self.require(table, "counter")
            check_count(f"table {table.name}, direct counter", *counter)
        if meter is not None or marks:
            self.require(table, "meter")
            check_meter(f"table {table.name}, direct meter", meter)
        for what, name, given in (
            ("counter", table.counter, counter is not None),
            ("meter", table.meter, meter is not None or marks),
        ):
            if given and call is not None and (call.action, name) not in self._used[table.name]:
                invalid(
                    f"table {table.name}: action {call.action} does not use the direct {what} {name}; leave "
                    f"it unset"
                )

    # --- entries ---

    def counter(self, entry: Entry, before: Count, after: Count) -> Undo:
        self._pipeline.set_direct_counter(entry, *after)
        return lambda: self._pipeline.set_direct_counter(entry, *before)

    def meter(self, entry: Entry, config: MeterConfig | None) -> Undo:
        before = self._pipeline.direct_meter(entry)
        self._pipeline.set_direct_meter(entry, config)
        return lambda: self._pipeline.set_direct_meter(entry, before)

    def unmark(self, owner: Owner) -> Undo:
        return unmark(self._pipeline, owner)

    def marks(self, owner: Owner) -> Marks:
        return colour_counting(self._pipeline, f"table {owner.table}").marks(owner)

    def kept(self, table: Table, entry: Entry) -> Callable[[Entry], None]:
        """The entry's meter and its marks, to be put into one that comes back in its place."""
        if table.meter is None:
            return lambda _: None
        config = self._pipeline.direct_meter(entry)
        counting = self._pipeline if isinstance(self._pipeline, ColourCounting) else None
        marks = counting.marks(entry) if counting is not None else None

        def restore(again: Entry) -> None:
            self._pipeline.set_direct_meter(again, config)
            if counting is not None and marks is not None:
                counting.set_marks(again, marks)

        return restore

    # --- default entries ---

    def modify_default(self, entity: DefaultEntry) -> Undo:
        """§9.1.3; without an action its meter is the default again."""
        table = named("table", entity.table, self._program.tables)
        if table.default_is_const:
            refuse(
                ErrorKind.PERMISSION_DENIED,
                f"table {table.name}: its default action {table.default.action} is constant",
            )
        if entity.call is not None:
            if table.implementation is not None:
                invalid(
                    f"table {table.name}: with action profile {table.implementation} the default action "
                    "stays as it is"
                )
            check_call(self._program, table, entity.call, "default")
        self.check(table, entity.counter, entity.meter, entity.unmark, entity.call)
        undos = self._set_default(table, entity)
        before = self._pipeline.default_action(table.name)
        try:
            wanted = entity.call if entity.call is not None else table.default
            self._pipeline.set_default_action(table.name, wanted)
        except StateError:
            _all(undos)
            raise

        def undo() -> None:
            self._pipeline.set_default_action(table.name, before)
            _all(undos)

        return undo

    def _set_default(self, table: Table, entity: DefaultEntry) -> list[Undo]:
        undos: list[Undo] = []
        if entity.counter is not None:
            undos.append(self.default_counter(table, entity.counter))
        has_meter = table.meter is not None and isinstance(self._pipeline, DefaultResources)
        if entity.meter is not None or has_meter:
            undos.append(self.default_meter(table, entity.meter))
        if entity.unmark:
            undos.append(self.unmark(DefaultOf(table.name)))
        return undos

    def default_counter(self, table: Table, after: Count) -> Undo:
        resources = self.of_defaults(table)
        before = resources.default_counter(table.name)
        resources.set_default_counter(table.name, *after)
        return lambda: resources.set_default_counter(table.name, *before)

    def default_meter(self, table: Table, config: MeterConfig | None) -> Undo:
        resources = self.of_defaults(table)
        before = resources.default_meter(table.name)
        resources.set_default_meter(table.name, config)
        return lambda: resources.set_default_meter(table.name, before)

    def of_defaults(self, table: Table) -> DefaultResources:
        """The pipeline as one whose default entries have resources of their own, or UNIMPLEMENTED."""
        if not isinstance(self._pipeline, DefaultResources):
            refuse(
                ErrorKind.UNIMPLEMENTED,
                f"table {table.name}: default entries of this target have no counter or meter of their own",
            )
        return self._pipeline


def _all(undos: list[Undo]) -> None:
    for undo in reversed(undos):
        undo()


def _used(program: Program, table: Table) -> frozenset[tuple[str, str | None]]:
    """(action, direct counter or meter) pairs where the action uses it; in v1model every hit does."""
    found: set[tuple[str, str | None]] = set()
    for ref in table.actions:
        if program.architecture == "v1model":
            found |= {(ref.action, table.counter), (ref.action, table.meter)}
        for op in program.actions[ref.action].code:
            if isinstance(op, CountDirect):
                found.add((ref.action, op.counter))
            elif isinstance(op, Meter) and op.index is None:
                found.add((ref.action, op.meter))
    return frozenset(found)
