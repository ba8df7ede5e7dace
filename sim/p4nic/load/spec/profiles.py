"""Puts action profiles together again, which p4c-dpdk takes apart.

In: a parsed `.spec`. Out: the same with each base table carrying its members' actions and `implementation`,
and the rest gone.

    table tbl                               table tbl      (keys of tbl, actions of as, implementation as)
    jmpnh END                               jmpnh END
    jmpeq SKIP m.as_group_id 0xFFFFFFFF
    table as_sel                        →
    SKIP : table as                         SKIP :
    END : …                                 END : …

The actions `tbl_set_group_id` and `tbl_set_member_id` write the two metadata fields; `as` is keyed by the
member id alone. That the parts are really applied in this order is checked on the apply block, jump by jump;
anything else is refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

from p4nic.load.spec.syntax import ActionDecl, ActionUse, Instruction, ProfileDecl, SpecFile, TableDecl


@final
@dataclass(frozen=True, slots=True)
class _Parts:
    """One profile taken apart: `bases` are the tables that point into it, `setters` the actions by which
    they do."""

    member: TableDecl
    selector: str | None
    group_field: str | None
    member_field: str
    bases: frozenset[str]
    setters: frozenset[str]


def fuse(spec: SpecFile) -> SpecFile:
    """Rebuild every action profile found; raises UnsupportedError where the parts are not applied as
    p4c-dpdk does."""
    for parts in _find(spec):
        spec = _rebuild(spec, parts)
    return spec


def _find(spec: SpecFile) -> list[_Parts]:
    found = []
    selectors = {s.member_field: s for s in spec.selectors.values()}
    for member in spec.tables.values():
        if len(member.keys) != 1 or member.keys[0].kind != "exact" or member.timeouts:
            continue
        field = member.keys[0].name
        selector = selectors.get(field)
        group = selector.group_field if selector else None
        setters = {name for name, action in spec.actions.items() if _sets(action, field, group)}
        bases = {t.name for t in spec.tables.values() if any(use.name in setters for use in t.actions)}
        if bases and member.name not in bases:
            found.append(
                _Parts(
                    member,
                    selector.name if selector else None,
                    group,
                    field,
                    frozenset(bases),
                    frozenset(setters),
                )
            )
    return found


def _sets(action: ActionDecl, member_field: str, group_field: str | None) -> bool:
    """Is this one of the two actions p4c-dpdk makes to point an entry to a member or a group?"""
    if [i.mnemonic for i in action.body] != ["mov", "return"] or not action.name.endswith(
        ("_set_member_id", "_set_group_id")
    ):
        return False
    return action.body[0].args in (
        (member_field, "t.member_id"),
        (group_field, "t.group_id"),
    )


def _rebuild(spec: SpecFile, parts: _Parts) -> SpecFile:
    _check_order(spec, parts)
    tables = {}
    for table in spec.tables.values():
        if table.name in parts.bases:
            tables[table.name] = _base(table, parts)
        elif table.name != parts.member.name:
            tables[table.name] = table
    profile = ProfileDecl(
        parts.member.name,
        parts.member.size,
        spec.selectors[parts.selector] if parts.selector else None,
        parts.member.line,
    )
    return replace(
        spec,
        tables=tables,
        actions={name: a for name, a in spec.actions.items() if name not in parts.setters},
        selectors={name: s for name, s in spec.selectors.items() if name != parts.selector},
        apply=tuple(_without_parts(spec.apply, parts)),
        profiles={**spec.profiles, profile.name: profile},
    )


def _base(table: TableDecl, parts: _Parts) -> TableDecl:
    if table.default.action in parts.setters:
        raise table.default.line.unsupported(
            f"table {table.name} has a default action that points into action profile {parts.member.name}"
        )
    own = [use for use in table.actions if use.name not in parts.setters]
    uses: dict[str, ActionUse] = {use.name: use for use in (*own, *parts.member.actions)}
    order = [*(u.name for u in parts.member.actions), *(u.name for u in own)]
    return replace(
        table, actions=tuple(uses[name] for name in dict.fromkeys(order)), implementation=parts.member.name
    )


def _without_parts(code: Sequence[Instruction], parts: _Parts) -> list[Instruction]:
    kept = []
    for i in code:
        if _is_part(i, parts) or (
            i.mnemonic == "mov" and i.args[:1] in ((parts.member_field,), (parts.group_field,))
        ):
            if i.label is not None:
                kept.append(replace(i, mnemonic="", args=()))
        else:
            kept.append(i)
    return kept


def _is_part(i: Instruction, parts: _Parts) -> bool:
    """Does this instruction belong to the machinery between the base table and its member?"""
    if i.mnemonic == "table":
        return i.args in ((parts.member.name,), (parts.selector,))
    return i.mnemonic == "jmpeq" and len(i.args) == 3 and i.args[1] == parts.group_field


def _check_order(spec: SpecFile, parts: _Parts) -> None:
    """Every part must follow a hit in a base table with nothing but jumps between them."""
    code = spec.apply
    labels: dict[str | None, int] = {i.label: at for at, i in enumerate(code) if i.label is not None}
    reached: set[int] = set()
    for position, i in enumerate(code):
        if i.mnemonic == "table" and i.args and i.args[0] in parts.bases:
            _follow(code, position + 1, labels, parts, reached)
    for position, i in enumerate(code):
        if _is_part(i, parts) and position not in reached:
            raise i.line.unsupported(
                f"this part of action profile {parts.member.name} is applied elsewhere than right after "
                f"a hit in {' or '.join(sorted(parts.bases))}, which p4nic cannot follow"
            )


def _follow(
    code: Sequence[Instruction],
    start: int,
    labels: Mapping[str | None, int],
    parts: _Parts,
    reached: set[int],
) -> None:
    """Mark the parts reachable from a hit of a base table up to and including the member table."""
    pending = [start]
    seen: set[int] = set()
    while pending:
        position = pending.pop()
        if position in seen or position >= len(code):
            continue
        seen.add(position)
        i = code[position]
        if i.mnemonic == "jmpnh" or not i.mnemonic:
            pending.append(position + 1)
        elif i.mnemonic == "jmp" and len(i.args) == 1 and i.args[0] in labels:
            pending.append(labels[i.args[0]])
        elif _is_part(i, parts):
            reached.add(position)
            if i.mnemonic == "jmpeq" and i.args[0] in labels:
                pending.append(labels[i.args[0]])
            if i.args[0] != parts.member.name:
                pending.append(position + 1)
        else:
            raise i.line.unsupported(
                f"between a hit in {' or '.join(sorted(parts.bases))} and its action profile "
                f"{parts.member.name} stands another instruction, which p4nic cannot move"
            )
