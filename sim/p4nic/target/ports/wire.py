"""Ports whose frames never pass through Python: opened here, given to a pipeline that forwards by itself.

In: a PortSpec and a number of workers. Out: a WirePort with one descriptor for each worker. Used by `p4nic
serve` with the native backend; `target.wires` hands it on. Errors are those of the ports of the same kind.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import final

from p4nic.backend.wires import Wire
from p4nic.errors import InputError, PortError
from p4nic.target.ports import BURST
from p4nic.target.ports.afpacket import open_sockets
from p4nic.target.ports.pcap import file_header, read_packets
from p4nic.target.ports.spec import PortSpec
from p4nic.target.ports.tap import open_queues

KINDS = ("veth", "tap", "pcap", "memory")


@final
class WirePort:
    """A Port by name only: nothing is received or sent here. `wire` is what the pipeline is given."""

    def __init__(self, name: str, wire: Wire) -> None:
        self.name = name
        self.wire = wire
        self._open = True

    def fileno(self) -> int | None:
        return None

    def receive(self, limit: int = BURST) -> list[bytes]:
        raise AssertionError(f"{self.name} is received from in C")

    def send(self, frame: bytes) -> str:
        raise AssertionError(f"{self.name} is sent to in C")

    def flush(self) -> None:
        """Nothing is buffered here."""

    def close(self) -> None:
        """Packet sockets take promiscuous mode with them, queues of a TAP interface the interface."""
        if self._open:
            self._open = False
            for descriptor in {d for d in self.wire.descriptors if d >= 0}:
                with suppress(OSError):
                    os.close(descriptor)


def open_wire(spec: PortSpec, workers: int) -> WirePort:
    """Open what the spec names, once for each worker."""
    name = f"{spec.kind}:{spec.name}"
    match spec.kind:
        case "veth":
            return WirePort(name, Wire("packet", spec.name, open_sockets(spec.name, workers)))
        case "tap":
            return WirePort(name, Wire("tap", spec.name, open_queues(spec.name, workers)))
        case "pcap":
            source, _, sink = spec.name.partition(",")
            return WirePort(name, _capture(Path(source), Path(sink) if sink else None, workers))
        case "memory":
            return WirePort("memory", Wire("memory", "", (-1,) * workers))
        case _:
            raise AssertionError(f"{spec.kind} is no kind of wire")


def _capture(source: Path, sink: Path | None, workers: int) -> Wire:
    try:
        frames = tuple(packet.data for packet in read_packets(source))
    except InputError as error:
        raise PortError(str(error)) from None
    descriptor = -1
    if sink is not None:
        try:
            descriptor = os.open(
                sink, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o644
            )
            os.write(descriptor, file_header())
        except OSError as error:
            raise InputError(f"cannot write {sink}: {error.strerror}") from None
    return Wire("pcap", source.name, (descriptor,) * workers, frames)
