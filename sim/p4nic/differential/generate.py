"""Random entries and packets for any program.

In: a Program, pools of values, a random generator. Out: updates that `target.tables` takes. Called by
`cli.diff`.
"""

from __future__ import annotations

import random

from p4nic.backend.api import Entry, GroupRef, MemberRef
from p4nic.bits import mask, prefix_mask
from p4nic.differential.frames import random_frame, reply
from p4nic.differential.scenario import Packet, Update
from p4nic.differential.values import PORTS, Values
from p4nic.ir.program import ActionCall, Any, Exact, Key, Lpm, Match, Program, Range, Table, Ternary
from p4nic.target.entities import Group, GroupMember, Member

MOST_ENTRIES = 24
_MEMBERS, _GROUPS = 6, 2


def random_updates(program: Program, values: Values, rng: random.Random) -> list[Update]:
    """Members and groups, then up to MOST_ENTRIES entries per table; no two entries of one key."""
    updates: list[Update] = []
    for profile in program.action_profiles:
        updates += _profile(program, profile, values, rng)
    for table in program.tables.values():
        if table.keys and not table.is_learner and not table.entries_are_const:
            updates += _entries(program, table, values, rng)
    return updates


def _entries(program: Program, table: Table, values: Values, rng: random.Random) -> list[Update]:
    wanted = min(rng.randrange(MOST_ENTRIES + 1), table.size)
    found: dict[tuple[Match, ...], Entry] = {}
    for number in range(wanted):
        key = tuple(_match(k, values, rng) for k in table.keys)
        action = _target(program, table, values, rng)
        if action is None:
            break
        # Each priority once: which of two equals wins is nobody's promise.
        priority = 1 + number if table.has_priority else 0
        found.setdefault(key, Entry(table.name, key, action, priority))
    return [("insert", entry) for entry in found.values()]


def _match(key: Key, values: Values, rng: random.Random) -> Match:
    value = rng.choice(PORTS) if "port" in key.name and key.width != 16 else values.pick(key.width, key.name)
    chance = rng.random()
    match key.kind:
        case "exact":
            return Exact(value)
        case "optional":
            return Any() if chance < 0.3 else Exact(value)
        case "lpm":
            length = rng.choice((0, key.width // 4, key.width // 2, key.width * 3 // 4, key.width))
            return Lpm(value & prefix_mask(key.width, length), length) if length else Any()
        case "ternary":
            bits = rng.choice(
                (mask(key.width), mask(key.width), prefix_mask(key.width, key.width // 2), 0xF0)
            )
            bits &= mask(key.width)
            return Any() if chance < 0.3 or not bits else Ternary(value & bits, bits)
        case "range":
            return Any() if chance < 0.5 else Range(value, value)


def _target(
    program: Program, table: Table, values: Values, rng: random.Random
) -> ActionCall | MemberRef | GroupRef | None:
    if table.implementation is not None:
        profile = program.action_profiles[table.implementation]
        if profile.selector_algorithm is not None and rng.random() < 0.5:
            return GroupRef(rng.randrange(_GROUPS) + 1)
        return MemberRef(rng.randrange(_MEMBERS) + 1)
    usable = [ref.action for ref in table.actions if ref.scope != "default_only"]
    return _call(program, rng.choice(usable), values, rng) if usable else None


def _call(program: Program, action: str, values: Values, rng: random.Random) -> ActionCall:
    params = program.actions[action].params
    return ActionCall(
        action,
        tuple(
            rng.choice(PORTS) if _is_port(p.name) and p.width != 16 else values.pick(p.width, p.name)
            for p in params
        ),
    )


def _is_port(name: str) -> bool:
    """By name, because a port that does not exist ends a DPDK process and with it the run; 16-bit ports may
    also be of TCP, and `Values` keeps them small."""
    return "port" in name.lower()


def _profile(program: Program, profile: str, values: Values, rng: random.Random) -> list[Update]:
    users = [t for t in program.tables.values() if t.implementation == profile]
    usable = [ref.action for t in users for ref in t.actions if ref.scope != "default_only"]
    if not usable:
        return []
    updates: list[Update] = [
        ("insert", Member(profile, number, _call(program, rng.choice(usable), values, rng)))
        for number in range(1, _MEMBERS + 1)
    ]
    if program.action_profiles[profile].selector_algorithm is not None:
        for group in range(1, _GROUPS + 1):
            chosen = sorted(rng.sample(range(1, _MEMBERS + 1), rng.choice((1, 2, 3))))
            members = tuple(GroupMember(m, rng.choice((1, 1, 2))) for m in chosen)
            most = program.action_profiles[profile].max_group_size
            updates.append(("insert", Group(profile, group, members, most)))
    return updates


def next_packet(time_ns: int, answers: list[tuple[int, bytes]], values: Values, rng: random.Random) -> Packet:
    """A random frame, or the reply to a frame that was sent; at times after minutes of silence.

    400 s are beyond every learner profile of p4c-dpdk but the one of 12 hours, and far from all of them: DPDK
    counts time in steps of more than a second.
    """
    time_ns += 400 * 10**9 if rng.random() < 0.02 else 1_000_000
    if answers and rng.random() < 0.35:
        port, frame = rng.choice(answers[-20:])
        return Packet(time_ns, port, reply(frame))
    return Packet(time_ns, rng.choice(PORTS), random_frame(values, rng))
