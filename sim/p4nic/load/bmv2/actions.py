"""Actions: parameters, primitives, and the jumps between them.

In: `actions` of the document. Out: `Actions`, which finds an action by its id or name.

p4c copies an action for every table that uses it and gives all copies the one name the control plane sees.
Most copies differ in nothing but the names of their local variables; they become one Action. Where an action
has parameters of direction out or inout, each table's copy writes somewhere else: such *variants* become one
Action as well, which branches on a hidden field that is set before the table is applied (`VARIANTS`). Where
the program calls an action itself, `forward(2)`, p4c puts the arguments into a copy with fewer parameters:
that is another action, of which the control plane knows nothing (`forward$1`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, final

from p4nic.ir.ops import Branch, Const, Jump, Move, Ref
from p4nic.ir.program import Action, ActionParam
from p4nic.ir.types import Field, Header, HeaderType, Source
from p4nic.load.bmv2 import values
from p4nic.load.bmv2.emit import Emitter
from p4nic.load.bmv2.primitives import lower_primitive
from p4nic.load.bmv2.scope import Scope
from p4nic.load.bmv2.tree import MAX_BITS, Node

SCALARS = "scalars"
"""The metadata instance where p4c puts local variables (`tmp_1`) and user metadata (`metadata_t.port`)."""


VARIANTS = "$variants"
"""Hidden metadata: one field per action with variants, the number of the variant that the table means."""
VARIANT_BITS = 16


@final
@dataclass(slots=True)
class Actions:
    by_name: dict[str, Action] = field(default_factory=dict)
    by_id: dict[int, str] = field(default_factory=dict)
    variants: dict[int, int] = field(default_factory=dict)
    """Which variant an id is, for actions that have several."""
    told: dict[str, str] = field(default_factory=dict)
    """What the document calls an action that has another name here."""

    def named(self, node: Node) -> Action:
        name = node.text()
        if name not in self.by_name:
            raise node.unknown("action", name, self.by_name)
        return self.by_name[name]

    def numbered(self, node: Node) -> Action:
        number = node.integer()
        if number not in self.by_id:
            raise node.fail(f"there is no action with id {number}.")
        return self.by_name[self.by_id[number]]

    def select(self, em: Emitter, nodes: list[Node]) -> None:
        """Before a table that names these action ids: say which variants it means."""
        chosen: dict[str, int] = {}
        for node in nodes:
            if (number := node.integer()) in self.variants:
                variant = self.variants[number]
                if chosen.setdefault(self.by_id[number], variant) != variant:
                    name = self.by_id[number]
                    raise node.unsupported(f"two variants of {name!r} in one table", "give each an @name")
        for name, variant in chosen.items():
            em.add(Move(Ref(VARIANTS, name), Const(variant, VARIANT_BITS)))


def load_actions(root: Node, scope: Scope) -> Actions:
    actions = Actions()
    copies: dict[str, list[tuple[int, Node, Action]]] = {}
    for node in root.items("actions"):
        number = node.get("id").integer()
        if number in actions.by_id:
            raise node.fail(f"there are two actions with id {number}.")
        actions.by_id[number] = node.name()
        copies.setdefault(node.name(), []).append((number, node, _action(node, scope)))
    owners = _Owners(root)
    for name, found in copies.items():
        by_params: dict[tuple[ActionParam, ...], list[tuple[int, Node, Action]]] = {}
        for copy in found:
            by_params.setdefault(copy[2].params, []).append(copy)
        for n, params in enumerate(sorted(by_params, key=len, reverse=True)):
            own = f"{name}${n}" if n else name
            actions.by_id.update((number, own) for number, _, _ in by_params[params])
            actions.told[own] = name
            actions.by_name[own] = _merged(own, by_params[params], actions, scope, owners)
    with_variants = tuple(dict.fromkeys(actions.by_id[n] for n in actions.variants))
    if with_variants:
        fields_ = tuple(Field(name, VARIANT_BITS) for name in with_variants)
        scope.layout.types[VARIANTS] = HeaderType(VARIANTS, fields_)
        scope.layout.headers[VARIANTS] = Header(VARIANTS, VARIANTS, metadata=True)
    return actions


def _params(node: Node) -> tuple[ActionParam, ...]:
    params: list[ActionParam] = []
    for entry in node.items("runtime_data"):
        name = entry.name()
        if any(p.name == name for p in params):
            raise entry.fail(f"there are two parameters named {name!r}.")
        params.append(ActionParam(name, entry.get("bitwidth").integer(1, MAX_BITS)))
    return tuple(params)


def _action(node: Node, scope: Scope) -> Action:
    em = Emitter(scope, _params(node))
    em.source = node.source()
    em.siblings = scope.siblings.get(node.get("id").integer(), ())
    _body(em, node, "at")
    return Action(node.name(), em.params, em.code(), _declared(node))


def _declared(node: Node) -> Source:
    """p4c gives actions no position of their own; their first statement is the nearest thing."""
    source, primitives = node.source(), node.items("primitives")
    return source if source.line or not primitives else primitives[0].source()


def _body(em: Emitter, node: Node, prefix: str) -> None:
    """The primitives, with a label before each that is jumped to."""
    primitives = node.items("primitives")
    targets = {_target(p, len(primitives)) for p in primitives if p.get("op").text() in _JUMPS}
    for i, primitive in enumerate(primitives):
        if i in targets:
            em.label(f"{prefix}{i}")
        _lower(em, primitive, prefix, len(primitives))
    if len(primitives) in targets:
        em.label(f"{prefix}{len(primitives)}")


_JUMPS = {"_jump": 1, "_jump_if_zero": 2}


def _target(call: Node, count: int) -> int:
    """The primitive a jump goes to; `count` is the end of the action."""
    params = call.items("parameters")
    if len(params) != _JUMPS[call.get("op").text()]:
        raise call.fail(f"a jump takes {_JUMPS[call.get('op').text()]} parameters, found {len(params)}.")
    value = params[-1].get("value")
    if not 0 <= value.hexint() <= count:
        raise value.fail(f"the jump leaves the action, which has {count} primitives.")
    return value.hexint()


def _lower(em: Emitter, call: Node, prefix: str, count: int) -> None:
    op = call.get("op").text()
    if op not in _JUMPS:
        lower_primitive(em, call)
        return
    em.source = call.source()
    target = f"{prefix}{_target(call, count)}"
    if op == "_jump":
        em.add(Jump(target))
    else:
        values.branch_unless(em, call.items("parameters")[0], target)


# --- copies of one action -----------------------------------------------------------------------------------


@final
class _Owners:
    """Which local variables only one action of the document uses."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self._owners: dict[str, set[int]] | None = None

    def is_private(self, variable: str) -> bool:
        """Few programs have copies, so the document is searched when first asked."""
        if self._owners is None:
            self._owners = {}
            for key, value in self._root.value.items():
                if key == "actions":
                    for i, action in enumerate(value):
                        self._note(action, i)
                elif key != "calculations":  # their inputs belong to whoever calculates
                    self._note(value, -1)
        return len(self._owners.get(variable, ())) < 2

    def _note(self, value: Any, owner: int) -> None:
        assert self._owners is not None
        if isinstance(value, dict):
            name = value.get("value") if value.get("type") == "calculation" else value.get("calculation")
            if isinstance(name, str):
                self._note(self._inputs().get(name), owner)
            for inner in value.values():
                self._note(inner, owner)
        elif isinstance(value, list):
            if len(value) == 2 and value[0] == SCALARS and isinstance(value[1], str):
                self._owners.setdefault(value[1], set()).add(owner)
            for inner in value:
                self._note(inner, owner)

    def _inputs(self) -> dict[str, Any]:
        """What each calculation reads."""
        return {node.name(): node.value.get("input") for node in self._root.items("calculations")}


def _merged(
    name: str, copies: list[tuple[int, Node, Action]], actions: Actions, scope: Scope, owners: _Owners
) -> Action:
    """One action for all copies of a name and its parameters; notes the ids of its variants if there are
    several."""
    distinct: list[tuple[Node, Action]] = []
    numbers: dict[int, int] = {}
    for number, node, action in copies:
        same = (i for i, (_, known) in enumerate(distinct) if _same_but_locals(known, action, owners))
        numbers[number] = next(same, len(distinct))
        if numbers[number] == len(distinct):
            distinct.append((node, action))
    first = replace(distinct[0][1], name=name)
    if len(distinct) == 1:
        return first
    actions.variants.update(numbers)
    em = Emitter(scope, first.params)
    em.source = first.source
    end = em.fresh_label("end")
    for variant, (copy, action) in enumerate(distinct):
        skip = em.fresh_label("variant")
        em.source = action.source
        em.siblings = scope.siblings.get(copy.get("id").integer(), ())
        em.add(Branch("ne", Ref(VARIANTS, first.name), Const(variant, VARIANT_BITS), skip))
        _body(em, copy, f"v{variant}at")
        em.add(Jump(end))
        em.label(skip)
    em.label(end)
    return Action(first.name, first.params, em.code(), first.source)


def _same_but_locals(a: Action, b: Action, owners: _Owners) -> bool:
    """Whether the two do the same, up to a one-to-one renaming of local variables. One that others use too
    brings something in or out: it is another argument, so that this is another variant."""
    if a.params != b.params or len(a.code) != len(b.code):
        return False
    there: dict[str, str] = {}
    back: dict[str, str] = {}
    if not _same(a.code, b.code, there, back):
        return False
    return all(x == y or (owners.is_private(x) and owners.is_private(y)) for x, y in there.items())


def _same(x: Any, y: Any, there: dict[str, str], back: dict[str, str]) -> bool:
    if type(x) is not type(y):
        return False
    if isinstance(x, Source):
        return True
    if isinstance(x, Ref) and x.header == SCALARS == y.header and "." not in x.field + y.field:
        return there.setdefault(x.field, y.field) == y.field and back.setdefault(y.field, x.field) == x.field
    if isinstance(x, tuple):
        return len(x) == len(y) and all(_same(i, j, there, back) for i, j in zip(x, y, strict=True))
    if is_dataclass(x):
        return all(_same(getattr(x, f.name), getattr(y, f.name), there, back) for f in fields(x))
    return bool(x == y)
