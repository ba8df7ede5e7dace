"""Bytes to and from the shim: the Python side of `shim/wire.c`. Used by everything in this package."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import final


class Operation(IntEnum):
    """What is asked of the shim; the numbers are those of `shim/serve.c`."""

    BUILD = 1
    COMMIT = 2
    PROCESS = 3
    REGISTER_READ = 4
    REGISTER_WRITE = 5
    REGISTER_READ_KEY = 6
    REGISTER_WRITE_KEY = 7
    STATISTICS = 8
    GROUP_ADD = 9
    GROUP_DELETE = 10
    MEMBER = 11
    MIRROR = 12
    TIMEOUT = 13
    METER_PROFILE = 14
    METER = 15
    METER_KEY = 16
    LEARNED_LIST = 17
    LEARNED_FIND = 18
    LEARNED_DELETE = 19
    MEASURE = 20
    CODEGEN = 21
    HEAP = 22
    DEVICES = 23
    FRAMES = 24


def u8(value: int) -> bytes:
    return struct.pack("<B", value)


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


def sized(data: bytes) -> bytes:
    """Bytes behind their length in 16 bits: a key, a mask, action data."""
    return struct.pack("<H", len(data)) + data


def name(text: str) -> bytes:
    return sized(text.encode())


@final
class Reader:
    """An answer, read from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> bytes:
        found = self._data[self._at : self._at + count]
        self._at += count
        return found

    def rest(self) -> bytes:
        return self._data[self._at :]

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "little")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "little")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def name(self) -> str:
        return self.take(self.u16()).decode()
