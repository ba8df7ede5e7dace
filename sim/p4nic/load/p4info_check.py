"""Does this P4Info belong to this Program? Called by `load.artifact` and by the server when a client sends
both.

In: a verified Program whose names are P4 names, and a P4Info. Out: nothing, or an ArtifactError naming the
first difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, TypeVar

from p4nic.errors import ArtifactError
from p4nic.ir.program import Action, Key, Program, Table
from p4nic.load.p4info_model import ActionInfo, MatchFieldInfo, TableInfo

if TYPE_CHECKING:
    from p4nic.load.p4info import P4Info

V = TypeVar("V")


def check(program: Program, info: P4Info) -> None:
    """Raise ArtifactError unless every object of `info` is in `program` with the same keys, parameters and
    widths.

    Not checked: what the program has beyond the P4Info (compiler-made tables), and actions no table of the
    P4Info uses.
    """
    for table in info.tables.values():
        _check_table(program, _found(program.tables, table.name, "table", program), table, info)
    others: tuple[tuple[str, Iterable[str], Mapping[str, object]], ...] = (
        ("action profile", info.profiles, program.action_profiles),
        ("counter", info.counters, program.counters),
        ("meter", info.meters, program.meters),
        ("register", info.registers, program.registers),
        ("digest", info.digests, program.digests),
        ("value set", info.value_sets, program.value_sets),
    )
    for kind, names, have in others:
        for name in names:
            _found(have, name, kind, program)


def _found(have: Mapping[str, V], name: str, kind: str, program: Program) -> V:
    found = have.get(name)
    if found is None:
        near = get_close_matches(name, have, n=3, cutoff=0.5)
        hint = f"; the artifact has {', '.join(near)}" if near else ""
        raise ArtifactError(
            f"the P4Info does not match {program.name}: its {kind} {name} is not in the artifact{hint}. "
            "Give the P4Info of the same p4c run"
        )
    return found


def _check_table(program: Program, table: Table, wanted: TableInfo, info: P4Info) -> None:
    if len(table.keys) != len(wanted.match_fields):
        raise _mismatch(
            program,
            f"table {wanted.name} has {len(table.keys)} keys in the artifact and "
            f"{len(wanted.match_fields)} in the P4Info",
        )
    for key, field in zip(table.keys, wanted.match_fields, strict=True):
        _check_key(program, table, key, field)
    usable = {ref.action for ref in table.actions}
    for ref in wanted.actions:
        if ref.action not in usable:
            raise _mismatch(
                program,
                f"table {wanted.name} cannot use action {ref.action} in the artifact, only "
                f"{', '.join(sorted(usable))}",
            )
        _check_action(
            program, _found(program.actions, ref.action, "action", program), info.actions[ref.action]
        )


def _check_key(program: Program, table: Table, key: Key, field: MatchFieldInfo) -> None:
    place = f"key {field.name} of table {table.name}"
    if key.name != field.name:
        raise _mismatch(program, f"{place} is called {key.name} in the artifact")
    # A translated type has the width of the wire in the P4Info and the target's in the artifact.
    if field.width and field.translation is None and key.width != field.width:
        raise _mismatch(
            program, f"{place} is {key.width} bits wide in the artifact and {field.width} in the P4Info"
        )
    if key.kind != field.kind:
        raise _mismatch(
            program, f"{place} is matched {key.kind} in the artifact and {field.kind} in the P4Info"
        )


def _check_action(program: Program, action: Action, wanted: ActionInfo) -> None:
    have = [p.name for p in action.params]
    want = [p.name for p in wanted.params]
    if have != want:
        raise _mismatch(
            program,
            f"action {wanted.name} has parameters ({', '.join(have)}) in the artifact and "
            f"({', '.join(want)}) in the P4Info",
        )
    for param, field in zip(action.params, wanted.params, strict=True):
        if field.width and field.translation is None and param.width != field.width:
            raise _mismatch(
                program,
                f"parameter {param.name} of action {wanted.name} is {param.width} bits wide "
                f"in the artifact and {field.width} in the P4Info",
            )


def _mismatch(program: Program, difference: str) -> ArtifactError:
    return ArtifactError(
        f"the P4Info does not match {program.name}: {difference}. Give the P4Info of the same p4c run"
    )
