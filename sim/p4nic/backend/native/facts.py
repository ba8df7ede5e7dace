"""What is known of variables at each Item: constants, copies of fields that are in the packet's context
anyway, which headers are valid.

    m.mode = 1; m.k_src = ipv4.src; apply flow_table     →   resume: mode = 1; k_src = z->ipv4_src;
    m.drop = 0 (at the start, where all is zero)         →   (gone)
    if (m.drop != 0) goto END; …; if (m.drop == 0) …     →   the second test: gone

In: Items. Out: Items without what is known to be so; for places where packets wait, by variable, the C text
that says its value. A forward analysis over sets of facts, each a bit: all facts hold until an Item that is
reached denies one. A branch tells its two ways what it found.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import final

from p4nic.backend.native.expr import literal
from p4nic.backend.native.flat import Goto, Item
from p4nic.backend.native.flow import Analysis, bits
from p4nic.backend.native.layout import MAX_WIDTH
from p4nic.backend.native.variables import Variable, Variables
from p4nic.bits import mask
from p4nic.ir import ops
from p4nic.ir.ops import Const, Operand, Ref, Temp, Valid

Fact = tuple[int, int | Variable]
"""(number of a variable, its value or the variable it is a copy of)."""

_RELATIONS = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt,
    "ge": operator.ge,
}  # fmt: skip


@final
@dataclass(frozen=True, slots=True)
class Known:
    """`before`: for each Item the facts that hold there, as bits; `made`: by Item the fact it makes;
    `constants`: by variable the facts that it has this or that value."""

    v: Variables
    facts: Sequence[Fact]
    before: Sequence[int]
    made: Mapping[int, int]
    constants: Mapping[int, int]

    def constant(self, at: int, variable: Variable) -> int | None:
        """The value a variable has at an Item, if that is known."""
        held = self.before[at] & self.constants.get(variable.bit, 0)
        if not held:
            return None
        value = self.facts[(held & -held).bit_length() - 1][1]
        assert isinstance(value, int), "constants are integers"
        return value

    def texts(self, at: int) -> dict[Variable, str]:
        """By variable, the C text that says its value at an Item."""
        by_bit = {x.bit: x for x in self.v.all()}
        found: dict[Variable, str] = {}
        for number, (bit, value) in enumerate(self.facts):
            if self.before[at] >> number & 1:
                text = value.name if isinstance(value, Variable) else literal(value)
                if by_bit[bit] not in found or not isinstance(value, Variable):
                    found[by_bit[bit]] = text
        return found


def zero_at_start(v: Variables, outlive: list[Variable]) -> int:
    """The variables whose values are worth knowing, as bits: unsigned fields of metadata, temporaries, and
    validities; none but in SWX, where alone a packet starts at one place with all zeros. `outlive`: what a
    packet that starts again has from before."""
    if v.program.architecture != "swx":
        return 0
    headers = [v.valid(name) for name in v.types if name not in v.metadata]
    fields = [x for name in v.metadata for x in v.parts(name) if x.name[0] == "f"]
    temporaries = [x for x in v.all() if x.name[0] == "t"]
    return bits([*headers, *fields, *temporaries]) & ~bits(outlive)


def simplified(analysis: Analysis, items: list[Item], tracked: int) -> list[Item]:
    """Items without moves of what is there already (p4c clears metadata at the start, where all is zero), and
    without branches whose way is known."""
    if not tracked:
        return items
    known = solve(analysis, items, tracked, 0)
    found = []
    for at, item in enumerate(items):
        if known.before[at] & known.made.get(at, 0) and isinstance(item.op, ops.Move):
            continue
        way = _way(known, at, item)
        if way is None:
            found.append(item)
        elif way and isinstance(item.op, ops.Branch):
            found.append(Item(Goto(item.scope.label(item.op.target)), item.scope))
    return found


def _way(known: Known, at: int, item: Item) -> bool | None:
    """Whether a branch is taken, if that is known."""
    tested = _tested(known.v, item)
    if tested is None or not isinstance(item.op, ops.Branch):
        return None
    value = known.constant(at, tested[0])
    return None if value is None else bool(_RELATIONS[item.op.op](value, tested[1]))


def _tested(v: Variables, item: Item) -> tuple[Variable, int] | None:
    """The variable and the constant that a branch compares."""
    op = item.op
    if not isinstance(op, ops.Branch) or not isinstance(op.b, Const) or op.b.value < 0:
        return None
    variable = _simple(v, op.a)
    return None if variable is None else (variable, op.b.value)


def _simple(v: Variables, operand: Operand) -> Variable | None:
    """The variable of an unsigned field, or of the validity of one header."""
    match operand:
        case Ref(header, field) if (
            (found := v.field(header, field)).width <= MAX_WIDTH and not found.signed and not found.varbit
        ):
            return v.of_field(header, field)
        case Valid(header) if header in v.types and header not in v.metadata:
            return v.valid(header)
        case _:
            return None


def solve(analysis: Analysis, items: Sequence[Item], tracked: int, context: int) -> Known:
    """`tracked`: variables that are zero at the first Item, as bits; `context`: variables that are in the
    packet's context, so that a copy of one is worth knowing."""
    v = analysis.v
    by_bit = {x.bit: x for x in v.all()}
    facts: list[Fact] = []
    numbers: dict[Fact, int] = {}
    denies: dict[int, int] = {}
    made: dict[int, int] = {}

    def number(fact: Fact) -> int:
        if fact not in numbers:
            numbers[fact] = len(facts)
            facts.append(fact)
            bit = 1 << numbers[fact]
            for of in (fact[0], *([fact[1].bit] if isinstance(fact[1], Variable) else [])):
                denies[of] = denies.get(of, 0) | bit
        return numbers[fact]

    start = 0
    for bit in by_bit:
        if tracked >> bit & 1 and not by_bit[bit].type.startswith("wide"):
            start |= 1 << number((bit, 0))
    ways: dict[int, tuple[int, int]] = {}
    for at, item in enumerate(items):
        fact = _told(v, item, tracked, context)
        if fact is not None:
            made[at] = 1 << number(fact)
        taken, passed = _learned(v, item, tracked)
        if taken is not None or passed is not None:
            ways[at] = (
                0 if taken is None else 1 << number(taken), 0 if passed is None else 1 << number(passed)
            )  # fmt: skip
    before = _before(analysis, items, start, facts, denies, made, ways)
    constants: dict[int, int] = {}
    for at, (bit, value) in enumerate(facts):
        if isinstance(value, int):
            constants[bit] = constants.get(bit, 0) | 1 << at
    return Known(v, facts, before, made, constants)


def _learned(v: Variables, item: Item, tracked: int) -> tuple[Fact | None, Fact | None]:
    """What holds where a branch goes to, and where it does not."""
    tested = _tested(v, item)
    if tested is None or not isinstance(item.op, ops.Branch) or not tracked >> tested[0].bit & 1:
        return None, None
    same = (tested[0].bit, tested[1])
    other = (tested[0].bit, 1 - tested[1]) if isinstance(item.op.a, Valid) and tested[1] in (0, 1) else None
    match item.op.op:
        case "eq":
            return same, other
        case "ne":
            return other, same
        case _:
            return None, None


def _before(
    analysis: Analysis, items: Sequence[Item], start: int, facts: Sequence[Fact], denies: Mapping[int, int],
    made: Mapping[int, int], ways: Mapping[int, tuple[int, int]],
) -> list[int]:  # fmt: skip
    """`ways`: by Item what holds where it branches to, and where it does not."""
    follow = [inside for inside, _ in analysis.successors(list(items))]
    effects = [analysis.effect(item) for item in items]
    deniable = sum(1 << bit for bit in denies)
    removed = [0] * len(items)
    for at, effect in enumerate(effects):
        writes = effect.writes & deniable
        while writes:
            low = writes & -writes
            removed[at] |= denies[low.bit_length() - 1]
            writes ^= low
    everything = (1 << len(facts)) - 1
    before = [everything] * len(items)
    if items:
        before[0] = start
    todo = [0] if items else []  # a heap: code runs forward, so that most Items are looked at once
    reached = [False] * len(items)
    waiting = [False] * len(items)
    while todo:
        at = heappop(todo)
        reached[at], waiting[at] = True, False
        after = before[at] & ~removed[at] | made.get(at, 0)
        away = after & before[at] if effects[at].fails else after
        if at in ways and follow[at].count(at + 1) == 1:
            away, after = away | ways[at][0], after | ways[at][1]
        for to in follow[at]:
            held = before[to] & (away if to != at + 1 else after)
            if held != before[to] or not reached[to]:
                before[to] = held
                if not waiting[to]:
                    waiting[to] = True
                    heappush(todo, to)
    return before


def _told(v: Variables, item: Item, tracked: int, context: int) -> Fact | None:
    """What holds after an Item that could not be said before."""
    op = item.op
    match op:
        case ops.Extract(str(header)) | ops.SetValid(header, None) | ops.SetInvalid(header, None) if (
            header in v.types and header not in v.metadata and tracked >> v.valid(header).bit & 1
        ):
            return v.valid(header).bit, int(not isinstance(op, ops.SetInvalid))
        case _:
            pass
    if not isinstance(op, ops.Move) or not isinstance(op.dst, (Ref, Temp)):
        return None
    if isinstance(op.dst, Ref):
        if op.dst.header not in v.metadata or v.field(op.dst.header, op.dst.field).signed:
            return None
        dst, width = v.of_field(op.dst.header, op.dst.field), v.field(op.dst.header, op.dst.field).width
    else:
        dst, width = v.temp(item.scope.prefix, op.dst), op.dst.width
        if op.dst.signed:
            return None
    if width > MAX_WIDTH:
        return None
    if not tracked >> dst.bit & 1:
        return None
    match op.src:
        case Const(value):
            return dst.bit, value & mask(width)
        case Ref(header, field) if (
            v.field(header, field).width <= width and not v.field(header, field).signed
        ):
            src = v.of_field(header, field)
            return (dst.bit, src) if context >> src.bit & 1 else None
        case _:
            return None
