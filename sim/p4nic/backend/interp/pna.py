"""PNA as BMv2's pna_nic runs it: main_parser → main_control → main_deparser, out of port 0.

p4c-bm2-pna writes programs that cannot drop, learn or choose a port on pna_nic, and the loader refuses
those externs; a PNA program that does more is compiled with p4c-dpdk and runs in `swx`. So every packet
leaves, as it does there, by port 0.
"""

from __future__ import annotations

from typing import final

from p4nic.backend.api import Outcome, TraceEvent
from p4nic.backend.interp.architecture import (
    LOOP,
    MetadataField,
    Verdicts,
    error_numbers,
    run_block,
    tell_error,
)
from p4nic.backend.interp.engine import Build
from p4nic.backend.interp.layout import Layout
from p4nic.backend.interp.runtime import OutOfFuel, Packet, ParserError
from p4nic.backend.interp.state import State

DEFAULT_PORT = 0


@final
class Pna:
    """The pna_nic around one Build."""

    def __init__(self, build: Build, state: State, layout: Layout) -> None:
        self._template = build.template
        self._state = state
        self._errors = error_numbers(state.program)
        self._parser = build.blocks["main_parser"]
        self._control = build.blocks["main_control"]
        self._deparser = build.blocks["main_deparser"]
        self._parser_port = MetadataField(layout, ("pna_main_parser_input_metadata",), "input_port")
        self._input_port = MetadataField(layout, ("pna_main_input_metadata",), "input_port")
        self._time = MetadataField(layout, ("pna_main_input_metadata",), "timestamp")
        self._parser_error = MetadataField(layout, ("pna_main_input_metadata",), "parser_error")

    def run(self, port: int, frame: bytes, now_ns: int, trace: list[TraceEvent] | None) -> Outcome:
        """Run one received frame to the end."""
        verdicts = Verdicts(self._state)
        packet = Packet(port, frame, now_ns, trace)
        fields = self._template.copy()
        self._parser_port.set(fields, port)
        self._time.set(fields, now_ns // 1000)
        try:
            self._parse(fields, packet)
            self._input_port.set(fields, port)
            run_block(self._control, fields, packet)
            run_block(self._deparser, fields, packet)
            verdicts.send(packet, DEFAULT_PORT, b"".join(packet.out) + packet.payload())
        except OutOfFuel:
            verdicts.drop(packet, LOOP)
        return verdicts.outcome()

    def _parse(self, fields: list[int], packet: Packet) -> None:
        try:
            run_block(self._parser, fields, packet)
        except ParserError as error:
            tell_error(packet, error)
            self._parser_error.set(fields, self._errors.get(error.name, 0))
