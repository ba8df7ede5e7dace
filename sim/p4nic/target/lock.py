"""The switch's lock: re-entrant, and what packets in other threads wait for is let go with its last release.

A Pipeline that runs packets in threads of its own stops them at the first change made under the lock (a
gate). A batch of changes is one hold of the lock, so it becomes visible whole. Used by `target.switch`.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import final


@final
class StateLock:
    """`with lock:`, from any thread, any number of times within itself. `released` is called before each
    last release, the lock still held."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._depth = 0
        self.released: Callable[[], None] = _nothing

    def __enter__(self) -> StateLock:
        self._lock.acquire()
        self._depth += 1
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._depth == 1:
                self.released()
        finally:
            self._depth -= 1
            self._lock.release()


def _nothing() -> None:
    return
