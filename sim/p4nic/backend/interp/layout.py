"""Where every header field of a Program lives: one flat list of integers per packet.

In: a verified Program. Out: a Layout, which names a slot for each field, validity bit, varbit length and
stack counter. Called by `engine`; the generated code and the architectures index the list with these numbers.

    [ metadata fields | headers: valid, field, field, (length of a varbit), … | stack counters | temporaries ]

Metadata come first so that "reset the metadata" is one slice. A header's slots are contiguous, and so
are the elements of a stack, so that copying a header or choosing an element at run time is arithmetic.
**Invariant**: all field slots of an invalid header are 0; that is why reading one needs no test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from p4nic.ir.program import Program
from p4nic.ir.types import Field, HeaderType


@final
@dataclass(frozen=True, slots=True)
class Slot:
    """One field: `index` in the list; `length` is the slot of a varbit's current width; `valid` None for
    metadata.
    """

    index: int
    width: int
    signed: bool
    length: int | None
    valid: int | None


@final
@dataclass(frozen=True, slots=True)
class HeaderSlots:
    """A header instance: [start, end) with the validity bit first, or bare fields for metadata."""

    name: str
    type: HeaderType
    start: int
    end: int
    metadata: bool

    def offset(self, field: str) -> int:
        """Distance of a field from `start`."""
        at = 0 if self.metadata else 1
        for f in self.type.fields:
            if f.name == field:
                return at
            at += slots_of(f)
        raise KeyError(f"{self.name}.{field}")


@final
@dataclass(frozen=True, slots=True)
class StackSlots:
    """A header stack: element i spans [start + i*stride, start + (i+1)*stride); `next` counts extracted
    elements.
    """

    name: str
    type: HeaderType
    start: int
    stride: int
    size: int
    next: int


def slots_of(field: Field) -> int:
    """List entries a field takes: a varbit needs one more, for its current width."""
    return 2 if field.varbit else 1


@final
class Layout:
    """The slots of one Program. Temporaries are added per code with `temporary`; then `template` is the
    fresh packet.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.headers: dict[str, HeaderSlots] = {}
        self.stacks: dict[str, StackSlots] = {}
        self.unions = {name: tuple(u.members) for name, u in program.unions.items()}
        self.union_of = {member: u for u, members in self.unions.items() for member in members}
        self.size = 0
        self._place_headers(metadata=True)
        self.metadata_end = self.size
        self._place_stacks()
        self._place_headers(metadata=False)
        for name, stack in list(self.stacks.items()):
            self.stacks[name] = StackSlots(
                name, stack.type, stack.start, stack.stride, stack.size, self._take(1)
            )
        self._slots = {h.name: self._field_slots(h) for h in self.headers.values()}

    def _take(self, count: int) -> int:
        start = self.size
        self.size += count
        return start

    def _place(self, name: str, type_: HeaderType, metadata: bool) -> None:
        width = sum(slots_of(f) for f in type_.fields) + (0 if metadata else 1)
        start = self._take(width)
        self.headers[name] = HeaderSlots(name, type_, start, start + width, metadata)

    def _place_headers(self, metadata: bool) -> None:
        for header in self.program.headers.values():
            if header.metadata == metadata and header.name not in self.headers:
                self._place(header.name, self.program.header_types[header.type], metadata)

    def _place_stacks(self) -> None:
        for stack in self.program.stacks.values():
            type_ = self.program.header_types[stack.type]
            start = self.size
            for i in range(stack.size):
                self._place(f"{stack.name}[{i}]", type_, metadata=False)
            stride = (self.size - start) // max(stack.size, 1)
            self.stacks[stack.name] = StackSlots(stack.name, type_, start, stride, stack.size, -1)

    def _field_slots(self, header: HeaderSlots) -> dict[str, Slot]:
        found: dict[str, Slot] = {}
        at = header.start if header.metadata else header.start + 1
        for f in header.type.fields:
            length = at + 1 if f.varbit else None
            found[f.name] = Slot(at, f.width, f.signed, length, None if header.metadata else header.start)
            at += slots_of(f)
        return found

    def field(self, header: str, field: str) -> Slot:
        """The slot of a field; KeyError for a name the Program does not have."""
        return self._slots[header][field]

    def find(self, header: str, field: str) -> Slot | None:
        """Like `field`, None where the Program lacks it (architectures ask for optional metadata)."""
        return self._slots.get(header, {}).get(field)

    def fields(self, header: str) -> Iterator[tuple[Field, Slot]]:
        """All fields of a header with their slots, in wire order."""
        slots = self._slots[header]
        for f in self.headers[header].type.fields:
            yield f, slots[f.name]

    def members(self, name: str) -> tuple[str, ...]:
        """The header instances a header, stack or union name stands for."""
        if name in self.unions:
            return self.unions[name]
        if name in self.stacks:
            return tuple(f"{name}[{i}]" for i in range(self.stacks[name].size))
        return (name,)

    def rivals(self, header: str) -> tuple[str, ...]:
        """The other members of the union a header belongs to: they become invalid when it becomes valid."""
        union = self.union_of.get(header)
        return tuple(m for m in self.unions[union] if m != header) if union else ()

    def temporary(self) -> int:
        """One more slot, for a temporary of some code."""
        return self._take(1)

    def template(self) -> list[int]:
        """A fresh packet's slots: nothing valid, everything 0."""
        return [0] * self.size
