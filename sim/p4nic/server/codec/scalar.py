"""Integers on the wire: P4Runtime 1.5 §8.4 (bytestrings) and §18 (translated types).

In: bytes a client sent, of any length that holds the value. Out: a Python int that fits its width, and the
shortest bytes for one going out. Called by every other file of `codec`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from p4nic.bits import mask
from p4nic.errors import ErrorKind, StateError


def out_of_range(sentence: str) -> StateError:
    return StateError(ErrorKind.OUT_OF_RANGE, sentence)


def invalid(sentence: str) -> StateError:
    return StateError(ErrorKind.INVALID_ARGUMENT, sentence)


def unimplemented(sentence: str) -> StateError:
    return StateError(ErrorKind.UNIMPLEMENTED, sentence)


def shortest(value: int) -> bytes:
    """The canonical bytestring of a non-negative value: no leading zero byte, 0 is one byte."""
    return value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")


def unsigned(data: bytes, width: int, place: str) -> int:
    """A `bit<width>` value; OUT_OF_RANGE if it is empty or too wide."""
    value = int.from_bytes(data, "big")
    if not data:
        raise out_of_range(f"{place}: the value is empty; send at least one byte")
    if value >> width:
        raise out_of_range(f"{place}: {value:#x} does not fit in {width} bits (at most {mask(width):#x})")
    return value


def shortest_signed(value: int) -> bytes:
    """The canonical bytestring of an `int<W>` value in two's complement."""
    return value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True)


def signed(data: bytes, width: int, place: str) -> int:
    """An `int<width>` value; OUT_OF_RANGE if it is empty or too wide."""
    value = int.from_bytes(data, "big", signed=True)
    if not data:
        raise out_of_range(f"{place}: the value is empty; send at least one byte")
    if not -(1 << (width - 1)) <= value < 1 << (width - 1):
        raise out_of_range(f"{place}: {value} does not fit in a signed number of {width} bits")
    return value


@final
class SdnNames:
    """The strings of one `sdn_string` type and the data plane values behind them.

    No table of names comes with an artifact, so a value is chosen when a string is first seen: a decimal
    number stands for itself, anything else gets the lowest free value. A value of the data plane nobody has
    named reads back as decimal.
    """

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name
        self._values: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def value(self, data: bytes, width: int, place: str) -> int:
        try:
            name = data.decode()
        except UnicodeDecodeError:
            raise invalid(
                f"{place}: {data!r} is not UTF-8, as a string of type {self.type_name} must be"
            ) from None
        if not name:
            raise out_of_range(f"{place}: the string is empty")
        known = self._values.get(name)
        if known is None:
            known = self._choose(name, width, place)
            self._values[name] = known
            self._names[known] = name
        return known

    def _choose(self, name: str, width: int, place: str) -> int:
        # Canonical decimals only: "07" and "7" must stay two strings, as what is written is read back
        # verbatim.
        if name.isascii() and name.isdigit() and str(int(name)) == name and int(name) not in self._names:
            if not int(name) >> width:
                return int(name)
        value = next((v for v in range(1, 1 << min(width, 32)) if v not in self._names), None)
        if value is None:
            raise StateError(
                ErrorKind.RESOURCE_EXHAUSTED, f"{place}: all {width}-bit values have a name already"
            )
        return value

    def take(self, other: SdnNames) -> None:
        """Go on with another's strings and values."""
        self._values |= other._values
        self._names |= other._names

    def name(self, value: int) -> bytes:
        return self._names.get(value, str(value)).encode()


@final
@dataclass(frozen=True, slots=True)
class Scalar:
    """One integer a message carries. `place` begins every sentence about it; `names` is set for sdn_string
    types.
    """

    place: str
    width: int
    names: SdnNames | None = None

    def decode(self, data: bytes) -> int:
        if self.names is not None:
            return self.names.value(data, self.width, self.place)
        value = int.from_bytes(data, "big")
        return value if data and not value >> self.width else unsigned(data, self.width, self.place)

    def encode(self, value: int) -> bytes:
        return shortest(value) if self.names is None else self.names.name(value)
