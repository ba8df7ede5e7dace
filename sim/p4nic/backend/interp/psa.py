"""PSA as BMv2's psa_switch runs it: parser → ingress → deparser, then the same for egress, on the
deparsed packet.

Decisions are fields of psa_ingress_output_metadata and psa_egress_output_metadata; a packet is dropped
unless ingress says otherwise. Clones: the packet as received (I2E), or as the egress deparser left it
(E2E); both pass egress. Unlike psa_switch, and as the specification has it, a resubmitted packet keeps
its ingress port. User metadata go from ingress to egress, nowhere else.
"""

from __future__ import annotations

from collections import deque
from typing import final

from p4nic.backend.api import Outcome, Replica, TraceEvent
from p4nic.backend.interp.architecture import (
    DROP_ACTION,
    LOOP,
    NO_MEMBER,
    MetadataField,
    Verdicts,
    error_numbers,
    run_block,
    tell_error,
)
from p4nic.backend.interp.engine import BlockFunction, Build
from p4nic.backend.interp.layout import Layout
from p4nic.backend.interp.runtime import OutOfFuel, Packet, ParserError
from p4nic.backend.interp.state import State

NORMAL, UNICAST, MULTICAST, CLONE_I2E, CLONE_E2E, RESUBMIT, RECIRCULATE = range(7)
"""PSA_PacketPath_t."""
RECIRCULATE_PORT = 0xFFFFFFFA

Copy = tuple[list[int], Packet]


@final
class Psa:
    """The psa_switch around one Build."""

    def __init__(self, build: Build, state: State, layout: Layout) -> None:
        self._template = build.template
        self._metadata_end = layout.metadata_end
        self._state = state
        self._errors = error_numbers(state.program)
        self._blocks = build.blocks

        def field(header: str, name: str) -> MetadataField:
            return MetadataField(layout, (f"psa_{header}_metadata",), name)

        self._in_port = field("ingress_parser_input", "ingress_port")
        self._in_path = field("ingress_parser_input", "packet_path")
        self._ingress_port = field("ingress_input", "ingress_port")
        self._ingress_path = field("ingress_input", "packet_path")
        self._ingress_time = field("ingress_input", "ingress_timestamp")
        self._ingress_error = field("ingress_input", "parser_error")
        self._class = field("ingress_output", "class_of_service")
        self._ingress_clone = field("ingress_output", "clone")
        self._ingress_session = field("ingress_output", "clone_session_id")
        self._ingress_drop = field("ingress_output", "drop")
        self._resubmit = field("ingress_output", "resubmit")
        self._group = field("ingress_output", "multicast_group")
        self._out_port = field("ingress_output", "egress_port")
        self._parser_port = field("egress_parser_input", "egress_port")
        self._parser_path = field("egress_parser_input", "packet_path")
        self._egress_class = field("egress_input", "class_of_service")
        self._egress_port = field("egress_input", "egress_port")
        self._egress_path = field("egress_input", "packet_path")
        self._instance = field("egress_input", "instance")
        self._egress_time = field("egress_input", "egress_timestamp")
        self._egress_error = field("egress_input", "parser_error")
        self._egress_clone = field("egress_output", "clone")
        self._egress_session = field("egress_output", "clone_session_id")
        self._egress_drop = field("egress_output", "drop")
        self._deparser_port = field("egress_deparser_input", "egress_port")

    def run(self, port: int, frame: bytes, now_ns: int, trace: list[TraceEvent] | None) -> Outcome:
        """Run one received frame, with all its copies, to the end."""
        verdicts = Verdicts(self._state)
        ingress: deque[Copy] = deque()
        egress: deque[Copy] = deque()
        self._start(Packet(port, frame, now_ns, trace), port, NORMAL, ingress)
        while egress or ingress:
            stage, queue = (self._egress, egress) if egress else (self._ingress, ingress)
            fields, packet = queue.popleft()
            try:
                stage(fields, packet, ingress, egress, verdicts)
            except OutOfFuel:
                verdicts.drop(packet, LOOP)
        return verdicts.outcome()

    def _start(self, packet: Packet, port: int, path: int, ingress: deque[Copy]) -> None:
        fields = self._template.copy()
        self._in_port.set(fields, port)
        self._in_path.set(fields, path)
        ingress.append((fields, packet))

    def _again(
        self, packet: Packet, frame: bytes, port: int, path: int, ingress: deque[Copy], verdicts: Verdicts
    ) -> None:
        """Resubmit or recirculate."""
        if not verdicts.goes_on(packet):
            return
        again = Packet(packet.port, frame, packet.now_ns, packet.trace)
        again.passes = packet.passes + 1
        self._start(again, port, path, ingress)

    def _parse(self, name: str, fields: list[int], packet: Packet, error_field: MetadataField) -> None:
        try:
            run_block(self._blocks[name], fields, packet)
        except ParserError as error:
            tell_error(packet, error)
            error_field.set(fields, self._errors.get(error.name, 0))

    def _deparse(self, deparser: BlockFunction, fields: list[int], packet: Packet) -> bytes:
        packet.out = []
        run_block(deparser, fields, packet)
        frame = b"".join(packet.out) + packet.payload()
        return frame if packet.limit is None else frame[: packet.limit]

    # --- ingress ---

    def _ingress(
        self, fields: list[int], packet: Packet, ingress: deque[Copy], egress: deque[Copy], verdicts: Verdicts
    ) -> None:
        self._ingress_time.set(fields, packet.now_ns // 1000)
        self._ingress_error.set(fields, 0)
        self._parse("ingress_parser", fields, packet, self._ingress_error)
        self._ingress_port.set(fields, self._in_port.get(fields))
        self._ingress_path.set(fields, self._in_path.get(fields))
        for output in (self._class, self._ingress_clone, self._resubmit, self._group):
            output.set(fields, 0)
        self._ingress_drop.set(fields, 1)
        run_block(self._blocks["ingress"], fields, packet)
        if self._ingress_clone.get(fields):
            self._clone(packet, packet.data, self._ingress_session.get(fields), CLONE_I2E, egress, verdicts)
        if self._ingress_drop.get(fields):
            verdicts.drop(packet, DROP_ACTION)
        elif self._resubmit.get(fields):
            self._again(packet, packet.data, self._in_port.get(fields), RESUBMIT, ingress, verdicts)
        else:
            self._forward(fields, packet, egress, verdicts)

    def _forward(self, fields: list[int], packet: Packet, egress: deque[Copy], verdicts: Verdicts) -> None:
        frame = self._deparse(self._blocks["ingress_deparser"], fields, packet)
        group = self._group.get(fields)
        if not group:
            replicas: tuple[Replica, ...] = (Replica(self._out_port.get(fields), 0),)
        else:
            replicas = self._state.multicast_groups.get(group, ())
            if not replicas:
                verdicts.drop(packet, NO_MEMBER)
        for replica in replicas:
            copy = Packet(packet.port, frame, packet.now_ns, packet.trace)
            copy.passes = packet.passes
            path = MULTICAST if group else UNICAST
            egress.append((self._for_egress(fields, replica, path, self._class.get(fields)), copy))

    def _for_egress(self, fields: list[int], replica: Replica, path: int, class_of_service: int) -> list[int]:
        """Fields of a copy on its way to egress: metadata stay, headers are parsed anew."""
        slots = fields[: self._metadata_end] + self._template[self._metadata_end :]
        self._parser_port.set(slots, replica.port)
        self._parser_path.set(slots, path)
        self._instance.set(slots, replica.instance)
        self._egress_class.set(slots, class_of_service)
        return slots

    def _clone(
        self,
        packet: Packet,
        frame: bytes,
        session_id: int,
        path: int,
        egress: deque[Copy],
        verdicts: Verdicts,
    ) -> None:
        """Copies without metadata for egress; nothing for a session that does not exist."""
        session = self._state.clone_sessions.get(session_id)
        if session is None:
            return
        if not verdicts.goes_on(packet, len(session.replicas)):
            return
        cut = frame[: session.truncate_bytes] if session.truncate_bytes else frame
        for replica in session.replicas:
            copy = Packet(packet.port, cut, packet.now_ns, packet.trace)
            copy.passes = packet.passes + 1
            fields = self._for_egress(self._template, replica, path, session.class_of_service)
            egress.append((fields, copy))

    # --- egress ---

    def _egress(
        self, fields: list[int], packet: Packet, ingress: deque[Copy], egress: deque[Copy], verdicts: Verdicts
    ) -> None:
        port = self._parser_port.get(fields)
        self._egress_time.set(fields, packet.now_ns // 1000)
        self._egress_error.set(fields, 0)
        self._parse("egress_parser", fields, packet, self._egress_error)
        self._egress_port.set(fields, port)
        self._egress_path.set(fields, self._parser_path.get(fields))
        self._egress_clone.set(fields, 0)
        self._egress_drop.set(fields, 0)
        run_block(self._blocks["egress"], fields, packet)
        self._deparser_port.set(fields, port)
        frame = self._deparse(self._blocks["egress_deparser"], fields, packet)
        if self._egress_clone.get(fields):
            self._clone(packet, frame, self._egress_session.get(fields), CLONE_E2E, egress, verdicts)
        if self._egress_drop.get(fields):
            verdicts.drop(packet, DROP_ACTION)
        elif port == RECIRCULATE_PORT:
            self._again(packet, frame, RECIRCULATE_PORT, RECIRCULATE, ingress, verdicts)
        else:
            verdicts.send(packet, port, frame)
