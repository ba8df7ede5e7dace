"""Entries by the thousand: packed rows to and from the pipeline (`backend.api.Bulk`).

In: rows whose values fit and whose actions belong to their tables; `server.wire` makes them, or `insert` here
from columns. Out: calls on the pipeline. Part of `target.tables`, and like all of it under the switch's lock:
the rows of one call are visible all at once. What cannot be done with rows, a mistake included, is refused as
a whole by `write`; `Tables.batch` then does it, or says what is wrong.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import final

from p4nic.backend.api import ROW_HEAD, ROW_OPERATIONS, Bulk, Entry, Pipeline, Place, RowLayout, RowReader
from p4nic.bits import mask
from p4nic.clock import Clock
from p4nic.errors import StateError
from p4nic.ir.program import ActionCall, Exact, Program
from p4nic.target.checks import named
from p4nic.target.entities import Operation

Column = Sequence[int]
"""One value for each entry; `array.array`s of unsigned integers go fastest."""
Batch = Callable[[list[tuple[Operation, Entry]]], list[StateError | None]]


@final
class Rows:
    """The rows of one pipeline; tables without any give None and False. `commit` makes a write visible,
    `changed` is called after it."""

    def __init__(
        self, program: Program, pipeline: Pipeline, clock: Clock,
        lock: AbstractContextManager[object], commit: Callable[[], None],
        changed: Callable[[], None],
    ) -> None:  # fmt: skip
        self._program = program
        self._pipeline = pipeline if isinstance(pipeline, Bulk) else None
        self._clock = clock
        self._lock = lock
        self._commit = commit
        self._changed = changed

    def layout(self, table: str) -> RowLayout | None:
        """How the table's rows lie; None if its entries go one by one."""
        if self._pipeline is None:
            return None
        return self._pipeline.row_layout(named("table", table, self._program.tables).name)

    def writable(self, table: str) -> bool:
        """Whether entries may be written as rows. A new entry's meter has to be reset, which rows do not."""
        spec = named("table", table, self._program.tables)
        return self.layout(table) is not None and not spec.entries_are_const and spec.meter is None

    def write(self, rows: bytes | memoryview) -> bool:
        """All rows in their order, or none: False if one cannot be applied. The caller vouches that their
        tables are `writable` and their values good."""
        if self._pipeline is None:
            return False
        with self._lock:
            done = self._pipeline.write_rows(rows, self._clock.now_ns())
            self._commit()
        if done:
            self._changed()
        return done

    def read(self, table: str) -> Iterator[bytes] | None:
        """Rows of the table as it is at this call, some thousand at a time; None if it has to be read entry
        by entry. The lock is held for each piece, not in between."""
        if self._pipeline is None:
            return None
        with self._lock:
            reader = self._pipeline.read_rows(table)
        return None if reader is None else self._pieces(reader)

    def _pieces(self, reader: RowReader) -> Iterator[bytes]:
        while True:
            with self._lock:
                rows = reader.read(self._clock.now_ns())
            if rows is None:
                return
            if rows:
                yield rows

    def insert(
        self, table: str, action: str, keys: Sequence[Column], args: Sequence[Column], batch: Batch
    ) -> list[StateError | None]:
        """Insert entries with one action, given by columns: one for each key field, one for each parameter.

        One result per entry, as `batch` (`Tables.batch`) gives them, which also does whatever rows cannot.
        """
        rows = self._packed(table, action, keys, args)
        count = len(keys[0]) if keys else 0
        if rows is not None and self.write(rows):
            return [None] * count
        entries: list[tuple[Operation, Entry]] = [
            ("insert", Entry(table, tuple(Exact(v) for v in key), ActionCall(action, tuple(given))))
            for key, given in zip(
                zip(*keys, strict=True), zip(*args, strict=True) if args else [()] * count, strict=True
            )
        ]
        return batch(entries)

    def _packed(
        self, table: str, action: str, keys: Sequence[Column], args: Sequence[Column]
    ) -> memoryview | None:
        """None for what is not plainly right."""
        spec, layout = self._program.tables.get(table), self.layout(table)
        if spec is None or layout is None or not self.writable(table) or spec.has_priority:
            return None
        if layout.bits or not any(r.action == action and r.scope != "default_only" for r in spec.actions):
            return None
        number, places = layout.actions[action]
        widths = [k.width for k in spec.keys] + [p.width for p in self._program.actions[action].params]
        columns = [*keys, *args]
        count = len(keys[0]) if keys else 0
        if len(keys) != len(spec.keys) or len(args) != len(places) or not count:
            return None
        if any(
            len(column) != count or min(column) < 0 or max(column) > mask(width)
            for column, width in zip(columns, widths, strict=True)
        ):
            return None
        head = ROW_HEAD.pack(layout.size, layout.table, ROW_OPERATIONS["insert"], 0, number, 0, 0, 0, 0, 0)
        rows = bytearray((head + bytes(layout.size - len(head))) * count)
        for column, place in zip(columns, (*layout.keys, *places), strict=True):
            _fill(rows, layout.size, place, column)
        return memoryview(rows)


def _fill(rows: bytearray, size: int, place: Place, column: Column) -> None:
    """Put a column's values into the rows, byte by byte of the value: each a copy over all rows in C."""
    data = _little_endian(column, place.size)
    for byte in range(place.size):
        rows[place.offset + byte :: size] = data[byte :: place.size]


def _little_endian(column: Column, size: int) -> bytes:
    if size > 8:
        return b"".join(value.to_bytes(size, "little") for value in column)
    code = {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
    given = column if isinstance(column, array) and column.typecode == code else array(code, column)
    if sys.byteorder == "big":
        given = given[:]
        given.byteswap()
    return given.tobytes()
