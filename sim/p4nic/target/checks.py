"""Refusals: everything that can be wrong with a write, judged against the Program alone.

In: names, keys, actions and the Program. Out: what was named, or a StateError whose one sentence names the
table, the field, the value and the valid choices. Called by `tables`, `profiles`, `arrays` and `replication`
before they touch the pipeline. What depends on state (already exists, table full) is judged by those callers.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import NoReturn, TypeVar, assert_never

from p4nic.bits import mask
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.program import ActionCall, Any, Exact, Key, Lpm, Match, Program, Range, Table, Ternary
from p4nic.ir.text import spell_match

MAX_PRIORITY = (1 << 31) - 1
MAX_COUNT = (1 << 63) - 1
MAX_ID = (1 << 32) - 1
_SHOWN = 12
T = TypeVar("T")


def refuse(kind: ErrorKind, sentence: str) -> NoReturn:
    """Raise the StateError."""
    raise StateError(kind, sentence)


def invalid(sentence: str) -> NoReturn:
    """Raise a StateError of the most frequent kind."""
    refuse(ErrorKind.INVALID_ARGUMENT, sentence)


def choices(name: str, valid: Collection[str]) -> str:
    """The way out of a wrong name: `did you mean "X"?`, or the list of names, shortened."""
    if close := difflib.get_close_matches(name, valid, n=1, cutoff=0.75):
        return f'did you mean "{close[0]}"?'
    if not valid:
        return "the program has none"
    names = sorted(valid)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"choose one of {', '.join(names[:_SHOWN])}{more}"


def named(what: str, name: str, where: Mapping[str, T]) -> T:
    """`where[name]`, or NOT_FOUND with the choices."""
    try:
        return where[name]
    except KeyError:
        refuse(ErrorKind.NOT_FOUND, f'there is no {what} "{name}"; {choices(name, where)}')


def fits(place: str, value: int, width: int) -> None:
    """A value of `width` bits, or OUT_OF_RANGE."""
    if not 0 <= value <= mask(width):
        refuse(
            ErrorKind.OUT_OF_RANGE,
            f"{place}: {value:#x} does not fit in {width} bits (at most {mask(width):#x})",
        )


def check_id(place: str, what: str, number: int) -> None:
    """Ids of members, groups and sessions are 32 bits and not 0."""
    if not 0 < number <= MAX_ID:
        invalid(f"{place}: {what} {number} is not allowed; ids go from 1 to {MAX_ID}")


def check_index(place: str, index: int, size: int) -> None:
    """An index of an array of `size` cells."""
    if index < 0:
        invalid(f"{place}: index {index} is negative")
    if index >= size:
        refuse(ErrorKind.OUT_OF_RANGE, f"{place}: index {index} is beyond the last, {size - 1}")


def check_count(place: str, packets: int, bytes_: int) -> None:
    """The two halves of a counter's value."""
    for half, value in (("packets", packets), ("bytes", bytes_)):
        if not 0 <= value <= MAX_COUNT:
            refuse(ErrorKind.OUT_OF_RANGE, f"{place}: {value} {half} is not in 0..{MAX_COUNT}")


# --- keys ---------------------------------------------------------------------------------------------------


def check_key(table: Table, key: tuple[Match, ...], priority: int) -> None:
    """An entry's key and priority by P4Runtime 1.5 §9.1.1; don't care is said by `Any` alone."""
    if len(key) != len(table.keys):
        names = ", ".join(k.name for k in table.keys)
        invalid(f"table {table.name}: the key has {len(key)} fields, the table {len(table.keys)} ({names})")
    for field, match in zip(table.keys, key, strict=True):
        check_match(f"table {table.name}, field {field.name}", field.kind, field.width, match)
    if table.has_priority and not 0 < priority <= MAX_PRIORITY:
        why = ", ".join(f"{k.name} is {k.kind}" for k in table.keys if k.kind not in ("exact", "lpm"))
        invalid(
            f"table {table.name}: priority {priority} is not in 1..{MAX_PRIORITY}, which it must be as {why}"
        )
    if not table.has_priority and priority != 0:
        invalid(
            f"table {table.name}: priority {priority} must be 0, as no field is ternary, range or optional"
        )


def check_match(place: str, kind: str, width: int, match: Match) -> None:
    """One field's match against its kind and width; `place` begins the sentence."""
    match match:
        case Any():
            if kind == "exact":
                invalid(f"{place}: exact fields cannot be left out")
        case Exact(value):
            _require_kind(place, kind, ("exact", "optional"), match)
            fits(place, value, width)
        case Lpm():
            _require_kind(place, kind, ("lpm",), match)
            _check_lpm(place, width, match)
        case Ternary():
            _require_kind(place, kind, ("ternary",), match)
            _check_ternary(place, width, match)
        case Range():
            _require_kind(place, kind, ("range",), match)
            _check_range(place, width, match)
        case _:
            assert_never(match)


def _require_kind(place: str, kind: str, allowed: tuple[str, ...], match: Match) -> None:
    if kind not in allowed:
        word = {Exact: "an exact", Lpm: "an lpm", Ternary: "a ternary", Range: "a range", Any: "no"}[
            type(match)
        ]
        invalid(f"{place}: the field is {kind}, the entry gives {word} match")


def _check_lpm(place: str, width: int, match: Lpm) -> None:
    value, length = match.value, match.prefix_length
    fits(place, value, width)
    if not 0 <= length <= width:
        invalid(f"{place}: prefix length {length} is not in 0..{width}")
    if length == 0:
        invalid(f"{place}: prefix length 0 matches everything; leave the field out instead")
    if value & mask(width - length):
        invalid(
            f"{place}: {value:#x}/{length} has bits beyond the prefix; "
            f"{_cut(value, width, length):#x}/{length} has not"
        )


def _cut(value: int, width: int, length: int) -> int:
    return value >> (width - length) << (width - length)


def _check_ternary(place: str, width: int, match: Ternary) -> None:
    fits(place, match.value, width)
    fits(f"{place}, mask", match.mask, width)
    if match.mask == 0:
        invalid(f"{place}: mask 0 matches everything; leave the field out instead")
    if match.value & ~match.mask:
        good = match.value & match.mask
        invalid(f"{place}: {match.value:#x} has bits outside the mask {match.mask:#x}; {good:#x} has not")


def _check_range(place: str, width: int, match: Range) -> None:
    fits(f"{place}, low end", match.low, width)
    fits(f"{place}, high end", match.high, width)
    if match.low > match.high:
        invalid(f"{place}: the range {match.low:#x}..{match.high:#x} is empty, as low is above high")
    if match.low == 0 and match.high == mask(width):
        invalid(
            f"{place}: the range {match.low:#x}..{match.high:#x} is every value; leave the field out instead"
        )


# --- actions ------------------------------------------------------------------------------------------------


def check_call(program: Program, table: Table, call: ActionCall, use: str) -> None:
    """An action as the table's entries (`use` "entry") or its default entry ("default") may name it."""
    refs = {ref.action: ref for ref in table.actions}
    if call.action not in refs:
        invalid(
            f'table {table.name}: action "{call.action}" is not one of its actions; '
            f"{choices(call.action, refs)}"
        )
    scope = refs[call.action].scope
    if use == "entry" and scope == "default_only":
        refuse(
            ErrorKind.PERMISSION_DENIED,
            f"table {table.name}: action {call.action} is for the default entry only",
        )
    if use == "default" and scope == "table_only":
        refuse(
            ErrorKind.PERMISSION_DENIED,
            f"table {table.name}: action {call.action} cannot be the default action",
        )
    check_args(program, f"table {table.name}, action {call.action}", call)


def check_args(program: Program, place: str, call: ActionCall) -> None:
    """As many arguments as parameters, each within its width."""
    params = program.actions[call.action].params
    if len(call.args) != len(params):
        names = ", ".join(p.name for p in params) or "none"
        invalid(f"{place}: {len(call.args)} arguments given, parameters are {names}")
    for param, value in zip(params, call.args, strict=True):
        fits(f"{place}, parameter {param.name}", value, param.width)


# --- how entries are spelled in messages --------------------------------------------------------------------


def spell_key(keys: tuple[Key, ...], key: tuple[Match, ...], priority: int) -> str:
    """`ip_dst=0xa000000/8 priority=5`: how an entry is named in a sentence."""
    fields = [f"{k.name}={spell_match(m)}" for k, m in zip(keys, key, strict=True)]
    return " ".join(fields + ([f"priority={priority}"] if priority else []))
