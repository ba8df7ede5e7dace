"""Entries whose time is up, out of the compiled engine: `struct expired` of runtime/p4nic_expiry.h.

In: the time. Out: what `backend.api.Pipeline` says of expiry. Called by `pipeline`. C collects, in order and
many at a time, so that packets are not shut out while Python makes objects of them.
"""

from __future__ import annotations

import contextlib
import gc
import struct
from collections.abc import Collection, Iterator, Mapping
from typing import Any, final

from p4nic.backend.api import Expired
from p4nic.backend.native.tables import ORIGINS, NativeTable, Shown
from p4nic.backend.native.workers import Workers

MOST = 512
"""Entries in one call, while packets wait: 0.2 ms."""
_HEAD = struct.Struct("<QQQQQqIIHBBI")
_LEARNED = ORIGINS.index("learned")


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Python's search for cycles would take half of the time, and what is made here has none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@final
class Expiry:
    """Of all tables of one pipeline."""

    def __init__(
        self, library: tuple[Any, Any, Any], tables: Mapping[str, NativeTable], workers: Workers
    ) -> None:
        """`library`: (ffi, lib, engine)."""
        self._ffi, self._lib, self._engine = library
        self._tables = tables
        self._by_number = list(tables.values())
        self._workers = workers
        largest = max((t.layout.key.size + t.layout.args for t in self._by_number), default=0)
        self._room = self._ffi.new("uint8_t[]", MOST * (_HEAD.size + largest))

    def next_ns(self) -> int | None:
        """As `Pipeline.next_expiry_ns`."""
        deadline = self._ffi.new("uint64_t *")
        return int(deadline[0]) if self._lib.p4_next_expiry(self._engine, deadline) else None

    def told(self, now_ns: int) -> list[Expired]:
        """As `Pipeline.expire`."""
        expired: list[Expired] = []
        due = self.next_ns()
        if due is None or due > now_ns:
            return expired
        with _no_collection():
            while collected := self._collected(now_ns):
                expired += self._decoded(collected, now_ns)
        return expired

    def _collected(self, now_ns: int) -> bytes:
        """Up to MOST of them, as C has them; packets wait for nothing else."""
        alone = self._workers.out_of_the_way
        self._workers.gate()
        size = self._lib.p4_expire(self._engine, now_ns, MOST, self._room)
        if not alone:
            self._workers.resume()
        return bytes(self._ffi.buffer(self._room, size)) if size else b""

    def _decoded(self, data: bytes, now_ns: int) -> Iterator[Expired]:
        at = 0
        while at < len(data):
            last, timeout, packets, volume, sequence, priority, table, number, action, origin, kind, size = (
                _HEAD.unpack_from(data, at)
            )
            of = self._by_number[table]
            args = at + _HEAD.size + of.layout.key.size
            shown = Shown(
                last, timeout, packets, volume, sequence, priority, number, action, origin, kind,
                data[at + _HEAD.size : args], data[args : at + size],
            )  # fmt: skip
            removed = origin == _LEARNED
            yield Expired(of.state(shown, now_ns), removed)
            if removed:
                of.forget(number)
            at += size

    def untold(self, now_ns: int, told: Collection[str]) -> tuple[int, bool]:
        """As `Forgetting.expire_untold`."""
        due = self.next_ns()
        if due is None or due > now_ns:
            return 0, True
        flags = bytes(name in told for name in self._tables)
        gone = self._ffi.new("uint64_t *")
        alone = self._workers.out_of_the_way
        done = self._lib.p4_expire_untold(self._engine, now_ns, flags, alone, gone)
        return int(gone[0]), bool(done)
