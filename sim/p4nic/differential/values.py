"""Few values per width, so that what entries hold and what packets carry meet often.

In: a random generator, entries that are given. Out: values by width. Called by `generate` and `frames`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import final

from p4nic.backend.api import Entry
from p4nic.bits import mask
from p4nic.differential.scenario import Update
from p4nic.ir.program import ActionCall, Any, Exact, Lpm, Match, Program, Range, Ternary
from p4nic.target.entities import TableWrite

PORTS = (0, 1, 2, 3)
"""Ports packets arrive at, and most entries send to."""

Service = tuple[int, int, int]
"""IPv4 address, protocol, port."""

Tunnel = tuple[int, int, int]
"""VXLAN: our IPv4 address, the peer's, the network identifier."""

_LINKS = (1, 2, 3)

_START: dict[int, tuple[int, ...]] = {
    8: (0, 1, 2, 6, 17, 64),
    # 16 bits may become a port to send to. On DPDK one that is not there is a wild jump; so all are small.
    16: (0, 1, 2, 3, 53, 80, 443, 500),
    32: (0x0A000001, 0x0A000002, 0x0A010006, 0xC0000209, 0x0A60000A, 1, 2, 3),
    48: (0x020000000001, 0x020000000002, 0x0200000000FE),
    128: (0x20010DB8 << 96 | 1, 0x20010DB8 << 96 | 2),
}


@final
class Values:
    """Pools by width. A width without one takes from small numbers."""

    def __init__(self, rng: random.Random, updates: Iterable[Update], program: Program) -> None:
        self._rng = rng
        self._pools = {width: list(values) for width, values in _START.items()}
        self._services: list[Service] = []
        self._tunnels: list[Tunnel] = []
        keys = {_last(key.name) for table in program.tables.values() for key in table.keys}
        params = {param.name for action in program.actions.values() for param in action.params}
        self._linked: dict[str, list[int]] = {name: list(_LINKS) for name in keys & params}
        self.learn(updates, program)

    def learn(self, updates: Iterable[Update], program: Program) -> None:
        """Take in what entries hold."""
        for _, entity in updates:
            entry = entity.entry if isinstance(entity, TableWrite) else entity
            if isinstance(entry, Entry):
                self._learn(entry, program)

    def pick(self, width: int, name: str = "") -> int:
        """A value of that width; now and then one that no pool has.

        A name that is both a key of one table and a parameter of an action has a pool of its own: by such
        names (`endpoint_id`) one table leads to another.
        """
        linked = self._linked.get(_last(name))
        if linked is not None and self._rng.random() < 0.9:
            return self._rng.choice(linked) & mask(width)
        if self._rng.random() < 0.03:
            return self._rng.getrandbits(width) if width != 16 else self._rng.randrange(500)
        pool = self._pools.get(width) or (0, 1, 2, 3)
        return self._rng.choice(pool) & mask(width)

    def service(self) -> Service | None:
        """Address, protocol and port that one entry names together; None where there is no such entry."""
        return self._rng.choice(self._services) if self._services else None

    def tunnel(self) -> Tunnel | None:
        """The ends of a tunnel that one entry names; None where there is no such entry."""
        return self._rng.choice(self._tunnels) if self._tunnels else None

    def _learn(self, entry: Entry, program: Program) -> None:
        for key, match in zip(program.tables[entry.table].keys, entry.key, strict=True):
            self._keep(key.width, key.name, _value(match))
        widths = tuple(key.width for key in program.tables[entry.table].keys)
        exact = [match.value for match in entry.key if isinstance(match, Exact)]
        if widths == (32, 8, 16) and len(exact) == 3:
            self._services.append((exact[0], exact[1], exact[2]))
        if isinstance(entry.action, ActionCall):
            params = program.actions[entry.action.action].params
            for param, value in zip(params, entry.action.args, strict=True):
                self._keep(param.width, param.name, value)
            named = dict(zip((param.name for param in params), entry.action.args, strict=True))
            if {"local_vtep", "remote_vtep", "vni"} <= named.keys():
                self._tunnels.append((named["local_vtep"], named["remote_vtep"], named["vni"]))

    def _keep(self, width: int, name: str, value: int | None) -> None:
        linked = self._linked.get(_last(name))
        if linked is not None:
            linked += [value] if value is not None else []
        elif value is not None and value not in self._pools.setdefault(width, []):
            # Values of the entries given are worth more than those made up here.
            self._pools[width] += [value] * 8


def _last(name: str) -> str:
    """The last part of a dotted name."""
    return name.rpartition(".")[2]


def _value(match: Match) -> int | None:
    match match:
        case Exact(value) | Lpm(value, _) | Ternary(value, _) | Range(value, _):
            return value
        case Any():
            return None
