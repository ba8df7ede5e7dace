"""Actions: parameters, primitives, and the jumps between them.

In: `actions` of the document. Out: `Actions`, which finds an action by its id or name.

p4c copies an action for every table that uses it and gives all copies the one name the control plane sees.
Copies differ in nothing but the names of their local variables; such a set becomes one Action (see
`_same_but_locals`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, final

from p4nic.ir.ops import Jump, Ref
from p4nic.ir.program import Action, ActionParam
from p4nic.ir.types import Source
from p4nic.load.bmv2 import values
from p4nic.load.bmv2.emit import Emitter
from p4nic.load.bmv2.primitives import lower_primitive
from p4nic.load.bmv2.scope import Scope
from p4nic.load.bmv2.tree import MAX_BITS, Node

SCALARS = "scalars"
"""The metadata instance where p4c puts local variables (`tmp_1`) and user metadata (`metadata_t.port`)."""


@final
@dataclass(slots=True)
class Actions:
    by_name: dict[str, Action] = field(default_factory=dict)
    by_id: dict[int, str] = field(default_factory=dict)

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


def load_actions(root: Node, scope: Scope) -> Actions:
    actions = Actions()
    for node in root.items("actions"):
        number = node.get("id").integer()
        if number in actions.by_id:
            raise node.fail(f"there are two actions with id {number}.")
        action = _action(node, scope)
        known = actions.by_name.setdefault(action.name, action)
        if known is not action and not _same_but_locals(known, action):
            raise node.unsupported(
                f"two different actions under the one name {action.name!r}", "give each its own @name"
            )
        actions.by_id[number] = action.name
    return actions


def _action(node: Node, scope: Scope) -> Action:
    params: list[ActionParam] = []
    for entry in node.items("runtime_data"):
        name = entry.name()
        if any(p.name == name for p in params):
            raise entry.fail(f"there are two parameters named {name!r}.")
        params.append(ActionParam(name, entry.get("bitwidth").integer(1, MAX_BITS)))
    em = Emitter(scope, tuple(params))
    em.source = node.source()
    primitives = node.items("primitives")
    targets = {_target(p, len(primitives)) for p in primitives if p.get("op").value in _JUMPS}
    for i, primitive in enumerate(primitives):
        if i in targets:
            em.label(_label(i))
        _lower(em, primitive, len(primitives))
    if len(primitives) in targets:
        em.label(_label(len(primitives)))
    return Action(node.name(), tuple(params), em.code(), _declared(node, primitives))


def _declared(node: Node, primitives: list[Node]) -> Source:
    """p4c gives actions no position of their own; their first statement is the nearest thing."""
    source = node.source()
    return source if source.line or not primitives else primitives[0].source()


_JUMPS = {"_jump": 1, "_jump_if_zero": 2}


def _label(index: int) -> str:
    return f"at{index}"


def _target(call: Node, count: int) -> int:
    """The primitive a jump goes to; `count` is the end of the action."""
    params = call.items("parameters")
    if len(params) != _JUMPS[call.get("op").text()]:
        raise call.fail(f"a jump takes {_JUMPS[call.get('op').text()]} parameters, found {len(params)}.")
    value = params[-1].get("value")
    if not 0 <= value.hexint() <= count:
        raise value.fail(f"the jump leaves the action, which has {count} primitives.")
    return value.hexint()


def _lower(em: Emitter, call: Node, count: int) -> None:
    op = call.get("op").value
    if op not in _JUMPS:
        lower_primitive(em, call)
        return
    em.source = call.source()
    target = _label(_target(call, count))
    if op == "_jump":
        em.add(Jump(target))
    else:
        values.branch_unless(em, call.items("parameters")[0], target)


# --- copies of one action -----------------------------------------------------------------------------------


def _same_but_locals(a: Action, b: Action) -> bool:
    """Whether the two do the same, up to a one-to-one renaming of local variables."""
    if a.params != b.params or len(a.code) != len(b.code):
        return False
    there: dict[str, str] = {}
    back: dict[str, str] = {}
    return _same(a.code, b.code, there, back)


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
