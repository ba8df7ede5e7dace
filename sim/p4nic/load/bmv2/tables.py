"""Tables, their entries, and action profiles.

In: `tables` and `action_profiles` of the pipelines. Out: `Table`s and `ActionProfile`s of the IR.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from p4nic.bits import byte_count, mask, prefix_mask
from p4nic.ir.ops import Operand, Temp, Valid
from p4nic.ir.program import (
    Action,
    ActionCall,
    ActionProfile,
    ActionRef,
    Any,
    ConstEntry,
    Exact,
    Key,
    Lpm,
    Match,
    MatchKind,
    Range,
    Table,
    Ternary,
)
from p4nic.ir.text_op import operand_text
from p4nic.ir.types import Field
from p4nic.load.bmv2 import places, pna
from p4nic.load.bmv2.actions import Actions
from p4nic.load.bmv2.emit import Emitter
from p4nic.load.bmv2.scope import MAX_SIZE, Scope, check_algorithm, hash_inputs, leaves_out
from p4nic.load.bmv2.tree import Node

NO_ACTION = "NoAction"


def load_table(node: Node, scope: Scope, actions: Actions, profiles: Mapping[str, ActionProfile]) -> Table:
    name = node.name()
    keys = tuple(_key(k, scope) for k in node.items("key"))
    for first, key in enumerate(keys):
        if any(key.name == other.name for other in keys[:first]):
            raise node.get("key").fail(f"two keys are named {key.name!r}.")
    names = tuple(dict.fromkeys(a.name for a in _table_actions(node, actions)))
    default, is_const, extra = _default(node, actions, names)
    entries = _entries(node, keys, actions, names)
    size = node.opt("max_size")
    table = Table(
        name,
        keys,
        tuple(ActionRef(a) for a in names) + extra,
        default,
        is_const,
        size=max(len(entries), 1024 if size is None else size.integer(0, MAX_SIZE)),
        const_entries=entries,
        entries_are_const=node.has("entries"),
        implementation=_implementation(node, profiles),
        idle_timeout=node.flag("support_timeout"),
        source=node.source(),
    )
    if pna.VERDICT in scope.layout.headers:
        table = pna.with_timers(table, actions.by_name, node, scope)
    return _with_direct_resources(table, node, scope)


def _table_actions(node: Node, actions: Actions) -> list[Action]:
    if node.has("action_ids"):
        return [actions.numbered(n) for n in node.items("action_ids")]
    return [actions.named(n) for n in node.items("actions")]


def _implementation(node: Node, profiles: Mapping[str, ActionProfile]) -> str | None:
    kind = node.get("type")
    if kind.text() == "simple":
        return None
    if kind.text() not in ("indirect", "indirect_ws"):
        raise kind.wrong("'simple', 'indirect' or 'indirect_ws'")
    profile = node.get("action_profile")
    if profile.text() not in profiles:
        raise profile.unknown("action profile", profile.text(), profiles)
    if kind.text() == "indirect_ws" and profiles[profile.text()].selector_algorithm is None:
        raise profile.fail(f"the action profile {profile.text()!r} has no selector.")
    return profile.text()


def _with_direct_resources(table: Table, node: Node, scope: Scope) -> Table:
    """v1model's direct counters and meters are updated by every hit; the actions' calls leave no trace."""
    counter = next((c.name for c in scope.counters.values() if c.table == table.name), None)
    meter_node = node.opt("direct_meters")
    meter = None
    if meter_node is not None:
        found = scope.lookup(scope.meters, "meter array", meter_node)
        if found.table != table.name:
            raise meter_node.fail(f"the meter {found.name!r} is not bound to the table {table.name!r}.")
        meter = found.name
    result = scope.meter_results.get(meter) if meter is not None else None
    return replace(
        table, counter=counter, counts_on_hit=counter is not None, meter=meter, meter_result=result
    )


# --- keys ---------------------------------------------------------------------------------------------------


def _key(node: Node, scope: Scope) -> Key:
    kind_node, target = node.get("match_type"), node.get("target")
    kind = _match_kind(kind_node)
    hidden = isinstance(target.value, list) and places.ends_with(target, places.VALID)
    if kind_node.value == "valid" or hidden:
        owner = target if kind_node.value == "valid" else target.items()[0]
        is_union = owner.text() in scope.layout.unions
        header = scope.layout.union(owner).name if is_union else scope.layout.header(owner).name
        name = node.get("name").text() if node.has("name") else f"{header}.{places.VALID}"
        return Key(name, kind, Valid(header), 1)
    operand, field = _key_field(target, scope)
    if field.varbit:
        raise target.unsupported("a varbit as a table key", "copy it to a field of fixed width")
    name = node.get("name").text() if node.has("name") else operand_text(operand)
    mask_node = node.opt("mask")
    key_mask = None if mask_node is None else mask_node.hexint()
    if key_mask is not None and not 0 <= key_mask < 1 << (8 * byte_count(field.width)):
        raise target.fail(f"the mask of key {name!r} does not fit its {field.width} bits.")
    if key_mask is None:
        return Key(name, kind, operand, field.width)
    key_mask &= mask(field.width)
    # p4c writes the slice x[7:0] as a mask; to the control plane the key has the slice's width. A mask that
    # the P4 program wrote itself, x & 0xf, stands in the key's name and leaves the width.
    sliced = key_mask > 0 and key_mask & (key_mask + 1) == 0 and kind == "exact" and "&" not in name
    return Key(name, kind, operand, key_mask.bit_length() if sliced else field.width, key_mask)


def _key_field(target: Node, scope: Scope) -> tuple[Operand, Field]:
    """A field, or (PNA and PSA) a field of a stack element at a run-time index."""
    if not isinstance(target.value, dict):
        return scope.layout.ref(target)
    em = Emitter(scope)
    operand, field = places.place(em, target)
    if em.code():
        raise target.unsupported("a table key that must be computed", "copy it to metadata first")
    assert not isinstance(operand, Temp)  # temporaries come with the code that writes them
    return operand, field


def _match_kind(node: Node) -> MatchKind:
    match node.text():
        case "exact" | "valid":
            return "exact"
        case "lpm":
            return "lpm"
        case "ternary":
            return "ternary"
        case "range":
            return "range"
        case "optional":
            return "optional"
        case _:
            raise node.unsupported(
                f"the match kind {node.text()!r}", "use exact, lpm, ternary, range or optional"
            )


# --- default action and entries -----------------------------------------------------------------------------


def _default(
    node: Node, actions: Actions, names: tuple[str, ...]
) -> tuple[ActionCall, bool, tuple[ActionRef, ...]]:
    """The default action, whether it is const, and the references that the table lacks for it.

    p4c writes no default for tables with an action profile: that is NoAction.
    """
    entry = node.opt("default_entry")
    if entry is None:
        if NO_ACTION not in actions.by_name:
            actions.by_name[NO_ACTION] = Action(NO_ACTION, (), ())
        extra = () if NO_ACTION in names else (ActionRef(NO_ACTION, "default_only"),)
        return ActionCall(NO_ACTION), False, extra
    action = actions.numbered(entry.get("action_id"))
    call = _call(entry, action)
    extra = () if action.name in names else (ActionRef(action.name, "default_only"),)
    return call, entry.flag("action_const"), extra


def _call(node: Node, action: Action) -> ActionCall:
    data = node.items("action_data")
    if len(data) != len(action.params):
        raise node.fail(f"{action.name!r} takes {len(action.params)} arguments, found {len(data)}.")
    args = []
    for value, param in zip(data, action.params, strict=True):
        number = value.hexint()
        if not -(1 << param.width) < number < 1 << param.width:
            raise value.wrong(f"a number of {param.width} bits for parameter {param.name!r}")
        args.append(number & mask(param.width))
    return ActionCall(action.name, tuple(args))


def _entries(
    node: Node, keys: tuple[Key, ...], actions: Actions, names: tuple[str, ...]
) -> tuple[ConstEntry, ...]:
    """The table's own entries; BMv2's lowest priority number wins, ours is the highest."""
    found = node.items("entries")
    if found and node.get("type").value != "simple":
        raise node.fail("a table with an action profile cannot bring entries.")
    numbers = [e.get("priority").integer() if e.has("priority") else i + 1 for i, e in enumerate(found)]
    last = max(numbers, default=0)
    prioritised = any(k.kind in ("ternary", "range", "optional") for k in keys)
    entries: list[ConstEntry] = []
    for entry, number in zip(found, numbers, strict=True):
        parts = entry.items("match_key")
        if len(parts) != len(keys):
            raise entry.fail(f"the table has {len(keys)} keys, but the entry matches {len(parts)}.")
        key = tuple(_match(p, k) for p, k in zip(parts, keys, strict=True))
        action = actions.numbered(entry.get("action_entry").get("action_id"))
        if action.name not in names:
            raise entry.unknown("action in the table", action.name, names)
        call = _call(entry.get("action_entry"), action)
        entries.append(ConstEntry(key, call, last - number + 1 if prioritised else 0))
    return tuple(entries)


def _match(node: Node, key: Key) -> Match:
    kind = _match_kind(node.get("match_type"))
    if kind != key.kind and not {kind, key.kind} == {"ternary", "optional"}:
        raise node.get("match_type").wrong(f"{key.kind!r}, the kind of key {key.name!r}")
    match kind:
        case "exact":
            value = node.get("key")
            return Exact(int(value.boolean()) if isinstance(value.value, bool) else _number(value, key))
        case "lpm":
            length = node.get("prefix_length").integer(0, key.width)
            value_bits = _number(node.get("key"), key) & prefix_mask(key.width, length)
            return Lpm(value_bits, length) if length else Any()
        case "ternary" | "optional":
            bits = _number(node.get("mask"), key)
            if bits == 0:
                return Any()
            number = _number(node.get("key"), key) & bits
            if key.kind == "optional":
                return _exact_of_optional(node, key, number, bits)
            return Ternary(number, bits)
        case "range":
            low, high = _number(node.get("start"), key), _number(node.get("end"), key)
            if low > high:
                raise node.fail(f"the range {low}..{high} is empty.")
            return Any() if (low, high) == (0, mask(key.width)) else Range(low, high)


def _exact_of_optional(node: Node, key: Key, number: int, bits: int) -> Exact:
    if bits != mask(key.width):
        raise node.fail(f"the optional key {key.name!r} takes a whole value or none.")
    return Exact(number)


def _number(node: Node, key: Key) -> int:
    value = node.hexint()
    # A signed constant is written as -0x1; p4c's mask of a whole key may be padded to bytes.
    if not -(1 << key.width) < value < 1 << (8 * byte_count(key.width)):
        raise node.wrong(f"a number of {key.width} bits for key {key.name!r}")
    return value & mask(key.width)


# --- action profiles ----------------------------------------------------------------------------------------


def load_profile(node: Node, scope: Scope) -> ActionProfile:
    name, size = node.name(), node.get("max_size").integer(0, MAX_SIZE)
    selector = node.opt("selector")
    if selector is None:
        return ActionProfile(name, size)
    check_algorithm(selector.get("algo"))
    inputs, with_payload = hash_inputs(selector.get("input"), scope)
    if with_payload:
        raise selector.unsupported("a selector over the payload", "select over fields")
    # The JSON has no group size; only P4Info knows it.
    algorithm = selector.get("algo").text()
    return ActionProfile(
        name, size, 0, algorithm, inputs, selector_skip_invalid=leaves_out(algorithm, inputs, scope.layout)
    )
