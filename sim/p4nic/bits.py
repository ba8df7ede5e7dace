"""Integers of a given width: the arithmetic both loaders, all backends and the codec agree on."""

from __future__ import annotations


def mask(width: int) -> int:
    """All ones in `width` bits; 0 for width 0."""
    return (1 << width) - 1


def wrap(value: int, width: int, signed: bool = False) -> int:
    """`value` reduced to `width` bits, two's complement; negative results only when `signed`."""
    value &= (1 << width) - 1
    if signed and width and value >> (width - 1):
        return value - (1 << width)
    return value


def byte_count(width: int) -> int:
    """Bytes that hold `width` bits."""
    return (width + 7) // 8


def prefix_mask(width: int, length: int) -> int:
    """The mask of an LPM prefix of `length` bits in a field of `width` bits."""
    return mask(length) << (width - length)
