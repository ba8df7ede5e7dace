"""Counters of the switch by name, and its clock: the two things a test asks that the control plane does not.

In: an address. Out: plain numbers. Reading needs no arbitration, so this never competes with lbctl. Called by
`environment`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty

from harness.testbed import REPOSITORY
from p4rt import p4i, p4r, p4r_grpc

REASONS: Mapping[str, int] = json.loads((REPOSITORY / "pipeline" / "drop_reasons.json").read_text())
_TIMEOUT_S = 30.0


class P4RuntimeReader:
    """Indexed counters of one device, by the last part of their names."""

    def __init__(self, channel: grpc.Channel, device_id: int) -> None:
        self._stub = p4r_grpc.P4RuntimeStub(channel)
        self._device_id = device_id
        self._ids: dict[str, int] = {}

    def drops(self) -> dict[str, int]:
        """Packets dropped so far, by reason."""
        found = self.counters("drop_counter", REASONS.values())
        return {name: found[number][0] for name, number in REASONS.items()}

    def counters(self, name: str, indexes: Iterable[int]) -> dict[int, tuple[int, int]]:
        """(packets, bytes) of the cells of a counter array."""
        counter = self._counter_id(name)
        request = p4r.ReadRequest(device_id=self._device_id)
        for index in indexes:
            entry = p4r.CounterEntry(counter_id=counter, index=p4r.Index(index=index))
            request.entities.append(p4r.Entity(counter_entry=entry))
        found = {}
        for response in self._stub.Read(request, timeout=_TIMEOUT_S):
            for entity in response.entities:
                cell = entity.counter_entry
                found[cell.index.index] = (cell.data.packet_count, cell.data.byte_count)
        return found

    def _counter_id(self, name: str) -> int:
        if not self._ids:
            request = p4r.GetForwardingPipelineConfigRequest(
                device_id=self._device_id,
                response_type=p4r.GetForwardingPipelineConfigRequest.ResponseType.P4INFO_AND_COOKIE,
            )
            answer = self._stub.GetForwardingPipelineConfig(request, timeout=_TIMEOUT_S)
            info: p4i.P4Info = answer.config.p4info
            self._ids = {
                counter.preamble.name.split(".")[-1]: counter.preamble.id for counter in info.counters
            }
        return self._ids[name]


class SimulatedTime:
    """The simulator's side service p4nic.sim.v1.Simulation."""

    def __init__(self, channel: grpc.Channel) -> None:
        def call(method: str, request: type[Duration] | type[Empty], answer: type[Duration] | type[Empty]):  # type: ignore[no-untyped-def]
            return channel.unary_unary(
                f"/p4nic.sim.v1.Simulation/{method}", request.SerializeToString, answer.FromString
            )

        self._now = call("Now", Empty, Duration)
        self._advance = call("Advance", Duration, Duration)
        self._drain = call("Drain", Empty, Empty)

    def now_ns(self) -> int:
        """Nanoseconds since the target started, on its clock."""
        return int(self._now(Empty(), timeout=_TIMEOUT_S).ToNanoseconds())

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass; what expires on the way expires in order."""
        duration = Duration()
        duration.FromNanoseconds(round(seconds * 1e9))
        self._advance(duration, timeout=_TIMEOUT_S)

    def drain(self) -> None:
        """Return when every frame handed to a port has been processed and what it caused has left."""
        self._drain(Empty(), timeout=_TIMEOUT_S)
