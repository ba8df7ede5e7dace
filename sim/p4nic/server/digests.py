"""Digest lists: which messages go out together, when, and which are held back as known (P4Runtime 1.5 §9.10).

In: settings from Write, messages from the data plane, acknowledgements, time. Out: DigestBatch to send.
Time is an argument, in nanoseconds on the switch's clock. Any thread may call: Writes change the settings,
the switch's threads bring messages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import final

from p4nic.errors import ErrorKind, StateError
from p4nic.server.change import DigestChange, DigestSettings

Values = tuple[int, ...]
_MAX_BUFFER = 4096
"""A list is sent when it is this long, whatever the settings say: a message must stay well under 4 MB."""


@final
@dataclass(frozen=True, slots=True)
class DigestBatch:
    """One DigestList to send."""

    digest: str
    list_id: int
    values: tuple[Values, ...]


@final
@dataclass(slots=True)
class _Digest:
    settings: DigestSettings
    buffer: dict[Values, None] = field(default_factory=dict)
    first_ns: int = 0
    sent: dict[Values, int] = field(default_factory=dict)
    """What was sent and is neither acknowledged nor timed out, with its list."""
    lists: dict[int, tuple[int, tuple[Values, ...]]] = field(default_factory=dict)
    """Those lists, oldest first: when sent, and what."""


@final
class Digests:
    """All digests of one pipeline configuration that are switched on."""

    def __init__(self) -> None:
        self._on: dict[str, _Digest] = {}
        self._next_list = 1
        self._lock = Lock()

    # --- settings ---

    def check(self, changes: list[DigestChange]) -> list[StateError | None]:
        """What each of these changes, in order, would meet with."""
        with self._lock:
            on = set(self._on)
        return [_judge(change, on) for change in changes]

    def apply(self, change: DigestChange) -> None:
        """Take a change that `check` has let through. A deleted digest forgets what it had buffered."""
        with self._lock:
            match change.operation:
                case "delete":
                    del self._on[change.digest]
                case "insert":
                    self._on[change.digest] = _Digest(change.settings)
                case "modify":
                    self._on[change.digest].settings = change.settings

    def settings(self, digest: str | None = None) -> list[tuple[str, DigestSettings]]:
        """Those switched on: one, or all."""
        with self._lock:
            return [(name, one.settings) for name, one in self._on.items() if digest in (None, name)]

    # --- messages ---

    def learned(self, digest: str, values: Values, now_ns: int) -> list[DigestBatch]:
        """A message of the data plane. Returns the lists that are to be sent because of it."""
        with self._lock:
            one = self._on.get(digest)
            if one is None:
                return []
            self._forget(one, now_ns)
            if values in one.sent or values in one.buffer:
                return []
            if not one.buffer:
                one.first_ns = now_ns
            one.buffer[values] = None
            limit = one.settings.max_list_size or _MAX_BUFFER
            if len(one.buffer) >= min(limit, _MAX_BUFFER) or not one.settings.max_timeout_ns:
                return [self._send(digest, one, now_ns)]
            return []

    def due(self, now_ns: int) -> list[DigestBatch]:
        """Lists whose first message has waited for max_timeout_ns."""
        with self._lock:
            return [
                self._send(name, one, now_ns)
                for name, one in self._on.items()
                if one.buffer and one.first_ns + one.settings.max_timeout_ns <= now_ns
            ]

    def next_ns(self) -> int | None:
        """When `due` has something, None while nothing waits."""
        with self._lock:
            waiting = [one for one in self._on.values() if one.buffer]
            return min((one.first_ns + one.settings.max_timeout_ns for one in waiting), default=None)

    def acknowledge(self, digest: str, list_id: int) -> None:
        """The client has dealt with the list: its data may be sent again. An unknown list is no error."""
        with self._lock:
            one = self._on.get(digest)
            if one is not None and list_id in one.lists:
                self._drop_list(one, list_id)

    def forget_sent(self) -> None:
        """Another client is to be told everything anew."""
        with self._lock:
            for one in self._on.values():
                one.sent.clear()
                one.lists.clear()

    def _send(self, name: str, one: _Digest, now_ns: int) -> DigestBatch:
        batch = DigestBatch(name, self._next_list, tuple(one.buffer))
        self._next_list += 1
        one.buffer.clear()
        if one.settings.ack_timeout_ns:
            one.lists[batch.list_id] = (now_ns, batch.values)
            one.sent.update(dict.fromkeys(batch.values, batch.list_id))
        return batch

    def _forget(self, one: _Digest, now_ns: int) -> None:
        while one.lists:
            list_id, (sent_ns, _) = next(iter(one.lists.items()))
            if sent_ns + one.settings.ack_timeout_ns > now_ns:
                return
            self._drop_list(one, list_id)

    def _drop_list(self, one: _Digest, list_id: int) -> None:
        _, values = one.lists.pop(list_id)
        for each in values:
            if one.sent.get(each) == list_id:
                del one.sent[each]


def _judge(change: DigestChange, on: set[str]) -> StateError | None:
    name = change.digest
    if change.operation == "insert":
        if name in on:
            return StateError(
                ErrorKind.ALREADY_EXISTS, f"digest {name} is switched on already; modify it instead"
            )
        on.add(name)
    elif name not in on:
        return StateError(ErrorKind.NOT_FOUND, f"digest {name} is not switched on; insert it first")
    elif change.operation == "delete":
        on.discard(name)
    return None
