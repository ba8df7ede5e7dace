"""Compares engines packet by packet, then by what they remember.

In: engines (the first is the reference), a scenario. Out: a Difference or None; Refused if an engine cannot
run it. Called by `cli.diff` and `shrink`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import final

from p4nic.backend.api import Outcome
from p4nic.differential.choices import others
from p4nic.differential.engines import Order, Session, Target
from p4nic.differential.scenario import Packet, Scenario
from p4nic.errors import TargetError

MOST_CELLS = 256
"""Longer arrays are not read back: they would take longer than the packets."""


@final
@dataclass(frozen=True, slots=True)
class Difference:
    """Where targets part. `position` is the packet's, None for state after the last; `answers` by engine."""

    position: int | None
    what: str
    answers: Mapping[str, str]


_ENDS = ("egress port does not exist", "recirculation limit", "instruction limit")
"""Reasons for which our engines drop a packet, and the process of a real target may end."""
_WRAPPED = "frame shorter than the headers taken from it"
"""DPDK subtracts headers from a length without looking; what a port would send then is nobody's promise."""


_RANDOM = "random numbers of which not all were tried"


def known(outcomes: Sequence[Outcome | TargetError]) -> str | None:
    """The reason if these answers differ where a target is known to do anything at all, see
    docs/target-differences.md."""
    reasons = [o.drop_reason for o in outcomes if isinstance(o, Outcome)]
    if len(reasons) < len(outcomes):
        return next((reason for reason in reasons if reason in _ENDS), None)
    return _WRAPPED if _WRAPPED in reasons else None


@final
@dataclass(slots=True)
class _Group:
    """Targets of one meaning of the program. The first is the reference; `others` are the reference again,
    choosing otherwise, per target that may."""

    members: list[tuple[Target, Session]] = field(default_factory=list)
    others: dict[str, list[Session]] = field(default_factory=dict)


@final
class Run:
    """Targets that have the same entries, side by side.

    `order` "any" has the order of one packet's frames count nowhere, whatever the profiles say.
    """

    def __init__(self, targets: Sequence[Target], scenario: Scenario, order: Order = "exact") -> None:
        self._order = order
        self._open = ExitStack()
        self._groups: dict[str, _Group] = {}
        self.reference: Outcome | None = None
        """What the first target made of the last packet."""
        self.ended: str | None = None
        """Why this run cannot go on: a known difference, after which targets hold different state."""
        try:
            for target in targets:
                self._begin(target, scenario)
        except BaseException:
            self._open.close()
            raise

    def _begin(self, target: Target, scenario: Scenario) -> None:
        group = self._groups.setdefault(target.profile.semantics, _Group())
        session = target.begin(scenario)
        self._open.callback(session.close)
        group.members.append((target, session))
        group.others[target.name] = others(group.members[0][0], scenario, target.profile)
        for other in group.others[target.name]:
            self._open.callback(other.close)

    def packet(self, packet: Packet) -> tuple[str, dict[str, str]] | None:
        """Send one to all: None if they agree, else what differs, and the answers."""
        self.reference = None
        found = None
        for group in self._groups.values():
            found = self._in_group(group, packet) or found
        return None if self.ended is not None else found

    def _in_group(self, group: _Group, packet: Packet) -> tuple[str, dict[str, str]] | None:
        outcomes = {target.name: _sent(session, packet) for target, session in group.members}
        first = next(iter(outcomes.values()))
        if self.reference is None and isinstance(first, Outcome):
            self.reference = first
        differing = [t for t, _ in group.members if not self._same(group, t, first, outcomes[t.name], packet)]
        if not differing:
            return None
        ended = known([first, *(outcomes[t.name] for t in differing)])
        if ended is None and any(group.others[t.name] for t in differing if t.profile.random == "any"):
            ended = _RANDOM
        self.ended = self.ended or ended
        return "the packet", {name: describe(outcome) for name, outcome in outcomes.items()}

    def _same(
        self,
        group: _Group,
        target: Target,
        first: Outcome | TargetError,
        outcome: Outcome | TargetError,
        packet: Packet,
    ) -> bool:
        """As the reference, or as the reference might have chosen."""
        order: Order = "any" if "any" in (self._order, target.profile.order) else "exact"
        seen = _view(outcome, order)
        # All of them get the packet, whichever agrees: they must learn what it teaches.
        possible = [_view(_sent(other, packet), order) for other in group.others[target.name]]
        return seen in (_view(first, order), *possible)

    def state(self) -> tuple[str, dict[str, str]] | None:
        """Compare what was learned and counted."""
        looks: list[tuple[str, Callable[[Session], Mapping[str, object] | None]]] = [
            ("what was learned", lambda s: s.learned()),
            ("registers and counters", lambda s: s.registers(MOST_CELLS)),
        ]
        for group in self._groups.values():
            # What a free choice has made of the state is not followed up.
            sessions = {t.name: session for t, session in group.members if not group.others[t.name]}
            for what, look in looks:
                seen = {name: look(session) for name, session in sessions.items()}
                told = {name: state for name, state in seen.items() if state is not None}
                if told and any(state != next(iter(told.values())) for state in told.values()):
                    return what, _only_differing(told)
        return None

    def close(self) -> None:
        self._open.close()


def _sent(session: Session, packet: Packet) -> Outcome | TargetError:
    try:
        return session.send(packet)
    except TargetError as error:
        return error


def _view(outcome: Outcome | TargetError, order: Order) -> object:
    """What must be equal. The reason of a drop need not: DPDK gives none."""
    if isinstance(outcome, TargetError):
        return None
    return outcome.sent if order == "exact" else tuple(sorted(outcome.sent))


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """Of a whole run: `packets` were compared, `ended` says why not all, if so."""

    difference: Difference | None
    packets: int
    ended: str | None = None


def play(targets: Sequence[Target], scenario: Scenario, order: Order = "exact") -> Verdict:
    """Run a whole scenario, up to the first difference."""
    run = Run(targets, scenario, order)
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


def compare(targets: Sequence[Target], scenario: Scenario, order: Order = "exact") -> Difference | None:
    """The first difference of a scenario that is not a known one."""
    return play(targets, scenario, order).difference


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
