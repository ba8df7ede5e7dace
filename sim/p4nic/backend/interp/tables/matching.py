"""What a Match means, in one place: used by the ternary index, value sets and the trace's search for
near misses.
"""

from __future__ import annotations

from typing import assert_never

from p4nic.bits import mask, prefix_mask
from p4nic.ir.program import Any, Exact, Key, Lpm, Match, Range, Ternary


def matches(match: Match, value: int, width: int) -> bool:
    """Whether one key field of `width` bits satisfies one match."""
    match match:
        case Any():
            return True
        case Exact(wanted):
            return value == wanted
        case Lpm(wanted, length):
            return value & prefix_mask(width, length) == wanted
        case Ternary(wanted, bits):
            return value & bits == wanted
        case Range(low, high):
            return low <= value <= high
        case _:
            assert_never(match)


def normal(match: Match, key: Key) -> Match:
    """One spelling for each meaning, so that equal entries are found equal: don't care becomes the
    kind's widest match.
    """
    match match:
        case Any() if key.kind == "lpm":
            return Lpm(0, 0)
        case Any() if key.kind == "ternary":
            return Ternary(0, 0)
        case Any() if key.kind == "range":
            return Range(0, mask(key.width))
        case Exact(value) if key.kind == "ternary":
            return Ternary(value, mask(key.width))
        case Exact(value) if key.kind == "lpm":
            return Lpm(value, key.width)
        case Exact(value) if key.kind == "range":
            return Range(value, value)
        case _:
            return match


def value_and_mask(match: Match, width: int) -> tuple[int, int] | None:
    """A match as value and mask; None for a range, which has none."""
    match match:
        case Any():
            return 0, 0
        case Exact(value):
            return value, mask(width)
        case Lpm(value, length):
            return value, prefix_mask(width, length)
        case Ternary(value, bits):
            return value, bits
        case Range(0, high) if high == mask(width):
            return 0, 0
        case Range():
            return None
        case _:
            assert_never(match)
