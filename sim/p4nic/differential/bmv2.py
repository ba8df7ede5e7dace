"""Real BMv2 under `p4nic diff`: `simple_switch_grpc` from PATH, without root and without interfaces.

In: a program, its JSON and P4Info. Out: a Target. Called by `targets`, by name, because this and
`bmv2_switch` speak gRPC. Every scenario loads the JSON again, which empties tables, counters and registers.

BMv2 runs on the machine's clock: times between packets do not count, and expiry cannot be compared.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import final

from p4nic.backend.api import Outcome
from p4nic.differential.bmv2_entities import encode
from p4nic.differential.bmv2_switch import Bmv2Switch, program_path
from p4nic.differential.engines import Profile, Refused
from p4nic.differential.scenario import Packet, Scenario, Update
from p4nic.errors import InputError, P4nicError, TargetError
from p4nic.ir.program import Program
from p4nic.load.p4info import load_p4info
from p4nic.server.codec.schema import Codec
from p4rt import p4i

# Copies of a packet leave from four threads, one per output port modulo 4.
PROFILE = Profile(order="any", random="any")
_NO_REASON = "BMv2 gives no reason"


def bmv2_target(program: Program, paths: Sequence[Path], p4info: Path | None) -> Bmv2Target:
    """The target; InputError where BMv2 is not installed or there is no P4Info to load with the JSON."""
    if p4info is None:
        raise InputError("bmv2 is programmed over P4Runtime; name the program's P4Info with --p4info")
    info = load_p4info(p4info)
    return Bmv2Target(Bmv2Files(paths[0].read_bytes(), info.message, program_path()), Codec(info, program))


def bmv2_on_interfaces(
    program: Program,
    json: Path,
    p4info: Path,
    updates: Sequence[Update],
    interfaces: Mapping[int, str],
) -> Bmv2Switch:
    """BMv2 at work between network interfaces (port number -> name; root), for measuring it as a peer.

    InputError where BMv2 is not installed, TargetError if it does not start, Refused if it does not take one
    of the entries. The caller stops it.
    """
    target = bmv2_target(program, (json,), p4info)
    switch = Bmv2Switch(target.files.program, interfaces)
    try:
        target.fill(switch, updates)
    except P4nicError:
        switch.stop()
        raise
    return switch


@final
@dataclass(frozen=True, slots=True)
class Bmv2Files:
    """What is loaded, and into which program."""

    json: bytes
    p4info: p4i.P4Info
    program: str


@final
@dataclass(slots=True)
class Bmv2Target:
    """One process, started at the first scenario and again after a crash."""

    files: Bmv2Files
    codec: Codec
    name: str = "bmv2"
    profile: Profile = PROFILE
    _switch: Bmv2Switch | None = field(default=None, init=False)

    def begin(self, scenario: Scenario) -> Bmv2Session:
        """The program loaded anew, with the scenario's entries; Refused if BMv2 does not take one of them."""
        if self._switch is None or not self._switch.running():
            self._switch = Bmv2Switch(self.files.program)
            atexit.register(self._switch.stop)
        self.fill(self._switch, scenario.updates)
        return Bmv2Session(self._switch)

    def fill(self, switch: Bmv2Switch, updates: Sequence[Update]) -> None:
        """Load the program and write the entries."""
        switch.load(self.files.p4info, self.files.json)
        for operation, entity in updates:
            try:
                update = encode(self.codec, operation, entity)
            except P4nicError as error:
                raise Refused(f"bmv2 cannot be sent an {operation}: {error}") from None
            refusal = switch.write(update)
            if refusal is not None:
                raise Refused(f"bmv2 refuses an {operation}: {refusal}")


@final
@dataclass(frozen=True, slots=True)
class Bmv2Session:
    """One scenario being run."""

    switch: Bmv2Switch

    def send(self, packet: Packet) -> Outcome:
        """What BMv2 sends until it says that all packets are processed. TargetError if it ends."""
        try:
            sent = self.switch.send(packet.port, packet.frame)
        except TargetError as error:
            raise TargetError(str(error), (packet.port, packet.frame)) from None
        return Outcome(tuple(sent), "" if sent else _NO_REASON)

    def learned(self) -> dict[str, object] | None:
        """Nothing: v1model has no learner tables."""
        return None

    def registers(self, most: int) -> dict[str, int] | None:
        """Nothing: P4Runtime on BMv2 cannot read registers (UNIMPLEMENTED)."""
        return None

    def close(self) -> None:
        """The next scenario loads the program again."""
