"""Reads under way: how many, and which one gives way when its client does not take the answers.

In: each Read's answers and context. Out: the answers, one by one; a Read that stalls is cut off (CANCELLED),
at once if its place is wanted, else after `patience`. Called by the service. Each Read keeps a thread until
its client has taken everything, so without an end to them a few stalled clients would stop all others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Condition, Thread
from typing import Any, Protocol, TypeVar, final

from p4nic.errors import ErrorKind
from p4nic.server.status import refused

A = TypeVar("A")
PLACES = 16
PATIENCE = 30.0
GRACE = 0.5
"""Seconds a client may take for an answer even when others wait for its place."""


class Cancellable(Protocol):
    """What a Read needs of gRPC's context."""

    def cancel(self) -> Any: ...


@final
class _Read:
    """`since`: when the answer under way was handed to gRPC; None while there is none."""

    __slots__ = ("context", "since")

    def __init__(self, context: Cancellable) -> None:
        self.context = context
        self.since: float | None = None


@final
class Reads:
    """All Reads of one server."""

    def __init__(
        self,
        places: int = PLACES,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._places = places
        self._patience = patience
        self._clock = clock
        self._open: set[_Read] = set()
        self._changed = Condition()
        self._closed = False
        self._watcher: Thread | None = None

    def watched(self, answers: Iterator[A], context: Cancellable) -> Iterator[A]:
        """The answers; RpcRefused RESOURCE_EXHAUSTED if all places are taken by clients that do read."""
        read = self._enter(context)
        try:
            for answer in answers:
                read.since = self._clock()
                yield answer  # comes back when gRPC has sent it
                read.since = None
        finally:
            with self._changed:
                self._open.discard(read)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._watcher is not None:
            self._watcher.join()

    def _enter(self, context: Cancellable) -> _Read:
        read = _Read(context)
        with self._changed:
            if len(self._open) >= self._places and not self.cut_off(GRACE, 1):
                raise refused(
                    ErrorKind.RESOURCE_EXHAUSTED,
                    f"{self._places} Reads are under way already; try again when one has ended",
                )
            if self._watcher is None and not self._closed:
                self._watcher = Thread(target=self._watch, name="p4nic-reads", daemon=True)
                self._watcher.start()
            if not self._open:
                self._changed.notify_all()
            self._open.add(read)
        return read

    def cut_off(self, patience: float, most: int | None = None) -> int:
        """Cancel Reads whose client has not taken an answer for so long, the longest first; how many."""
        now = self._clock()
        with self._changed:
            stalled = [(since, read) for read in self._open if (since := read.since) is not None]
            late = sorted((s, id(r), r) for s, r in stalled if now - s >= patience)[:most]
            for _, _, read in late:
                self._open.discard(read)
                read.context.cancel()
        return len(late)

    def _watch(self) -> None:
        """Look now and then, while there is something to look at."""
        while True:
            with self._changed:
                while not self._open and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                self._changed.wait(self._patience / 4)
            self.cut_off(self._patience)
