"""Random operands and places of one code.

In: the Shape, the code's parameters, its temporaries so far. Called by `code`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, assert_never, final

from conformance.engine_fuzz.architectures import INTRINSIC
from conformance.engine_fuzz.draw import Draw
from conformance.engine_fuzz.shape import Number, Shape
from p4nic.ir.ops import (
    Const,
    Operand,
    PacketLength,
    Param,
    Place,
    Ref,
    StackIndex,
    StackRef,
    StackValid,
    Temp,
    Valid,
)
from p4nic.ir.program import ActionParam

ANY = 1000


@final
@dataclass(slots=True)
class Operands:
    """`known`: temporaries that every way to here has written."""

    draw: Draw
    shape: Shape
    params: tuple[ActionParam, ...] = ()
    known: dict[str, Temp] = field(default_factory=dict)
    made: int = 0

    def operand(self, most: int = ANY, signed: bool = True) -> Operand:
        """Something to read, of at most `most` bits; without `signed`, never negative."""
        for _ in range(20):
            found = self._candidate(signed)
            width, negative = self.form(found)
            if found in self.shape.varbits and most < ANY:
                continue
            if width <= most and (signed or not negative):
                return found
        return Const(self.draw.value(min(most, 8)), min(most, 8))

    def _candidate(self, signed: bool) -> Operand:
        draw, shape = self.draw, self.shape
        kind = draw.below(100)
        if kind < 45:
            return self.number().ref
        if kind < 63:
            width = draw.width()
            if signed and draw.chance(0.15):
                return Const(draw.signed(width), width, signed=True)
            return Const(draw.value(width), width)
        if kind < 75 and self.known:
            return draw.pick(list(self.known.values()))
        if kind < 85 and self.params:
            return Param(draw.pick(self.params).name)
        if kind < 87 and shape.varbits:
            return draw.pick(shape.varbits)
        if kind < 90:
            return Valid(draw.pick([*shape.headers, *shape.unions, "m"]))
        if kind < 92:
            return PacketLength()
        return self._of_stack() if shape.stacks else self.number().ref

    def number(self) -> Number:
        """A field; one of the architecture's own less often than their number would make it."""
        found = self.draw.pick(self.shape.numbers)
        while found.ref.header in INTRINSIC[self.shape.architecture] and self.draw.chance(0.8):
            found = self.draw.pick(self.shape.numbers)
        return found

    def _of_stack(self) -> Operand:
        draw, stack = self.draw, self.draw.pick(list(self.shape.stacks))
        match draw.below(4):
            case 0:
                return StackIndex(stack, "last")
            case 1:
                return StackIndex(stack, "next")
            case 2:
                return StackValid(stack, "last" if draw.chance(0.4) else self.index())
            case _:
                return self.element(stack)

    def element(self, stack: str) -> StackRef:
        type_ = self.shape.types[self.shape.stacks[stack].type]
        index: Operand | Literal["last"] = "last" if self.draw.chance(0.4) else self.index()
        return StackRef(stack, index, self.draw.pick(type_.fields).name)

    def index(self) -> Operand:
        """A run-time index: small mostly, beyond the stack now and then."""
        if self.draw.chance(0.5):
            return Const(self.draw.below(5), 32)
        return self.draw.pick([n for n in self.shape.numbers if not n.signed and n.width <= 32]).ref

    def place(self) -> Place:
        """Somewhere to write: a field, a stack element, a temporary (new or known)."""
        draw = self.draw
        kind = draw.below(10)
        if kind < 6:
            return self.number().ref
        if kind < 7 and self.shape.stacks:
            return self.element(draw.pick(list(self.shape.stacks)))
        if kind < 8 and self.known:
            return draw.pick(list(self.known.values()))
        self.made += 1
        width = draw.width()
        return Temp(f"t{self.made}", width, signed=width > 1 and draw.chance(0.15))

    def wrote(self, place: Place) -> None:
        """The place has been written on this way."""
        if isinstance(place, Temp):
            self.known[place.name] = place

    def form(self, operand: Operand) -> tuple[int, bool]:
        """Width and sign."""
        match operand:
            case Const(_, width, signed) | Temp(_, width, signed):
                return width, signed
            case Ref(header, name):
                found = self.shape.type_of(header).field(name)
            case StackRef(stack, _, name):
                found = self.shape.types[self.shape.stacks[stack].type].field(name)
            case Param(name):
                return next(p.width for p in self.params if p.name == name), False
            case Valid() | StackValid():
                return 1, False
            case PacketLength() | StackIndex():
                return 32, False
            case _:
                assert_never(operand)
        assert found is not None
        return found.width, found.signed
