"""DPDK's bytes for keys and action data, from what the built pipeline tells about itself.

In: the description the shim gives after a build. Out: encoders of keys, masks and arguments, and decoders for
what learners hold. Called by `tables` and `learners`.

A header's field is big-endian in memory, as on the wire; metadata is in host order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never, final

from p4nic.backend.swx.wire import Reader
from p4nic.bits import mask
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.program import Any, Exact, Key, Lpm, Match, Range, Ternary

Order = Literal["little", "big"]
_EXACT = 2
MOST_PRIORITY = (1 << 29) - 2
"""What rte_acl, which keeps wildcard tables, can tell apart."""


@final
@dataclass(frozen=True, slots=True)
class Field:
    """A match field: where it lies in the key, in bytes."""

    start: int
    size: int
    order: Order
    exact: bool


@final
@dataclass(frozen=True, slots=True)
class Slot:
    """An entry's place in a table, as DPDK tells entries apart: key and mask, no mask where all is exact."""

    key: bytes
    mask: bytes


@final
@dataclass(frozen=True, slots=True)
class TableLayout:
    """`number` is the table's position in DPDK, among tables or among learners."""

    number: int
    fields: tuple[Field, ...]
    size: int

    @property
    def exact(self) -> bool:
        return all(field.exact for field in self.fields)

    def slot(self, table: str, keys: Sequence[Key], matches: tuple[Match, ...]) -> Slot:
        """Key and mask of an entry; StateError for a range, which DPDK has not."""
        value, masked = bytearray(self.size), bytearray(self.size)
        for field, key, match in zip(self.fields, keys, matches, strict=True):
            number, bits = _number(table, key, match)
            place = slice(field.start, field.start + field.size)
            # A key of 9 bits lies in 16: where the 9 must match exactly, so must the 7, which are zeros.
            full = mask(field.size * 8) if bits == mask(key.width) else bits
            value[place] = number.to_bytes(field.size, field.order)
            masked[place] = full.to_bytes(field.size, field.order)
        return Slot(bytes(value), b"" if self.exact else bytes(masked))

    def decode(self, key: bytes) -> tuple[Match, ...]:
        """Exact matches from a key's bytes."""
        return tuple(Exact(int.from_bytes(key[f.start : f.start + f.size], f.order)) for f in self.fields)


@final
@dataclass(frozen=True, slots=True)
class ActionLayout:
    """`number` is the action's position in DPDK; arguments are (bytes, order)."""

    number: int
    arguments: tuple[tuple[int, Order], ...]

    def encode(self, args: tuple[int, ...]) -> bytes:
        parts = zip(args, self.arguments, strict=True)
        return b"".join(value.to_bytes(size, order) for value, (size, order) in parts)

    def decode(self, data: bytes) -> tuple[int, ...]:
        """Arguments from the front of `data`."""
        out, at = [], 0
        for size, order in self.arguments:
            out.append(int.from_bytes(data[at : at + size], order))
            at += size
        return tuple(out)

    @property
    def size(self) -> int:
        return sum(size for size, _ in self.arguments)


@final
@dataclass(frozen=True, slots=True)
class Description:
    """A built pipeline, by the `.spec`'s names."""

    actions: Mapping[str, ActionLayout]
    tables: Mapping[str, TableLayout]
    learners: Mapping[str, TableLayout]


def read_description(reader: Reader) -> Description:
    """What `shim/control.c` describes."""
    actions = {}
    for number in range(reader.u32()):
        action = reader.name()
        arguments = []
        for _ in range(reader.u32()):
            size = reader.u32() // 8
            arguments.append((size, _order(reader.u8())))
        actions[action] = ActionLayout(number, tuple(arguments))
    return Description(actions, _read_tables(reader, learners=False), _read_tables(reader, learners=True))


def _read_tables(reader: Reader, learners: bool) -> dict[str, TableLayout]:
    tables = {}
    for number in range(reader.u32()):
        table = reader.name()
        found = []
        for _ in range(reader.u32()):
            kind, header, bits, offset = reader.u8(), reader.u8(), reader.u32(), reader.u32()
            found.append(Field(offset // 8, bits // 8, _order(header), learners or kind == _EXACT))
        first = min((f.start for f in found), default=0)
        fields = tuple(Field(f.start - first, f.size, f.order, f.exact) for f in found)
        tables[table] = TableLayout(number, fields, _extent(fields))
    return tables


def _extent(fields: tuple[Field, ...]) -> int:
    """DPDK's key ends with the field of the greatest offset."""
    last = max(fields, key=lambda f: f.start, default=None)
    return last.start + last.size if last else 0


def _order(network: int) -> Order:
    return "big" if network else "little"


def _number(table: str, key: Key, match: Match) -> tuple[int, int]:
    """(value, mask) of one field."""
    full = mask(key.width)
    match match:
        case Exact(value):
            return value, full
        case Lpm(value, length):
            return value, full & ~mask(key.width - length)
        case Ternary(value, bits):
            return value, bits
        case Any():
            return 0, 0
        case Range(low, high):
            if low == high:
                return low, full
            if (low, high) == (0, full):
                return 0, 0
            raise StateError(
                ErrorKind.UNIMPLEMENTED,
                f"table {table}, field {key.name}: DPDK 22.11 has no range match; use one value, "
                "or the whole range",
            )
        case _:
            assert_never(match)


def dpdk_priority(table: str, keys: Sequence[Key], matches: tuple[Match, ...], priority: int) -> int:
    """DPDK's priority: the lower number wins; of prefixes the longer one."""
    if any(key.kind in ("ternary", "range", "optional") for key in keys):
        if priority > MOST_PRIORITY:
            raise StateError(
                ErrorKind.OUT_OF_RANGE,
                f"table {table}: DPDK takes priorities up to {MOST_PRIORITY}, not {priority}",
            )
        return MOST_PRIORITY - priority
    for key, match in zip(keys, matches, strict=True):
        if isinstance(match, Lpm):
            return key.width - match.prefix_length
        if key.kind == "lpm" and isinstance(match, Any):
            return key.width
    return 0
