"""Runs an STF file on a switch and says what failed.

In: the file's text, a Switch with a manual clock. Out: a Verdict. Called by `p4nic stf`, the conformance run
and tests. Deterministic: every packet comes 1 µs after the one before, `wait` moves the clock (1 s unless the
file says more), nothing else takes time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from p4nic.backend.api import DigestMessage
from p4nic.errors import InputError, P4nicError, StateError
from p4nic.stf.apply import State
from p4nic.stf.checks import failure
from p4nic.stf.frames import Traffic, shown
from p4nic.stf.names import resolve
from p4nic.stf.parse import parse
from p4nic.stf.statements import (
    CheckCounter,
    CheckEntries,
    CheckRegister,
    Expect,
    ExpectDigest,
    NoPacket,
    Packet,
    Statement,
    Wait,
)
from p4nic.target.switch import Switch

PACKET_STEP_NS = 1_000


@final
@dataclass(frozen=True, slots=True)
class Failure:
    """A statement that did not hold: its line and one sentence."""

    line: int
    sentence: str


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one file. It passed if there are no failures."""

    file: str
    packets: int
    expects: int
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        return not self.failures


def run_text(text: str, file: str, switch: Switch, *, traced: bool = False) -> Verdict:
    """Run an STF file; InputError with file and line for a statement that is no STF or names what is not
    there.

    `traced` runs every packet through the tracing build of the backend.
    """
    statements = parse(text, file)
    run = _Run(file, switch, traced)
    for statement in statements:
        run.step(statement)
    return run.verdict()


class _Run:
    def __init__(self, file: str, switch: Switch, traced: bool) -> None:
        self._file = file
        self._switch = switch
        self._traced = traced
        self._state = State(switch)
        self._traffic = Traffic()
        self._failures: list[Failure] = []
        self._packets = self._expects = 0
        self._last: tuple[tuple[int, bytes], ...] = ()
        self._digests: list[DigestMessage] = []
        switch.subscribe(on_digest=self._digests.append)

    def step(self, statement: Statement) -> None:
        """Carry out one statement."""
        try:
            self._step(statement)
        except (InputError, StateError) as error:
            raise InputError(f"{self._file}:{statement.line}: {error}") from None

    def _step(self, statement: Statement) -> None:
        match statement:
            case Packet():
                self._packet(statement)
            case Expect():
                self._expects += 1
                self._traffic.named.add(statement.port)
                self._traffic.expected[statement.port].append(statement)
            case NoPacket(line, port):
                found = [(p, f) for p, f in self._last if port is None or p == port]
                for sent_port, frame in found[:1]:
                    self._fail(line, f"port {sent_port}: the last packet was sent on: {shown(frame)}")
            case Wait(_, nanoseconds):
                self._switch.advance(nanoseconds)
            case ExpectDigest():
                self._digest(statement)
            case CheckCounter() | CheckRegister() | CheckEntries():
                self._fail(statement.line, failure(statement, self._switch, self._state))
            case _:
                self._state.apply(statement)

    def _packet(self, packet: Packet) -> None:
        self._switch.advance(PACKET_STEP_NS)
        self._traffic.named.add(packet.port)
        self._packets += 1
        if self._traced:
            outcome, _ = self._switch.trace(packet.port, packet.data)
        else:
            outcome = self._switch.inject(packet.port, packet.data)
        self._last = outcome.sent
        for port, frame in outcome.sent:
            self._traffic.sent[port].append((packet.line, frame))

    def _digest(self, expect: ExpectDigest) -> None:
        name = resolve("digest", expect.digest, self._switch.program.digests)
        if not self._digests:
            self._fail(expect.line, f"digest {name} did not come")
            return
        found = self._digests.pop(0)
        if (found.digest, found.values) != (name, expect.values):
            values = " ".join(f"{value:#x}" for value in found.values)
            self._fail(expect.line, f"the next digest is {found.digest} {values}")

    def _fail(self, line: int, sentence: str) -> None:
        if sentence:
            self._failures.append(Failure(line, sentence))

    def verdict(self) -> Verdict:
        """The failures of the statements, then those of the frames."""
        for line, sentence in self._traffic.differences():
            self._fail(line, sentence)
        ordered = tuple(sorted(self._failures, key=lambda one: one.line))
        return Verdict(self._file, self._packets, self._expects, ordered)


def broken(file: str, error: P4nicError) -> Verdict:
    """A Verdict for a file that could not be run to its end."""
    return Verdict(file, 0, 0, (Failure(0, str(error)),))
