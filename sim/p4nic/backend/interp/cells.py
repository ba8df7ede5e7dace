"""Indexed counters and registers. Sparse: an artifact may declare four thousand million cells and touch
three.
"""

from __future__ import annotations

from typing import final

from p4nic.bits import wrap


@final
class CounterCells:
    """An indexed counter: (packets, bytes) per index. An index beyond the size is ignored."""

    __slots__ = ("cells", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.cells: dict[int, list[int]] = {}

    def add(self, index: int, packets: int, bytes_: int) -> None:
        """Count."""
        cell = self.cells.get(index)
        if cell is not None:
            cell[0] += packets
            cell[1] += bytes_
        elif 0 <= index < self.size:
            self.cells[index] = [packets, bytes_]


@final
class RegisterCells:
    """A register array. Reading beyond the size gives 0, writing there does nothing."""

    __slots__ = ("cells", "initial", "signed", "size", "width")

    def __init__(self, width: int, signed: bool, size: int, initial: int) -> None:
        self.width = width
        self.signed = signed
        self.size = size
        self.initial = wrap(initial, width, signed)
        self.cells: dict[int, int] = {}

    def read(self, index: int) -> int:
        return self.cells.get(index, self.initial) if 0 <= index < self.size else 0

    def write(self, index: int, value: int) -> None:
        if 0 <= index < self.size:
            self.cells[index] = wrap(value, self.width, self.signed)

    def add(self, index: int, amount: int) -> None:
        """Add, wrapping."""
        self.write(index, self.read(index) + amount)
