"""What else a target may answer where the program leaves it a choice: members of a group, random numbers.

In: the reference engine, a scenario, a Profile. Out: more sessions of the reference, each of which chooses
otherwise. Called by `compare`: an answer is good if one of them gives it.

Groups are cut down to one member each, in every combination if there are few, else the first of all groups,
the second of all, and so on: a packet seldom meets two groups. Random numbers are drawn with other seeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from p4nic.backend.api import ActionSet, Entry
from p4nic.differential.engines import Engine, Profile, Session, Target
from p4nic.differential.scenario import Scenario, Update
from p4nic.ir.ops import Random
from p4nic.ir.program import Program
from p4nic.target.entities import Group, TableWrite

MOST = 16
"""Sessions beside the reference."""


def draws_random(program: Program) -> bool:
    """Does a packet's way depend on a random number?"""
    codes = [block.code for block in program.blocks.values()]
    codes += [action.code for action in program.actions.values()]
    return any(isinstance(op, Random) for code in codes for op in code)


def others(reference: Target, scenario: Scenario, profile: Profile) -> list[Session]:
    """Sessions that answer otherwise than `reference` alone; [] where there is no choice, or no engine of
    ours to make it."""
    if not isinstance(reference, Engine):
        return []
    scenarios = list(_one_member_each(scenario)) if profile.selectors == "any" else []
    sessions: list[Session] = [reference.begin(choice) for choice in scenarios[:MOST]]
    if profile.random == "any" and draws_random(reference.program):
        for seed in range(MOST - len(sessions)):
            options = replace(reference.options, seed=reference.options.seed + seed + 1)
            sessions.append(replace(reference, options=options).begin(scenario))
    return sessions


def _one_member_each(scenario: Scenario) -> Iterator[Scenario]:
    sizes = [size for update in scenario.updates if (size := _members(update)) > 1]
    if not sizes:
        return
    combinations: Iterator[tuple[int, ...]] = product(*map(range, sizes))
    count = 1
    for size in sizes:
        count *= size
    if count > MOST:
        combinations = (tuple(at % size for size in sizes) for at in range(max(sizes)))
    for chosen in combinations:
        left = iter(chosen)
        yield replace(
            scenario,
            updates=tuple(_only(u, next(left)) if _members(u) > 1 else u for u in scenario.updates),
        )


def _members(update: Update) -> int:
    entity = update[1].entry if isinstance(update[1], TableWrite) else update[1]
    match entity:
        case Group(_, _, members, _):
            return len(members)
        case Entry(action=ActionSet(actions)):
            return len(actions)
        case _:
            return 0


def _only(update: Update, position: int) -> Update:
    operation, entity = update
    match entity:
        case Group(_, _, members, _):
            return operation, replace(entity, members=members[position : position + 1])
        case Entry(action=ActionSet(actions)):
            return operation, replace(entity, action=ActionSet(actions[position : position + 1]))
        case TableWrite(entry):
            (_, only) = _only((operation, entry), position)
            assert isinstance(only, Entry)
            return operation, replace(entity, entry=only)
        case _:
            return update
