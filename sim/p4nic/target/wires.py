"""Ports that the pipeline itself receives from and sends to: who has them, when it runs, what it tells.

In: WirePorts, a number of workers, the pipeline of now. Out: its workers started and stopped, its counters
added to the switch's, its messages. Called by `target.switch` under its lock, and by the loop through
`Messages`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import final

from p4nic.backend.api import Pipeline
from p4nic.backend.wires import Forwarding, ForwardingMessage, Forwards, WireCounters
from p4nic.clock import Clock
from p4nic.errors import ErrorKind, StateError
from p4nic.target.ports import BURST, Port
from p4nic.target.ports.wire import WirePort
from p4nic.target.statistics import Statistics

MESSAGES = -1
"""The loop's number of the pseudo-port `Messages`."""
_SHORTEST_WAIT = 0.05
_NOTHING = WireCounters(0, 0, 0, 0, 0, 0, {})


@final
class Messages:
    """What the loop waits for besides ports: it is readable when a pipeline has something to tell."""

    name = "messages"

    def __init__(self, descriptor: int, take: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._take = take

    def fileno(self) -> int | None:
        return self._descriptor

    def receive(self, limit: int = BURST) -> list[bytes]:
        self._take()
        return []

    def send(self, frame: bytes) -> str:
        raise AssertionError("nothing is sent there")

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """The descriptor is the pipeline's."""


@final
class Wires:
    """The WirePorts of a switch, and the Forwarding that has them."""

    def __init__(self, clock: Clock, statistics: Statistics) -> None:
        self._clock = clock
        self._statistics = statistics
        self.ports: dict[int, WirePort] = {}
        self.workers = 1
        self.running = False
        self._at: Forwarding | None = None
        self._counted: dict[int, WireCounters] = {}
        self._dropped: dict[str, int] = {}
        self._shut: frozenset[int] = frozenset()
        self._soonest: float | None = None

    def move(self, pipeline: Pipeline) -> None:
        """To another pipeline, whose program need not be the same. The old one's workers stop for good."""
        if not self.ports:
            return
        new, old = _forwarding(pipeline), self._at
        if old is not None:
            old.stop_workers()
            self.collect()
            new.take_wires(old)
        else:
            for number, port in self.ports.items():
                new.add_wire(number, port.wire)
        self._at, self._dropped = new, {}
        self._soonest = _soonest(pipeline)
        for number in self.ports:
            new.shut_wire(number, number in self._shut)
        if self.running:
            self.start()

    def add(self, number: int, port: WirePort, pipeline: Pipeline | None) -> None:
        """`pipeline`: the one of now."""
        if self._at is None and pipeline is not None:
            self._at = _forwarding(pipeline)
            self._soonest = _soonest(pipeline)
        if self._at is not None:
            self._at.add_wire(number, port.wire)
        self.ports[number] = port
        self._counted[number] = _NOTHING

    def remove(self, number: int) -> None:
        """A port that is gone."""
        if number in self.ports:
            self.collect()
            del self.ports[number]
            if self._at is not None:
                self._at.remove_wire(number)

    def shut(self, numbers: Iterable[int]) -> None:
        """These ports are shut, all others open."""
        before, self._shut = self._shut, frozenset(numbers)
        if self._at is not None:
            for number in (before ^ self._shut) & self.ports.keys():
                self._at.shut_wire(number, number in self._shut)

    def told_of(self, ports: Iterable[Port]) -> None:
        """All the switch has: only if there are others than wires, frames for unknown numbers are told."""
        if self._at is not None:
            self._at.tell_others(any(not isinstance(port, WirePort) for port in ports))

    def start(self) -> None:
        self.running = True
        if self._at is not None:
            self._at.start_workers(self.workers, time.monotonic_ns() - self._clock.now_ns())

    def stop(self) -> None:
        self.running = False
        if self._at is not None:
            self._at.stop_workers()

    def close(self) -> None:
        """Before the pipeline is closed."""
        self.stop()
        if self._at is not None:
            self.collect()
            for number in self.ports:
                self._at.remove_wire(number)
        self._at = None
        self.ports.clear()

    @property
    def at(self) -> Forwarding | None:
        """Who forwards now; None while there is no pipeline, or no wire."""
        return self._at

    def wait(self, seconds: float | None) -> float | None:
        """How long to wait for the next expiry where `seconds` are left to the next that is known of: what
        packets learn meanwhile, without Python, may be due before, but never sooner than this."""
        if self._at is None or self._soonest is None:
            return seconds
        return self._soonest if seconds is None else min(seconds, self._soonest)

    def messages(self) -> list[ForwardingMessage]:
        return self._at.messages() if self._at is not None else []

    def send(self, number: int, frame: bytes) -> bool:
        """A frame of Python's own, for a wire. It is counted there."""
        return self._at is not None and self._at.send_wire(number, frame)

    def is_quiet(self) -> bool:
        return self._at is None or not self.running or self._at.is_quiet()

    def collect(self) -> None:
        """Add what was counted since the last call to the switch's statistics."""
        if self._at is None:
            return
        for number in self.ports:
            now, before = self._at.wire_counters(number), self._counted[number]
            self._counted[number] = now
            self._statistics.add(number, [a - b for a, b in zip(now[:6], before[:6], strict=True)])
            for reason, count in now.lost.items():
                self._statistics.lost(reason, count - before.lost.get(reason, 0))
        drops = dict(self._at.drops())
        for reason, count in drops.items():
            self._statistics.lost(reason, count - self._dropped.get(reason, 0))
        self._dropped = drops


def _soonest(pipeline: Pipeline) -> float | None:
    """Seconds after which an entry learned now may expire, whatever its profile; None if nothing learns."""
    told = pipeline.options.learner_timeouts or {}
    tables = pipeline.program.tables.values()
    timeouts = [t for table in tables for t in told.get(table.name, table.learner_timeouts)]
    return max(min(timeouts), _SHORTEST_WAIT) if timeouts else None


def _forwarding(pipeline: Pipeline) -> Forwarding:
    if not isinstance(pipeline, Forwards):
        raise StateError(
            ErrorKind.FAILED_PRECONDITION,
            "this pipeline cannot forward by itself, and the switch has ports opened for one that can; "
            "serve with --backend native",
        )
    return pipeline.forwarding
