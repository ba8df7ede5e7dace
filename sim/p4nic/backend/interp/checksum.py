"""Internet checksum arithmetic: SWX's incremental `ckadd` and `cksub`. (The plain checksum is
`hashes.csum16`.)
"""

from __future__ import annotations


def words(value: int, width: int) -> int:
    """The sum of the 16-bit words of a number of `width` bits, which ends at a word boundary or is
    padded with zeros.
    """
    value <<= -width % 16
    total = 0
    while value:
        total += value & 0xFFFF
        value >>= 16
    return total


def adjust(checksum: int, amount: int, subtract: bool) -> int:
    """The checksum after `amount` (a sum of words) has joined or left the data it covers.

    As in DPDK a result of 0 becomes 0xFFFF, which means the same to a receiver; so comparisons are
    modulo {0, 0xFFFF}.
    """
    total = (~checksum & 0xFFFF) + (amount if not subtract else -amount)
    if subtract:
        # A multiple of 0xFFFF changes nothing but keeps the sum positive.
        total += (amount // 0xFFFF + 1) * 0xFFFF
    folded = (total - 1) % 0xFFFF + 1 if total else 0
    return (folded ^ 0xFFFF) or 0xFFFF
