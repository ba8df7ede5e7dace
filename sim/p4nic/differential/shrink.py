"""Makes a small scenario of one that differs: fewer packets, fewer entries, shorter frames.

In: a scenario and a test whether one still differs. Out: a scenario that differs and is no larger. Called by
`cli.diff`. Delta debugging: take away halves, then quarters, down to single ones, for as long as it still
differs; `tries` bounds the work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from p4nic.differential.scenario import Packet, Scenario

T = TypeVar("T")
Differs = Callable[[Scenario], bool]


def shrink(scenario: Scenario, position: int | None, differs: Differs, tries: int = 400) -> Scenario:
    """`position`: of the packet that differs; what follows it goes first."""
    budget = _Budget(differs, tries)
    if position is not None:
        scenario = budget.better(scenario, replace(scenario, packets=scenario.packets[: position + 1]))
    packets = fewer(scenario.packets, lambda left: budget.ask(replace(scenario, packets=left)))
    scenario = replace(scenario, packets=packets)
    updates = fewer(scenario.updates, lambda left: budget.ask(replace(scenario, updates=left)))
    scenario = replace(scenario, updates=updates)
    for number in range(len(scenario.packets)):
        for change in (_at_zero, _shorter):
            scenario = budget.better(scenario, _with(scenario, number, change(scenario.packets[number])))
    return scenario


class _Budget:
    """Asks `differs` at most so often; afterwards nothing differs any more."""

    def __init__(self, differs: Differs, tries: int) -> None:
        self._differs = differs
        self._left = tries

    def ask(self, scenario: Scenario) -> bool:
        if self._left <= 0:
            return False
        self._left -= 1
        return self._differs(scenario)

    def better(self, now: Scenario, smaller: Scenario) -> Scenario:
        return smaller if smaller != now and self.ask(smaller) else now


def fewer(items: tuple[T, ...], differs: Callable[[tuple[T, ...]], bool]) -> tuple[T, ...]:
    """As few of the items as still differ, in their order."""
    size = max(len(items) // 2, 1)
    while items:
        at = 0
        while at < len(items):
            left = items[:at] + items[at + size :]
            if differs(left):
                items = left
            else:
                at += size
        if size == 1:
            break
        size = max(size // 2, 1)
    return items


def _with(scenario: Scenario, number: int, packet: Packet) -> Scenario:
    packets = scenario.packets
    return replace(scenario, packets=(*packets[:number], packet, *packets[number + 1 :]))


def _at_zero(packet: Packet) -> Packet:
    return replace(packet, time_ns=0)


def _shorter(packet: Packet) -> Packet:
    """Without trailing bytes beyond the 54 of the shortest TCP frame."""
    return replace(packet, frame=packet.frame[:54])
