"""The hash functions of `backend.api.HASHES`: bytes in, a non-negative integer out.

They agree with BMv2's calculations and with the functions DPDK SWX registers ("crc32" there is
`rte_hash_crc` with initial value 0, which the loader calls crc32c; "jhash" is `rte_jhash` with initial
value 0). Called by generated code and by action selectors.
"""

from __future__ import annotations

import binascii
import zlib
from collections.abc import Callable
from itertools import count

HashFunction = Callable[[bytes], int]


def _reflected_table(polynomial: int) -> tuple[int, ...]:
    """The byte table of a CRC that shifts right; `polynomial` is given reflected."""
    table = []
    for byte in range(256):
        remainder = byte
        for _ in range(8):
            remainder = (remainder >> 1) ^ (polynomial if remainder & 1 else 0)
        table.append(remainder)
    return tuple(table)


_CRC16 = _reflected_table(0xA001)
_CRC32C = _reflected_table(0x82F63B78)


def _reflected(data: bytes, table: tuple[int, ...]) -> int:
    remainder = 0
    for byte in data:
        remainder = (remainder >> 8) ^ table[(remainder ^ byte) & 0xFF]
    return remainder


def crc16(data: bytes) -> int:
    """CRC-16/ARC. BMv2's crc16_custom computes the same until it is configured, which no artifact can do."""
    return _reflected(data, _CRC16)


def crc32(data: bytes) -> int:
    """IEEE 802.3; BMv2's crc32, and crc32_custom as it starts."""
    return zlib.crc32(data)


def crc32c(data: bytes) -> int:
    """Castagnoli with initial value 0 and no final xor: `rte_hash_crc(data, len, 0)`."""
    return _reflected(data, _CRC32C)


def crc_ccitt(data: bytes) -> int:
    """CRC-16/CCITT-FALSE (initial value 0xFFFF)."""
    return binascii.crc_hqx(data, 0xFFFF)


def csum16(data: bytes) -> int:
    """The Internet checksum: one's complement of the one's complement sum of 16-bit words, zero-padded
    at the end.
    """
    total = int.from_bytes(data + b"\0" * (len(data) & 1), "big")
    # A number and the sum of its 16-bit digits agree modulo 0xFFFF; only an all-zero input sums to 0 itself.
    folded = (total - 1) % 0xFFFF + 1 if total else 0
    return folded ^ 0xFFFF


def xor16(data: bytes) -> int:
    """16-bit words xored, the last one padded with a zero byte at the end."""
    padded = data + b"\0" * (len(data) & 1)
    result = 0
    for i in range(0, len(padded), 2):
        result ^= padded[i] << 8 | padded[i + 1]
    return result


def identity(data: bytes) -> int:
    """The first eight bytes as a number."""
    return int.from_bytes(data[:8], "big")


def toeplitz(data: bytes) -> int:
    """BMv2's Toeplitz under its initial key, which is all zeros: always 0. No artifact can carry another
    key.
    """
    return 0


_M32 = 0xFFFFFFFF


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & _M32


def _jhash_mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    a = (a - c & _M32) ^ _rotate(c, 4)
    c = c + b & _M32
    b = (b - a & _M32) ^ _rotate(a, 6)
    a = a + c & _M32
    c = (c - b & _M32) ^ _rotate(b, 8)
    b = b + a & _M32
    a = (a - c & _M32) ^ _rotate(c, 16)
    c = c + b & _M32
    b = (b - a & _M32) ^ _rotate(a, 19)
    a = a + c & _M32
    c = (c - b & _M32) ^ _rotate(b, 4)
    b = b + a & _M32
    return a, b, c


def _jhash_final(a: int, b: int, c: int) -> int:
    c = (c ^ b) - _rotate(b, 14) & _M32
    a = (a ^ c) - _rotate(c, 11) & _M32
    b = (b ^ a) - _rotate(a, 25) & _M32
    c = (c ^ b) - _rotate(b, 16) & _M32
    a = (a ^ c) - _rotate(c, 4) & _M32
    b = (b ^ a) - _rotate(a, 14) & _M32
    return (c ^ b) - _rotate(b, 24) & _M32


def jhash(data: bytes) -> int:
    """Bob Jenkins' lookup3 (`hashlittle`), initial value 0: `rte_jhash(data, len, 0)`."""
    a = b = c = 0xDEADBEEF + len(data) & _M32
    if not data:
        return c
    while len(data) > 12:
        a = a + int.from_bytes(data[0:4], "little") & _M32
        b = b + int.from_bytes(data[4:8], "little") & _M32
        c = c + int.from_bytes(data[8:12], "little") & _M32
        a, b, c = _jhash_mix(a, b, c)
        data = data[12:]
    a = a + int.from_bytes(data[0:4], "little") & _M32
    b = b + int.from_bytes(data[4:8], "little") & _M32
    c = c + int.from_bytes(data[8:12], "little") & _M32
    return _jhash_final(a, b, c)


def _crc32c_word(crc: int, word: int) -> int:
    """The processor's crc32 instruction on 64 bits, of whose first operand 32 bits count."""
    remainder = crc & _M32
    for byte in word.to_bytes(8, "little"):
        remainder = (remainder >> 8) ^ _CRC32C[(remainder ^ byte) & 0xFF]
    return remainder


def swx_selector(data: bytes) -> int:
    """`hash` of DPDK's rte_swx_table_selector: zeros up to 8, 16, 32 or 64 bytes, then four chains of CRC-32C
    whose starting values are parts of the key."""
    size = next((size for size in (8, 16, 32, 64) if len(data) <= size), 0)
    padded = data.ljust(size, b"\0")
    k = [int.from_bytes(padded[at : at + 8], "little") for at in range(0, size, 8)]
    step = _crc32c_word
    match size:
        case 8:
            return step(0, k[0])
        case 16:
            return step(k[0], 0) ^ step(k[0] >> 32, k[1])
        case 32:
            first = step(step(k[0], 0), step(k[0] >> 32, k[1]))
            return first ^ step(step(k[2], k[3]), k[2] >> 32)
        case 64:
            middle = step(k[0] >> 32, k[1]) << 32 ^ step(k[2], k[3])
            last = step(k[5], k[6]) << 32 ^ step(k[5] >> 32, k[7])
            return step(step(k[0], 0), middle) ^ step(step(k[2] >> 32, k[4]), last)
        case _:
            return 0


_STATELESS: dict[str, HashFunction] = {
    "crc16": crc16,
    "crc16_custom": crc16,
    "crc32": crc32,
    "crc32_custom": crc32,
    "crc32c": crc32c,
    "crcCCITT": crc_ccitt,
    "csum16": csum16,
    "ones_complement16": csum16,
    "xor16": xor16,
    "identity": identity,
    "jhash": jhash,
    "toeplitz": toeplitz,
    "swx_selector": swx_selector,
}


def hash_function(algorithm: str) -> HashFunction | None:
    """The function of an algorithm, None for an unknown one. Each round_robin is a counter of its own,
    starting at 0.
    """
    if algorithm == "round_robin":
        numbers = count()
        return lambda _data: next(numbers)
    return _STATELESS.get(algorithm)
