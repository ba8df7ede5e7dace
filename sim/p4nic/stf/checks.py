"""STF statements that look at state: counters, registers, number of entries.

In: a statement, the switch, the file's ids. Out: "" or the sentence why it fails. Called by `runner`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import assert_never

from p4nic.errors import InputError
from p4nic.stf.apply import State
from p4nic.stf.names import resolve
from p4nic.stf.statements import Check, CheckCounter, CheckEntries, CheckRegister, CheckStatement, Relation
from p4nic.target.entities import EntryKey
from p4nic.target.switch import Switch

_RELATIONS: Mapping[Relation, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def failure(statement: CheckStatement, switch: Switch, state: State) -> str:
    """ "" if the check holds."""
    match statement:
        case CheckCounter(_, name, index, check):
            place, (packets, bytes_) = _counter(switch, state, name, index)
            if check is None:
                return ""
            return _compare(place, check, bytes_ if check.kind == "bytes" else packets)
        case CheckRegister(_, name, index, check):
            full = resolve("register", name, switch.program.registers)
            cell = switch.tables.registers(full, index)[0]
            return _compare(f"register {full}({index})", check, cell.value) if check is not None else ""
        case CheckEntries(_, name, check):
            table = resolve("table", name, switch.program.tables)
            return _compare(f"table {table}, entries", check, switch.tables.entry_count(table))
        case _:
            assert_never(statement)


def _counter(switch: Switch, state: State, name: str, index: int | str) -> tuple[str, tuple[int, int]]:
    if isinstance(index, int):
        full = resolve("counter", name, switch.program.counters)
        cell = switch.tables.counters(full, index)[0]
        return f"counter {full}({index})", (cell.packets, cell.bytes)
    entry = state.entry(index)
    found = switch.tables.find(EntryKey(entry.table, entry.key, entry.priority))
    if found is None:
        raise InputError(f"entry ${index} is no longer in table {entry.table}")
    table = switch.program.tables[entry.table]
    if table.counter is None:
        raise InputError(f"table {table.name} has no direct counter, so ${index} has none")
    return f"counter {table.counter}(${index})", (found.packets, found.bytes)


def _compare(place: str, check: Check, found: int) -> str:
    if _RELATIONS[check.relation](found, check.number):
        return ""
    kind = f" {check.kind}" if check.kind else ""
    return f"{place} is {found}{kind}, expected {check.relation} {check.number}"
