"""Ports that a Pipeline receives from and sends to by itself: what `backend.api` has for them.

`Wire` is a port as the target opens it; `Forwarding` is what takes it. Implemented by `backend.native`, used
by `target.wires`. All calls under the switch's lock; the Pipeline's own threads run meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, final, runtime_checkable

from p4nic.backend.api import DigestMessage


@final
@dataclass(frozen=True, slots=True)
class Wire:
    """A port, opened: one descriptor for each worker (-1: none). "packet": raw packet sockets of interface
    `name`; "tap": queues of TAP interface `name`; "pcap": `frames` come in, what is sent is appended as
    records; "memory": queues in this process, for tests."""

    kind: Literal["packet", "tap", "pcap", "memory"]
    name: str
    descriptors: tuple[int, ...]
    frames: tuple[bytes, ...] = ()


class WireCounters(NamedTuple):
    """Of one port since it was added; `lost` says why frames were."""

    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int
    rx_lost: int
    tx_lost: int
    lost: Mapping[str, int]


@final
@dataclass(frozen=True, slots=True)
class SentFrame:
    """A frame for a port that is no Wire: the CPU port, or one the switch has itself."""

    port: int
    frame: bytes


@final
@dataclass(frozen=True, slots=True)
class WireGone:
    """The interface behind a Wire no longer exists."""

    port: int


ForwardingMessage = DigestMessage | SentFrame | WireGone


class Forwarding(Protocol):
    """Packets from Wires to Wires without a call into Python for each. `Gated.resume` ends each change."""

    def add_wire(self, number: int, wire: Wire) -> None:
        """The descriptors stay the caller's, to close after remove_wire(). PortError if it cannot be used."""
        ...

    def remove_wire(self, number: int) -> None: ...
    def shut_wire(self, number: int, shut: bool) -> None:
        """Frames from and to a shut port are dropped."""
        ...

    def tell_others(self, told: bool) -> None:
        """Whether frames for ports that are no Wires become messages; else they are dropped. Those for the
        CPU port always do."""
        ...

    def take_wires(self, old: object) -> None:
        """All of another Forwarding of the same backend, whose workers are stopped; no frame is lost."""
        ...

    def start_workers(self, workers: int, clock_start_ns: int) -> None:
        """`clock_start_ns`: CLOCK_MONOTONIC at the switch's time 0."""
        ...

    def stop_workers(self) -> None: ...
    def is_quiet(self) -> bool:
        """Whether everything that came in has been processed."""
        ...

    def notify_fileno(self) -> int:
        """What becomes readable when there are messages."""
        ...

    def messages(self) -> list[ForwardingMessage]:
        """Since the last call; of each worker in its order."""
        ...

    def wire_counters(self, number: int) -> WireCounters: ...
    def drops(self) -> Mapping[str, int]:
        """Received frames of which nothing was sent, by reason, since the Pipeline was made."""
        ...

    def send_wire(self, number: int, frame: bytes) -> bool:
        """One frame from outside; False if there is no such Wire."""
        ...

    def put(self, number: int, frame: bytes) -> bool:
        """A frame arrives at a "memory" Wire; False if its queue is full."""
        ...

    def take(self, number: int) -> list[bytes]:
        """What a "memory" Wire sent since the last call."""
        ...


@runtime_checkable
class Forwards(Protocol):
    """What a Pipeline has besides, if it can."""

    @property
    def forwarding(self) -> Forwarding: ...
