"""Classic pcap files: reading, writing, and a port made of both.

In: files of either byte order, microseconds or nanoseconds, link type Ethernet. Out: Packets, and files of
the same kind (little-endian, nanoseconds). Used by `N@pcap:IN[,OUT]`, `p4nic run` and `p4nic explain`. pcapng
is refused with the way to convert it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, final

from p4nic.errors import InputError, PortError
from p4nic.target.ports import BURST

_MAGIC = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
_PCAPNG = b"\x0a\x0d\x0d\x0a"
_ETHERNET = 1
_LONGEST = 262144
"""The largest snapshot length capture tools use; a longer record means a broken file."""


@final
@dataclass(frozen=True, slots=True)
class Packet:
    """One record: nanoseconds since the epoch, the captured bytes, and how long the frame was on the wire."""

    time_ns: int
    data: bytes
    wire_length: int


def read_packets(path: Path) -> Iterator[Packet]:
    """Packets of a file, in its order.

    InputError where it is no pcap file (before the first packet), or where it is cut off (after the last
    whole one).
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    with file:
        order, unit_ns = _read_header(path, file)
        record = struct.Struct(order + "IIII")
        number = 0
        while head := file.read(record.size):
            number += 1
            if len(head) < record.size:
                raise InputError(f"{path} is truncated: it ends within the header of packet {number}")
            seconds, fraction, captured, wire = record.unpack(head)
            if captured > _LONGEST:
                raise InputError(f"{path} is damaged: packet {number} claims to have {captured} bytes")
            data = file.read(captured)
            if len(data) < captured:
                raise InputError(
                    f"{path} is truncated: packet {number} has {len(data)} of its {captured} bytes; "
                    f"the {number - 1} before it are whole"
                )
            yield Packet(seconds * 1_000_000_000 + fraction * unit_ns, data, wire)


def _read_header(path: Path, file: BinaryIO) -> tuple[str, int]:
    head = file.read(24)
    if head[:4] == _PCAPNG:
        raise InputError(f"{path} is pcapng; convert it with: editcap -F pcap {path.name} converted.pcap")
    if head[:4] not in _MAGIC:
        raise InputError(f"{path} is not a pcap file: it begins with {head[:4].hex() or 'nothing'}")
    if len(head) < 24:
        raise InputError(f"{path} is truncated: its header has {len(head)} of 24 bytes")
    order, unit_ns = _MAGIC[head[:4]]
    (link_type,) = struct.unpack_from(order + "I", head, 20)
    if link_type & 0xFFFF != _ETHERNET:
        raise InputError(f"{path} holds link type {link_type & 0xFFFF}, not Ethernet (1)")
    return order, unit_ns


def file_header() -> bytes:
    """Of a nanosecond, little-endian file of Ethernet frames."""
    return struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, _ETHERNET)


@final
class PcapWriter:
    """Writes a nanosecond, little-endian pcap file: the same packets give the same bytes."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}") from None
        self._file.write(file_header())

    def write(self, data: bytes, time_ns: int) -> None:
        seconds, nanoseconds = divmod(time_ns, 1_000_000_000)
        self._file.write(struct.pack("<IIII", seconds & 0xFFFFFFFF, nanoseconds, len(data), len(data)) + data)

    def flush(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


@final
class PcapPort:
    """Frames of one file come in, frames sent go into another (or nowhere), at one per microsecond."""

    def __init__(self, source: Path, sink: Path | None = None) -> None:
        self.name = f"pcap:{source}"
        self._packets = read_packets(source)
        self._first = list(
            islice(self._packets, 1)
        )  # now, so that a wrong file is refused before the switch runs
        self._writer = PcapWriter(sink) if sink is not None else None
        self._sent = 0

    def fileno(self) -> int | None:
        return None

    def receive(self, limit: int = BURST) -> list[bytes]:
        first, self._first = self._first, []
        packets = first
        try:
            for packet in islice(self._packets, limit - len(first)):
                packets.append(packet)
        except InputError as error:
            if not packets:
                raise PortError(str(error)) from None
            self._packets = _raising(error)
        return [packet.data for packet in packets]

    def send(self, frame: bytes) -> str:
        if self._writer is not None:
            self._writer.write(frame, self._sent * 1000)
            self._sent += 1
        return ""

    def flush(self) -> None:
        if self._writer is not None:
            self._writer.flush()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _raising(error: InputError) -> Iterator[Packet]:
    """The file's end is broken: the next call says so, after the packets before it were processed."""
    yield from ()
    raise error
