"""What the emitted function keeps of a packet: one C variable for each field, validity bit, place of origin,
varbit length, stack counter and temporary.

In: Program and Items. Out: variables by key, the wire fields a header must load, and which headers keep the
place in the frame they came from instead of all their fields. **Invariant** (as in the interpreter's
layout): all fields of an invalid header are 0, so reading one needs no test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from p4nic.backend.native.flat import Bind, FlatOp, Item, Key
from p4nic.backend.native.layout import c_type
from p4nic.ir import ops, walk
from p4nic.ir.ops import Operand, Ref, StackRef
from p4nic.ir.program import Program
from p4nic.ir.types import Field, HeaderType

VarKey = tuple[str, ...]
"""("field", header, field) | ("valid", header) | ("origin", header) | ("length", header) | ("next", stack) |
("temp", prefix, name) | ("last", "hit" | "ran" | "id" | "entry")."""


@final
@dataclass(frozen=True, slots=True)
class Variable:
    """A C variable: `bit` is its number in the sets of the flow analysis."""

    name: str
    type: str
    bit: int


def operands(op: FlatOp) -> Iterator[Operand]:
    """Every operand an Item's operation reads."""
    match op:
        case Key(site):
            for key in site.table.keys:
                yield from walk.nested(key.operand)
        case Bind(_, args):
            for arg in args:
                yield from walk.nested(arg)
        case _ if isinstance(op, ops.Op):
            yield from walk.reads(op)
        case _:
            return


@final
class Variables:
    """The variables of one unit."""

    def __init__(
        self, program: Program, items: list[Item], hooked: tuple[Ref, ...], padded: bool = False
    ) -> None:
        """`hooked`: fields the architecture reads or writes itself; `padded`: a frame reads as zeros behind
        its end (p4nic_padded.h)."""
        self.program = program
        self.padded = padded
        self.types = {h.name: program.header_types[h.type] for h in program.headers.values()}
        self.metadata = {h.name for h in program.headers.values() if h.metadata}
        for stack in program.stacks.values():
            for i in range(stack.size):
                self.types.setdefault(f"{stack.name}[{i}]", program.header_types[stack.type])
        self.union_of = {m: u.name for u in program.unions.values() for m in u.members}
        self._group = {name: name for name in self.types}
        self._read: set[tuple[str, str]] = set()
        self._written: set[tuple[str, str]] = set()
        self._fields = {(h, f.name): f for h, t in self.types.items() for f in t.fields}
        self._known: dict[VarKey, Variable] = {}
        self._emitted = {item.op.header for item in items if isinstance(item.op, ops.Emit)}
        for item in items:
            self._note(item.op)
        for ref in hooked:
            self._read.add((ref.header, ref.field))
            self._written.add((ref.header, ref.field))
        for profile in program.action_profiles.values():
            for operand in profile.selector_inputs:
                self._note_operand(operand)
        for table in program.tables.values():
            if table.meter_result is not None:
                self._written.add((table.meter_result.header, table.meter_result.field))
        self._close()

    # --- which fields matter ---

    def _note(self, op: FlatOp) -> None:
        for operand in operands(op):
            self._note_operand(operand)
        place = walk.written(op) if isinstance(op, ops.Op) else None
        match place:
            case Ref(header, field):
                self._written.add((header, field))
            case StackRef(stack, _, field):
                for element in self.elements(stack):
                    self._written.add((element, field))
            case _:
                pass
        match op:
            case ops.CopyHeader(dst, src):
                for a, b in zip(self.members(dst), self.members(src), strict=True):
                    self._join(a, b)
                    if (a in self.metadata) != (b in self.metadata):
                        self._need_all(a)
            case ops.Push(stack) | ops.Pop(stack):
                for element in self.elements(stack):
                    self._join(self.elements(stack)[0], element)
            case ops.ChecksumAdd(_, str(header)):
                for f in self.types[header].fields:
                    self._read.add((header, f.name))
            case ops.Lookahead(str(header), offset) if offset % 8:
                self._need_all(header)
            case _:
                pass

    def _note_operand(self, operand: Operand) -> None:
        match operand:
            case Ref(header, field):
                self._read.add((header, field))
            case StackRef(stack, _, field):
                for element in self.elements(stack):
                    self._read.add((element, field))
            case _:
                pass

    def _need_all(self, header: str) -> None:
        for f in self.types[header].fields:
            self._read.add((header, f.name))
            self._written.add((header, f.name))

    def _root(self, name: str) -> str:
        while self._group[name] != name:
            name = self._group[name]
        return name

    def _join(self, a: str, b: str) -> None:
        self._group[self._root(a)] = self._root(b)

    def _close(self) -> None:
        """Headers that are copied to each other need the same fields."""
        for wanted in (self._read, self._written):
            by_group = {(self._root(h), f) for h, f in wanted}
            wanted |= {
                (h, f.name)
                for h, t in self.types.items()
                for f in t.fields
                if (self._root(h), f.name) in by_group
            }
        # A varbit that is written may have another length than it came with: nothing is where it was.
        for header in self.types:
            varbit = self.varbit(header)
            if varbit is not None and (header, varbit.name) in self._written:
                self._need_all(header)

    # --- questions ---

    def elements(self, stack: str) -> tuple[str, ...]:
        return tuple(f"{stack}[{i}]" for i in range(self.program.stacks[stack].size))

    def members(self, name: str) -> tuple[str, ...]:
        """The headers that a header, stack or union name stands for."""
        if name in self.program.unions:
            return tuple(self.program.unions[name].members)
        return self.elements(name) if name in self.program.stacks else (name,)

    def rivals(self, header: str) -> tuple[str, ...]:
        union = self.union_of.get(header)
        return tuple(m for m in self.program.unions[union].members if m != header) if union else ()

    def type_of(self, name: str) -> HeaderType:
        """Of a header, or of the elements of a stack."""
        return self.types[name] if name in self.types else self.types[self.members(name)[0]]

    def field(self, header: str, field: str) -> Field:
        return self._fields[header, field]  # verified to exist

    def is_held(self, header: str, field: str) -> bool:
        """Whether a field has a variable: somebody reads or writes it."""
        return (header, field) in self._read or (header, field) in self._written

    def is_written(self, header: str, field: str) -> bool:
        """Whether a field of this header may differ from the frame it was extracted from."""
        return (header, field) in self._written

    def held(self, header: str) -> list[Field]:
        return [f for f in self.types[header].fields if self.is_held(header, f.name)]

    def keeps_origin(self, header: str) -> bool:
        """Whether the header's bytes are taken from the frame when it is emitted."""
        return header not in self.metadata and not all(
            self.is_written(header, f.name) for f in self.types[header].fields
        )

    @property
    def only_verbatim(self) -> bool:
        """Whether no instruction changes a byte of a header that is emitted; asked where one pass is all."""
        return (
            self.program.architecture == "swx"
            and not self.padded
            and all(
                self.keeps_origin(h) and not any(self.is_written(h, f.name) for f in self.types[h].fields)
                for h in self._emitted
            )
        )

    def varbit(self, header: str) -> Field | None:
        return next((f for f in self.types[header].fields if f.varbit), None)

    def is_varbit(self, operand: Operand) -> bool:
        return isinstance(operand, Ref) and self.field(operand.header, operand.field).varbit

    # --- variables ---

    def get(self, key: VarKey, width: int = 1, signed: bool = False) -> Variable:
        """The variable of a key, made when first asked for."""
        if key not in self._known:
            bit = len(self._known)
            stem = re.sub(r"[^A-Za-z0-9]+", "_", "_".join(key[1:]))
            name = f"{key[0][0]}{bit}_{stem}"[:60]
            kind = "struct entry *" if key == ("last", "entry") else c_type(width, signed)
            self._known[key] = Variable(name, kind, bit)
        return self._known[key]

    def all(self) -> list[Variable]:
        return list(self._known.values())

    def of_field(self, header: str, field: str) -> Variable:
        key = ("field", header, field)
        if key in self._known:
            return self._known[key]
        found = self.field(header, field)
        return self.get(key, found.width, found.signed)

    def valid(self, header: str) -> Variable:
        return self.get(("valid", header), 8)

    def origin(self, header: str) -> Variable:
        return self.get(("origin", header), 32)

    def length(self, header: str) -> Variable:
        return self.get(("length", header), 32)

    def next(self, stack: str) -> Variable:
        return self.get(("next", stack), 32)

    def temp(self, prefix: str, temp: ops.Temp) -> Variable:
        return self.get(("temp", prefix, temp.name), temp.width, temp.signed)

    def last(self, what: str) -> Variable:
        return self.get(("last", what), {"hit": 8, "ran": 32, "id": 32, "entry": 64}[what])

    def parts(self, header: str) -> list[Variable]:
        """All variables of a header, the same order for headers that are copied to each other."""
        found = [self.of_field(header, f.name) for f in self.held(header)]
        if header in self.metadata:
            return [*found, self.length(header)] if self.varbit(header) is not None else found
        found.append(self.valid(header))
        if self.keeps_origin(header):
            found.append(self.origin(header))
        if self.varbit(header) is not None:
            found.append(self.length(header))
        return found
