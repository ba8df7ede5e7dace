"""All codes of a program laid end to end, actions copied into each place that runs them.

    Apply t          →   Key(site), Find(site), Case(a), …code of a…, Goto(end), Case(b), …, Mark(end)
    Call a(x)        →   Bind(x), …code of a…, Mark(end)
    Return           →   Goto(end of this code)

In: codes of a verified Program. Out: a list of Items in one name space of C labels, which `flow` analyses and
`unit` writes. Copying is what lets one function hold everything: no call, no stack to save where a packet
waits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

from p4nic.errors import UnsupportedError
from p4nic.ir import ops
from p4nic.ir.ops import Code, Operand
from p4nic.ir.program import Program, Table
from p4nic.ir.types import Source

LIMIT = 60_000
"""Items of one unit: beyond, a C compiler takes minutes."""


@final
@dataclass(frozen=True, slots=True)
class Site:
    """One Apply. `number` is also its pair of bits in a packet's path."""

    number: int
    table: Table
    source: Source

    @property
    def end(self) -> str:
        return f"L_end_{self.number}"


@final
@dataclass(frozen=True, slots=True)
class Scope:
    """Which copy of which code: `prefix` makes its labels and temporaries unique. `params`: name to (C text,
    width). `site`: the Apply whose action this is."""

    prefix: str
    params: Mapping[str, tuple[str, int]]
    returns: str
    exits: str
    error: str
    site: Site | None = None

    def label(self, name: str) -> str:
        return f"L_{self.prefix}{re.sub(r'[^A-Za-z0-9]', '_', name)}_{sum(name.encode()) % 1000}"


@final
@dataclass(frozen=True, slots=True)
class Key:
    site: Site


@final
@dataclass(frozen=True, slots=True)
class Find:
    """Look up, note the hit, go to the case of the action."""

    site: Site
    cases: tuple[tuple[str, str], ...]
    """(action, label)."""


@final
@dataclass(frozen=True, slots=True)
class Mark:
    """A C label. `comment`: what the artifact calls it."""

    label: str
    comment: str = ""


@final
@dataclass(frozen=True, slots=True)
class Goto:
    label: str


@final
@dataclass(frozen=True, slots=True)
class Bind:
    """Parameters of a Call take their values; `names`: (C variable, width)."""

    names: tuple[tuple[str, int], ...]
    args: tuple[Operand, ...]


@final
@dataclass(frozen=True, slots=True)
class Hook:
    """A place where the architecture does something; `arch` knows what it reads and writes."""

    name: str


FlatOp = ops.Op | Key | Find | Mark | Goto | Bind | Hook


@final
@dataclass(frozen=True, slots=True)
class Item:
    op: FlatOp
    scope: Scope


@final
@dataclass(slots=True)
class Flattener:
    """Collects Items; one per unit."""

    program: Program
    items: list[Item] = field(default_factory=list)
    sites: list[Site] = field(default_factory=list)
    bound: list[tuple[str, int]] = field(default_factory=list)
    _copies: int = 0

    def block(self, name: str, error: str) -> None:
        """Append a block; `error` is the label of its parser errors. It ends at the label L_NAME_end."""
        end = f"L_{name}_end"
        scope = Scope(f"{name}_", {}, end, end, error)
        self._code(self.program.blocks[name].code, scope)
        self.add(Mark(end), scope)

    def add(self, op: FlatOp, scope: Scope | None = None) -> None:
        if len(self.items) > LIMIT:
            raise UnsupportedError(
                f"the program {self.program.name} unfolds to more than {LIMIT} instructions, too many "
                f"for the "
                f"native backend; use --backend interp"
            )
        self.items.append(Item(op, scope or Scope("", {}, "", "", "")))

    def _code(self, code: Code, scope: Scope) -> None:
        for op in code:
            match op:
                case ops.Apply(table, source):
                    self._apply(self.program.tables[table], source, scope)
                case ops.Call(action, args):
                    self._call(action, args, scope)
                case ops.Label(name):
                    self.add(Mark(scope.label(name), name), scope)
                case ops.Return():
                    self.add(Goto(scope.returns), scope)
                case ops.Exit():
                    self.add(Goto(scope.exits), scope)
                case ops.Jump(target):
                    self.add(Goto(scope.label(target)), scope)
                case _:
                    self.add(op, scope)

    def _apply(self, table: Table, source: Source, scope: Scope) -> None:
        if scope.site is not None or scope.returns.startswith("L_call"):
            raise UnsupportedError(
                f"{source}: an action that applies the table {table.name} cannot be run natively"
            )
        site = Site(len(self.sites), table, source)
        self.sites.append(site)
        self.add(Key(site), scope)
        names = dict.fromkeys([r.action for r in table.actions] + [table.default.action])
        cases = tuple((name, f"L_case_{site.number}_{i}") for i, name in enumerate(names))
        self.add(Find(site, cases), scope)
        for i, (name, label) in enumerate(cases):
            action = self.program.actions[name]
            params = {
                p.name: (f"((const struct args_{self.action_number(name)} *)a{site.number})->f{j}", p.width)
                for j, p in enumerate(action.params)
            }
            self.add(Mark(label, f"{table.name}: {name}"), scope)
            inner = Scope(f"{site.number}_{i}_", params, site.end, scope.exits, scope.error, site)
            self._code(action.code, inner)
            self.add(Goto(site.end), scope)
        self.add(Mark(site.end), scope)

    def _call(self, name: str, args: tuple[Operand, ...], scope: Scope) -> None:
        self._copies += 1
        action = self.program.actions[name]
        names = tuple((f"p{self._copies}_{i}", p.width) for i, p in enumerate(action.params))
        self.bound.extend(names)
        params = {p.name: bound for p, bound in zip(action.params, names, strict=True)}
        self.add(Bind(names, args), scope)
        end = f"L_call_{self._copies}"
        inner = Scope(f"c{self._copies}_", params, end, scope.exits, scope.error, scope.site)
        self._code(action.code, inner)
        self.add(Mark(end), scope)

    def action_number(self, name: str) -> int:
        """The number of an action in the emitted C and in entries."""
        return list(self.program.actions).index(name)
