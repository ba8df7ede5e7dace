"""What the architectures share: collecting what is sent, the reasons for drops, running a block.

An architecture is a small class that says what surrounds the blocks. In: a Build and the State. Called
by `pipeline`.
"""

from __future__ import annotations

from typing import Protocol, final

from p4nic.backend.api import Options, Outcome, TraceEvent
from p4nic.backend.interp.engine import BlockFunction
from p4nic.backend.interp.layout import Layout
from p4nic.backend.interp.runtime import ExitBlock, Packet, ParserError, tell
from p4nic.backend.interp.state import State
from p4nic.bits import mask
from p4nic.ir.program import Program

MAX_PASSES = 16
"""Times a packet may be resubmitted, recirculated or cloned from its own clone."""
MAX_COPIES = 1024
"""Packets that may come out of one received packet by that: each clone may be cloned again, into several."""

DROP_ACTION = "drop action"
DROP_PORT = "drop port"
NO_PORT = "egress port does not exist"
NO_MEMBER = "multicast group has no member"
TOO_MANY_PASSES = "recirculation limit"
LOOP = "instruction limit"


CORE_ERRORS = (
    "NoError", "PacketTooShort", "NoMatch", "StackOutOfBounds", "HeaderTooShort", "ParserTimeout",
    "ParserInvalidArgument",
)  # fmt: skip
"""core.p4's errors in BMv2's numbering, for p4c-bm2-psa, which leaves the list out of its JSON."""


def error_numbers(program: Program) -> dict[str, int]:
    """What a parser error writes into the intrinsic metadata, by name."""
    return {name: number for number, name in enumerate(CORE_ERRORS)} | dict(program.errors)


class Architecture(Protocol):
    """Runs one received frame to its end."""

    def run(self, port: int, frame: bytes, now_ns: int, trace: list[TraceEvent] | None) -> Outcome: ...


@final
class Verdicts:
    """What became of the copies of one received packet so far."""

    __slots__ = ("_copies", "_options", "_state", "reasons", "sent")

    def __init__(self, state: State) -> None:
        self._state = state
        self._options: Options = state.options
        self.sent: list[tuple[int, bytes]] = []
        self.reasons: list[str] = []
        self._copies = 0

    def goes_on(self, packet: Packet, copies: int = 1) -> bool:
        """Whether a packet may start over, or be cloned into so many; else that ends here."""
        if packet.passes >= MAX_PASSES or self._copies + copies > MAX_COPIES:
            self.drop(packet, TOO_MANY_PASSES)
            return False
        self._copies += copies
        return True

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


@final
class MetadataField:
    """A field of intrinsic metadata, which a program may or may not have, in the first header that has it."""

    __slots__ = ("index", "mask")

    def __init__(self, layout: Layout, headers: tuple[str, ...], name: str) -> None:
        slot = next((s for h in headers if (s := layout.find(h, name)) is not None), None)
        self.index = None if slot is None else slot.index
        self.mask = 0 if slot is None else mask(slot.width)

    def set(self, fields: list[int], value: int) -> None:
        """Write, wrapped; nothing where the program lacks the field."""
        if self.index is not None:
            fields[self.index] = value & self.mask

    def get(self, fields: list[int]) -> int:
        """Read; 0 where the program lacks the field."""
        return 0 if self.index is None else fields[self.index]


def run_block(block: BlockFunction, fields: list[int], packet: Packet) -> None:
    """Run a block to its end or its `exit`."""
    try:
        block(fields, packet, ())
    except ExitBlock:
        return


def send_mirrors(state: State, packet: Packet, frame: bytes, verdicts: Verdicts) -> None:
    """Send a copy for each mirroring slot in use, in order of the slots (SWX, PNA)."""
    for _, session_id in sorted((packet.mirrors or {}).items()):
        session = state.clone_sessions.get(session_id)
        if session is not None:
            copy = frame[: session.truncate_bytes] if session.truncate_bytes else frame
            for replica in session.replicas:
                verdicts.send(packet, replica.port, copy)


def tell_error(packet: Packet, error: ParserError) -> None:
    """Record a parser error in the trace."""
    if packet.trace is not None:
        tell(packet, "error", error.source, {"name": error.name})
