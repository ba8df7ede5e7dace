"""Makes the Program. In: a parsed `.spec` (profiles rebuilt) and its P4 names. Out: a Program of
architecture `swx`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from p4nic.bits import mask
from p4nic.ir.ops import Code, Const, Label, Operand, Receive
from p4nic.ir.program import (
    Action,
    ActionCall,
    ActionParam,
    ActionProfile,
    ActionRef,
    Block,
    Counter,
    Key,
    MatchKind,
    MeterArray,
    Program,
    Register,
    Table,
)
from p4nic.ir.types import Source
from p4nic.load.p4info_model import CounterInfo, MeterInfo
from p4nic.load.spec import instr_data, instr_flow, instr_packet, instr_state
from p4nic.load.spec.code import Emitter, Mnemonic, translate
from p4nic.load.spec.lines import nearest
from p4nic.load.spec.names import Names
from p4nic.load.spec.scope import Layout, Scope, lay_out
from p4nic.load.spec.syntax import (
    ActionDecl,
    DefaultDecl,
    Instruction,
    KeyDecl,
    ProfileDecl,
    SpecFile,
    TableDecl,
)

MNEMONICS: Mapping[str, Mnemonic] = {
    **instr_packet.MNEMONICS,
    **instr_data.MNEMONICS,
    **instr_flow.MNEMONICS,
    **instr_state.MNEMONICS,
}
_DEFAULT_SIZE = 0x10000
"""What p4c-dpdk writes for a table without a size."""
_ENTRY_INDEX = "m.table_entry_index"
_KINDS: Mapping[str, MatchKind] = {"exact": "exact", "lpm": "lpm", "wildcard": "ternary"}


def build(spec: SpecFile, names: Names, name: str) -> Program:
    """Resolve and translate everything; raises ArtifactError or UnsupportedError with file, line and the
    line's text."""
    layout = lay_out(spec)
    dead = _dead_entry_ids(spec, names)
    actions = {
        a.name: a
        for d in spec.actions.values()
        if d.name not in names.copies
        for a in [_action(d, layout, names, dead)]
    }
    scope = Scope(layout, None, ())
    code = translate(
        Emitter(spec, names, scope, spec.apply, None, _parser_states(spec.apply), dead), MNEMONICS
    )
    tables = [_table(t, layout, names, scope) for t in spec.tables.values()]
    return Program(
        name=name,
        architecture="swx",
        header_types=layout.header_types,
        headers=layout.headers,
        blocks={"pipeline": Block("pipeline", "pipeline", _with_start(code, spec), Source(spec.file))},
        actions=actions,
        tables={t.name: t for t in tables},
        action_profiles={
            p.name: p for d in spec.profiles.values() for p in [_profile(d, layout, names, scope)]
        },
        counters={c.name: c for c in _counters(names)},
        meters={m.name: m for m in _meters(spec, names)},
        registers={r.name: r for r in _registers(spec, names)},
    )


# --- actions and code -----------------------------------------------------------------------------


def _params(action: ActionDecl, layout: Layout, names: Names) -> tuple[ActionParam, ...]:
    if action.struct is None:
        return ()
    struct = layout.spec.structs.get(action.struct)
    if struct is None:
        hint = nearest(action.struct, layout.spec.structs, "structs")
        raise action.line.error(f"there is no struct {action.struct}{hint}")
    return names.params.get(action.name) or tuple(ActionParam(f.name, f.width) for f in struct.fields)


def _action(action: ActionDecl, layout: Layout, names: Names, dead: frozenset[str]) -> Action:
    params = _params(action, layout, names)
    struct = layout.spec.structs[action.struct] if action.struct else None
    scope = Scope(layout, struct, tuple(p.name for p in params))
    emitter = Emitter(layout.spec, names, scope, action.body, action.name, dead_entry_ids=dead)
    return Action(names.action(action.name), params, translate(emitter, MNEMONICS), action.line.source)


def _parser_states(code: tuple[Instruction, ...]) -> frozenset[str]:
    """Labels of parser states: p4c-dpdk calls them PARSER_STATE, and each parser ends at its
    PARSER_ACCEPT."""
    states: set[str] = set()
    before: list[str] = []
    for i in code:
        if i.label is None:
            continue
        before.append(i.label)
        if i.label.endswith("_ACCEPT"):
            prefix = i.label.removesuffix("ACCEPT")
            states.update(label for label in before if label.startswith(prefix))
    return frozenset(states)


def _with_start(code: Code, spec: SpecFile) -> Code:
    """Give the first parser state, which p4c-dpdk leaves without a label, one: `start`, right after rx."""
    if any(i.label == "start" for i in spec.apply):
        return code
    at = 1 if code and isinstance(code[0], Receive) else 0
    source = code[at].source if at < len(code) else Source(spec.file)
    return (*code[:at], Label("start", "state", source), *code[at:])


def _dead_entry_ids(spec: SpecFile, names: Names) -> frozenset[str]:
    """The field in which p4c-dpdk carries `entryid` to direct counters and meters, if nothing else reads it.

    Those need no index in a Program, so that `entryid` can go. Only p4c's own field is considered.
    """
    direct = other = 0
    for i in (*spec.apply, *(i for a in spec.actions.values() for i in a.body)):
        owner: CounterInfo | MeterInfo | None = None
        if i.mnemonic == "regadd" and i.args[:1] and i.args[0] in names.counters:
            owner = names.counters[i.args[0]][0]
        elif i.mnemonic == "meter" and i.args[:1]:
            owner = names.meters.get(i.args[0])
        if owner is not None and owner.table is not None and i.args[1:2] == (_ENTRY_INDEX,):
            direct += 1
        elif i.mnemonic != "entryid" and _ENTRY_INDEX in i.args:
            other += 1
    other += sum(key.name == _ENTRY_INDEX for t in spec.tables.values() for key in t.keys)
    return frozenset({_ENTRY_INDEX} if direct and not other else ())


# --- tables ---------------------------------------------------------------------------------------


def _table(table: TableDecl, layout: Layout, names: Names, scope: Scope) -> Table:
    info = names.tables.get(table.name)
    usable = {use.name for use in table.actions}
    for use in table.actions:
        if use.name not in layout.spec.actions:
            raise use.line.error(
                f"there is no action {use.name}{nearest(use.name, layout.spec.actions, 'actions')}"
            )
    if table.default.action not in usable:
        raise table.default.line.error(
            f"default action {table.default.action} is not among the actions of table {table.name}: "
            f"{', '.join(usable)}"
        )
    refs = {names.action(use.name): ActionRef(names.action(use.name), use.scope) for use in table.actions}
    return Table(
        name=info.name if info else table.name,
        keys=tuple(_key(table, position, key, names, scope) for position, key in enumerate(table.keys)),
        actions=tuple(refs.values()),
        default=_default(table.default, layout, names),
        default_is_const=table.default.const or (info is not None and info.const_default is not None),
        size=(info.size if info and info.size else 0) or table.size or _DEFAULT_SIZE,
        implementation=names.profile(table.implementation) if table.implementation else None,
        counter=info.counter if info else None,
        meter=info.meter if info else None,
        idle_timeout=info.idle_timeout if info else False,
        learner_timeouts=table.timeouts,
        source=table.line.source,
    )


def _key(table: TableDecl, position: int, key: KeyDecl, names: Names, scope: Scope) -> Key:
    value = scope.scalar(key.name, key.line)
    if value.kind not in "hm":
        raise key.line.error(f"{key.name} is not a field and cannot be a key of table {table.name}")
    info = names.tables.get(table.name)
    if info is None:
        return Key(key.name, _KINDS[key.kind], value.operand, value.width)
    field = info.match_fields[position]
    kind = field.kind if key.kind == "wildcard" else _KINDS[key.kind]
    return Key(field.name, kind, value.operand, field.width or value.width)


def _default(default: DefaultDecl, layout: Layout, names: Names) -> ActionCall:
    action = layout.spec.actions[default.action]
    struct = layout.spec.structs[action.struct] if action.struct else None
    wanted = tuple(f.name for f in struct.fields) if struct else ()
    if tuple(name for name, _ in default.args) != wanted:
        raise default.line.error(
            f"default action {default.action} has parameters ({', '.join(wanted)}), which must all be "
            "given, by name and in this order"
        )
    params = _params(action, layout, names)
    values = tuple(value & mask(p.width) for (_, value), p in zip(default.args, params, strict=True))
    return ActionCall(names.action(default.action), values)


def _profile(profile: ProfileDecl, layout: Layout, names: Names, scope: Scope) -> ActionProfile:
    info = names.profiles.get(profile.name)
    size = (info.size if info and info.size else 0) or profile.size or _DEFAULT_SIZE
    name = info.name if info else profile.name
    selector = profile.selector
    if selector is None:
        return ActionProfile(name, size)
    inputs = tuple(_selector_inputs(profile, layout, scope))
    most = (info.max_group_size if info else 0) or selector.members_per_group
    host_order = all(field.startswith("m.") for field in selector.fields)
    return ActionProfile(
        name, size, most, "swx_selector", inputs, host_order, selector_slots=selector.members_per_group
    )


def _selector_inputs(profile: ProfileDecl, layout: Layout, scope: Scope) -> Iterable[Operand]:
    """What DPDK hashes: the bytes from the first to the last selector field in memory, those of other fields
    as zeros."""
    assert profile.selector is not None
    line = profile.selector.line
    values = {v.position: v for f in profile.selector.fields for v in [scope.scalar(f, line)]}
    owners = {f.rpartition(".")[0] for f in profile.selector.fields}
    struct = next(iter(values.values())).struct
    if len(owners) != 1 or struct is None:
        raise line.error(
            f"the fields of selector {profile.selector.name} must be of one header or of the metadata"
        )
    for position in range(min(values), max(values) + 1):
        width = struct.fields[position].width
        yield values[position].operand if position in values else Const(0, width)


# --- arrays ---------------------------------------------------------------------------------------


def _counters(names: Names) -> Iterable[Counter]:
    for info, _ in names.counters.values():
        yield Counter(info.name, info.unit, info.size, info.table)


def _registers(spec: SpecFile, names: Names) -> Iterable[Register]:
    for array in spec.regarrays.values():
        if array.name in names.counters:
            continue
        info = names.registers.get(array.name)
        if info is None:
            yield Register(array.name, 64, array.size, array.initial)
        else:
            width = info.width or 64
            yield Register(info.name, width, info.size or array.size, array.initial & mask(width))


def _meters(spec: SpecFile, names: Names) -> Iterable[MeterArray]:
    for array in spec.metarrays.values():
        info = names.meters.get(array.name)
        if info is None:
            yield MeterArray(array.name, "bytes", array.size)
        else:
            yield MeterArray(info.name, info.unit, 0 if info.table else info.size or array.size, info.table)
