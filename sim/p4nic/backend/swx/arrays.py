"""Counters, registers and meters of a running DPDK pipeline, by P4 name.

In: names, indexes, keys. Out: requests to the shim. Called by `pipeline`. The `.spec` keeps a counter in one
or two register arrays; a direct one is indexed by the place of the entry in its table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from p4nic.backend.api import MeterConfig
from p4nic.backend.swx import wire
from p4nic.backend.swx.wire import Operation, Reader
from p4nic.bits import mask
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.image import SpecImage
from p4nic.ir.program import Program

Ask = Callable[[Operation, bytes], tuple[int, Reader]]
_BITS_64 = (1 << 64) - 1


@final
class Arrays:
    """`ask` sends a request to the pipeline of now. Meter configurations are kept: DPDK gives none back."""

    def __init__(self, program: Program, image: SpecImage, ask: Ask) -> None:
        self._program = program
        self._image = image
        self._ask = ask
        self._profiles: dict[MeterConfig, str] = {}
        self.meters: dict[tuple[str, int], MeterConfig] = {}

    # --- counters and registers ---

    def counter(self, name: str, index: int) -> tuple[int, int]:
        counter = self._image.counters[name]
        return self._read(counter.packets, index), self._read(counter.bytes, index)

    def set_counter(self, name: str, index: int, packets: int, bytes_: int) -> None:
        counter = self._image.counters[name]
        self._write(counter.packets, index, packets)
        self._write(counter.bytes, index, bytes_)

    def register(self, name: str, index: int) -> int:
        return self._read(self._image.registers[name], index) & mask(self._program.registers[name].width)

    def set_register(self, name: str, index: int, value: int) -> None:
        self._write(self._image.registers[name], index, value)

    def _read(self, array: str | None, index: int) -> int:
        if array is None:
            return 0
        status, answer = self._ask(Operation.REGISTER_READ, wire.name(array) + wire.u32(index))
        _check(status, f"register array {array}: DPDK does not read index {index}")
        return answer.u64()

    def _write(self, array: str | None, index: int, value: int) -> None:
        if array is not None:
            arguments = wire.name(array) + wire.u32(index) + wire.u64(value & _BITS_64)
            status, _ = self._ask(Operation.REGISTER_WRITE, arguments)
            _check(status, f"register array {array}: DPDK does not write index {index}")

    # --- direct ones ---

    def direct_counter(self, name: str, table: str, key: bytes) -> tuple[int, int]:
        """Of the entry with this key; `table` is the `.spec`'s name."""
        values = []
        for array in (self._image.counters[name].packets, self._image.counters[name].bytes):
            if array is None:
                values.append(0)
                continue
            status, answer = self._ask(
                Operation.REGISTER_READ_KEY, wire.name(array) + wire.name(table) + wire.sized(key)
            )
            _check(status, f"register array {array}: DPDK does not read the entry of table {table}")
            values.append(answer.u64())
        return values[0], values[1]

    def set_direct_counter(self, name: str, table: str, key: bytes, packets: int, bytes_: int) -> None:
        halves = ((self._image.counters[name].packets, packets), (self._image.counters[name].bytes, bytes_))
        for array, value in halves:
            if array is not None:
                arguments = wire.name(array) + wire.name(table) + wire.sized(key) + wire.u64(value)
                status, _ = self._ask(Operation.REGISTER_WRITE_KEY, arguments)
                _check(status, f"register array {array}: DPDK does not write the entry of table {table}")

    # --- meters ---

    def set_meter(self, name: str, index: int, config: MeterConfig | None) -> None:
        profile = self._profile(name, config)
        arguments = wire.name(self._image.meters[name]) + wire.u32(index) + wire.name(profile)
        status, _ = self._ask(Operation.METER, arguments)
        _check(status, f"meter {name}: DPDK does not set index {index}")
        if config is None:
            self.meters.pop((name, index), None)
        else:
            self.meters[name, index] = config

    def set_direct_meter(self, name: str, table: str, key: bytes, config: MeterConfig | None) -> None:
        profile = self._profile(name, config)
        arguments = (
            wire.name(self._image.meters[name]) + wire.name(table) + wire.sized(key) + wire.name(profile)
        )
        status, _ = self._ask(Operation.METER_KEY, arguments)
        _check(status, f"meter {name}: DPDK does not set the meter of an entry of table {table}")

    def _profile(self, name: str, config: MeterConfig | None) -> str:
        """The name of a DPDK meter profile with these rates; "" for none."""
        if config is None:
            return ""
        if config in self._profiles:
            return self._profiles[config]
        if config.kind != "two_rate_three_color":
            raise StateError(
                ErrorKind.UNIMPLEMENTED,
                f"meter {name}: DPDK's pipeline has two-rate three-colour meters (RFC 2698) only, "
                f"not {config.kind}",
            )
        profile = f"p{len(self._profiles)}"
        rates = (config.cir, config.pir, config.cburst, config.pburst)
        status, _ = self._ask(Operation.METER_PROFILE, wire.name(profile) + b"".join(map(wire.u64, rates)))
        if status:
            raise StateError(
                ErrorKind.INVALID_ARGUMENT,
                f"meter {name}: DPDK refuses cir {config.cir}, cburst {config.cburst}, pir {config.pir}, "
                f"pburst {config.pburst}; all must be above 0, and pir not below cir",
            )
        self._profiles[config] = profile
        return profile

    def lost(self) -> None:
        """A fresh DPDK: set the meters again. Registers and counters have gone with the old one."""
        self._profiles.clear()
        for (name, index), config in dict(self.meters).items():
            self.set_meter(name, index, config)


def _check(status: int, message: str) -> None:
    if status:
        raise StateError(ErrorKind.INVALID_ARGUMENT, f"{message} (error {status})")
