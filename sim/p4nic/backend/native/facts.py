"""What is known about variables where packets wait, so that it need not be kept: constants, copies of fields
that are in the packet's context anyway.

    m.mode = 1; m.k_src = ipv4.src; apply flow_table     →   resume: mode = 1; k_src = z->ipv4_src;

In: Items and the places asked about. Out: for each place, by variable, the C text that says its value. A
forward analysis over sets of facts, each a bit: all facts hold until an Item that is reached denies one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush

from p4nic.backend.native.expr import literal
from p4nic.backend.native.flat import Item
from p4nic.backend.native.flow import Analysis
from p4nic.backend.native.layout import MAX_WIDTH
from p4nic.backend.native.variables import Variable, Variables
from p4nic.bits import mask
from p4nic.ir import ops
from p4nic.ir.ops import Const, Ref, Temp

Facts = Mapping[int, Mapping[Variable, str]]


def known(
    analysis: Analysis, items: Sequence[Item], follow: Sequence[Sequence[int]], tracked: int, context: int,
    places: Sequence[int],
) -> Facts:  # fmt: skip
    """`tracked`: variables that are zero at the first Item, as bits; `context`: variables in the context;
    `places`: indices of Items."""
    v = analysis.v
    by_bit = {x.bit: x for x in v.all()}
    facts: list[tuple[int, int | Variable]] = []
    numbers: dict[tuple[int, int | Variable], int] = {}
    denies: dict[int, int] = {}
    made: dict[int, int] = {}

    def number(fact: tuple[int, int | Variable]) -> int:
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
    for at, item in enumerate(items):
        fact = _told(v, item, tracked, context)
        if fact is not None:
            made[at] = 1 << number(fact)
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
        passed = after & before[at] if effects[at].fails else after
        for to in follow[at]:
            held = before[to] & (passed if to != at + 1 else after)
            if held != before[to] or not reached[to]:
                before[to] = held
                if not waiting[to]:
                    waiting[to] = True
                    heappush(todo, to)
    return {at: _texts(before[at], facts, by_bit) for at in places}


def _told(v: Variables, item: Item, tracked: int, context: int) -> tuple[int, int | Variable] | None:
    """What holds after an Item that could not be said before."""
    op = item.op
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


def _texts(
    held: int, facts: Sequence[tuple[int, int | Variable]], by_bit: Mapping[int, Variable]
) -> dict[Variable, str]:
    found: dict[Variable, str] = {}
    for at, (bit, value) in enumerate(facts):
        if held >> at & 1:
            text = value.name if isinstance(value, Variable) else literal(value)
            if by_bit[bit] not in found or not isinstance(value, Variable):
                found[by_bit[bit]] = text
    return found
