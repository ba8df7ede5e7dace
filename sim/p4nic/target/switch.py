"""The switch: a pipeline with its tables, clock, replication and ports.

In: frames (from ports, or `inject`), state changes (through `tables`), time. Out: frames to ports, Outcomes,
events to subscribers. Used by the P4Runtime server, the command line, tests. One lock serialises everything
that reaches the pipeline: a burst, a batch of writes, an expiry never overlap. Events are delivered after the
lock is released.

    with ManualClock: inject / advance     (deterministic; nothing happens by itself)
    with RealClock:   attach ports, start  (the loop's thread calls burst and poll)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from threading import RLock
from types import TracebackType
from typing import assert_never

from p4nic.backend.api import (
    DigestMessage,
    Expired,
    Forgetting,
    Gated,
    Outcome,
    Pipeline,
    TraceEvent,
)
from p4nic.backend.wires import SentFrame, WireGone
from p4nic.clock import Clock, ManualClock
from p4nic.errors import ErrorKind, InputError, PortError, StateError
from p4nic.ir.program import Program
from p4nic.target.events import Events, PacketIn, Subscription
from p4nic.target.flows import AgeingPolicy
from p4nic.target.lock import StateLock
from p4nic.target.loop import Loop
from p4nic.target.ports import MAX_FRAME, PORT_DOWN, Port
from p4nic.target.ports.wire import WirePort
from p4nic.target.replication import Replication
from p4nic.target.statistics import PortStatistics, Statistics
from p4nic.target.tables import Tables
from p4nic.target.wires import MESSAGES, Messages, Wires

log = logging.getLogger(__name__)

NO_PIPELINE = "no pipeline"
NO_SUCH_PORT = "no such port"
OVERSIZE = f"frame longer than {MAX_FRAME} bytes"
EMPTY = "empty frame"


class Switch:
    """One device. `pipeline` None: nothing is loaded yet, state cannot be reached, every frame is dropped and
    counted.

    `notify`: learners whose expired entries the subscribers are told about; StateError if one does not exist.
    """

    def __init__(
        self, pipeline: Pipeline | None, clock: Clock, *, notify: Collection[str] = (), name: str = "p4nic"
    ) -> None:
        self.name = name
        self.clock = clock
        self.lock = StateLock()
        self._advancing = RLock()
        self._ageing = AgeingPolicy(notify)
        self._events = Events()
        self._statistics = Statistics()
        self._ports: dict[int, Port] = {}
        self._shut: set[int] = set()
        self._wired = False
        self._wires = Wires(clock, self._statistics)
        self._loop = Loop(self)
        self._pipeline: Pipeline | None = None
        self._forgetting: Forgetting | None = None
        self._tables: Tables | None = None
        if pipeline is not None:
            self._ageing.check(pipeline.program)
            self.replace_pipeline(pipeline)

    # --- what it holds ---

    @property
    def has_pipeline(self) -> bool:
        return self._pipeline is not None

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline; StateError FAILED_PRECONDITION while there is none. Use it under `lock` only."""
        if self._pipeline is None:
            raise StateError(
                ErrorKind.FAILED_PRECONDITION, f"switch {self.name} has no pipeline yet; load one first"
            )
        return self._pipeline

    @property
    def program(self) -> Program:
        return self.pipeline.program

    @property
    def tables(self) -> Tables:
        """The state of the pipeline of now; do not keep it across `replace_pipeline`."""
        if self._tables is None:
            raise StateError(
                ErrorKind.FAILED_PRECONDITION, f"switch {self.name} has no pipeline yet; load one first"
            )
        return self._tables

    @property
    def replication(self) -> Replication:
        return self.tables.replication

    def replace_pipeline(self, pipeline: Pipeline, fill: Callable[[Tables], None] | None = None) -> None:
        """Put another pipeline in, with its initial state, between two bursts. Ports, clock and statistics
        stay. `fill` puts state into its tables before the change; if it raises, nothing has changed.
        """
        with self.lock:
            tables = Tables(pipeline.program, pipeline, self.clock, self.lock, self._loop.wake, self.is_up)
            if fill is not None:
                fill(tables)
            self._wires.move(pipeline)
            self._wires.told_of(self._ports.values())
            old, self._pipeline, self._tables = self._pipeline, pipeline, tables
            self._forgetting = pipeline if isinstance(pipeline, Forgetting) else None
            self.lock.released = pipeline.resume if isinstance(pipeline, Gated) else _nothing
            if old is not None:
                old.close()
            self._hear()
        self._loop.wake()

    # --- packets ---

    def inject(self, port: int, frame: bytes) -> Outcome:
        """Process one frame as received on `port`."""
        return self.burst([(port, frame)])[0]

    def packet_out(self, frame: bytes) -> Outcome:
        """Process a frame as received on the CPU port, the program's packet-out header in front."""
        return self.inject(self.pipeline.options.cpu_port, frame)

    def burst(self, packets: Sequence[tuple[int, bytes]]) -> list[Outcome]:
        """Process frames in order; one Outcome each.

        Copies go out of attached ports, frames for the CPU port to the subscribers. A switch without any port
        attached only counts them: its caller takes them from the Outcome.
        """
        with self.lock:
            outcomes = self._admit(packets, self._process)
        self._events.deliver()
        return outcomes

    def trace(self, port: int, frame: bytes) -> tuple[Outcome, list[TraceEvent]]:
        """`inject`, with every step told. The state changes and the counters are real."""
        events: list[TraceEvent] = []

        def process(packets: list[tuple[int, bytes]]) -> list[Outcome]:
            outcome, steps = self.pipeline.trace(*packets[0], self.clock.now_ns())
            events.extend(steps)
            return [outcome]

        with self.lock:
            (outcome,) = self._admit([(port, frame)], process)
        self._events.deliver()
        return outcome, events

    def _process(self, packets: list[tuple[int, bytes]]) -> list[Outcome]:
        return self.pipeline.process(packets, self.clock.now_ns())

    def _admit(
        self,
        packets: Sequence[tuple[int, bytes]],
        process: Callable[[list[tuple[int, bytes]]], list[Outcome]],
    ) -> list[Outcome]:
        """Count, refuse what no pipeline may see, process the rest, send the copies."""
        self._expire()
        refused: dict[int, Outcome] = {}
        accepted: list[tuple[int, bytes]] = []
        for position, (port, frame) in enumerate(packets):
            self._statistics.received(port, len(frame))
            if reason := self._refusal(port, frame):
                self._statistics.not_received(port, reason)
                refused[position] = Outcome((), reason)
            else:
                accepted.append((port, frame))
        processed = process(accepted) if accepted else []
        for outcome in processed:
            self._send(outcome)
        if self._pipeline is not None:
            for digest in self._pipeline.digests():
                self._events.put(digest)
        if not refused:
            return processed
        rest = iter(processed)
        return [refused[i] if i in refused else next(rest) for i in range(len(packets))]

    def _refusal(self, port: int, frame: bytes) -> str:
        if self._pipeline is None:
            return NO_PIPELINE
        if port in self._shut:
            return PORT_DOWN
        if len(frame) > MAX_FRAME:
            return OVERSIZE
        return "" if frame else EMPTY

    def _send(self, outcome: Outcome) -> None:
        if outcome.drop_reason:
            self._statistics.dropped(outcome.drop_reason)
        cpu_port = self.pipeline.options.cpu_port
        for number, frame in outcome.sent:
            if number == cpu_port:
                self._statistics.sent(number, len(frame))
                self._events.put(PacketIn(number, frame))
            elif number in self._shut:
                self._statistics.not_sent(number, PORT_DOWN)
            elif self._wired:
                self._send_to_port(number, frame)
            else:
                self._statistics.sent(number, len(frame))

    def _send_to_port(self, number: int, frame: bytes) -> None:
        port = self._ports.get(number)
        if port is None:
            self._statistics.dropped(NO_SUCH_PORT)
            return
        if isinstance(port, WirePort):
            if not self._wires.send(number, frame):
                self._statistics.not_sent(number, NO_SUCH_PORT)
            return
        if len(frame) > MAX_FRAME:  # a tunnel around a packet that was almost as long
            self._statistics.not_sent(number, OVERSIZE)
            return
        try:
            reason = port.send(frame)
        except PortError as error:
            self._loop.remove(number)
            self.port_failed(number, error)
            reason = NO_SUCH_PORT
        if reason:
            self._statistics.not_sent(number, reason)
        else:
            self._statistics.sent(number, len(frame))

    # --- time ---

    def advance(self, nanoseconds: int) -> int:
        """Move the manual clock and return its time; entries expire each at its own time, events in order.

        StateError FAILED_PRECONDITION on a switch that follows the real clock, INVALID_ARGUMENT on a negative
        step.
        """
        clock = self.clock
        if not isinstance(clock, ManualClock):
            raise StateError(
                ErrorKind.FAILED_PRECONDITION,
                f"switch {self.name} follows the real clock; start it with a manual clock to advance time",
            )
        if nanoseconds < 0:
            raise StateError(ErrorKind.INVALID_ARGUMENT, f"the clock cannot go back by {-nanoseconds} ns")
        with self._advancing:  # steps of two callers add up, they do not overlap
            target = clock.now_ns() + nanoseconds
            while True:
                self.poll()
                with self.lock:
                    if clock.now_ns() >= target:
                        return clock.now_ns()
                    self._expire()  # a write may have come in between, with a deadline in the past
                    clock.advance(self._step(clock.now_ns(), target))

    def _step(self, now: int, target: int) -> int:
        """Nanoseconds to the next expiry or to `target`, whichever is first."""
        due = self._pipeline.next_expiry_ns() if self._pipeline is not None else None
        if due is not None and due <= now < target:
            raise AssertionError(f"the backend wants to expire at {due} what it did not expire at {now}")
        return min(due, target) - now if due is not None else target - now

    def poll(self) -> None:
        """Expire what is due by now and deliver events; the loop calls it, and whoever has no loop."""
        with self.lock:
            self._expire()
        self._events.deliver()

    def seconds_to_expiry(self) -> float | None:
        """Until `poll` has something to do, by the real clock; None under a manual one."""
        if isinstance(self.clock, ManualClock):
            return None
        with self.lock:
            due = self._pipeline.next_expiry_ns() if self._pipeline is not None else None
            return self._wires.wait(None if due is None else max(due - self.clock.now_ns(), 0) / 1e9)

    def _expire(self) -> None:
        if self._pipeline is None:
            return
        # Not next_expiry_ns first: an engine may have to look at many timers to name the earliest.
        now = self.clock.now_ns()
        if self._forgetting is not None:
            gone, done = self._forgetting.expire_untold(now, self._ageing.notify)
            self._ageing.silent += gone
            if not done:
                return  # whoever waits for the lock comes first
        for expired in self._ageing.told(self._pipeline.expire(now)):
            self._events.put(expired)

    # --- ports ---

    @property
    def workers(self) -> int:
        """Threads that forward between WirePorts; set before the first is attached."""
        return self._wires.workers

    @workers.setter
    def workers(self, count: int) -> None:
        self._wires.workers = count

    def attach(self, number: int, port: Port) -> None:
        """Bind a port number to a Port. Frames flow once `start` was called (or at each `drain`)."""
        if number in self._ports:
            raise InputError(
                f"port {number} is already {self._ports[number].name}; it cannot be {port.name} too"
            )
        if self._pipeline is not None and number == self._pipeline.options.cpu_port:
            raise InputError(f"port {number} is the CPU port; give {port.name} another number")
        self.check_port(number, port.name)
        with self.lock:
            if isinstance(port, WirePort):
                self._wires.add(number, port, self._pipeline)
                self._hear()
            self._ports[number] = port
            self._wired = True
            self._wires.told_of(self._ports.values())
            self._statistics.know(number)
            self._ports_changed()
        if not isinstance(port, WirePort):
            self._loop.add(number, port)

    def _hear(self) -> None:
        """Let the loop wait for what the workers of the pipeline tell."""
        if self._wires.at is not None:
            self._loop.add(MESSAGES, Messages(self._wires.at.notify_fileno(), self._take_messages))

    def _take_messages(self) -> None:
        with self.lock:
            for message in self._wires.messages():
                match message:
                    case DigestMessage():
                        self._events.put(message)
                    case SentFrame(number, frame):
                        self._send(Outcome(((number, frame),)))
                    case WireGone(number):
                        self.port_failed(number, PortError("the interface no longer exists"))
                    case _:
                        assert_never(message)

    def check_port(self, number: int, what: str) -> None:
        """InputError if the program has no port of this number: v1model's nine bits would make another of it.

        `what` comes in there, for the sentence.
        """
        if number < 0:
            raise InputError(f"port {number} is negative; give {what} another number")
        if self._pipeline is None:
            return
        options = self._pipeline.options
        if number == options.cpu_port:
            return
        if number == options.drop_port:
            raise InputError(f"port {number} means drop; give {what} another number")
        if number >= options.port_count:
            raise InputError(
                f"port {number} does not exist, the last one is {options.port_count - 1}; "
                f"give {what} another number"
            )

    def is_up(self, number: int) -> bool:
        """Whether frames can leave by a port: it is attached and not shut. Without any port attached, every
        port of the program is up.
        """
        if number in self._shut:
            return False
        if self._pipeline is not None and number == self._pipeline.options.cpu_port:
            return True
        return not self._wired or number in self._ports

    def set_port(self, number: int, up: bool) -> None:
        """Shut a port, or open it again. Frames from and to a shut port are dropped and counted, members of
        groups that watch it are not selected (P4Runtime 1.5 §9.2.2), backup replicas stand in (§9.5.1).
        """
        self.check_port(number, "the port to shut or open")
        with self.lock:
            if up:
                self._shut.discard(number)
            else:
                self._shut.add(number)
            self._wires.shut(self._shut)
            self._ports_changed()

    def _ports_changed(self) -> None:
        if self._tables is not None:
            self._tables.ports_changed()

    def port_failed(self, number: int, error: PortError) -> None:
        """A port is gone for good: say it once, go on without it."""
        with self.lock:
            port = self._ports.pop(number, None)
            self._wires.remove(number)
            self._ports_changed()
        if port is not None:
            log.warning("port %d (%s) is gone, the switch goes on without it: %s", number, port.name, error)
            port.close()

    def start(self) -> None:
        """Begin to receive from the ports, in a thread."""
        with self.lock:
            self._wires.start()
        self._loop.start()

    def stop(self) -> None:
        """Stop receiving. State and ports stay; `start` may follow."""
        with self.lock:
            self._wires.stop()
        self._loop.stop()

    def close(self) -> None:
        """Stop, and give ports and pipeline back."""
        with self.lock:
            self._wires.stop()
        self._loop.close()
        with self.lock:
            self._wires.close()
            for port in self._ports.values():
                port.close()
            self._ports.clear()
            if self._pipeline is not None:
                self._pipeline.close()
            self._pipeline = self._tables = None
            self.lock.released = _nothing

    def __enter__(self) -> Switch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def drain(self, timeout: float = 5.0) -> bool:
        """Process every frame already handed to the ports and write the outputs; False if `timeout` seconds
        were not enough.
        """
        deadline = time.monotonic() + timeout
        while not self._wires.is_quiet():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.001)
        drained = self._loop.drain(max(deadline - time.monotonic(), 0.01))
        with self.lock:
            for port in self._ports.values():
                port.flush()
        return drained

    # --- the control plane's ear, and counters ---

    def subscribe(
        self,
        on_digest: Callable[[DigestMessage], None] | None = None,
        on_expired: Callable[[Expired], None] | None = None,
        on_packet_in: Callable[[int, bytes], None] | None = None,
    ) -> Subscription:
        """Be told of digests, expiries and frames to the CPU port. Called without the lock, in order; must
        not block.
        """
        return self._events.subscribe(on_digest, on_expired, on_packet_in)

    def port_statistics(self) -> Mapping[int, PortStatistics]:
        """Per port number."""
        with self.lock:
            self._wires.collect()
            return self._statistics.ports()

    def drop_statistics(self) -> Mapping[str, int]:
        """Frames dropped, by reason: the pipeline's reasons and the target's own."""
        with self.lock:
            self._wires.collect()
            return self._statistics.drops()

    def statistics(self) -> Mapping[str, int]:
        """The pipeline's counters, and "expired_silently", "events_unheard", "subscriber_failed"."""
        with self.lock:
            counters = dict(self._pipeline.statistics()) if self._pipeline is not None else {}
        counters["expired_silently"] = self._ageing.silent
        counters["events_unheard"] = self._events.unheard
        counters["subscriber_failed"] = self._events.failed
        return counters


def _nothing() -> None:
    return
