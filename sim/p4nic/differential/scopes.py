"""Which actions entries may use, taken from the P4Info: BMv2's JSON does not say what is `@defaultonly`.

In: a program and its P4Info. Out: the program, no table of which offers more than a switch would take over
P4Runtime. Called by `cli.diff`, so that random entries are not refused by the one and taken by the other.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from p4nic.ir.program import ActionRef, Program, Table
from p4nic.load.p4info import load_p4info


def with_scopes(program: Program, p4info: Path | None) -> Program:
    """The program as its P4Info describes it; unchanged without one."""
    if p4info is None:
        return program
    described = load_p4info(p4info).tables
    tables = {
        name: _scoped(table, {ref.action: ref.scope for ref in described[name].actions})
        if name in described
        else table
        for name, table in program.tables.items()
    }
    return replace(program, tables=tables)


def _scoped(table: Table, scopes: dict[str, str]) -> Table:
    return replace(
        table,
        actions=tuple(
            ActionRef(ref.action, "default_only") if scopes.get(ref.action) == "default_only" else ref
            for ref in table.actions
        ),
    )
