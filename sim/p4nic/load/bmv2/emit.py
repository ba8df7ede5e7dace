"""The instruction list under construction: temporaries, labels, and the code's own parameters.

One `Emitter` makes one piece of code (a block or an action). Used by every part that lowers something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import final

from p4nic.ir.ops import Code, Const, Exit, Jump, Label, Op, Return, Temp
from p4nic.ir.program import ActionParam
from p4nic.ir.types import Source
from p4nic.ir.walk import targets
from p4nic.load.bmv2.scope import Scope


@final
class Emitter:
    """`source` is stamped on each instruction added; set it while going through the document."""

    def __init__(self, scope: Scope, params: tuple[ActionParam, ...] = (), parser: bool = False) -> None:
        self.scope = scope
        self.layout = scope.layout
        self.params = params
        self.parser = parser
        self.source = Source()
        self.siblings: Sequence[str] = ()
        """PNA: the actions that add_entry may name here."""
        self._ops: list[Op] = []
        self._temps = 0
        self._labels = 0

    def add(self, op: Op) -> None:
        self._ops.append(op if op.source.line else replace(op, source=self.source))

    def temp(self, width: int, signed: bool = False) -> Temp:
        self._temps += 1
        return Temp(f"t{self._temps}", width, signed)

    def fresh_label(self, prefix: str) -> str:
        """A label that no name of the document can equal."""
        self._labels += 1
        return f"${prefix}{self._labels}"

    def label(self, name: str) -> None:
        self.add(Label(name))

    def code(self) -> Code:
        """The finished code, without dead instructions, jumps that change nothing, and idle labels."""
        ops = _without_dead_code(self._ops)
        live = [op for i, op in enumerate(ops) if not _leads_on(ops, i)]
        wanted = {target for op in live for target in targets(op)}
        return tuple(op for op in live if not _is_idle(op, wanted))


def _leads_on(ops: list[Op], at: int) -> bool:
    """Whether the Jump or Return at `at` goes where the labels after it lead without it."""
    op = ops[at]
    if not isinstance(op, Jump | Return):
        return False
    for i in range(at + 1, len(ops)):
        following = ops[i]
        if not isinstance(following, Label):
            return False
        if isinstance(op, Jump) and following.name == op.target:
            return True
    return isinstance(op, Return)


def _is_idle(op: Op, wanted: set[str]) -> bool:
    """Whether this is a label that nothing goes to and that names no parser state or control node."""
    return isinstance(op, Label) and op.kind == "plain" and op.name not in wanted


def _without_dead_code(ops: list[Op]) -> list[Op]:
    """What follows a Jump, Return or Exit up to the next label never runs (`_jump` after `exit`, say)."""
    kept: list[Op] = []
    dead = False
    for op in ops:
        if isinstance(op, Label):
            dead = False
        if not dead:
            kept.append(op)
        if isinstance(op, Jump | Return | Exit):
            dead = True
    return kept


def const(value: int, width: int | None = None) -> Const:
    """The constant, in the given width or the least that holds it."""
    if value < 0:
        return Const(value, width or (~value).bit_length() + 1, True)
    return Const(value, width or max(1, value.bit_length()))
