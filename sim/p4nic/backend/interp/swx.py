"""The DPDK SWX pipeline that a `.spec` describes: one code from rx to tx or drop.

Metadata start as zeros for every packet (DPDK leaves what the last packet wrote, which no program may
rely on) and are kept when the packet recirculates; then rx does not write the input port again. tx and
drop both send the mirrored copies.
"""

from __future__ import annotations

from typing import final

from p4nic.backend.api import Options, Outcome, TraceEvent
from p4nic.backend.interp.architecture import (
    DROP_ACTION,
    DROP_PORT,
    LOOP,
    MAX_PASSES,
    TOO_MANY_PASSES,
    Verdicts,
    send_mirrors,
    tell_error,
)
from p4nic.backend.interp.engine import Build
from p4nic.backend.interp.layout import Layout
from p4nic.backend.interp.runtime import (
    DROPPED,
    UNDECIDED,
    EndOfPacket,
    ExitBlock,
    OutOfFuel,
    Packet,
    ParserError,
)
from p4nic.backend.interp.state import State

TOO_SHORT = "packet too short"
NO_VERDICT = "neither tx nor drop"


@final
class Swx:
    """rx → program → tx or drop, around one Build."""

    def __init__(self, build: Build, state: State, layout: Layout) -> None:
        self._template = build.template
        self._metadata_end = layout.metadata_end
        self._state = state
        self._options: Options = state.options
        self._pipeline = build.blocks["pipeline"]

    def run(self, port: int, frame: bytes, now_ns: int, trace: list[TraceEvent] | None) -> Outcome:
        """Run one received frame, through its recirculations, to the end."""
        verdicts = Verdicts(self._state)
        fields = self._template.copy()
        again: bytes | None = frame
        passes = 0
        while again is not None:
            packet = Packet(port, again, now_ns, trace)
            packet.passes = passes
            if passes > MAX_PASSES:
                verdicts.drop(packet, TOO_MANY_PASSES)
                break
            again = self._pass(fields, packet, verdicts)
            fields[self._metadata_end :] = self._template[self._metadata_end :]
            passes += 1
        return verdicts.outcome()

    def _pass(self, fields: list[int], packet: Packet, verdicts: Verdicts) -> bytes | None:
        """One run of the code; the frame to go on with if the packet recirculates."""
        failure = self._execute(fields, packet)
        if failure is not None:
            verdicts.drop(packet, failure)
            return None
        frame = self._outgoing(packet)
        send_mirrors(self._state, packet, frame, verdicts)
        if packet.transmit == DROPPED:
            verdicts.drop(packet, DROP_ACTION)
        elif packet.recirculate is not None:
            return frame
        elif packet.transmit == self._options.drop_port:
            verdicts.drop(packet, DROP_PORT)
        else:
            verdicts.send(packet, packet.transmit, frame)
        return None

    def _execute(self, fields: list[int], packet: Packet) -> str | None:
        """Run the code; the reason of the drop if it ended without tx or drop."""
        try:
            self._pipeline(fields, packet, ())
        except (EndOfPacket, ExitBlock):
            pass
        except ParserError as error:
            tell_error(packet, error)
            return TOO_SHORT if error.name == "PacketTooShort" else f"parser error {error.name}"
        except OutOfFuel:
            return LOOP
        return NO_VERDICT if packet.transmit == UNDECIDED else None

    def _outgoing(self, packet: Packet) -> bytes:
        frame = b"".join(packet.out) + packet.payload()
        if packet.shortfall:
            # DPDK subtracts what it "extracted" beyond the end, so the length comes back when headers
            # are emitted.
            frame = frame[: max(len(frame) - packet.shortfall, 0)]
        return frame if packet.limit is None else frame[: packet.limit]
