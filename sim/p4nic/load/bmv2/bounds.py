"""Bounds of results from bounds of operands: what decides the width of a temporary. Called by `values`."""

from __future__ import annotations

from typing import Protocol

from p4nic.bits import mask


class Bounded(Protocol):
    """Anything that stands for a number from `low` to `high`."""

    @property
    def low(self) -> int: ...
    @property
    def high(self) -> int: ...


def ring_bounds(op: str, a: Bounded, b: Bounded) -> tuple[int, int]:
    """Bounds of `a op b` for + - * | ^."""
    match op:
        case "+":
            return a.low + b.low, a.high + b.high
        case "-":
            return a.low - b.high, a.high - b.low
        case "*":
            corners = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
            return min(corners), max(corners)
        case _:  # | and ^ stay within the bits of the wider operand
            if a.low >= 0 and b.low >= 0:
                return 0, mask(max(bits_of(0, a.high), bits_of(0, b.high)))
            # Where one is negative, the other's sign bit counts, too.
            width = max(bits_of(min(v.low, -1), v.high) for v in (a, b))
            return -(1 << (width - 1)), mask(width - 1)


def exact_bounds(op: str, a: Bounded, b: Bounded) -> tuple[int, int]:
    """Bounds of `a op b` for >> / %, where BMv2 wants both operands at least 0 (a for >>: any)."""
    match op:
        case ">>":
            return (min(0, a.low), max(0, a.high)) if a.low < 0 else (0, a.high)
        case "/":
            most = max(abs(a.low), abs(a.high))
        case _:
            most = min(max(abs(a.low), abs(a.high)), max(abs(b.low), abs(b.high)))
    return (0 if a.low >= 0 and b.low >= 0 else -most), most


def bits_of(low: int, high: int) -> int:
    """Bits that hold every number from low to high: two's complement if low is negative."""
    if low >= 0:
        return max(1, high.bit_length())
    return max((~low).bit_length(), high.bit_length() if high > 0 else 0) + 1
