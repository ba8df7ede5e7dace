"""Delivery of what the data plane tells the control plane: digests, expiries, packet-ins.

In: events in the order they happened, put under the switch's lock. Out: calls of the subscribers' functions,
in that order, one at a time, after the lock is released: a subscriber may take its own locks. It must not
block; put the event into a queue. Called by `target.switch`; subscribed to by the P4Runtime server and tests.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import RLock
from typing import assert_never, final

from p4nic.backend.api import DigestMessage, Expired

log = logging.getLogger(__name__)


@final
@dataclass(frozen=True, slots=True)
class PacketIn:
    """A frame the program sent to the CPU port."""

    port: int
    frame: bytes


Event = DigestMessage | Expired | PacketIn


@dataclass(eq=False, slots=True)
class Subscription:
    """Functions to be called; `close()` ends it. `on_delivered`: when no more events wait, for now."""

    on_digest: Callable[[DigestMessage], None] | None
    on_expired: Callable[[Expired], None] | None
    on_packet_in: Callable[[int, bytes], None] | None
    _owner: Events
    on_delivered: Callable[[], None] | None = None

    def close(self) -> None:
        """No call begins after this returns, unless one is running."""
        self._owner.remove(self)


class Events:
    """The queue of events, and who hears them."""

    def __init__(self) -> None:
        self._queue: deque[Event] = deque()
        self._subscribers: tuple[Subscription, ...] = ()
        self._delivery = RLock()
        self._delivering = False
        self.unheard = 0
        """Events nobody had subscribed to."""
        self.failed = 0
        """Calls of a subscriber that raised; the switch goes on."""

    def subscribe(
        self,
        on_digest: Callable[[DigestMessage], None] | None = None,
        on_expired: Callable[[Expired], None] | None = None,
        on_packet_in: Callable[[int, bytes], None] | None = None,
    ) -> Subscription:
        subscription = Subscription(on_digest, on_expired, on_packet_in, self)
        with self._delivery:
            self._subscribers = (*self._subscribers, subscription)
        return subscription

    def remove(self, subscription: Subscription) -> None:
        with self._delivery:
            self._subscribers = tuple(s for s in self._subscribers if s is not subscription)

    def put(self, event: Event) -> None:
        """Queue an event; the caller holds the switch's lock, so the order is that of the data plane."""
        self._queue.append(event)

    def deliver(self) -> None:
        """Call the subscribers with everything queued. A call from within a subscriber returns at once."""
        if not self._queue:
            return
        with self._delivery:
            if self._delivering:
                return
            self._delivering = True
            try:
                while self._queue:
                    while self._queue:
                        self._tell(self._queue.popleft())
                    self._tell_delivered()
            finally:
                self._delivering = False

    def _tell(self, event: Event) -> None:
        heard = False
        for subscriber in self._subscribers:
            try:
                heard |= _call(subscriber, event)
            except Exception:
                self.failed += 1
                log.exception("a subscriber to %s failed", type(event).__name__)
        if not heard:
            self.unheard += 1

    def _tell_delivered(self) -> None:
        for subscriber in self._subscribers:
            if subscriber.on_delivered is not None:
                try:
                    subscriber.on_delivered()
                except Exception:
                    self.failed += 1
                    log.exception("a subscriber to the end of a delivery failed")


def _call(subscriber: Subscription, event: Event) -> bool:
    match event:
        case DigestMessage():
            if subscriber.on_digest is not None:
                subscriber.on_digest(event)
                return True
        case Expired():
            if subscriber.on_expired is not None:
                subscriber.on_expired(event)
                return True
        case PacketIn(port, frame):
            if subscriber.on_packet_in is not None:
                subscriber.on_packet_in(port, frame)
                return True
        case _:
            assert_never(event)
    return False
