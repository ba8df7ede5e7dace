"""Ports of DPDK's own: which device a port has, and what comes out of the pipeline elsewhere.

In: `DRIVER[,ARGUMENTS]` as DPDK spells a virtual device, by port number. Out: bytes of requests; frames that
left through ports without a device. Called by `pipeline`; a `DevicePort` of `cli.real_dpdk` asks for frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from p4nic.backend.swx import wire
from p4nic.backend.swx.target import Target
from p4nic.backend.swx.wire import Operation, Reader
from p4nic.errors import InputError, PortError

DRIVERS = ("net_af_packet", "net_tap", "net_ring", "net_null")


@final
class Departed(bytes):
    """A frame that a packet from a device has already become; `port` is where it is to leave."""

    port: int


@final
@dataclass(frozen=True, slots=True)
class Device:
    """`name` is unique among devices, as DPDK wants it."""

    number: int
    name: str
    arguments: str

    @property
    def told(self) -> str:
        return f"{self.number}@dpdk:{self.name}{',' if self.arguments else ''}{self.arguments}"


def parse_devices(texts: Mapping[int, str]) -> tuple[Device, ...]:
    """Devices by port; InputError for a driver that is not in the shim."""
    found = []
    for number, text in sorted(texts.items()):
        name, _, arguments = text.partition(",")
        driver = name.rstrip("0123456789")
        if driver not in DRIVERS:
            raise InputError(
                f"port {number}@dpdk:{text}: there is no driver {driver}; write DRIVER[,ARGUMENTS] with one "
                f"of {', '.join(DRIVERS)}, for example {number}@dpdk:net_af_packet,iface=veth1"
            )
        found.append(Device(number, name if name != driver else f"{driver}{number}", arguments))
    return tuple(found)


@final
class Devices:
    """All of a pipeline, and whether the DPDK of now has opened them."""

    def __init__(self, devices: tuple[Device, ...]) -> None:
        self.all = devices
        self._opened: object = None

    def open(self, target: Target, now_ns: int) -> None:
        """Those of a fresh DPDK; PortError if one cannot be opened."""
        if not self.all or self._opened is target.generation:
            return
        body = b"".join(wire.u32(d.number) + wire.name(d.name) + wire.name(d.arguments) for d in self.all)
        arguments = wire.u64(now_ns) + wire.u32(len(self.all)) + body
        status, answer = target.ask(Operation.DEVICES, arguments)
        if status:
            raise self._refused(status, answer, target.last_words())
        self._opened = target.generation

    def _refused(self, status: int, answer: Reader, said: str) -> PortError:
        if status == -1:
            return PortError(f"DPDK has no memory for the packets of its own ports ({said})")
        device = self.all[answer.u32()]
        return PortError(f"port {device.told}: DPDK does not open the device: {said}")

    def frames(self, target: Target) -> list[Departed]:
        """What left elsewhere since the last call; what DPDK had no room to keep is gone."""
        _, answer = target.ask(Operation.FRAMES)
        answer.u32()
        found = []
        while answer.u8():
            port, length = answer.u32(), answer.u32()
            frame = Departed(answer.take(length))
            frame.port = port
            found.append(frame)
        return found
