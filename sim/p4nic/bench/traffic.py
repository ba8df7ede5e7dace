"""Frames in memory, ready to be taken in turn by a measuring loop: one buffer, offsets, ports, lengths.

In: (port, frame) pairs. Out: Traffic. Called by the workloads; the loops are runtime/p4nic_bench.h and
`engines`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

BURST = 32
LINE = 64


@final
@dataclass(frozen=True, slots=True)
class Traffic:
    """Frames one behind the other, each at a multiple of 64 bytes. Offsets are u64, ports and lengths u32."""

    data: bytes | bytearray
    offsets: array[int]
    ports: array[int]
    lengths: array[int]

    @classmethod
    def of(cls, packets: Iterable[tuple[int, bytes]]) -> Traffic:
        made = cls(bytearray(), array("Q"), array("I"), array("I"))
        assert isinstance(made.data, bytearray)
        for port, frame in packets:
            made.offsets.append(len(made.data))
            made.ports.append(port)
            made.lengths.append(len(frame))
            made.data.extend(frame + bytes(-len(frame) % LINE))
        return made

    def __len__(self) -> int:
        return len(self.offsets)

    def part(self, number: int, of: int) -> Traffic:
        """One of so many equal parts, as workers take them; the frames' bytes are shared."""
        first, end = len(self) * number // of, len(self) * (number + 1) // of
        return Traffic(self.data, self.offsets[first:end], self.ports[first:end], self.lengths[first:end])

    def in_turn(self, other: Traffic) -> Traffic:
        """One frame of this, one of the other, which has as many."""
        shift = len(self.data)
        count = 2 * len(self)
        made = Traffic(
            self.data + other.data, array("Q", bytes(8 * count)), array("I", bytes(4 * count)),
            array("I", bytes(4 * count)),
        )  # fmt: skip
        made.offsets[0::2], made.offsets[1::2] = self.offsets, array("Q", [o + shift for o in other.offsets])
        made.ports[0::2], made.ports[1::2] = self.ports, other.ports
        made.lengths[0::2], made.lengths[1::2] = self.lengths, other.lengths
        return made

    def packets(self, first: int = 0, count: int | None = None) -> Iterator[tuple[int, bytes]]:
        """(port, frame) of `count` frames from `first` on."""
        end = len(self) if count is None else min(first + count, len(self))
        for i in range(first, end):
            yield self.ports[i], bytes(self.data[self.offsets[i] : self.offsets[i] + self.lengths[i]])
