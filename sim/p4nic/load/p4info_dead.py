"""What p4c optimised out of a BMv2 JSON after it had written the P4Info: tables, profiles and the like that
no packet reaches.

A controller that was written for the P4Info may still fill them, as on any target; so they become objects of
the Program that nothing applies. In: a Program and the P4Info of the same run. Out: the Program with them.
Called by `load.artifact`, for JSON; a `.spec` without a table has lost it (p4c-dpdk leaves PSA's egress out).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from p4nic.ir.ops import Const
from p4nic.ir.program import (
    Action,
    ActionCall,
    ActionParam,
    ActionProfile,
    ActionRef,
    Counter,
    DigestList,
    Key,
    MeterArray,
    Program,
    Register,
    Table,
    ValueSet,
)
from p4nic.load.p4info_model import FieldInfo, MatchFieldInfo, RegisterInfo, TableInfo

if TYPE_CHECKING:
    from p4nic.load.p4info import P4Info

T = TypeVar("T")
_STRING_WIDTH = 32
"""Bits of a value whose width the P4Info does not tell (a string on the wire): no packet sees it."""
_log = logging.getLogger(__name__)


def with_unreachable(program: Program, info: P4Info) -> Program:
    """The program with what only its P4Info has; the program itself if nothing is missing, or if the P4Info
    is of another program: one that does not know the tables this one has."""
    if info.architecture not in ("", program.architecture):
        return program
    if not all(name in info.tables for name, table in program.tables.items() if _is_public(table)):
        return program
    tables = _missing(info.tables, program.tables)
    if tables:
        _log.warning(
            "%s: p4c left tables out of the artifact that no packet reaches; entries have no effect: %s",
            program.name,
            ", ".join(sorted(t.name for t in tables)),
        )
    profiles = (
        ActionProfile(p.name, p.size, p.max_group_size, "crc16" if p.with_selector else None)
        for p in _missing(info.profiles, program.action_profiles)
    )
    return replace(
        _with_arrays(program, info),
        tables=_joined(program.tables, (_table(t, info) for t in tables)),
        actions=_joined(program.actions, _actions(program, tables, info)),
        action_profiles=_joined(program.action_profiles, profiles),
    )


def _with_arrays(program: Program, info: P4Info) -> Program:
    """Counters, meters, registers, digests and value sets; a direct one only with its table."""
    counters = _missing(info.counters, program.counters)
    meters = _missing(info.meters, program.meters)
    return replace(
        program,
        counters=_joined(
            program.counters,
            (Counter(c.name, c.unit, c.size, c.table) for c in counters if c.table not in program.tables),
        ),
        meters=_joined(
            program.meters,
            (MeterArray(m.name, m.unit, m.size, m.table) for m in meters if m.table not in program.tables),
        ),
        registers=_joined(
            program.registers,
            (Register(r.name, _width(r), r.size) for r in _missing(info.registers, program.registers)),
        ),
        digests=_joined(
            program.digests,
            (
                DigestList(d.name, tuple((f.name, _width(f)) for f in d.fields))
                for d in _missing(info.digests, program.digests)
            ),
        ),
        value_sets=_joined(
            program.value_sets,
            (
                ValueSet(v.name, tuple(_width(f) for f in v.match_fields), v.size)
                for v in _missing(info.value_sets, program.value_sets)
            ),
        ),
    )


def _width(told: FieldInfo | MatchFieldInfo | RegisterInfo) -> int:
    return told.width or _STRING_WIDTH


def _is_public(table: Table) -> bool:
    """Whether the control plane may know it: p4c's own tables have no keys, or no control in their name."""
    return bool(table.keys) and "." in table.name


def _missing(told: Mapping[str, T], have: Mapping[str, object]) -> list[T]:
    return [one for name, one in told.items() if name not in have]


def _joined(have: Mapping[str, T], more: Iterable[T]) -> dict[str, T]:
    return {**have, **{getattr(one, "name"): one for one in more}}  # noqa: B009 - T has no bound with a name


def _actions(program: Program, tables: Iterable[TableInfo], info: P4Info) -> list[Action]:
    names = {ref.action for table in tables for ref in table.actions} | {_default(t) for t in tables}
    made = []
    for name in sorted(names - program.actions.keys()):
        params = info.actions[name].params if name in info.actions else ()
        made.append(Action(name, tuple(ActionParam(p.name, _width(p)) for p in params), ()))
    return made


def _default(table: TableInfo) -> str:
    return table.const_default or "NoAction"


def _table(told: TableInfo, info: P4Info) -> Table:
    default = _default(told)
    refs = tuple(ActionRef(ref.action, ref.scope) for ref in told.actions)
    if default not in {ref.action for ref in refs}:
        refs += (ActionRef(default, "default_only"),)
    params = info.actions[default].params if default in info.actions else ()
    return Table(
        told.name,
        tuple(Key(f.name, f.kind, Const(0, _width(f)), _width(f)) for f in told.match_fields),
        refs,
        ActionCall(default, tuple(0 for _ in params)),
        default_is_const=told.const_default is not None,
        size=told.size or 1024,
        implementation=told.implementation,
        counter=told.counter,
        meter=told.meter,
        idle_timeout=told.idle_timeout,
    )
