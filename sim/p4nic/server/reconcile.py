"""Moving the state of one pipeline into another: RECONCILE_AND_COMMIT (P4Runtime 1.5 §14).

In: the switch as it runs, a new Program's tables. Out: the new tables hold what the old ones held: entries
(learned ones with their idle time), defaults, members, groups, cells, multicast groups, clone sessions.
Called by `pipeline_config` (`carry`), under the switch's lock.

What both programs have alike (`alike`) the new pipeline adopts whole, in no time to speak of. The rest is
carried one by one and by name. An entry whose table, key field, action or parameter is gone or has another
width cannot be kept, and then nothing is: StateError INVALID_ARGUMENT names the first one. Counters that no
longer exist are dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

from p4nic.backend.api import (
    ActionSet,
    Adopting,
    Alike,
    ColourCounting,
    DefaultOf,
    Entry,
    EntryState,
    Gated,
    Marks,
    MeterConfig,
    MeterIndex,
    Pipeline,
)
from p4nic.clock import Clock
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.program import ActionCall, Match, Program, Table
from p4nic.target.checks import spell_key
from p4nic.target.entities import (
    DefaultEntry,
    DirectCounter,
    DirectMeter,
    Entity,
    EntryKey,
    Operation,
    TableWrite,
)
from p4nic.target.entries import timer_age_ns
from p4nic.target.tables import Tables


@final
@dataclass(frozen=True, slots=True)
class Held:
    """What a pipeline holds beyond its Program. `objects` come before the entries that point to them."""

    objects: tuple[tuple[Operation, Entity], ...]
    entries: tuple[tuple[EntryState, MeterConfig | None, Marks | None], ...]
    moving: bool
    """What packets change; it comes after what they do not."""


def alike(old: Program, new: Program) -> Alike:
    """What state of the two programs is the same thing under the same name."""
    return Alike(
        frozenset(t.name for t in new.tables.values() if _same_table(old.tables.get(t.name), t, old, new)),
        frozenset(n for n, c in new.counters.items() if c.table is None and old.counters.get(n) == c),
        frozenset(n for n, m in new.meters.items() if m.table is None and old.meters.get(n) == m),
        frozenset(n for n, r in new.registers.items() if old.registers.get(n) == r),
    )


def _same_table(was: Table | None, table: Table, old: Program, new: Program) -> bool:
    """Entries of the old table are entries of the new one as they are. References into action profiles are
    counted by the target, and initial entries belong to the program: such tables are carried entry by entry.
    """
    if was is None or table.implementation is not None or was.implementation is not None:
        return False
    scopes = {ref.action: ref.scope for ref in table.actions}
    return (
        [(k.name, k.kind, k.width) for k in was.keys] == [(k.name, k.kind, k.width) for k in table.keys]
        and not (was.const_entries or table.const_entries)
        and (was.size, was.idle_timeout, was.learner_timeouts)
        == (table.size, table.idle_timeout, table.learner_timeouts)
        and (was.counter is None, _unit(was, old)) == (table.counter is None, _unit(table, new))
        and all(
            scopes.get(ref.action) == ref.scope
            and old.actions[ref.action].params == new.actions[ref.action].params
            for ref in was.actions
        )
    )


def _unit(table: Table, program: Program) -> str | None:
    """What the table's direct meter measures."""
    return program.meters[table.meter].unit if table.meter is not None else None


def carry(
    old: Program, old_tables: Tables, running: Pipeline, new: Program, tables: Tables, pipeline: Pipeline,
    clock: Clock,
) -> None:  # fmt: skip
    """All of it, the caller holding the switch's lock; StateError INVALID_ARGUMENT if something cannot be
    kept. What packets change is read when they have been stopped, and they go on in the new pipeline: not one
    of them is lost to a counter. The rest is carried before, while they still go on.
    """
    adopted = Alike()
    if isinstance(pipeline, Adopting):
        adopted = pipeline.adoptable(running, alike(old, new))
    restore(snapshot(old, old_tables, adopted, moving=False), old, new, tables, pipeline, clock.now_ns())
    if isinstance(running, Gated):
        running.hold()
    now = clock.now_ns()
    restore(snapshot(old, old_tables, adopted, moving=True), old, new, tables, pipeline, now)
    restore_counters(counters(old, old_tables, adopted), tables)
    restore_marks(marks(old, old_tables, adopted), new, pipeline)
    if isinstance(pipeline, Adopting):  # last, because there is no way back
        pipeline.adopt(running, adopted)


def snapshot(program: Program, tables: Tables, adopted: Alike, *, moving: bool) -> Held:
    """Read everything but what is adopted; either what packets change, or the rest."""
    objects = _moving_objects(program, tables, adopted) if moving else _objects(program, tables, adopted)
    entries = []
    for table in (t for t in program.tables.values() if t.name not in adopted.tables):
        if moving != _moves(table):
            continue
        for state in tables.read(table.name):
            if state.entry.origin != "const":
                key = EntryKey(table.name, state.entry.key, state.entry.priority)
                config = tables.direct_meter(key) if table.meter else None
                marks = tables.direct_marks(key) if table.meter and tables.counts_colours else None
                entries.append((state, config, marks))
    return Held(tuple(objects), tuple(entries), moving)


def _moves(table: Table) -> bool:
    """Whether packets change entries of the table, or what belongs to them."""
    return bool(table.is_learner or table.idle_timeout or table.counter or table.meter)


def _moving_objects(program: Program, tables: Tables, adopted: Alike) -> list[tuple[Operation, Entity]]:
    objects: list[tuple[Operation, Entity]] = []
    for register in (r for r in program.registers.values() if r.name not in adopted.registers):
        objects += [("modify", c) for c in tables.registers(register.name) if c.value != register.initial]
    return objects


def _objects(program: Program, tables: Tables, adopted: Alike) -> list[tuple[Operation, Entity]]:
    objects: list[tuple[Operation, Entity]] = []
    objects += [("insert", member) for member in tables.members()]
    objects += [("insert", group) for group in tables.groups()]
    objects += [("insert", group) for group in tables.multicast_groups()]
    objects += [("insert", session) for session in tables.clone_sessions()]
    objects += [("modify", one) for one in tables.value_sets() if one.members]
    for meter in (m for m in program.meters.values() if m.table is None and m.name not in adopted.meters):
        objects += [("modify", cell) for cell in tables.meters(meter.name) if cell.config is not None]
    for table in program.tables.values():
        if tables.default(table.name) != table.default:
            objects.append(("modify", DefaultEntry(table.name, tables.default(table.name))))
        if table.meter is not None and tables.has_default_resources:
            default = DefaultOf(table.name)
            if (config := tables.direct_meter(default)) is not None:
                objects.append(("modify", DirectMeter(default, config)))
    return objects


def counters(program: Program, tables: Tables, adopted: Alike) -> list[tuple[Operation, Entity]]:
    """Counters that have counted and are not adopted: indexed ones, and those of default entries."""
    cells: list[tuple[Operation, Entity]] = []
    for counter in program.counters.values():
        if counter.table is None and counter.name not in adopted.counters:
            cells += [("modify", c) for c in tables.counters(counter.name) if c.packets or c.bytes]
    for table in program.tables.values():
        if table.counter is not None and tables.has_default_resources:
            packets, bytes_ = tables.default_counter(table.name)
            if packets or bytes_:
                cells.append(("modify", DirectCounter(DefaultOf(table.name), packets, bytes_)))
    return cells


def marks(program: Program, tables: Tables, adopted: Alike) -> list[tuple[MeterIndex | DefaultOf, Marks]]:
    """What meters have coloured, of arrays that are not adopted and of default entries."""
    if not tables.counts_colours:
        return []
    places: list[tuple[MeterIndex | DefaultOf, Marks]] = []
    for meter in program.meters.values():
        if meter.table is None and meter.name not in adopted.meters:
            for i in range(meter.size):
                places.append((MeterIndex(meter.name, i), tables.meter_marks(meter.name, i)))
        elif meter.table is not None:
            default = DefaultOf(meter.table)
            places.append((default, tables.direct_marks(default)))
    return [(place, counted) for place, counted in places if counted != Marks()]


def restore_marks(
    counted: list[tuple[MeterIndex | DefaultOf, Marks]], program: Program, pipeline: Pipeline
) -> None:
    """Of those meters that still exist."""
    for place, told in counted:
        if _still_there(place, program) and isinstance(pipeline, ColourCounting):
            pipeline.set_marks(place, told)


def _still_there(place: MeterIndex | DefaultOf, program: Program) -> bool:
    if isinstance(place, DefaultOf):
        return place.table in program.tables and program.tables[place.table].meter is not None
    found = program.meters.get(place.meter)
    return found is not None and found.table is None and place.index < found.size


def restore(held: Held, old: Program, new: Program, tables: Tables, pipeline: Pipeline, now_ns: int) -> None:
    """Put everything into the new tables; StateError INVALID_ARGUMENT if something cannot be kept."""
    try:
        for operation, entity in held.objects:
            _write(tables, operation, entity, new)
        if not held.moving:
            _clear_initial_entries(old, new, tables)
        for state, meter, told in held.entries:
            _restore_entry(state, meter, old, new, tables, pipeline, now_ns)
            if (
                told is not None
                and new.tables[state.entry.table].meter
                and isinstance(pipeline, ColourCounting)
            ):
                pipeline.set_marks(_carried(state.entry, old, new), told)
    except StateError as error:
        raise StateError(
            ErrorKind.INVALID_ARGUMENT, f"the state cannot be kept under the new program: {error}"
        ) from None


def restore_counters(cells: list[tuple[Operation, Entity]], tables: Tables) -> None:
    """Those that still exist."""
    tables.batch(cells, "continue")


def _write(tables: Tables, operation: Operation, entity: Entity, new: Program) -> None:
    if isinstance(entity, DefaultEntry) and entity.call is not None:
        table = new.tables.get(entity.table)
        if table is not None and table.default == entity.call:
            return  # what had been set at run time is now what the program says
    if operation == "insert":
        tables.insert(entity)
    else:
        tables.modify(entity)


def _clear_initial_entries(old: Program, new: Program, tables: Tables) -> None:
    """Of a preinitialized table (§9.1.5) what is there now is kept, not what was there at first."""
    for table in new.tables.values():
        was = old.tables.get(table.name)
        if was is not None and not was.entries_are_const and not table.entries_are_const:
            for entry in table.const_entries:
                tables.delete(EntryKey(table.name, entry.key, entry.priority))


def _restore_entry(
    state: EntryState,
    meter: MeterConfig | None,
    old: Program,
    new: Program,
    tables: Tables,
    pipeline: Pipeline,
    now_ns: int,
) -> None:
    entry = _carried(state.entry, old, new)
    table = new.tables[entry.table]
    counter = (state.packets, state.bytes) if table.counter else None
    since = now_ns - timer_age_ns(state)
    if entry.origin == "learned":
        pipeline.insert(entry, since)
        if counter is not None:
            pipeline.set_direct_counter(entry, *counter)
        return
    tables.insert(TableWrite(entry, counter, meter if table.meter else None))
    stored = pipeline.lookup(entry.table, entry.key, entry.priority, now_ns)
    if stored is not None and entry.idle_timeout_ns:
        pipeline.modify(stored.entry, since)  # the idle time goes on where it was


def _carried(entry: Entry, old: Program, new: Program) -> Entry:
    """The entry in the new program's order of fields and parameters."""
    before, table = old.tables[entry.table], new.tables.get(entry.table)
    spelled = f"table {entry.table}: entry {spell_key(before.keys, entry.key, entry.priority)}"
    if table is None:
        raise _lost(f"{spelled}: the table is gone")
    if entry.origin == "learned" and not table.is_learner:
        raise _lost(f"{spelled}: the table no longer learns")
    key = _carried_key(entry.key, before, table, spelled)
    action = entry.action
    if isinstance(action, ActionCall):
        return replace(entry, key=key, action=_carried_call(action, old, new, spelled))
    if isinstance(action, ActionSet):
        calls = tuple(replace(w, call=_carried_call(w.call, old, new, spelled)) for w in action.actions)
        return replace(entry, key=key, action=ActionSet(calls))
    return replace(entry, key=key)


def _carried_key(key: tuple[Match, ...], before: Table, table: Table, spelled: str) -> tuple[Match, ...]:
    had = {field.name: (field, match) for field, match in zip(before.keys, key, strict=True)}
    if set(had) != {field.name for field in table.keys}:
        raise _lost(f"{spelled}: the key has fields {', '.join(f.name for f in table.keys)} now")
    carried = []
    for field in table.keys:
        was, match = had[field.name]
        if (was.kind, was.width) != (field.kind, field.width):
            raise _lost(f"{spelled}: field {field.name} is {field.kind} and {field.width} bits wide now")
        carried.append(match)
    return tuple(carried)


def _carried_call(call: ActionCall, old: Program, new: Program, spelled: str) -> ActionCall:
    action = new.actions.get(call.action)
    if action is None:
        raise _lost(f"{spelled}: action {call.action} is gone")
    was: Mapping[str, tuple[int, int]] = {
        p.name: (p.width, arg) for p, arg in zip(old.actions[call.action].params, call.args, strict=True)
    }
    if {p.name: p.width for p in action.params} != {name: width for name, (width, _) in was.items()}:
        raise _lost(f"{spelled}: action {call.action} has other parameters now")
    return ActionCall(call.action, tuple(was[p.name][1] for p in action.params))


def _lost(sentence: str) -> StateError:
    return StateError(ErrorKind.INVALID_ARGUMENT, sentence)
