"""Random code of a control, an action or a `.spec` pipeline: structured, so that every label has its place.

    if a < b { x = y + 1; apply t; } else { count c[i]; }   →   Branch, …, Jump, Label, …, Label

In: Operands, the program's objects, what may stand here. Out: instructions. Called by `program`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import final

from conformance.engine_fuzz.compute import Compute
from conformance.engine_fuzz.draw import Draw
from conformance.engine_fuzz.objects import Objects
from conformance.engine_fuzz.operands import Operands
from conformance.engine_fuzz.stateful import Stateful
from p4nic.ir import ops
from p4nic.ir.ops import Op
from p4nic.ir.program import Table

Writer = Callable[[], list[Op]]


@final
@dataclass(slots=True)
class CodeMaker:
    """Writes one code. `kind`: "control", "action" or "pipeline"; `learner`: whose action this is."""

    draw: Draw
    operands: Operands
    objects: Objects
    kind: str
    learner: Table | None = None
    stage: str = ""
    calls: tuple[str, ...] = ()
    _labels: int = 0
    _compute: Compute = field(init=False)
    _stateful: Stateful = field(init=False)

    def __post_init__(self) -> None:
        self._compute = Compute(self.draw, self.operands)
        self._stateful = Stateful(self.draw, self.operands, self.objects, self.kind, self.learner, self.stage)

    def body(self, length: int, depth: int = 0) -> list[Op]:
        """About `length` statements."""
        code: list[Op] = []
        for _ in range(length):
            code += self._statement(depth)
        return code

    def _statement(self, depth: int) -> list[Op]:
        choices: list[tuple[float, Writer]] = [
            (10, self._compute.any),
            (5, self._compute.headers),
            (7, self._stateful.any),
        ]
        if depth < 3:
            choices.append((5, lambda: self._if(depth)))
            choices.append((0.35, lambda: self._loop(depth)))
        if self.kind != "action":
            if self.objects.tables:
                choices.append((5, lambda: self._apply(depth)))
            if self.calls:
                choices.append((2, self._call))
        if depth > 0:
            choices.append((0.5, self._leave))
        return self.draw.weighted(choices)()

    def _label(self) -> str:
        self._labels += 1
        return f"L{self._labels}"

    def _if(self, depth: int) -> list[Op]:
        otherwise, end = self._label(), self._label()
        branch = self._compute.branch(otherwise)
        before = dict(self.operands.known)
        first = self.body(self.draw.between(1, 3), depth + 1)
        after_first, self.operands.known = self.operands.known, dict(before)
        second = self.body(self.draw.between(0, 2), depth + 1)
        self._meet(after_first)
        if not second and self.draw.chance(0.7):
            return [branch, *first, ops.Label(otherwise)]
        return [branch, *first, ops.Jump(end), ops.Label(otherwise), *second, ops.Label(end)]

    def _meet(self, other: dict[str, ops.Temp]) -> None:
        """Known is what both ways have written."""
        self.operands.known = {n: t for n, t in self.operands.known.items() if n in other}

    def _loop(self, depth: int) -> list[Op]:
        """A loop that counts, seldom one that does not end by itself."""
        top = self._label()
        self.operands.made += 1
        counter = ops.Temp(f"n{self.operands.made}", 8)
        code: list[Op] = [ops.Move(counter, ops.Const(0, 8)), ops.Label(top)]
        code += self.body(self.draw.between(1, 2), depth + 1)
        step = 0 if self.draw.chance(0.02) else self.draw.pick((1, 1, 3))
        code.append(ops.Binary(counter, "add", counter, ops.Const(step, 8)))
        # Only this code writes the counter: its name is not among the known temporaries.
        code.append(ops.Branch("lt", counter, ops.Const(self.draw.between(1, 6), 8), top))
        return code

    def _apply(self, depth: int) -> list[Op]:
        table = self.draw.pick(list(self.objects.tables.values()))
        code: list[Op] = [ops.Apply(table.name)]
        if self.draw.chance(0.5) or depth >= 3:
            return code
        other = self._label()
        if self.draw.chance(0.6):
            code.append(ops.BranchHit(other, hit=self.draw.chance(0.5)))
        else:
            action = self.draw.pick(table.actions).action
            code.append(ops.BranchAction(action, other, ran=self.draw.chance(0.5)))
        before = dict(self.operands.known)
        code += self.body(self.draw.between(1, 2), depth + 1)
        self._meet(before)
        return [*code, ops.Label(other)]

    def _call(self) -> list[Op]:
        name = self.draw.pick(self.calls)
        params = self.objects.actions[name].params
        return [ops.Call(name, tuple(self.operands.operand() for _ in params))]

    def _leave(self) -> list[Op]:
        end: Op = ops.Exit() if self.draw.chance(0.3) else ops.Return()
        if self.kind == "pipeline":
            end = (
                ops.Drop() if self.draw.chance(0.5) else ops.Transmit(self.operands.operand(32, signed=False))
            )
        elif self.kind == "action" and self.objects.architecture == "swx" and self.draw.chance(0.3):
            end = ops.Drop()
        return [end]
