"""v1model as BMv2's simple_switch runs it: parser → verify_checksum → ingress → copies → egress →
compute_checksum → deparser.

A parser error is recorded and the packet goes on. Requests are acted on where simple_switch does: clones
and resubmission after ingress, then multicast, unicast or drop; clones after egress; recirculation after
the deparser. simple_switch runs these stages in threads; here copies go through egress in the order they
were made, and a recirculated packet starts when they are done.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import final

from p4nic.backend.api import CloneSession, Options, Outcome, Replica, TraceEvent
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
from p4nic.backend.interp.engine import Build
from p4nic.backend.interp.layout import Layout
from p4nic.backend.interp.runtime import OutOfFuel, Packet, ParserError
from p4nic.backend.interp.state import State

NORMAL, INGRESS_CLONE, EGRESS_CLONE, _COALESCED, RECIRCULATED, REPLICATION, RESUBMITTED = range(7)
"""standard_metadata.instance_type."""

HEADERS = ("standard_metadata", "intrinsic_metadata", "queueing_metadata")
"""p4c puts everything into standard_metadata; programs of the P4_14 days split it."""

Copy = tuple[list[int], Packet]


@final
class V1Model:
    """The simple_switch around one Build."""

    def __init__(self, build: Build, state: State, layout: Layout) -> None:
        self._template = build.template
        self._metadata_end = layout.metadata_end
        self._state = state
        self._options: Options = state.options
        self._errors = error_numbers(state.program)
        self._parser = build.blocks["parser"]
        self._verify = build.blocks["verify_checksum"]
        self._ingress_block = build.blocks["ingress"]
        self._egress_block = build.blocks["egress"]
        self._compute = build.blocks["compute_checksum"]
        self._deparser = build.blocks["deparser"]
        self._ingress_port = MetadataField(layout, HEADERS, "ingress_port")
        self._egress_spec = MetadataField(layout, HEADERS, "egress_spec")
        self._egress_port = MetadataField(layout, HEADERS, "egress_port")
        self._instance_type = MetadataField(layout, HEADERS, "instance_type")
        self._packet_length = MetadataField(layout, HEADERS, "packet_length")
        self._ingress_time = MetadataField(layout, HEADERS, "ingress_global_timestamp")
        self._egress_time = MetadataField(layout, HEADERS, "egress_global_timestamp")
        self._enqueue_time = MetadataField(layout, HEADERS, "enq_timestamp")
        self._multicast_group = MetadataField(layout, HEADERS, "mcast_grp")
        self._replication_id = MetadataField(layout, HEADERS, "egress_rid")
        self._parser_error = MetadataField(layout, HEADERS, "parser_error")

    def run(self, port: int, frame: bytes, now_ns: int, trace: list[TraceEvent] | None) -> Outcome:
        """Run one received frame, with all its copies, to the end."""
        verdicts = Verdicts(self._state)
        packet = Packet(port, frame, now_ns, trace)
        fields = self._template.copy()
        self._ingress_port.set(fields, port)
        self._packet_length.set(fields, len(frame))
        self._ingress_time.set(fields, now_ns // 1000)
        ingress: deque[Copy] = deque([(fields, packet)])
        egress: deque[Copy] = deque()
        while egress or ingress:
            stage, queue = (self._egress, egress) if egress else (self._ingress, ingress)
            fields, packet = queue.popleft()
            try:
                stage(fields, packet, ingress, egress, verdicts)
            except OutOfFuel:
                verdicts.drop(packet, LOOP)
        return verdicts.outcome()

    # --- ingress ---

    def _parse(self, fields: list[int], packet: Packet) -> None:
        try:
            run_block(self._parser, fields, packet)
        except ParserError as error:
            tell_error(packet, error)
            self._parser_error.set(fields, self._errors.get(error.name, 0))

    def _ingress(
        self, fields: list[int], packet: Packet, ingress: deque[Copy], egress: deque[Copy], verdicts: Verdicts
    ) -> None:
        self._parse(fields, packet)
        run_block(self._verify, fields, packet)
        run_block(self._ingress_block, fields, packet)
        if packet.clone is not None:
            egress.extend(self._ingress_clones(fields, packet))
        if packet.resubmit is not None:
            self._again(fields, packet, packet.data, packet.resubmit, RESUBMITTED, ingress, verdicts)
            return
        group = self._multicast_group.get(fields)
        if group:
            self._instance_type.set(fields, REPLICATION)
            copies = self._replicate(fields, packet, self._state.multicast_groups.get(group, ()), None)
            if not copies:
                verdicts.drop(packet, NO_MEMBER)
            egress.extend(copies)
            return
        port = self._egress_spec.get(fields)
        if port == self._options.drop_port:
            verdicts.drop(packet, DROP_ACTION)
            return
        self._instance_type.set(fields, NORMAL)
        self._enqueue(fields, port, packet.now_ns)
        egress.append((fields, packet))

    def _enqueue(self, fields: list[int], port: int, now_ns: int) -> None:
        self._egress_port.set(fields, port)
        self._enqueue_time.set(fields, now_ns // 1000)

    def _ingress_clones(self, fields: list[int], packet: Packet) -> list[Copy]:
        """The packet as received, parsed again; of its metadata only the kept fields remain."""
        session = self._session(packet)
        assert packet.clone is not None
        kept, packet.clone = packet.clone[1], None
        if session is None:
            return []
        copy = Packet(packet.port, packet.data, packet.now_ns, packet.trace)
        copy.passes = packet.passes
        parsed = self._template.copy()
        self._ingress_port.set(parsed, packet.port)
        self._parse(parsed, copy)
        self._reset_metadata(parsed, fields, kept, INGRESS_CLONE)
        return self._replicate(parsed, copy, session.replicas, session.truncate_bytes or None)

    def _session(self, packet: Packet) -> CloneSession | None:
        assert packet.clone is not None
        return self._state.clone_sessions.get(packet.clone[0])

    def _reset_metadata(
        self, copy: list[int], original: list[int], kept: tuple[int, ...], instance: int
    ) -> None:
        values = [(i, original[i]) for i in kept if i < self._metadata_end]
        copy[: self._metadata_end] = self._template[: self._metadata_end]
        for index, value in values:
            copy[index] = value
        self._instance_type.set(copy, instance)

    def _replicate(
        self, fields: list[int], packet: Packet, replicas: Iterable[Replica], limit: int | None
    ) -> list[Copy]:
        """One copy per replica, each with its own port and replication id."""
        copies = []
        for replica in replicas:
            copy = Packet(packet.port, packet.data, packet.now_ns, packet.trace)
            copy.position, copy.passes, copy.length, copy.limit = (
                packet.position,
                packet.passes,
                packet.length,
                limit,
            )
            slots = fields.copy()
            self._replication_id.set(slots, replica.instance)
            self._enqueue(slots, replica.port, packet.now_ns)
            copies.append((slots, copy))
        return copies

    def _again(
        self, fields: list[int], packet: Packet, frame: bytes, kept: tuple[int, ...], instance: int,
        ingress: deque[Copy], verdicts: Verdicts,
    ) -> None:  # fmt: skip
        """Resubmit or recirculate: start over with a frame; of the metadata only the kept fields remain."""
        if not verdicts.goes_on(packet):
            return
        again = Packet(packet.port, frame, packet.now_ns, packet.trace)
        again.passes = packet.passes + 1
        fresh = self._template.copy()
        self._reset_metadata(fresh, fields, kept, instance)
        self._packet_length.set(fresh, len(frame))
        ingress.append((fresh, again))

    # --- egress ---

    def _egress(
        self, fields: list[int], packet: Packet, ingress: deque[Copy], egress: deque[Copy], verdicts: Verdicts
    ) -> None:
        port = self._egress_port.get(fields)
        self._egress_time.set(fields, packet.now_ns // 1000)
        # simple_switch: anything but the drop port, so that the egress block decides anew.
        self._egress_spec.set(fields, self._options.drop_port + 1)
        self._packet_length.set(fields, packet.length)
        run_block(self._egress_block, fields, packet)
        if packet.clone is not None:
            self._egress_clones(fields, packet, egress, verdicts)
        if self._egress_spec.get(fields) == self._options.drop_port:
            verdicts.drop(packet, DROP_ACTION)
            return
        run_block(self._compute, fields, packet)
        packet.out = []
        run_block(self._deparser, fields, packet)
        frame = b"".join(packet.out) + packet.payload()
        if packet.limit is not None:
            frame = frame[: packet.limit]
        if packet.recirculate is not None:
            self._again(fields, packet, frame, packet.recirculate, RECIRCULATED, ingress, verdicts)
        else:
            verdicts.send(packet, port, frame)

    def _egress_clones(
        self, fields: list[int], packet: Packet, egress: deque[Copy], verdicts: Verdicts
    ) -> None:
        """The packet with its headers as egress leaves them, through egress once more."""
        session = self._session(packet)
        assert packet.clone is not None
        kept, packet.clone = packet.clone[1], None
        if session is None:
            return
        if not verdicts.goes_on(packet, len(session.replicas)):
            return
        slots = fields.copy()
        self._reset_metadata(slots, fields, kept, EGRESS_CLONE)
        copies = self._replicate(slots, packet, session.replicas, session.truncate_bytes or None)
        for _, copy in copies:
            copy.passes += 1
        egress.extend(copies)
