"""Timers of entries, in one lazily ordered heap.

An entry's true deadline is `last_ns + timeout_ns`; a hit or rearm only moves `last_ns`. The heap holds a
deadline that was true once and is corrected when it comes to the top, so that refreshing costs nothing.
A deadline that moves *earlier* (TCP FIN: twelve hours become ten seconds) is pushed at once. Called by
the tables, learners and generated code (`touch`), and by the pipeline (`expire`).

An entry lives until `expire` is called: a packet that hits it before then has won, even after its deadline.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from typing import final

from p4nic.backend.api import REPEAT_NS
from p4nic.backend.interp.tables.entry import TableEntry


@final
class Ageing:
    """The deadlines of all entries of a pipeline."""

    def __init__(self) -> None:
        # (deadline, sequence of the entry, push number, entry): equal deadlines expire in order of insertion.
        self._heap: list[tuple[int, int, int, TableEntry]] = []
        self._pushes = 0

    def arm(self, entry: TableEntry) -> None:
        """See to it that the heap holds a deadline no later than the entry's own."""
        if not entry.timeout_ns:
            return
        deadline = entry.last_ns + entry.timeout_ns
        if entry.queued_ns is None or deadline < entry.queued_ns:
            self._push(entry, deadline)

    def _push(self, entry: TableEntry, deadline: int) -> None:
        entry.queued_ns = deadline
        self._pushes += 1
        heapq.heappush(self._heap, (deadline, entry.sequence, self._pushes, entry))

    def touch(self, entry: TableEntry, now_ns: int) -> None:
        """The entry was used now."""
        entry.last_ns = now_ns
        if entry.queued_ns is None:
            self.arm(entry)

    def restart(self, entry: TableEntry, now_ns: int) -> None:
        """The entry was reported idle now and stays: its next deadline is another timeout away. `last_ns`
        stays that of the hit, so that the time since then reads true.
        """
        self._push(entry, now_ns + max(entry.timeout_ns, REPEAT_NS))

    def forget(self, entry: TableEntry) -> None:
        """The entry is gone, or must not expire; what the heap still holds of it is skipped later."""
        entry.queued_ns = None

    def adopt(self, other: Ageing, tables: Collection[str]) -> None:
        """Take over the deadlines of these tables' entries."""
        mine = [item for item in other._heap if item[3].table in tables]
        self._heap = [*self._heap, *mine]
        heapq.heapify(self._heap)
        self._pushes = max(self._pushes, other._pushes)

    def next_ns(self) -> int | None:
        """The earliest true deadline, None without any."""
        while self._heap:
            queued, _, _, entry = self._heap[0]
            if entry.queued_ns != queued:
                heapq.heappop(self._heap)
            elif not entry.timeout_ns or entry.last_ns + entry.timeout_ns > queued:
                self._correct()
            else:
                return queued
        return None

    def _correct(self) -> None:
        _, _, _, entry = heapq.heappop(self._heap)
        entry.queued_ns = None
        self.arm(entry)

    def due(self, now_ns: int) -> Iterator[TableEntry]:
        """Entries whose time is up, oldest deadline first; each is disarmed before it is handed out."""
        while (deadline := self.next_ns()) is not None and deadline <= now_ns:
            _, _, _, entry = heapq.heappop(self._heap)
            entry.queued_ns = None
            yield entry
