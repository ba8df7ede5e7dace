"""A port that is two queues: for tests and for programs that embed a switch.

In: frames given to `put`, from any thread. Out: frames collected by `take`. Used by tests and by `N@memory`.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from typing import final

from p4nic.target.ports import BURST


@final
class MemoryPort:
    """`put` is the wire's side of receive, `take` that of send."""

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self._incoming: deque[bytes] = deque()
        self._outgoing: deque[bytes] = deque()
        self._ready = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._open = True

    def put(self, frame: bytes) -> None:
        """Let a frame arrive at the switch."""
        self._incoming.append(frame)
        os.eventfd_write(self._ready, 1)

    def take(self) -> list[bytes]:
        """Frames the switch has sent since the last call."""
        out = []
        while self._outgoing:
            out.append(self._outgoing.popleft())
        return out

    def fileno(self) -> int | None:
        return self._ready

    def receive(self, limit: int = BURST) -> list[bytes]:
        frames: list[bytes] = []
        while self._incoming and len(frames) < limit:
            frames.append(self._incoming.popleft())
        if not self._incoming:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._ready)
            if self._incoming:  # a frame came between the look and the read
                os.eventfd_write(self._ready, 1)
        return frames

    def send(self, frame: bytes) -> str:
        self._outgoing.append(frame)
        return ""

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._ready)
