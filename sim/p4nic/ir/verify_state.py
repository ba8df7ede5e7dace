"""Rules of tables, entries, profiles and the other state that the control plane sees.

In: a Program whose layout is sound. Out: (place, sentence) pairs. Called by `verify`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from p4nic.bits import mask, prefix_mask
from p4nic.ir.program import (
    ActionCall,
    Any,
    ConstEntry,
    Exact,
    Key,
    Lpm,
    Match,
    Program,
    Range,
    Table,
    Ternary,
)
from p4nic.ir.verify_code import operand_problems, operand_width

Problem = tuple[str, str]


def state_problems(program: Program) -> list[Problem]:
    found: list[Problem] = []
    for name, action in program.actions.items():
        place = f"action {name}"
        if action.name != name:
            found.append((place, f"calls itself {action.name!r}"))
        names = [p.name for p in action.params]
        found += [
            (place, f"the parameter {n!r} stands twice") for n in sorted(set(names)) if names.count(n) > 1
        ]
        found += [
            (place, f"the parameter {p.name!r} has {p.width} bits") for p in action.params if p.width < 1
        ]
    for name, table in program.tables.items():
        if table.name != name:
            found.append((f"table {name}", f"calls itself {table.name!r}"))
        found += [(f"table {name}", sentence) for sentence in _table(program, table)]
    found += _profiles(program)
    found += _arrays(program)
    return found


def _profiles(program: Program) -> Iterator[Problem]:
    for profile in program.action_profiles.values():
        place = f"action profile {profile.name}"
        for operand in profile.selector_inputs:
            for sentence in operand_problems(program, operand, {}):
                yield place, sentence
        if profile.selector_inputs and profile.selector_algorithm is None:
            yield place, "has inputs to a selector, but no algorithm"


def _arrays(program: Program) -> Iterator[Problem]:
    for what, arrays in (("counter", program.counters), ("meter", program.meters)):
        for array in arrays.values():
            if array.table is not None and array.table not in program.tables:
                yield f"{what} {array.name}", f"is bound to the unknown table {array.table!r}"
            if array.size < 0 or (array.table is not None and array.size):
                yield f"{what} {array.name}", f"has a size of {array.size}"
    for register in program.registers.values():
        if register.width < 1 or register.size < 0:
            yield f"register {register.name}", f"has {register.size} cells of {register.width} bits"
        elif not 0 <= register.initial <= mask(register.width):
            yield f"register {register.name}", f"the initial value {register.initial} does not fit"
    for value_set in program.value_sets.values():
        if not value_set.widths or min(value_set.widths) < 1:
            yield f"value set {value_set.name}", f"has keys of {value_set.widths} bits"


# --- tables ----------------------------------------------------------------------------------------


def _table(program: Program, table: Table) -> Iterator[str]:
    yield from _keys(program, table)
    names = [ref.action for ref in table.actions]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            yield f"the action {name!r} stands twice"
        if name not in program.actions:
            yield f"there is no action {name!r}"
    yield from _call(program, table, table.default, "default action", "table_only")
    if table.size < 0:
        yield f"has a size of {table.size}"
    if table.implementation is not None:
        if table.implementation not in program.action_profiles:
            yield f"there is no action profile {table.implementation!r}"
        if table.const_entries:
            yield "has entries of its own, but also an action profile"
    yield from _direct(program, table)
    if table.is_learner and any(k.kind != "exact" for k in table.keys):
        yield "learns, so all its keys must be exact"
    seen: set[tuple[tuple[Match, ...], int]] = set()
    for i, entry in enumerate(table.const_entries):
        for sentence in _entry(program, table, entry):
            yield f"entry {i}: {sentence}"
        if (entry.key, entry.priority) in seen:
            yield f"entry {i}: stands twice"
        seen.add((entry.key, entry.priority))


def _keys(program: Program, table: Table) -> Iterator[str]:
    names = [k.name for k in table.keys]
    for name in sorted({n for n in names if names.count(n) > 1}):
        yield f"the key {name!r} stands twice"
    if sum(k.kind == "lpm" for k in table.keys) > 1:
        yield "has more than one lpm key"
    for key in table.keys:
        yield from operand_problems(program, key.operand, {})
        width = operand_width(program, key.operand, {})
        # p4c-dpdk pads fields to bytes, so the operand may be wider than the key the control plane sees.
        if width is not None and not 1 <= key.width <= width:
            yield f"the key {key.name!r} has {key.width} bits, its operand {width}"
        if key.mask is not None and not 0 <= key.mask <= mask(max(1, key.width)):
            yield f"the mask of the key {key.name!r} does not fit {key.width} bits"


def _direct(program: Program, table: Table) -> Iterator[str]:
    if table.counter is not None:
        counter = program.counters.get(table.counter)
        if counter is None or counter.table != table.name:
            yield f"the direct counter {table.counter!r} is not bound to it"
    elif table.counts_on_hit:
        yield "counts on hit, but has no counter"
    if table.meter is not None:
        meter = program.meters.get(table.meter)
        if meter is None or meter.table != table.name:
            yield f"the direct meter {table.meter!r} is not bound to it"
    if table.meter_result is not None:
        yield from operand_problems(program, table.meter_result, {})


def _call(program: Program, table: Table, call: ActionCall, what: str, banned: str) -> Iterator[str]:
    if not any(ref.action == call.action and ref.scope != banned for ref in table.actions):
        yield f"the {what} {call.action!r} is not among its actions"
    action = program.actions.get(call.action)
    if action is None:
        return
    if len(action.params) != len(call.args):
        yield f"the {what} {call.action!r} takes {len(action.params)} arguments, not {len(call.args)}"
        return
    for param, arg in zip(action.params, call.args, strict=True):
        if not 0 <= arg <= mask(max(1, param.width)):
            yield f"the {what} {call.action!r}: {arg} does not fit the {param.width} bits of {param.name!r}"


def _entry(program: Program, table: Table, entry: ConstEntry) -> Iterator[str]:
    if len(entry.key) != len(table.keys):
        yield f"matches {len(entry.key)} keys of {len(table.keys)}"
        return
    for match, key in zip(entry.key, table.keys, strict=True):
        yield from _match(match, key)
    yield from _call(program, table, entry.call, "action", "default_only")
    if (entry.priority > 0) != table.has_priority:
        needed = "one above 0" if table.has_priority else "none"
        yield f"has the priority {entry.priority}; the table's kinds of keys need {needed}"


_KINDS: dict[type[object], tuple[str, ...]] = {
    Exact: ("exact", "optional"),
    Lpm: ("lpm",),
    Ternary: ("ternary",),
    Range: ("range",),
    Any: ("lpm", "ternary", "range", "optional"),
}


def _match(match: Match, key: Key) -> Iterator[str]:
    if key.kind not in _KINDS[type(match)]:
        yield f"{type(match).__name__} cannot match the {key.kind} key {key.name!r}"
        return
    full = mask(max(1, key.width))
    match match:
        case Exact(value):
            fits = 0 <= value <= full
        case Lpm(value, length):
            fits = 0 <= length <= key.width and 0 <= value <= full
            fits = fits and not value & ~prefix_mask(key.width, length)
        case Ternary(value, bits):
            fits = 0 <= bits <= full and not value & ~bits
        case Range(low, high):
            fits = 0 <= low <= high <= full
        case Any():
            fits = True
        case _:
            assert_never(match)
    if not fits:
        yield f"{match} does not fit the {key.width} bits of the key {key.name!r}"
