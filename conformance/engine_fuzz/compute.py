"""Random instructions that need no state: computing, hashing, whole headers, branches.

In: Operands. Out: instructions. Called by `code` and `parser`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final, get_args

from conformance.engine_fuzz.draw import Draw
from conformance.engine_fuzz.operands import ANY, Operands
from p4nic.backend.api import HASHES
from p4nic.ir import ops
from p4nic.ir.ops import BinaryOp, CompareOp, Op, Operand, UnaryOp


@final
@dataclass(slots=True)
class Compute:
    draw: Draw
    operands: Operands

    def any(self) -> list[Op]:
        op = self.draw.weighted(
            [
                (3, self._move),
                (1, self._unary),
                (6, self._binary),
                (1, self._choose),
                (1.2, self._hash),
                (1.2, self._checksum),
                (0.5, self._random),
            ]
        )()
        dst = getattr(op, "dst", None)
        if isinstance(dst, ops.Place):
            self.operands.wrote(dst)
        return [op]

    def pair(self, signed: bool) -> tuple[Operand, Operand]:
        """Two operands, of which with `signed` some may be negative."""
        return self.operands.operand(ANY, signed), self.operands.operand(ANY, signed)

    def branch(self, target: str) -> Op:
        a, b = self.pair(self.draw.chance(0.3))
        return ops.Branch(self.draw.pick(get_args(CompareOp)), a, b, target)

    def _move(self) -> Op:
        varbits = self.operands.shape.varbits
        if varbits and self.draw.chance(0.15):
            return ops.Move(self.draw.pick(varbits), self.draw.pick(varbits))
        while (src := self.operands.operand()) in varbits:
            pass  # a varbit moves to a varbit only
        return ops.Move(self.operands.place(), src)

    def _unary(self) -> Op:
        return ops.Unary(self.operands.place(), self.draw.pick(get_args(UnaryOp)), self.operands.operand())

    def _binary(self) -> Op:
        op = self.draw.pick(get_args(BinaryOp))
        a, b = self.pair(self.draw.chance(0.3))
        return ops.Binary(self.operands.place(), op, a, b)

    def _choose(self) -> Op:
        return ops.Choose(self.operands.place(), self.operands.operand(), *self.pair(self.draw.chance(0.3)))

    def _hash(self) -> Op:
        inputs = tuple(self.operands.operand() for _ in range(self.draw.between(0, 5)))
        base = self.operands.operand(32, signed=False) if self.draw.chance(0.3) else None
        modulus = self.operands.operand(32, signed=False) if self.draw.chance(0.4) else None
        host = self.draw.chance(0.2)
        return ops.Hash(
            self.operands.place(), self.draw.pick(HASHES), inputs, base, modulus, host,
            with_payload=self.draw.chance(0.15), skip_invalid=not host and self.draw.chance(0.3),
        )  # fmt: skip

    def _checksum(self) -> Op:
        shape = self.operands.shape
        sums = [n.ref for n in shape.numbers if n.width == 16 and not n.signed]
        src: Operand | str
        if self.draw.chance(0.3):
            src = self.draw.pick([h for h in shape.headers if shape.varbit(h) is None])
        else:
            width = self.draw.pick((16, 32, 48, 64, 128))
            fitting = [n.ref for n in shape.numbers if n.width == width and not n.signed]
            src = self.draw.pick(fitting) if fitting else ops.Const(self.draw.value(width), width)
        return ops.ChecksumAdd(self.draw.pick(sums), src, subtract=self.draw.chance(0.4))

    def _random(self) -> Op:
        low, high = self.operands.operand(64, signed=False), self.operands.operand(64, signed=False)
        return ops.Random(self.operands.place(), low, high)

    # --- whole headers ---

    def headers(self) -> list[Op]:
        """Headers that come, go and are copied."""
        draw, shape = self.draw, self.operands.shape
        header = draw.pick(shape.headers)
        stacks = list(shape.stacks)
        kind = draw.below(10 if stacks else 6)
        if kind < 2:
            return [ops.SetValid(header)]
        if kind < 4:
            return [ops.SetInvalid(header)]
        if kind < 6:
            twins = shape.of_type(shape.instances[header].type)
            return [ops.CopyHeader(header, draw.pick(twins))]
        stack = draw.pick(stacks)
        size = shape.stacks[stack].size
        match draw.below(5):
            case 0:
                return [ops.SetValid(stack, self.operands.index())]
            case 1:
                return [ops.SetInvalid(stack, self.operands.index())]
            case 2:
                return [ops.CopyHeader(stack, draw.pick(stacks))]
            case 3:
                return [
                    ops.CopyHeader(f"{stack}[{draw.below(size)}]", f"{draw.pick(stacks)}[{draw.below(size)}]")
                ]
            case _:
                count = draw.between(0, size)
                return [ops.Push(stack, count) if draw.chance(0.5) else ops.Pop(stack, count)]
