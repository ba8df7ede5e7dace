"""Entries that expired, as bytes of the wire format: thousands a second may expire at once.

In: an EntryState with its counters and idle time. Out: a serialised TableEntry. Called by `notifications`.
Values are put behind prefixes that are made once; making protobuf's objects for them takes several times as
long. An entry with anything but exact keys and an action of its own is written by protobuf, as
`expired_message` says, which is also what `tests/test_server_expired.py` compares with.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from p4nic.backend.api import EntryState
from p4nic.ir.program import ActionCall, Exact
from p4nic.server.codec.scalar import Scalar
from p4nic.server.codec.table import LEARNED, TableCodec
from p4rt import p4r

_MAX_BYTES = 100
"""Of a value: then a field or parameter is shorter than 128 bytes, its length one byte."""


def varint(value: int) -> bytes:
    """A non-negative integer as protobuf writes it."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def expired_message(codec: TableCodec, state: EntryState) -> p4r.TableEntry:
    """What a notification says of an entry."""
    entry = codec.encode(state)
    entry.time_since_last_hit.elapsed_ns = state.idle_ns
    if codec.table.counter is not None:
        entry.counter_data.packet_count = state.packets
        entry.counter_data.byte_count = state.bytes
    return entry


_Values = Sequence[tuple[bytes, ...]]
"""For each value, what stands before it if it takes so many bytes."""


@final
class ExpiredCodec:
    """The entries of one table."""

    def __init__(self, codec: TableCodec) -> None:
        self.codec = codec
        fields = codec.key.fields
        self._table = b"\x08" + varint(codec.id)
        self._key: _Values | None = None
        if all(field.kind == "exact" and _is_plain(field.scalar) for field in fields):
            self._key = [_before(0x12, field.id, field.scalar.width, nested=True) for field in fields]
        self._actions: dict[str, tuple[bytes, _Values] | None] = {}

    def write(self, state: EntryState) -> bytes:
        """A serialised TableEntry."""
        entry, action = state.entry, state.entry.action
        shape = self._action(action.action) if isinstance(action, ActionCall) else None
        unusual = entry.metadata or entry.controller_metadata or entry.origin == "const"
        if self._key is None or shape is None or unusual:
            return expired_message(self.codec, state).SerializeToString()
        assert isinstance(action, ActionCall)
        head, params = shape
        out = [self._table]
        for before, match in zip(self._key, entry.key, strict=True):
            assert isinstance(match, Exact)
            size = (match.value.bit_length() + 7) // 8 or 1
            out += before[size], match.value.to_bytes(size, "big")
        call = [head]
        for before, value in zip(params, action.args, strict=True):
            size = (value.bit_length() + 7) // 8 or 1
            call += before[size], value.to_bytes(size, "big")
        inner = _nested(0x0A, b"".join(call))
        out.append(_nested(0x1A, inner))
        if entry.priority:
            out.append(b"\x20" + varint(entry.priority))
        if self.codec.table.counter is not None:
            out.append(_nested(0x3A, _number(0x08, state.bytes) + _number(0x10, state.packets)))
        out.append(_number(0x48, entry.idle_timeout_ns))
        out.append(_nested(0x52, _number(0x08, state.idle_ns)))
        if entry.origin == "learned":
            out.append(_nested(0x5A, LEARNED))
        return b"".join(out)

    def _action(self, name: str) -> tuple[bytes, _Values] | None:
        """The beginning of a call, and its parameters; None if protobuf has to write it."""
        if name not in self._actions:
            codec = self.codec.action(name)
            plain = codec is not None and all(_is_plain(param.scalar) for param in codec.params)
            self._actions[name] = (
                (b"\x08" + varint(codec.id), [_before(0x22, p.id, p.scalar.width) for p in codec.params])
                if codec is not None and plain
                else None
            )
        return self._actions[name]


def _is_plain(scalar: Scalar) -> bool:
    return scalar.names is None and 0 < scalar.width <= 8 * _MAX_BYTES


def _before(tag: int, number: int, width: int, nested: bool = False) -> tuple[bytes, ...]:
    """By the bytes of a value: FieldMatch{field_id, exact{value}} if nested, else Param{param_id, value}."""
    made = []
    for size in range((width + 7) // 8 + 1):
        if nested:
            inner = b"\x08" + varint(number) + bytes((0x12, 2 + size, 0x0A, size))
        else:
            inner = b"\x10" + varint(number) + bytes((0x1A, size))
        made.append(bytes((tag, len(inner) + size)) + inner)
    return tuple(made)


def _number(tag: int, value: int) -> bytes:
    """Nothing for 0, its default."""
    return bytes((tag,)) + varint(value) if value else b""


def _nested(tag: int, data: bytes) -> bytes:
    return bytes((tag,)) + varint(len(data)) + data
