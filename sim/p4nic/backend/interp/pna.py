"""PNA around a BMv2 JSON: main_parser → main_control → main_deparser, then mirror copies, and drop, another
pass, or out of a port.

The specification decides where it says something, DPDK where it is silent, so that a program does the same
from either artifact: drop_packet and send_to_port only leave a note (the loader's `$pna`), the last one
counts, and neither means port 0; mirror copies are of the outgoing packet, whatever became of that;
recirculate does nothing for a dropped packet, and metadata live on, so that a port chosen in an earlier pass
still holds. (pna_nic knows of all this only send_to_port.)
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
    MetadataField,
    Verdicts,
    error_numbers,
    run_block,
    send_mirrors,
    tell_error,
)
from p4nic.backend.interp.engine import Build
from p4nic.backend.interp.layout import Layout
from p4nic.backend.interp.runtime import OutOfFuel, Packet, ParserError
from p4nic.backend.interp.state import State

PARSER_INPUT, CONTROL_INPUT, VERDICT = "pna_main_parser_input_metadata", "pna_main_input_metadata", "$pna"


@final
class Pna:
    """The NIC around one Build."""

    def __init__(self, build: Build, state: State, layout: Layout) -> None:
        self._template = build.template
        self._metadata_end = layout.metadata_end
        self._state = state
        self._options: Options = state.options
        self._errors = error_numbers(state.program)
        self._parser = build.blocks["main_parser"]
        self._control = build.blocks["main_control"]
        self._deparser = build.blocks["main_deparser"]

        def both(name: str) -> tuple[MetadataField, MetadataField]:
            return MetadataField(layout, (PARSER_INPUT,), name), MetadataField(layout, (CONTROL_INPUT,), name)

        self._ports = both("input_port")
        self._passes = both("pass")
        self._recirculated = both("recirculated")
        self._time = MetadataField(layout, (CONTROL_INPUT,), "timestamp")
        self._parser_error = MetadataField(layout, (CONTROL_INPUT,), "parser_error")
        self._dropped = MetadataField(layout, (VERDICT,), "dropped")
        self._port = MetadataField(layout, (VERDICT,), "port")

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
            self._start(fields, packet)
            try:
                again = self._pass(fields, packet, verdicts)
            except OutOfFuel:
                verdicts.drop(packet, LOOP)
                break
            fields[self._metadata_end :] = self._template[self._metadata_end :]
            passes += 1
        return verdicts.outcome()

    def _start(self, fields: list[int], packet: Packet) -> None:
        """What the architecture tells parser and control about the packet."""
        for field in self._ports:
            field.set(fields, packet.port)
        for field in self._passes:
            field.set(fields, packet.passes)
        for field in self._recirculated:
            field.set(fields, int(packet.passes > 0))
        self._time.set(fields, packet.now_ns // 1000)
        self._parser_error.set(fields, 0)

    def _pass(self, fields: list[int], packet: Packet, verdicts: Verdicts) -> bytes | None:
        """One run of the three blocks; the frame to go on with if the packet recirculates."""
        self._parse(fields, packet)
        run_block(self._control, fields, packet)
        run_block(self._deparser, fields, packet)
        frame = b"".join(packet.out) + packet.payload()
        if packet.limit is not None:
            frame = frame[: packet.limit]
        send_mirrors(self._state, packet, frame, verdicts)
        port = self._port.get(fields)
        if self._dropped.get(fields):
            verdicts.drop(packet, DROP_ACTION)
        elif packet.recirculate is not None:
            return frame
        elif port == self._options.drop_port:
            verdicts.drop(packet, DROP_PORT)
        else:
            verdicts.send(packet, port, frame)
        return None

    def _parse(self, fields: list[int], packet: Packet) -> None:
        try:
            run_block(self._parser, fields, packet)
        except ParserError as error:
            tell_error(packet, error)
            self._parser_error.set(fields, self._errors.get(error.name, 0))
