"""What the architectures share: collecting what is sent, the reasons for drops, running a block.

An architecture is a small class that says what surrounds the blocks. In: a Build and the State. Called
by `pipeline`.
"""

from __future__ import annotations

from typing import Protocol, final

from p4nic.backend.api import Options, Outcome, TraceEvent
from p4nic.backend.interp.engine import BlockFunction
from p4nic.backend.interp.runtime import ExitBlock, Packet, ParserError, tell
from p4nic.backend.interp.state import State

MAX_PASSES = 16
"""Times a packet may be resubmitted, recirculated or cloned from its own clone."""

DROP_ACTION = "drop action"
NO_PORT = "egress port does not exist"
NO_MEMBER = "multicast group has no member"
TOO_MANY_PASSES = "recirculation limit"
LOOP = "instruction limit"


class Architecture(Protocol):
    """Runs one received frame to its end."""

    def run(self, port: int, frame: bytes, now_ns: int, trace: list[TraceEvent] | None) -> Outcome: ...


@final
class Verdicts:
    """What became of the copies of one received packet so far."""

    __slots__ = ("_options", "_state", "reasons", "sent")

    def __init__(self, state: State) -> None:
        self._state = state
        self._options: Options = state.options
        self.sent: list[tuple[int, bytes]] = []
        self.reasons: list[str] = []

    def send(self, packet: Packet, port: int, frame: bytes) -> None:
        """A copy leaves, if there is such a port."""
        if port >= self._options.port_count and port != self._options.cpu_port:
            self.drop(packet, NO_PORT)
            return
        self.sent.append((port, frame))
        if packet.trace is not None:
            tell(packet, "send", "", {"port": port, "bytes": frame.hex()})

    def drop(self, packet: Packet, reason: str) -> None:
        """A copy ends here."""
        self.reasons.append(reason)
        if packet.trace is not None:
            tell(packet, "drop", "", {"reason": reason})

    def outcome(self) -> Outcome:
        """The first reason stands for a packet of which nothing was sent."""
        if self.sent:
            self._state.statistics["copy_dropped"] += len(self.reasons)
            return Outcome(tuple(self.sent))
        return Outcome((), self.reasons[0] if self.reasons else DROP_ACTION)


def run_block(block: BlockFunction, fields: list[int], packet: Packet) -> None:
    """Run a block to its end or its `exit`."""
    try:
        block(fields, packet, ())
    except ExitBlock:
        return


def tell_error(packet: Packet, error: ParserError) -> None:
    """Record a parser error in the trace."""
    if packet.trace is not None:
        tell(packet, "error", error.source, {"name": error.name})
