"""From the data plane to the clients: packet-ins, digest lists, idle-timeout notifications.

In: the switch's events (called on its threads, so nothing here blocks), time. Out: messages in the outboxes
of the primaries that want them. Made by the service; `simulation` moves the manual clock through it, so
that everything happens at its time.

Timestamps are nanoseconds since the epoch under the real clock, and the switch's own time under a manual
one: two runs of one test give the same bytes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from threading import Condition, Event, Lock, RLock, Thread
from typing import final

from p4nic.backend.api import DigestMessage, Expired
from p4nic.clock import ManualClock
from p4nic.server.codec.expired import ExpiredCodec, varint
from p4nic.server.digests import DigestBatch
from p4nic.server.forwarding import Forwarding
from p4nic.server.outbox import MAX_ENTRIES
from p4nic.server.roles import RoleRules
from p4nic.server.sessions import Sessions
from p4nic.target.switch import Switch
from p4rt import p4r

log = logging.getLogger(__name__)

_BUNDLE_NS = 10_000_000
"""Under the real clock, what expires within this time may share a message: one for each would fill a stream
at a few thousand a second."""


@final
class Notifications:
    """Listens to one switch. `committed` is the pipeline configuration the data plane runs."""

    def __init__(
        self, switch: Switch, sessions: Sessions, committed: Callable[[], Forwarding | None]
    ) -> None:
        self._switch = switch
        self._sessions = sessions
        self._committed = committed
        self._manual = isinstance(switch.clock, ManualClock)
        self._advancing = Lock()
        self._bundling = RLock()
        self._held: list[tuple[int, int, bytes]] | None = None if self._manual else []
        """Timestamp, table id and the entry that expired, to go out in one message with others: under
        `advance` those of one time; under the real clock those of one delivery, as long as _BUNDLE_NS."""
        self._codecs: dict[str, ExpiredCodec] = {}
        self._wake = Condition()
        self._stopped = Event()
        self._timer = Thread(target=self._watch, name="p4nic-digests", daemon=True)
        self.unparsed = 0
        """Frames to the CPU port that were shorter than the packet-in header."""
        self._subscription = switch.subscribe(self._on_digest, self._on_expired, self._on_packet_in)
        self._subscription.on_delivered = self._on_delivered
        if not self._manual:
            self._timer.start()

    def close(self) -> None:
        self._subscription.close()
        self._stopped.set()
        with self._wake:
            self._wake.notify_all()
        if self._timer.is_alive():
            self._timer.join()

    # --- time ---

    def advance(self, nanoseconds: int) -> int:
        """Move the manual clock, stopping where a digest list is due; StateError as `Switch.advance`."""
        with self._advancing:
            with self._bundling:
                self._held = []
            try:
                now = self._switch.clock.now_ns()
                target = now + nanoseconds
                while True:
                    due = self._next_digest_ns()
                    step = target - now if due is None or due >= target else max(due - now, 0)
                    now = self._switch.advance(step)
                    self.send_due()
                    if now >= target:
                        return now
            finally:
                with self._bundling:
                    self._release(None)
                    self._held = None

    def send_due(self) -> None:
        """Send the digest lists that have waited long enough."""
        forwarding = self._committed()
        if forwarding is not None:
            for batch in forwarding.digests.due(self._switch.clock.now_ns()):
                self._send_digest(forwarding, batch)

    def _next_digest_ns(self) -> int | None:
        forwarding = self._committed()
        return forwarding.digests.next_ns() if forwarding is not None else None

    def _watch(self) -> None:
        """The real clock's thread: sleep until a digest list is due."""
        while not self._stopped.is_set():
            with self._wake:
                due, now = self._next_digest_ns(), self._switch.clock.now_ns()
                if due is None or due > now:
                    self._wake.wait(None if due is None else (due - now) / 1e9)
            try:
                self.send_due()
            except Exception:
                log.exception("sending digest lists failed; they are lost")

    def _timestamp(self) -> int:
        return self._switch.clock.now_ns() if self._manual else time.time_ns()

    # --- events ---

    def _on_digest(self, message: DigestMessage) -> None:
        forwarding = self._committed()
        if forwarding is None or message.digest not in forwarding.codec.info.digests:
            return
        now = self._switch.clock.now_ns()
        for batch in forwarding.digests.learned(message.digest, message.values, now):
            self._send_digest(forwarding, batch)
        with self._wake:
            self._wake.notify_all()

    def _send_digest(self, forwarding: Forwarding, batch: DigestBatch) -> None:
        self._release(None)
        number = forwarding.codec.info.digests[batch.digest].id
        message = p4r.StreamMessageResponse()
        message.digest.digest_id = number
        message.digest.list_id = batch.list_id
        message.digest.timestamp = self._timestamp()
        message.digest.data.extend(forwarding.codec.encode_digest(batch.digest, v) for v in batch.values)
        for outbox in self._sessions.receivers(partial(_sees, number)):
            outbox.put(message)

    def _on_packet_in(self, _port: int, frame: bytes) -> None:
        forwarding = self._committed()
        packet = forwarding.codec.packet_in.split(frame) if forwarding is not None else None
        if packet is None:
            self.unparsed += 1
            return
        self._release(None)
        message = p4r.StreamMessageResponse(packet=packet)
        for outbox in self._sessions.receivers(lambda rules: rules.wants(packet)):
            outbox.put(message)

    def _on_expired(self, expired: Expired) -> None:
        forwarding = self._committed()
        state = expired.state
        codec = forwarding.codec.tables.get(state.entry.table) if forwarding is not None else None
        if codec is None:
            return
        writer = self._codecs.get(codec.name)
        if writer is None or writer.codec is not codec:  # the first of a table, or of another pipeline
            writer = self._codecs[codec.name] = ExpiredCodec(codec)
        timestamp = self._timestamp()
        told = timestamp, codec.id, writer.write(state)
        with self._bundling:
            if self._held is None:
                self._send_expired([told])
            else:
                self._release(timestamp)
                self._held.append(told)

    def _on_delivered(self) -> None:
        if not self._manual:
            self._release(None)

    def _release(self, timestamp: int | None) -> None:
        """Send the held entries, unless more of the same time may follow."""
        within = 0 if self._manual else _BUNDLE_NS
        with self._bundling:
            held = self._held
            if held and (timestamp is None or not 0 <= timestamp - held[0][0] <= within):
                self._held = []
                self._send_expired(held)

    def _send_expired(self, held: list[tuple[int, int, bytes]]) -> None:
        """With the first one's timestamp."""
        for number in dict.fromkeys(table for _, table, _ in held):
            mine = [b"\x0a" + varint(len(entry)) + entry for _, table, entry in held if table == number]
            outboxes = self._sessions.receivers(partial(_sees, number))
            for start in range(0, len(mine), MAX_ENTRIES):
                together = b"".join(mine[start : start + MAX_ENTRIES])
                for outbox in outboxes:
                    # One for each: a box puts more into what waits in it.
                    message = p4r.StreamMessageResponse()
                    message.idle_timeout_notification.timestamp = held[0][0]
                    # Each is a field 1 of it, `table_entry`.
                    message.idle_timeout_notification.MergeFromString(together)
                    outbox.put(message, 0 if self._manual else _BUNDLE_NS)


def _sees(number: int, rules: RoleRules) -> bool:
    return rules.sees(number)
