"""Control flow: a BMv2 pipeline's graph of tables, conditionals and action calls to one straight block.

    node_2: if (cond) -> t, else -> null          node_2:  branch ne ... -> $else1
    t: actions a, b; next of both: null     ==>   t:       apply t
                                                  $else1:

In: a pipeline of the document. Out: a `Block`, and the Tables it applies. Each node becomes a Label of kind
"node" followed by its instructions; nodes stand in the order they are first reached, the likely one directly
after. p4c wraps every plain statement sequence into a table without keys; those are called, not applied
(`_is_hidden`).
"""

from __future__ import annotations

import re
from collections import Counter as Tally
from typing import final

from p4nic.ir.ops import Apply, BranchAction, BranchHit, Call, Const, Jump, Label, Return
from p4nic.ir.program import ActionProfile, Block, Table
from p4nic.load.bmv2 import values
from p4nic.load.bmv2.actions import Actions
from p4nic.load.bmv2.emit import Emitter
from p4nic.load.bmv2.scope import Scope
from p4nic.load.bmv2.tables import load_profile, load_table
from p4nic.load.bmv2.tree import Node

_HIDDEN_NAME = re.compile(r"tbl_\w+")
END = "$end"


@final
class Controls:
    """Loads one pipeline after the other; collects their tables and profiles."""

    def __init__(self, scope: Scope, actions: Actions) -> None:
        self.scope = scope
        self.actions = actions
        self.tables: dict[str, Table] = {}
        self.profiles: dict[str, ActionProfile] = {}
        self._profile_nodes: dict[str, Node] = {}

    def load(self, node: Node, block: str) -> Block:
        for profile in node.items("action_profiles"):
            name = profile.name()
            # A profile that several pipelines share is written into each of them.
            self.profiles[name] = load_profile(profile, self.scope)
        return _Pipeline(node, self).block(block)

    def add_table(self, node: Node) -> Table:
        table = load_table(node, self.scope, self.actions, self.profiles)
        if table.name in self.tables:
            raise node.fail(f"there are two tables named {table.name!r}.")
        self.tables[table.name] = table
        return table


@final
class _Pipeline:
    def __init__(self, node: Node, controls: Controls) -> None:
        self.node = node
        self.controls = controls
        self.em = Emitter(controls.scope)
        self.nodes: dict[str, tuple[str, Node]] = {}
        for kind in ("tables", "conditionals", "action_calls"):
            for entry in node.items(kind):
                name = entry.name()
                if name in self.nodes:
                    raise entry.fail(f"there are two control nodes named {name!r}.")
                self.nodes[name] = (kind, entry)
        # Every declared table exists for the control plane, reached or not.
        self.applied: dict[str, Table] = {}
        for name, (kind, entry) in self.nodes.items():
            if kind == "tables" and not _is_hidden(entry):
                self.applied[name] = controls.add_table(entry)
        self.pending: list[str] = []
        self.placed: set[str] = set()

    def block(self, name: str) -> Block:
        self.em.source = self.node.source()
        first = self._next(self.node.opt("init_table"))
        self.em.add(Jump(first))
        self.pending.append(first)
        while self.pending:
            at = self.pending.pop()
            if at not in self.placed and at != END:
                self._place(at)
        self.em.label(END)
        return Block(name, "control", self.em.code(), self.node.source())

    def _next(self, node: Node | None) -> str:
        """The label a node name (None: the end of the block) stands for."""
        if node is None:
            return END
        name = node.text()
        if name not in self.nodes:
            raise node.unknown("table, conditional or action call", name, self.nodes)
        return name

    def _place(self, name: str) -> None:
        self.placed.add(name)
        kind, entry = self.nodes[name]
        self.em.source = entry.source()
        self.em.add(Label(name, "node"))
        match kind:
            case "conditionals":
                self._conditional(entry)
            case "action_calls":
                action = self.controls.actions.numbered(entry.get("action_id"))
                if action.params:
                    raise entry.fail(f"the action {action.name!r} has parameters, so it cannot be called.")
                self.controls.actions.select(self.em, [entry.get("action_id")])
                self.em.add(Call(action.name))
                self._go_on(self._next(entry.opt("next_node")))
            case _:
                self._table(name, entry)

    def _go_on(self, target: str) -> None:
        """Continue at `target`, which is placed next if it has no place yet."""
        self.em.add(Jump(target) if target != END else Return())
        self.pending.append(target)

    def _conditional(self, entry: Node) -> None:
        yes, no = self._next(entry.opt("true_next")), self._next(entry.opt("false_next"))
        values.branch_unless(self.em, entry.get("expression"), no)
        self.pending.append(no)
        self._go_on(yes)

    def _table(self, name: str, entry: Node) -> None:
        if name not in self.applied:
            self._hidden_call(entry)
            return
        em, nexts = self.em, dict(entry.get("next_tables").members())
        self.controls.actions.select(em, entry.items("action_ids"))
        em.add(Apply(name))
        if "__HIT__" in nexts or "__MISS__" in nexts:
            hit, miss = self._target(nexts, "__HIT__"), self._target(nexts, "__MISS__")
            if hit != miss:
                em.add(BranchHit(miss, hit=False))
                self.pending.append(miss)
            self._go_on(hit)
            return
        told = self.controls.actions.told
        targets = {
            action: self._target(nexts, told.get(action, action))
            for action in self._action_names(name, nexts, entry)
        }
        usual = self._next(entry.opt("base_default_next"))
        if targets:
            usual = Tally(targets.values()).most_common(1)[0][0]
        for action, target in targets.items():
            if target != usual:
                em.add(BranchAction(action, target))
                self.pending.append(target)
        self._go_on(usual)

    def _action_names(self, name: str, nexts: dict[str, Node], entry: Node) -> list[str]:
        """The actions whose next node is told."""
        names = [ref.action for ref in self.applied[name].actions]
        told = self.controls.actions.told
        for action in nexts:
            if action not in [told.get(a, a) for a in names]:
                raise entry.get("next_tables").unknown("action in the table", action, names)
        return [a for a in names if told.get(a, a) in nexts]

    def _target(self, nexts: dict[str, Node], key: str) -> str:
        node = nexts.get(key)
        return END if node is None or node.value is None else self._next(node)

    def _hidden_call(self, entry: Node) -> None:
        default = entry.get("default_entry")
        action = self.controls.actions.numbered(default.get("action_id"))
        args = []
        for value, param in zip(default.items("action_data"), action.params, strict=False):
            if not 0 <= value.hexint() < 1 << param.width:
                raise value.wrong(f"a number of {param.width} bits")
            args.append(Const(value.hexint(), param.width))
        if len(args) != len(action.params) or len(default.items("action_data")) != len(args):
            raise default.fail(f"{action.name!r} takes {len(action.params)} arguments.")
        self.controls.actions.select(self.em, [default.get("action_id")])
        self.em.add(Call(action.name, tuple(args)))
        nexts = [node for _, node in entry.get("next_tables").members()]
        after = nexts[0] if nexts and nexts[0].value is not None else None
        self._go_on(self._next(after))


def _is_hidden(entry: Node) -> bool:
    """Whether p4c made the table to hold statements: no key, one action, const default, a name like
    tbl_act_0.
    """
    if entry.items("key") or entry.items("entries") or not _HIDDEN_NAME.fullmatch(entry.name()):
        return False
    if len(entry.items("action_ids") or entry.items("actions")) != 1 or entry.get("type").value != "simple":
        return False
    plain = not entry.flag("with_counters") and not entry.has("direct_meters")
    default = entry.opt("default_entry")
    nexts = entry.opt("next_tables")
    return (
        plain
        and default is not None
        and default.flag("action_const")
        and nexts is not None
        and len(nexts.members()) == 1
        and "__HIT__" not in nexts.value
    )
