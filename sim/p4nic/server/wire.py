"""Whole WriteRequests to packed rows and rows to ReadResponses, in C (runtime/p4nic_wire.h).

In: bytes of a message. Out: rows for `Tables.rows`, or None for anything unusual, which the general path
(`codec`, `writer`, `reader`) then takes. A Wire is made from the same Codec as that path, so that both know
the same ids and widths. Called by `forwarding`, `bulk` and `entry_reader`.

The C is compiled once per machine, in the background: until it is there, and where there is no compiler, the
general path serves alone.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any, final

from p4nic import ccompiler
from p4nic.backend.api import Place, RowLayout
from p4nic.errors import P4nicError
from p4nic.server.codec import Codec
from p4nic.server.codec.action import ActionCodec
from p4nic.server.codec.match import KeyField
from p4nic.server.codec.table import TableCodec
from p4nic.target.tables import Tables
from p4rt import p4r

log = logging.getLogger(__name__)

_DECLARATIONS = """
typedef struct { uint32_t id, kind, width, size, value_at, bits_at; } wire_field;
typedef struct { uint32_t id, width, size, at; } wire_param;
typedef struct { uint32_t id, number, first, count, writable; } wire_action;
typedef struct { uint32_t id, number, row_size, first_field, fields, first_action, actions, writable, ages,
    priority, counter, constant; } wire_table;
typedef struct { const wire_table *tables; const wire_field *fields; const wire_action *actions;
    const wire_param *params; uint32_t table_count; } wire_schema;
typedef struct { uint8_t *data; uint64_t used, room; } buffer;
int wire_decode(const wire_schema *schema, const uint8_t *data, uint64_t size, buffer *rows, buffer *head);
int wire_encode(const wire_schema *schema, uint32_t table, const uint8_t *rows, uint64_t size, uint32_t what,
    buffer *out);
void wire_free(buffer *b);
"""
_HEADERS = Path(__file__).resolve().parents[1] / "runtime"
_KINDS = {"exact": 0, "lpm": 1, "ternary": 2, "range": 3, "optional": 4}
_WANT_COUNTER, _WANT_IDLE, _AS_EXPIRED = 1, 2, 4
_MOST = 64
"""Fields of a key, parameters of an action: the C keeps one bit for each."""


@final
class _Library:
    """The compiled C, once it is there."""

    def __init__(self) -> None:
        self.loaded: tuple[Any, Any] | None = None
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to compile, or to take it from the cache; once."""
        if self._thread is None:
            self._thread = Thread(target=self._load, name="p4nic-wire", daemon=True)
            self._thread.start()

    def wait(self) -> bool:
        """Start and wait to the end; whether it is there."""
        self.start()
        assert self._thread is not None
        self._thread.join()
        return self.loaded is not None

    def _load(self) -> None:
        try:
            flags = ("-O2", *ccompiler.FLAGS)
            path = ccompiler.shared_object(ccompiler.Source('#include "p4nic_wire.h"\n', flags, _HEADERS))
        except P4nicError as error:
            log.warning("large writes and reads take the slow way: %s", error)
            return
        self.loaded = ccompiler.load(path, _DECLARATIONS)


library = _Library()


@final
@dataclass(frozen=True, slots=True)
class DecodedWrite:
    """`head`: the request without its updates."""

    head: p4r.WriteRequest
    rows: memoryview


@final
class Wire:
    """Messages of one pipeline configuration. Made by `make`."""

    def __init__(
        self, loaded: tuple[Any, Any], schema: Any, parts: tuple[Any, ...], places: dict[str, int]
    ) -> None:
        self._ffi, self._lib = loaded
        self._schema = schema
        self._parts = parts  # what the schema points to
        self._places = places

    def decode(self, request: bytes) -> DecodedWrite | None:
        """None if the general path has to look at it."""
        ffi, lib = self._ffi, self._lib
        rows, head = ffi.new("buffer *"), ffi.new("buffer *")
        rows, head = ffi.gc(rows, lib.wire_free), ffi.gc(head, lib.wire_free)
        if not lib.wire_decode(self._schema, ffi.from_buffer("uint8_t[]", request), len(request), rows, head):
            return None
        # The memory belongs to `rows`: the view of it must not outlive it.
        data = ffi.gc(rows.data, lambda _, owner=rows: None)
        told = bytes(ffi.buffer(head.data, head.used)) if head.used else b""
        return DecodedWrite(p4r.WriteRequest.FromString(told), memoryview(ffi.buffer(data, rows.used)))

    def knows(self, table: str) -> bool:
        return table in self._places

    def encode(self, table: str, rows: bytes, *, counter: bool, idle: bool) -> bytes:
        """A serialized ReadResponse."""
        what = (_WANT_COUNTER if counter else 0) | (_WANT_IDLE if idle else 0)
        return self._encode(table, rows, what)

    def encode_expired(self, table: str, rows: bytes) -> bytes:
        """A serialized IdleTimeoutNotification but for its timestamp."""
        return self._encode(table, rows, _WANT_COUNTER | _WANT_IDLE | _AS_EXPIRED)

    def _encode(self, table: str, rows: bytes, what: int) -> bytes:
        ffi, lib = self._ffi, self._lib
        out = ffi.gc(ffi.new("buffer *"), lib.wire_free)
        data = ffi.from_buffer("uint8_t[]", rows)
        if not lib.wire_encode(self._schema, self._places[table], data, len(rows), what, out):
            raise MemoryError
        return bytes(ffi.buffer(out.data, out.used)) if out.used else b""


# --- the schema ---------------------------------------------------------------------------------------------


def make(codec: Codec, tables: Tables) -> Wire | None:
    """None while or where there is no C, or if no table has rows."""
    layouts = {name: layout for name in codec.tables if (layout := tables.rows.layout(name)) is not None}
    described = {name: layout for name, layout in layouts.items() if _describable(codec, codec.tables[name])}
    if not described:
        return None
    library.start()
    if library.loaded is None:
        return None
    return _make(library.loaded, codec, tables, described)


def _describable(codec: Codec, table: TableCodec) -> bool:
    """Strings of translated types have no place in a row, and the C counts to 64."""
    fields = table.key.fields
    actions = [codec.actions.codec(ref.action) for ref in table.table.actions]
    params = [action.params for action in actions if action is not None]
    scalars = [f.scalar for f in fields] + [p.scalar for some in params for p in some]
    return (
        all(scalar.names is None for scalar in scalars)
        and len(fields) <= _MOST
        and all(len(some) <= _MOST for some in params)
    )


def _make(loaded: tuple[Any, Any], codec: Codec, tables: Tables, layouts: dict[str, RowLayout]) -> Wire:
    fields: list[tuple[int, ...]] = []
    actions: list[tuple[int, ...]] = []
    params: list[tuple[int, ...]] = []
    rows: list[tuple[int, ...]] = []
    for name, layout in layouts.items():
        table = codec.tables[name]
        first_field, first_action = len(fields), len(actions)
        bits = layout.bits or (None,) * len(layout.keys)
        fields += [_field(f, v, b) for f, v, b in zip(table.key.fields, layout.keys, bits, strict=True)]
        allowed = {ref.action for ref in table.table.actions if ref.scope != "default_only"}
        allowed &= {ref.action for ref in codec.info.tables[name].actions if ref.scope != "default_only"}
        for action, (number, places) in layout.actions.items():
            known = codec.actions.codec(action)
            first = len(params)
            params += _params(known, places)
            number_of = known.id if known is not None else 0
            actions.append((number_of, number, first, len(params) - first, action in allowed))
        rows.append(
            (
                table.id, layout.table, layout.size, first_field, len(fields) - first_field, first_action,
                len(actions) - first_action, tables.rows.writable(name), table.ages, table.table.has_priority,
                table.table.counter is not None, table.table.entries_are_const,
            )
        )  # fmt: skip
    ffi = loaded[0]
    parts = (
        ffi.new("wire_table[]", rows), ffi.new("wire_field[]", fields), ffi.new("wire_action[]", actions),
        ffi.new("wire_param[]", params),
    )  # fmt: skip
    schema = ffi.new("wire_schema *", (*parts, len(rows)))
    return Wire(loaded, schema, parts, {name: i for i, name in enumerate(layouts)})


def _field(field: KeyField, value: Place, bits: Place | None) -> tuple[int, ...]:
    bits_at = bits.offset if bits is not None else 0
    return field.id, _KINDS[field.kind], field.scalar.width, value.size, value.offset, bits_at


def _params(action: ActionCodec | None, places: tuple[Place, ...]) -> list[tuple[int, ...]]:
    if action is None:
        return []
    return [
        (param.id, param.scalar.width, place.size, place.offset)
        for param, place in zip(action.params, places, strict=True)
    ]
