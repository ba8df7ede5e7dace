"""Data layout of a Program: header types, header instances, stacks, unions, source positions.

In: nothing. Out: plain frozen data. Used by every module that handles a Program. Widths are bits. A *header*
instance has a validity bit unless it is `metadata`, which is always valid and zeroed per packet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class Source:
    """A position in the P4 program, as far as the artifact tells: `line` is 0 where unknown."""

    file: str = ""
    line: int = 0
    column: int = 0
    fragment: str = ""

    def __str__(self) -> str:
        if not self.line:
            return self.file or "unknown position"
        return f"{self.file}:{self.line}"


@final
@dataclass(frozen=True, slots=True)
class Field:
    """One field. For a varbit, `width` is the maximum and the current width travels with the value."""

    name: str
    width: int
    signed: bool = False
    varbit: bool = False


@final
@dataclass(frozen=True, slots=True)
class HeaderType:
    """Fields in wire order, most significant first. A header's fields add up to whole bytes; metadata need
    not."""

    name: str
    fields: tuple[Field, ...]

    @property
    def width(self) -> int:
        """Bits, a varbit counted at its maximum."""
        return sum(f.width for f in self.fields)

    def field(self, name: str) -> Field | None:
        return next((f for f in self.fields if f.name == name), None)


@final
@dataclass(frozen=True, slots=True)
class Header:
    """An instance: `ipv4`, `seg[0]` (an element of stack `seg`), or metadata such as `standard_metadata`."""

    name: str
    type: str
    metadata: bool = False


@final
@dataclass(frozen=True, slots=True)
class Stack:
    """A header stack. Element i is the Header named `name[i]`; `next` and `last` are counted per packet."""

    name: str
    type: str
    size: int


@final
@dataclass(frozen=True, slots=True)
class Union:
    """A header union: making one member valid makes the others invalid. Members are Header names."""

    name: str
    members: tuple[str, ...]
