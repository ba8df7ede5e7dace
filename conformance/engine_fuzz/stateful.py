"""Random instructions that touch state or ask the architecture for something.

In: Operands, the program's objects, where the code stands. Out: instructions. Called by `code`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, final

from conformance.engine_fuzz.draw import Draw
from conformance.engine_fuzz.objects import Objects
from conformance.engine_fuzz.operands import Operands
from p4nic.ir import ops
from p4nic.ir.ops import Op, Operand
from p4nic.ir.program import Table

Writer = Callable[[], list[Op]]


@final
@dataclass(slots=True)
class Stateful:
    draw: Draw
    operands: Operands
    objects: Objects
    kind: str
    learner: Table | None
    stage: str

    def any(self) -> list[Op]:
        choices: list[tuple[float, Writer]] = [(1, self._assert), (0.3, self._log), (2, self._packet)]
        if self.kind == "deparser":
            choices = [(1, self._assert)]
        elif self.learner is not None:
            choices += [(4, self._learn), (3, self._rearm), (1.5, lambda: [ops.Forget()])]
        if self.objects.registers:
            choices.append((3, self._register))
        if self.objects.digests and self.kind != "parser":
            choices.append((1, self._digest))
        if self.kind in ("control", "action", "pipeline"):
            choices += [(1, self._entry)]
            if self.objects.indexed("counter"):
                choices.append((3, self._count))
            if self.objects.indexed("meter"):
                choices.append((1.5, self._meter))
        code = self.draw.weighted(choices)()
        for op in code:
            dst = getattr(op, "dst", None)
            if isinstance(dst, ops.Place):
                self.operands.wrote(dst)
        return code

    def index(self) -> Operand:
        return self.operands.operand(64, signed=False) if self.draw.chance(0.3) else self.operands.index()

    # --- tables ---

    def _learn(self) -> list[Op]:
        assert self.learner is not None
        action = self.learner.actions[0].action
        args = tuple(self.operands.operand() for _ in self.objects.actions[action].params)
        return [ops.Learn(action, args, self.operands.operand(32, signed=False))]

    def _rearm(self) -> list[Op]:
        return [ops.Rearm(self.operands.operand(32, signed=False) if self.draw.chance(0.4) else None)]

    def _entry(self) -> list[Op]:
        direct = [c.name for c in self.objects.counters.values() if c.table is not None]
        if direct and self.draw.chance(0.6):
            return [ops.CountDirect(self.draw.pick(direct), *self._amounts())]
        return [ops.EntryId(self.operands.place())]

    # --- arrays ---

    def _amounts(self) -> tuple[Operand | None, Operand | None]:
        def one() -> Operand | None:
            return self.operands.operand(32, signed=False) if self.draw.chance(0.8) else None

        return one(), one()

    def _count(self) -> list[Op]:
        return [ops.Count(self.draw.pick(self.objects.indexed("counter")), self.index(), *self._amounts())]

    def _meter(self) -> list[Op]:
        length = self.operands.operand(32, signed=False) if self.draw.chance(0.3) else None
        color = ops.Const(self.draw.below(3), 2) if self.draw.chance(0.3) else None
        meter = self.draw.pick(self.objects.indexed("meter"))
        return [ops.Meter(self.operands.place(), meter, self.index(), length, color)]

    def _register(self) -> list[Op]:
        name = self.draw.pick(list(self.objects.registers))
        if self.kind in ("parser", "deparser") or self.draw.chance(0.5):
            if self.kind == "deparser":
                return []
            return [ops.RegisterRead(self.operands.place(), name, self.index())]
        if self.draw.chance(0.5):
            return [ops.RegisterWrite(name, self.index(), self.operands.operand())]
        return [ops.RegisterAdd(name, self.index(), self.operands.operand())]

    # --- messages ---

    def _digest(self) -> list[Op]:
        fields = self.objects.digests["d"].fields
        return [ops.Digest("d", tuple(self.operands.operand() for _ in fields))]

    def _log(self) -> list[Op]:
        return [ops.LogMessage("{} and {}", (self.operands.operand(64, signed=False),))]

    def _assert(self) -> list[Op]:
        return [ops.Assert(self.operands.operand(), "a random condition")]

    # --- what the architecture is asked for ---

    def _kept(self) -> tuple[ops.Ref, ...]:
        return tuple(n.ref for n in self.draw.some(self.operands.shape.metadata(), 3))

    def _packet(self) -> list[Op]:
        if self.kind not in ("control", "action", "pipeline"):
            return []
        draw, architecture = self.draw, self.objects.architecture
        choices: list[tuple[float, Writer]] = [
            (1, lambda: [ops.Truncate(self.operands.operand(32, signed=False))])
        ]
        if architecture == "v1model":
            kind: Literal["i2e", "e2e"] = "e2e" if self.stage == "egress" else "i2e"
            choices.append((1.5, lambda: [ops.Clone(kind, ops.Const(draw.below(3), 32), self._kept())]))
            if self.stage == "ingress":
                choices.append((0.7, lambda: [ops.Resubmit(self._kept())]))
            if self.stage == "egress":
                choices.append((0.7, lambda: [ops.Recirculate(self._kept())]))
        if architecture in ("swx", "pna"):
            choices.append((0.7, lambda: [ops.Recirculate(())]))
        if architecture in ("swx", "pna") and self.kind != "control":
            slot, session = ops.Const(draw.below(4), 8), ops.Const(draw.below(3), 8)
            choices += [
                (1.5, lambda: [ops.Mirror(slot, session)]),
                (1, lambda: [ops.RecirculationId(self.operands.place())]),
            ]
        return draw.weighted(choices)()
