"""What waits to be sent on one stream: bounded, so that a client that stalls costs memory to nobody.

In: messages from the switch's threads, which must never block. Out: messages for the stream's own thread.
Called by `stream`. Arbitration notices and errors always get in; packet-ins, digests and idle-timeout
notifications are dropped and counted when the box is full (P4Runtime wants best effort, §9.10, §16.4).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from threading import Condition
from typing import final

from p4rt import p4r

_MAX_NOTICES = 10_000
MAX_ENTRIES = 512
"""Expired entries in one IdleTimeoutNotification."""


@final
class Outbox:
    """A queue with one reader. `dropped` counts messages that did not fit."""

    def __init__(self, limit: int = 16_384, byte_limit: int = 32 << 20) -> None:
        self._messages: deque[tuple[p4r.StreamMessageResponse, int]] = deque()
        self._ready = Condition()
        self._bytes = 0
        self._limit = limit
        self._byte_limit = byte_limit
        self._closed = False
        self.dropped = 0

    def put(self, message: p4r.StreamMessageResponse, within_ns: int = 0) -> bool:
        """Queue a message that may be lost; False if it was. Idle-timeout notifications join the last one in
        the queue if that is no older than `within_ns`.
        """
        size = message.ByteSize()
        with self._ready:
            if self._closed:
                return False
            if self._bytes + size > self._byte_limit:
                self.dropped += 1
                return False
            if self._merge(message, within_ns):
                return True
            if len(self._messages) >= self._limit:
                self.dropped += 1
                return False
            self._append(message, size)
            return True

    def put_notice(self, message: p4r.StreamMessageResponse) -> bool:
        """Queue a message that must not be lost; False if so many wait that the stream is as good as dead."""
        with self._ready:
            if self._closed:
                return True
            if len(self._messages) >= self._limit + _MAX_NOTICES:
                return False
            self._append(message, message.ByteSize())
            return True

    def close(self) -> None:
        """What is queued is still read; nothing more gets in."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def discard(self) -> None:
        """Close and forget what is queued."""
        with self._ready:
            self._messages.clear()
        self.close()

    def __iter__(self) -> Iterator[p4r.StreamMessageResponse]:
        """Messages until the box is closed and empty; blocks while it is open and empty."""
        while True:
            with self._ready:
                while not self._messages and not self._closed:
                    self._ready.wait()
                if not self._messages:
                    return
                message, size = self._messages.popleft()
                self._bytes -= size
            yield message

    def _append(self, message: p4r.StreamMessageResponse, size: int) -> None:
        self._messages.append((message, size))
        self._bytes += size
        self._ready.notify()

    def _merge(self, message: p4r.StreamMessageResponse, within_ns: int) -> bool:
        """Bundle entries that expired at nearly one time into one notification, while it has not left yet."""
        if message.WhichOneof("update") != "idle_timeout_notification" or not self._messages:
            return False
        last, size = self._messages[-1]
        idle, more = last.idle_timeout_notification, message.idle_timeout_notification
        near = 0 <= more.timestamp - idle.timestamp <= within_ns
        if (
            last.WhichOneof("update") != "idle_timeout_notification"
            or not near
            or len(idle.table_entry) >= MAX_ENTRIES
        ):
            return False
        idle.table_entry.extend(more.table_entry)
        self._messages[-1] = (last, size + message.ByteSize())
        self._bytes += message.ByteSize()
        return True
