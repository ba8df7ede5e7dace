"""Packet-in and packet-out headers (P4Runtime 1.5 §6.4.6, §16.1).

A frame to or from the CPU port begins with the program's `packet_in` or `packet_out` header, most
significant bit first; on the stream the same fields travel as PacketMetadata. In: PacketOut, or a frame.
Out: a frame, or PacketIn.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import final

from p4nic.errors import UnsupportedError
from p4nic.load.p4info_model import PacketHeaderInfo
from p4nic.server.codec.scalar import invalid, shortest, unsigned
from p4rt import p4r


@final
@dataclass(frozen=True, slots=True)
class _Field:
    id: int
    name: str
    width: int


@final
class PacketHeader:
    """The metadata header in one direction; without fields the frame is the payload."""

    def __init__(self, name: str, info: PacketHeaderInfo | None) -> None:
        self.name = name
        self._fields = tuple(_Field(f.id, f.name, f.width) for f in info.fields) if info is not None else ()
        self._bits = sum(f.width for f in self._fields)
        for field in self._fields:
            if not field.width:
                raise UnsupportedError(
                    f"header {name}: field {field.name} is a string for the controller (sdn_string); "
                    "p4nic takes packet headers with numbers only"
                )
        if self._bits % 8:
            raise UnsupportedError(f"header {name} has {self._bits} bits; pad it to whole bytes")

    @property
    def size(self) -> int:
        """Bytes."""
        return self._bits // 8

    def join(self, packet: p4r.PacketOut) -> bytes:
        """Header and payload as one frame; INVALID_ARGUMENT unless each field is there once and fits."""
        given = self._given(packet.metadata)
        header = 0
        for field in self._fields:
            place = f"{self.name} field {field.name}"
            if field.id not in given:
                raise invalid(f"{place}: it is missing; a packet-out carries every field")
            header = header << field.width | unsigned(given[field.id], field.width, place)
        return header.to_bytes(self.size, "big") + packet.payload

    def _given(self, metadata: Iterable[p4r.PacketMetadata]) -> dict[int, bytes]:
        names = {field.id: field.name for field in self._fields}
        given: dict[int, bytes] = {}
        for one in metadata:
            if one.metadata_id not in names:
                known = ", ".join(f"{f.name} ({f.id})" for f in self._fields) or "none"
                raise invalid(f"{self.name} has no field with id {one.metadata_id}; its fields are {known}")
            if one.metadata_id in given:
                raise invalid(f"{self.name} field {names[one.metadata_id]}: it is given twice")
            given[one.metadata_id] = one.value
        return given

    def split(self, frame: bytes) -> p4r.PacketIn | None:
        """None for a frame shorter than the header."""
        if len(frame) < self.size:
            return None
        packet = p4r.PacketIn(payload=frame[self.size :])
        header, left = int.from_bytes(frame[: self.size], "big"), self._bits
        for field in self._fields:
            left -= field.width
            value = header >> left & ((1 << field.width) - 1)
            packet.metadata.add(metadata_id=field.id, value=shortest(value))
        return packet
