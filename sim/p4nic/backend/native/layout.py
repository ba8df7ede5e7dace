"""How keys and arguments lie in memory: members of 1, 2, 4, 8 or 16 bytes, largest first, so that nothing is
lost to alignment, padded with zeros to whole 8-byte words (keys are hashed and compared by words).

In: widths in bits. Out: a Packing, which the unit declares as a struct and the binding packs with.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import final

MAX_WIDTH = 128
"""Bits of the widest integer C has; wider values are arrays of words."""


def storage(width: int) -> int:
    """Bytes of the C type that holds `width` bits."""
    if width > MAX_WIDTH:
        return (width + 63) // 64 * 8
    return next(size for size in (1, 2, 4, 8, 16) if width <= 8 * size)


def c_type(width: int, signed: bool = False) -> str:
    """The C integer that holds `width` bits; beyond, a struct of words, whatever the sign (`wide`)."""
    if width > MAX_WIDTH:
        return f"wide{8 * storage(width)}"
    return f"{'i' if signed else 'u'}{8 * storage(width)}"


@final
@dataclass(frozen=True, slots=True)
class Member:
    """One value: where it is, in bytes."""

    name: str
    width: int
    offset: int


@final
class Packing:
    """A struct of unsigned values. `members` are in the order of the values, not of memory."""

    def __init__(self, fields: Sequence[tuple[str, int]]) -> None:
        """`fields`: (name, width)."""
        order = sorted(range(len(fields)), key=lambda i: -storage(fields[i][1]))
        at = 0
        offsets = [0] * len(fields)
        for i in order:
            offsets[i] = at
            at += storage(fields[i][1])
        self.size = (at + 7) // 8 * 8
        self.order = order
        self.members = tuple(Member(f"f{i}", w, offsets[i]) for i, (_, w) in enumerate(fields))
        codes = "".join(
            "BH?I???Q"[storage(fields[i][1]) - 1]
            if storage(fields[i][1]) < 16
            else "Q" * (storage(fields[i][1]) // 8)
            for i in order
        )
        self._struct = struct.Struct(f"<{codes}{self.size - at}x")
        self._plain = order == list(range(len(fields)))
        places = [order.index(i) for i in range(len(fields))]
        self._values = itemgetter(*places) if len(places) > 1 else tuple  # from the order of memory
        self._wide = any(storage(w) >= 16 for _, w in fields)

    def __reduce__(self) -> tuple[type[Packing], tuple[list[tuple[str, int]]]]:
        """For `kept`: widths make it."""
        return Packing, ([(m.name, m.width) for m in self.members],)

    def pack(self, values: Sequence[int]) -> bytes:
        """The values as they lie in memory."""
        if not self._wide:
            return self._struct.pack(*(values if self._plain else [values[i] for i in self.order]))
        return sum(value << (8 * m.offset) for value, m in zip(values, self.members, strict=True)).to_bytes(
            self.size, "little"
        )

    def unpack(self, data: bytes) -> tuple[int, ...]:
        """The values found in memory."""
        if not self._wide:
            found = self._struct.unpack(data)
            return found if self._plain else self._values(found)
        number = int.from_bytes(data, "little")
        return tuple(number >> (8 * m.offset) & ((1 << (8 * storage(m.width))) - 1) for m in self.members)

    def declare(self, name: str) -> list[str]:
        """The struct in C."""
        lines = [f"struct {name} {{"]
        lines += [f"    {c_type(self.members[i].width)} {self.members[i].name};" for i in self.order]
        used = sum(storage(m.width) for m in self.members)
        if self.size > used:
            lines.append(f"    u8 padding[{self.size - used}];")
        if not self.size:
            lines.append("    u8 nothing;")
        lines.append("} __attribute__((packed, aligned(8), may_alias));")
        return lines
