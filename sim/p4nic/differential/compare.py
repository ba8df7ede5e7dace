"""Compares engines packet by packet, then by what they remember.

In: engines (the first is the reference), a scenario. Out: a Difference or None; Refused if an engine cannot
run it. Called by `cli.diff` and `shrink`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal, final

from p4nic.backend.api import Outcome
from p4nic.differential.engines import Engine, Session
from p4nic.differential.scenario import Packet, Scenario
from p4nic.errors import TargetError

Order = Literal["exact", "any"]
MOST_CELLS = 256
"""Longer arrays are not read back: they would take longer than the packets."""


@final
@dataclass(frozen=True, slots=True)
class Difference:
    """Where engines part. `position` is the packet's, None for state after the last; `answers` by engine."""

    position: int | None
    what: str
    answers: Mapping[str, str]


_ENDS = ("egress port does not exist", "recirculation limit", "instruction limit")
"""Reasons for which our engines drop a packet, and the process of a real target may end."""
_WRAPPED = "frame shorter than the headers taken from it"
"""DPDK subtracts headers from a length without looking; what a port would send then is nobody's promise."""


def known(outcomes: Sequence[Outcome | TargetError]) -> str | None:
    """The reason if these answers differ where a target is known to do anything at all, see
    docs/target-differences.md."""
    reasons = [o.drop_reason for o in outcomes if isinstance(o, Outcome)]
    if len(reasons) < len(outcomes):
        return next((reason for reason in reasons if reason in _ENDS), None)
    return _WRAPPED if _WRAPPED in reasons else None


@final
class Run:
    """Engines that have the same entries, side by side."""

    def __init__(self, engines: Sequence[Engine], scenario: Scenario, order: Order = "exact") -> None:
        self._order = order
        self._open = ExitStack()
        self._sessions: dict[str, Session] = {}
        self.reference: Outcome | None = None
        """What the first engine made of the last packet."""
        self.ended: str | None = None
        """Why this run cannot go on: a known difference, after which engines hold different state."""
        try:
            for engine in engines:
                self._sessions[engine.name] = self._open.enter_context(_closing(engine.begin(scenario)))
        except BaseException:
            self._open.close()
            raise

    def packet(self, packet: Packet) -> tuple[str, dict[str, str]] | None:
        """Send one to all: None if they agree, else what differs, and the answers."""
        outcomes: dict[str, Outcome | TargetError] = {}
        for name, session in self._sessions.items():
            try:
                outcomes[name] = session.send(packet)
            except TargetError as error:
                outcomes[name] = error
        first = next(iter(outcomes.values()))
        self.reference = first if isinstance(first, Outcome) else None
        views = [self._view(outcome) for outcome in outcomes.values()]
        if all(view == views[0] for view in views):
            return None
        self.ended = known(list(outcomes.values()))
        if self.ended is not None:
            return None
        return "the packet", {name: describe(outcome) for name, outcome in outcomes.items()}

    def state(self) -> tuple[str, dict[str, str]] | None:
        """Compare what was learned and counted."""
        looks: list[tuple[str, Callable[[Session], Mapping[str, object] | None]]] = [
            ("what was learned", Session.learned),
            ("registers and counters", lambda s: s.registers(MOST_CELLS)),
        ]
        for what, look in looks:
            seen = {name: look(session) for name, session in self._sessions.items()}
            told = {name: state for name, state in seen.items() if state is not None}
            if told and any(state != next(iter(told.values())) for state in told.values()):
                return what, _only_differing(told)
        return None

    def close(self) -> None:
        self._open.close()

    def _view(self, outcome: Outcome | TargetError) -> object:
        """What must be equal. The reason of a drop need not: DPDK gives none."""
        if isinstance(outcome, TargetError):
            return None
        return outcome.sent if self._order == "exact" else sorted(outcome.sent)


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """Of a whole run: `packets` were compared, `ended` says why not all, if so."""

    difference: Difference | None
    packets: int
    ended: str | None = None


def play(engines: Sequence[Engine], scenario: Scenario, order: Order = "exact") -> Verdict:
    """Run a whole scenario, up to the first difference."""
    run = Run(engines, scenario, order)
    try:
        for position, packet in enumerate(scenario.packets):
            found = run.packet(packet)
            if found is not None:
                return Verdict(Difference(position, *found), position + 1)
            if run.ended is not None:
                return Verdict(None, position + 1, run.ended)
        found = run.state()
        return Verdict(Difference(None, *found) if found is not None else None, len(scenario.packets))
    finally:
        run.close()


def compare(engines: Sequence[Engine], scenario: Scenario, order: Order = "exact") -> Difference | None:
    """The first difference of a scenario that is not a known one."""
    return play(engines, scenario, order).difference


def describe(outcome: Outcome | TargetError) -> str:
    """An answer in words."""
    if isinstance(outcome, TargetError):
        return f"fails: {outcome}"
    if not outcome.sent:
        return f"drops it ({outcome.drop_reason})"
    return "; ".join(f"port {port}: {frame.hex()}" for port, frame in outcome.sent)


def _only_differing(states: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    names = sorted({name for state in states.values() for name in state})
    first = next(iter(states.values()))
    odd = [name for name in names if any(state.get(name) != first.get(name) for state in states.values())]
    return {
        engine: "; ".join(f"{name}: {state.get(name, 'not there')}" for name in odd[:5])
        + (f" (and {len(odd) - 5} more)" if len(odd) > 5 else "")
        for engine, state in states.items()
    }


class _closing:
    """A session as a context manager."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def __enter__(self) -> Session:
        return self._session

    def __exit__(self, *error: object) -> None:
        self._session.close()
