"""What `p4nic diff` compares: targets, each running scenarios on a fresh switch.

In: a scenario. Out: per packet what was sent, in the end what was learned. Called by `compare`. An Engine is
a target made of one of our backends; a target that is a program of its own (BMv2) has a file of its own and
is made by `targets`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, final

from p4nic.backend.api import Backend, Options, Outcome
from p4nic.clock import ManualClock
from p4nic.differential.scenario import Packet, Scenario
from p4nic.errors import ErrorKind, P4nicError, StateError
from p4nic.ir.program import Program
from p4nic.target.switch import Switch

Order = Literal["exact", "any"]


@final
class Refused(P4nicError):
    """A target cannot run this scenario: no verdict."""


@final
@dataclass(frozen=True, slots=True)
class Profile:
    """What an answer of a target may differ in, without being wrong.

    `order`: of the frames one packet makes. `selectors`: which member of a group it takes. `random`: what its
    random numbers are. `semantics`: targets are compared with those of the same; "" where the program has one
    meaning only.
    """

    order: Order = "exact"
    selectors: Literal["same", "any"] = "same"
    random: Literal["same", "any"] = "same"
    semantics: str = ""


SAME = Profile()


class Session(Protocol):
    """One scenario being run on one target."""

    def send(self, packet: Packet) -> Outcome:
        """Move the clock, process the packet. TargetError if the target dies of it."""
        ...

    def learned(self) -> dict[str, object] | None:
        """Entries packets have made, by table and key; None where the target cannot tell."""
        ...

    def registers(self, most: int) -> dict[str, int] | None:
        """Cells that are not 0, of arrays up to `most` long, counters too; None where it cannot tell."""
        ...

    def close(self) -> None: ...


class Target(Protocol):
    """What can run scenarios."""

    @property
    def name(self) -> str: ...

    @property
    def profile(self) -> Profile: ...

    def begin(self, scenario: Scenario) -> Session:
        """A fresh one with the scenario's entries; Refused if it does not take one of them."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Engine:
    """A backend with its options."""

    backend: Backend
    program: Program
    options: Options
    profile: Profile = SAME
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or self.backend.name

    def begin(self, scenario: Scenario) -> SwitchSession:
        """A fresh switch with the scenario's entries; Refused if the engine does not take one of them."""
        session = SwitchSession(Switch(self.backend.build(self.program, self.options), ManualClock()))
        try:
            results = session.switch.tables.batch(list(scenario.updates))
        except P4nicError:
            session.close()
            raise
        for (operation, _), error in zip(scenario.updates, results, strict=True):
            if error is not None:
                session.close()
                raise Refused(f"{self.name} refuses an {operation}: {error}")
        return session


@final
class SwitchSession:
    """One scenario being run on one engine."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch

    def send(self, packet: Packet) -> Outcome:
        now = self.switch.clock.now_ns()
        if packet.time_ns > now:
            self.switch.advance(packet.time_ns - now)
        return self.switch.inject(packet.port, packet.frame)

    def learned(self) -> dict[str, object] | None:
        found: dict[str, object] = {}
        try:
            for table in self.switch.program.tables.values():
                if table.is_learner:
                    for state in self.switch.tables.read(table.name):
                        found[f"{table.name} {state.entry.key}"] = state.entry.action
        except StateError as error:
            if error.kind is not ErrorKind.UNIMPLEMENTED:
                raise
            return None
        return found

    def registers(self, most: int) -> dict[str, int] | None:
        tables, program = self.switch.tables, self.switch.program
        cells: dict[str, int] = {}
        for register in program.registers.values():
            if register.size <= most:
                for value in tables.registers(register.name):
                    cells[f"{value.register}[{value.index}]"] = value.value
        for counter in program.counters.values():
            if counter.table is None and counter.size <= most:
                for cell in tables.counters(counter.name):
                    cells[f"{cell.counter}[{cell.index}] packets"] = cell.packets
                    cells[f"{cell.counter}[{cell.index}] bytes"] = cell.bytes
        return {name: value for name, value in cells.items() if value}

    def close(self) -> None:
        self.switch.close()
