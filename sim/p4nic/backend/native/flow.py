"""What each Item reads and writes, what is live where, and which Items do nothing.

In: Items and Variables. Out: Items without dead stores, and for each place the variables somebody still reads
after it: what must be kept when a packet waits there.

    m.tmp = ipv4.src      (nobody reads m.tmp again)   →   (gone)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from p4nic.backend.native.flat import Bind, Find, Goto, Hook, Item, Key, Mark, Scope
from p4nic.backend.native.variables import Variable, Variables, operands
from p4nic.ir import ops
from p4nic.ir.ops import Operand, Place, Ref, StackIndex, StackRef, StackValid, Temp, Valid

FINISHED = "L_finished"
"""Where a packet that asked for nothing ends: no variable is read there."""


@final
@dataclass(frozen=True, slots=True)
class Effect:
    """Sets of variables, as bits. `pure`: nothing happens but the writes. `fails`: may go to the scope's
    error label, before it writes."""

    uses: int = 0
    kills: int = 0
    writes: int = 0
    pure: bool = False
    fails: bool = False


def bits(variables: list[Variable]) -> int:
    found = 0
    for v in variables:
        found |= 1 << v.bit
    return found


@final
class Analysis:
    """`hooks`: what the architecture's places read and write. `exits`: labels outside the Items, such as the
    architecture's end, with the variables they read."""

    def __init__(self, v: Variables, hooks: Mapping[str, Effect], exits: Mapping[str, int]) -> None:
        self.v = v
        self.hooks = hooks
        self.exits = exits
        self._effects: dict[int, tuple[Item, Effect]] = {}
        self._follow: tuple[list[Item], list[tuple[list[int], list[str]]]] = [], []

    def settled(self, hooks: Mapping[str, Effect], exits: Mapping[str, int]) -> Analysis:
        """The same where the architecture reads something else. What other Items do, and which follow, is not
        asked again."""
        again = Analysis(self.v, hooks, exits)
        again._effects = {n: kept for n, kept in self._effects.items() if not isinstance(kept[0].op, Hook)}
        again._follow = self._follow  # no Hook fails
        return again

    # --- one Item ---

    def operand(self, operand: Operand, scope: Scope) -> int:
        """The variables an operand reads, its own indices not included."""
        v = self.v
        match operand:
            case Ref(header, field):
                found = 1 << v.of_field(header, field).bit
                return found | 1 << v.length(header).bit if v.is_varbit(operand) else found
            case Temp():
                return 1 << v.temp(scope.prefix, operand).bit
            case Valid(name):
                return bits([v.valid(m) for m in v.members(name) if m not in v.metadata])
            case StackRef(stack, _, field):
                return bits([v.of_field(e, field) for e in v.elements(stack)] + [v.next(stack)])
            case StackValid(stack):
                return bits([v.valid(e) for e in v.elements(stack)] + [v.next(stack)])
            case StackIndex(stack):
                return 1 << v.next(stack).bit
            case _:
                return 0

    def place(self, place: Place, scope: Scope) -> Effect:
        """What storing to a place touches: a field of a header only where it is valid."""
        v = self.v
        match place:
            case Temp():
                bit = 1 << v.temp(scope.prefix, place).bit
                return Effect(0, bit, bit)
            case Ref(header, field):
                bit = 1 << v.of_field(header, field).bit
                if v.is_varbit(place):
                    bit |= 1 << v.length(header).bit
                if header in v.metadata:
                    return Effect(0, bit, bit)
                return Effect(1 << v.valid(header).bit, 0, bit)
            case StackRef(stack, _, field):
                elements = v.elements(stack)
                uses = bits([v.valid(e) for e in elements] + [v.next(stack)])
                return Effect(uses, 0, bits([v.of_field(e, field) for e in elements]))

    def effect(self, item: Item) -> Effect:
        """Asked many times of each, and computed once."""
        known = self._effects.get(id(item))
        if known is None:  # with the Item, which keeps its id
            known = self._effects[id(item)] = item, self._effect(item)
        return known[1]

    def _effect(self, item: Item) -> Effect:
        op, scope = item.op, item.scope
        uses = 0
        for operand in operands(op):
            uses |= self.operand(operand, scope)
        match op:
            case Mark() | Goto():
                return Effect()
            case Key() | Bind():
                return Effect(uses)
            case Find():
                last = bits([self.v.last(w) for w in ("hit", "ran", "id", "entry")])
                extra, written = self._selector(op, scope)
                return Effect(extra, last, last | written)
            case Hook(name):
                return self.hooks[name]
            case _:
                found = self._operation(op, scope)
                return Effect(uses | found.uses, found.kills, found.writes, found.pure, found.fails)

    def _validities(self, inputs: tuple[Operand, ...]) -> int:
        """The validity bits of the headers these are fields of."""
        headers = {o.header for o in inputs if isinstance(o, Ref)} - self.v.metadata
        return bits([self.v.valid(h) for h in sorted(headers)])

    def _selector(self, op: Find, scope: Scope) -> tuple[int, int]:
        """What a lookup reads besides its key, and what its direct meter writes."""
        name = op.site.table.implementation
        uses = 0
        if name is not None:
            inputs = self.v.program.action_profiles[name].selector_inputs
            for operand in inputs:
                uses |= self.operand(operand, scope)
            uses |= self._validities(inputs)
        meter_result = op.site.table.meter_result
        if meter_result is None:
            return uses, 0
        stored = self.place(meter_result, scope)
        return uses | stored.uses, stored.writes

    def _operation(self, op: ops.Op, scope: Scope) -> Effect:
        v = self.v
        match op:
            case ops.Move(dst) | ops.Unary(dst) | ops.Binary(dst) | ops.Choose(dst) | ops.EntryId(dst):
                extra = 1 << v.last("id").bit if isinstance(op, ops.EntryId) else 0
                stored = self.place(dst, scope)
                return Effect(stored.uses | extra, stored.kills, stored.writes, pure=True)
            case ops.RecirculationId(dst):
                stored = self.place(dst, scope)
                return Effect(stored.uses, stored.kills, stored.writes, pure=True)
            case ops.Hash(dst, algorithm, inputs):
                stored = self.place(dst, scope)
                tests = self._validities(inputs) if op.skip_invalid else 0
                return Effect(
                    stored.uses | tests, stored.kills, stored.writes, pure=algorithm != "round_robin"
                )
            case ops.ChecksumAdd(dst, src):
                uses = bits([v.of_field(src, f.name) for f in v.held(src)]) if isinstance(src, str) else 0
                stored = self.place(dst, scope)
                uses |= stored.uses | self.operand(dst, scope)
                return Effect(uses, stored.kills, stored.writes, pure=True)
            case ops.Random(dst) | ops.Meter(dst) | ops.RegisterRead(dst):
                stored = self.place(dst, scope)
                extra = bits([v.last("entry"), v.last("hit")]) if isinstance(op, ops.Meter) else 0
                return Effect(stored.uses | extra, 0, stored.writes)
            case ops.Receive(dst):
                stored = self.place(dst, scope)
                return Effect(stored.uses | self.operand(dst, scope), 0, stored.writes, pure=True)
            case ops.Lookahead(dst):
                if isinstance(dst, str):
                    return self._arrival(dst)
                stored = self.place(dst, scope)
                return Effect(stored.uses, stored.kills, stored.writes, fails=True)
            case ops.Extract(header):
                if header in v.program.stacks:
                    touched = bits([p for e in v.elements(header) for p in v.parts(e)])
                    bit = 1 << v.next(header).bit
                    return Effect(bit | touched, 0, touched | bit, fails=True)
                return self._arrival(header)
            case ops.SetValid() | ops.SetInvalid() | ops.CopyHeader() | ops.Push() | ops.Pop():
                return self._headers(op)
            case ops.Emit(header):
                fields = {
                    v.of_field(header, f.name).name
                    for f in v.held(header)
                    if not v.is_written(header, f.name)
                }
                return Effect(bits([p for p in v.parts(header) if p.name not in fields]))
            case ops.BranchHit():
                return Effect(1 << v.last("hit").bit)
            case ops.BranchAction():
                return Effect(1 << v.last("ran").bit)
            case ops.CountDirect():
                return Effect(bits([v.last("entry"), v.last("hit")]))
            case ops.Forget():
                return Effect(0, 0, 1 << v.last("entry").bit)
            case ops.Advance() | ops.Verify() | ops.Reject() | ops.Switch():
                return Effect(fails=True)
            case _:
                return Effect()

    def _arrival(self, header: str) -> Effect:
        """A header is filled from the frame."""
        v = self.v
        kills = bits(v.parts(header))
        for rival in v.rivals(header):
            kills |= bits(v.parts(rival))
        return Effect(0, kills, kills, fails=True)

    def _headers(self, op: ops.SetValid | ops.SetInvalid | ops.CopyHeader | ops.Push | ops.Pop) -> Effect:
        v = self.v
        match op:
            case ops.SetValid(header, None) if header not in v.program.stacks:
                rivals = bits([p for r in v.rivals(header) for p in v.parts(r)])
                own = 0 if header in v.metadata else 1 << v.valid(header).bit
                return Effect(0, own | rivals, own | rivals, pure=True)
            case ops.SetInvalid(header, None):
                parts = bits([p for m in v.members(header) if m not in v.metadata for p in v.parts(m)])
                return Effect(0, parts, parts, pure=True)
            case ops.SetValid(header) | ops.SetInvalid(header):
                parts = bits([p for m in v.members(header) for p in v.parts(m)])
                return Effect(parts, 0, parts, pure=True)
            case ops.CopyHeader(dst, src):
                written = bits([p for m in v.members(dst) for p in v.parts(m)])
                read = bits([p for m in v.members(src) for p in v.parts(m)])
                if dst in v.program.stacks:
                    written |= 1 << v.next(dst).bit
                    read |= 1 << v.next(src).bit
                rivals = bits([p for r in v.rivals(dst) for p in v.parts(r)]) if dst in v.types else 0
                return Effect(read | rivals, written, written | rivals, pure=True)
            case ops.Push(stack) | ops.Pop(stack):
                parts = bits([p for m in v.elements(stack) for p in v.parts(m)] + [v.next(stack)])
                return Effect(parts, 0, parts, pure=True)

    # --- all Items ---

    def successors(self, items: list[Item]) -> list[tuple[list[int], list[str]]]:
        """For each Item (Items that may follow, labels outside that may); the same list of Items is not asked
        twice."""
        if self._follow[0] is not items:
            labels = {item.op.label: i for i, item in enumerate(items) if isinstance(item.op, Mark)}
            self._follow = items, [self._successors(items, labels, at) for at in range(len(items))]
        return self._follow[1]

    def _successors(
        self, items: list[Item], labels: Mapping[str, int], at: int
    ) -> tuple[list[int], list[str]]:
        item = items[at]
        op, scope = item.op, item.scope
        names: list[str] = []
        follows = True
        match op:
            case Goto(label):
                names, follows = [label], False
            case Find(site, cases):
                names = [label for _, label in cases] + [site.end]
                follows = False
            case ops.Branch() | ops.BranchHit() | ops.BranchAction():
                names = [scope.label(op.target)]
            case ops.Switch(_, cases, default):
                names = [scope.label(c.target) for c in cases]
                names += [scope.error if default is None else scope.label(default)]
                follows = False
            case ops.Reject():
                names, follows = [scope.error], False
            case ops.Transmit() | ops.Drop():
                names, follows = [FINISHED], False
            case Hook("stop"):
                follows = False
            case _:
                if self.effect(item).fails:
                    names = [scope.error]
        inside = [labels[n] for n in names if n in labels]
        if follows and at + 1 < len(items):
            inside.append(at + 1)
        return inside, [n for n in names if n not in labels]

    def live(self, items: list[Item]) -> tuple[list[int], list[int]]:
        """For each Item the variables that are read at or after it, and after it."""
        labels = {item.op.label: i for i, item in enumerate(items) if isinstance(item.op, Mark)}
        live = [0] * (len(items) + 1)
        afterwards = [0] * len(items)
        effects = [self.effect(item) for item in items]
        follow = self.successors(items)
        rows = []  # all that a sweep asks for: most of the time of emission was spent here
        for at in range(len(items) - 1, -1, -1):
            item, e = items[at], effects[at]
            inside, outside = follow[at]
            fixed = 0
            for name in outside:
                fixed |= self.exits.get(name, 0)
            read, error = e.uses, -1
            if e.fails:
                error = labels.get(item.scope.error, -1)
                if error < 0:
                    read |= self.exits.get(item.scope.error, 0)
            rows.append((at, inside, fixed, ~e.kills, read, error))
        changed = True
        while changed:
            changed = False
            for at, inside, after, passed, before, error in rows:
                for to in inside:
                    after |= live[to]
                afterwards[at] = after
                before |= after & passed
                if error >= 0:
                    before |= live[error]
                if before != live[at]:
                    live[at] = before
                    changed = True
        return live, afterwards

    def without_dead(self, items: list[Item]) -> list[Item]:
        """Items whose results somebody reads; repeated, because a dead one was a reader itself."""
        while True:
            _, after = self.live(items)
            kept = []
            for item, wanted in zip(items, after, strict=True):
                e = self.effect(item)
                if not e.pure or e.writes & wanted:
                    kept.append(item)
            if len(kept) == len(items):
                return items
            items = kept
