"""What is known when DPDK dies of a packet: for a report that shows it again.

Made by `pipeline`, given to whoever the backend was told to report to; `differential.crash` writes files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

from p4nic.backend.api import Entry, Options
from p4nic.backend.swx.state import State
from p4nic.ir.program import ActionCall, Program


@final
@dataclass(frozen=True, slots=True)
class Crash:
    """`packets` up to and with the deadly one, of its burst; members, groups by profile and number; the
    default actions that were changed, by table."""

    program: Program
    options: Options
    packets: Sequence[tuple[int, bytes]]
    entries: Sequence[Entry]
    members: Mapping[tuple[str, int], ActionCall]
    groups: Mapping[tuple[str, int], tuple[tuple[int, int], ...]]
    defaults: Mapping[str, ActionCall]


Report = Callable[[Crash], str]
"""Keeps a Crash, and says in half a sentence where."""


def crash(
    program: Program, options: Options, state: State, burst: Sequence[tuple[int, bytes]], deadly: object
) -> Crash:
    """`deadly`: the packet DPDK died of, (port, frame)."""
    position = next((at for at, packet in enumerate(burst) if packet == deadly), len(burst) - 1)
    profiles = state.profiles.items()
    return Crash(
        program,
        options,
        burst[: position + 1],
        list(state.entries()),
        {(name, number): call for name, p in profiles for number, call in p.members.items()},
        {(name, number): members for name, p in profiles for number, members in p.groups.items()},
        {name: t.default for name, t in state.tables.items() if t.default != t.table.default},
    )
