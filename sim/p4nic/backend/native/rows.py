"""Packed rows in and out of the compiled engine: `backend.api.Bulk` (runtime/p4nic_bulk.h).

In: rows as `target` and `server.wire` make them. Out: rows. Called by `pipeline`. Exact tables whose entries
carry an action have rows; the matches of other tables are kept in `tables`, on this side.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, final
from weakref import finalize

from p4nic.backend.api import ROW_HEAD, Place, RowLayout
from p4nic.backend.native.described import TableLayout
from p4nic.backend.native.layout import Packing, storage
from p4nic.backend.native.tables import NativeTable
from p4nic.backend.native.workers import Workers

STRETCH = 2048
"""Slots read in one call, while packets wait."""


@final
class Rows:
    """The rows of all tables of one pipeline."""

    def __init__(
        self, library: tuple[Any, Any, Any], tables: Mapping[str, NativeTable], workers: Workers
    ) -> None:
        """`library`: (ffi, lib, engine)."""
        self._ffi, self._lib, self._engine = library
        self._tables = tables
        self._workers = workers
        self._layouts = {name: _layout(table) for name, table in tables.items()}
        self._reading = 0
        self._given_up: deque[Any] = deque()

    def layout(self, name: str) -> RowLayout | None:
        return self._layouts[name]

    @property
    def reading(self) -> bool:
        """Whether a read is under way."""
        self._end_given_up()
        return self._reading > 0

    def write(self, rows: bytes | memoryview, now_ns: int) -> bool:
        """Shuts packets out by itself, since a thread that has to wait for Python's lock would do so with the
        gate closed."""
        self._end_given_up()
        data = self._ffi.from_buffer("uint8_t[]", rows)
        return bool(
            self._lib.p4_write_rows(self._engine, data, len(data), now_ns, self._workers.out_of_the_way)
        )

    def reader(self, name: str) -> NativeReader | None:
        self._end_given_up()
        table = self._tables[name]
        layout = self._layouts[name]
        if layout is None or table.has_metadata:
            return None
        made = self._lib.p4_read_start(self._engine, table.number)
        if made == self._ffi.NULL:
            return None
        self._reading += 1
        reader = NativeReader((self._ffi, self._lib, self._engine), made, layout.size)
        # Whoever drops a reader, even half-way, does so in a thread and at a time of its own.
        finalize(reader, self._given_up.append, made)
        return reader

    def _end_given_up(self) -> None:
        while self._given_up:
            self._lib.p4_read_end(self._engine, self._given_up.popleft())
            self._reading -= 1


@final
class NativeReader:
    """A read under way. It keeps the engine's memory, so that it may end after its pipeline was closed."""

    def __init__(self, library: tuple[Any, Any, Any], reader: Any, row_size: int) -> None:
        self._ffi, self._lib, self._engine = library
        self._reader = reader
        self._room = self._ffi.new("uint8_t[]", STRETCH * row_size)

    def read(self, now_ns: int) -> bytes | None:
        if self._lib.p4_read_done(self._reader):
            return None
        size = self._lib.p4_read_rows(self._engine, self._reader, STRETCH, now_ns, self._room)
        return bytes(self._ffi.buffer(self._room, size))


def _layout(table: NativeTable) -> RowLayout | None:
    inside: TableLayout = table.layout
    if not inside.exact or not table.spec.keys or table.spec.implementation is not None:
        return None
    args = ROW_HEAD.size + inside.key.size
    names = [*dict.fromkeys([ref.action for ref in table.spec.actions] + [table.spec.default.action])]
    actions = {name: (table.actions[name][0], _places(table.actions[name][1], args)) for name in names}
    return RowLayout(table.number, args + inside.args, _places(inside.key, ROW_HEAD.size), (), actions)


def _places(packing: Packing, offset: int) -> tuple[Place, ...]:
    return tuple(Place(offset + m.offset, storage(m.width)) for m in packing.members)
