"""A random parser: a graph of states, forward but for stacks, and how to write a frame that takes a way.

In: a Draw, the Shape. Out: code, and the States for `frames`. Called by `program`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from conformance.engine_fuzz.compute import Compute
from conformance.engine_fuzz.draw import Draw
from conformance.engine_fuzz.objects import Objects
from conformance.engine_fuzz.operands import Operands
from conformance.engine_fuzz.shape import Shape
from p4nic.bits import mask
from p4nic.ir import ops
from p4nic.ir.ops import Op, Operand

ERRORS = {
    "NoError": 0, "PacketTooShort": 1, "NoMatch": 2, "StackOutOfBounds": 3, "HeaderTooShort": 4,
    "ParserTimeout": 5, "ParserInvalidArgument": 6, "Unlucky": 7,
}  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class State:
    """`takes`: headers (or stacks, by name) extracted one after the other; `skips`: bits passed over behind
    them. The select reads `field` of the last header, or with `ahead` that many bits beyond; `ways`: (value,
    next state or None for the end)."""

    name: str
    takes: tuple[str, ...]
    skips: int
    field: str
    ahead: int
    ways: tuple[tuple[int, str | None], ...]


@final
class ParserMaker:
    """Writes one parser. `done`: the label behind it; "" in a block of its own, which simply returns."""

    def __init__(self, draw: Draw, operands: Operands, objects: Objects, prefix: str, done: str) -> None:
        self.draw = draw
        self.operands = operands
        self.shape: Shape = operands.shape
        self.objects = objects
        self.prefix = prefix
        self.done = done
        self.states: list[State] = []

    def code(self) -> list[Op]:
        left = list(self.shape.headers)
        self.draw.random.shuffle(left)
        count = self.draw.between(1, 4)
        code: list[Op] = []
        for number in range(count):
            code += self._state(number, count, left)
        if not self.done:
            return code
        return [*code, ops.Label(self.done)]

    def _label(self, number: int) -> str:
        return f"{self.prefix}state{number}"

    def _state(self, number: int, count: int, left: list[str]) -> list[Op]:
        draw, name = self.draw, self._label(number)
        self.operands.known = {}  # a state may be reached by several ways
        code: list[Op] = [ops.Label(name, "state")]
        takes: list[str] = []
        if self.shape.stacks and draw.chance(0.35):
            takes.append(draw.pick(list(self.shape.stacks)))
            code.append(ops.Extract(takes[0]))
        else:
            for _ in range(draw.pick((0, 1, 1, 1, 2))):
                header = left.pop() if left and draw.chance(0.9) else draw.pick(self.shape.headers)
                takes.append(header)
                code += self._extract(header)
        skips = 8 * draw.between(1, 3) if draw.chance(0.08) else 0
        if skips:
            code.append(ops.Advance(ops.Const(skips, 32)))
        compute = Compute(draw, self.operands)
        for _ in range(draw.pick((0, 0, 1, 2))):
            code += compute.any()
        if draw.chance(0.1):
            code += self._peek()
        if draw.chance(0.08):
            error: str | Operand = draw.pick(list(ERRORS))
            code.append(ops.Verify(self.operands.operand(), error))
        if draw.chance(0.02):
            code.append(ops.Reject(draw.pick(list(ERRORS))))
        return [*code, *self._select(number, count, takes, skips)]

    def _extract(self, header: str) -> list[Op]:
        if self.shape.varbit(header) is None:
            return [ops.Extract(header)]
        # The length stands in a byte that is looked at before the header is taken.
        self.operands.made += 1
        bits, temp = ops.Temp(f"len{self.operands.made}", 8), ops.Temp(f"bits{self.operands.made}", 32)
        by = ops.Const(3, 8) if self.draw.chance(0.95) else ops.Const(2, 8)
        return [ops.Lookahead(bits), ops.Binary(temp, "shl", bits, by), ops.Extract(header, temp)]

    def _peek(self) -> list[Op]:
        if self.draw.chance(0.5):
            plain = [h for h in self.shape.headers if self.shape.varbit(h) is None]
            return [ops.Lookahead(self.draw.pick(plain), 8 * self.draw.below(3))]
        place = self.operands.place()
        self.operands.wrote(place)
        return [ops.Lookahead(place, self.draw.below(20))]

    # --- where to go next ---

    def _select(self, number: int, count: int, takes: list[str], skips: int) -> list[Op]:
        draw, name = self.draw, self._label(number)
        later: list[str | None] = [self._label(n) for n in range(number + 1, count)]
        if takes and takes[-1] in self.shape.stacks:
            later.append(name)  # once more
        later.append(None)
        key, width, field, ahead = self._key(takes)
        code: list[Op] = []
        if ahead:
            self.operands.made += 1
            looked = ops.Temp(f"look{self.operands.made}", ahead)
            code.append(ops.Lookahead(looked))
            key = looked
        if key is None:
            to = draw.pick(later)
            self.states.append(State(name, tuple(takes), skips, "", 0, ((0, to),)))
            return [*code, ops.Jump(to)] if to is not None else [*code, *self._end()]
        ways = [(draw.value(width), draw.pick(later)) for _ in range(draw.between(1, 4))]
        self.states.append(State(name, tuple(takes), skips, field, ahead, tuple(ways)))
        out = f"{self.prefix}out{number}"
        cases = [self._case(value, width, to or out) for value, to in ways]
        if self.objects.value_sets and width == self.objects.value_sets["vs"].widths[0]:
            target = draw.pick(later) or out
            cases.insert(draw.below(len(cases) + 1), ops.Case((), (), target, "vs"))
        default = None if draw.chance(0.15) else draw.pick(later) or out
        return [*code, ops.Switch((key,), tuple(cases), default), ops.Label(out), *self._end()]

    def _case(self, value: int, width: int, target: str) -> ops.Case:
        bits = -1 if self.draw.chance(0.75) else self.draw.value(width)
        return ops.Case((value & (mask(width) if bits == -1 else bits),), (bits,), target)

    def _key(self, takes: list[str]) -> tuple[Operand | None, int, str, int]:
        """(operand, width, its field's name, bits to look ahead)."""
        draw = self.draw
        if draw.chance(0.15):
            ahead = draw.pick((1, 4, 8, 12, 16))
            return None, ahead, "", ahead
        if not takes or draw.chance(0.1):
            return None, 0, "", 0
        if takes[-1] in self.shape.stacks:
            stack = self.shape.stacks[takes[-1]]
            picked = draw.pick(self.shape.types[stack.type].fields)
            return ops.StackRef(stack.name, "last", picked.name), picked.width, picked.name, 0
        fields = [f for f in self.shape.type_of(takes[-1]).fields if not f.varbit]
        fields = [f for f in fields if not f.signed]
        if not fields:
            return None, 0, "", 0
        picked = draw.pick(fields)
        return ops.Ref(takes[-1], picked.name), picked.width, picked.name, 0

    def _end(self) -> list[Op]:
        return [ops.Jump(self.done)] if self.done else [ops.Return()]
