"""What the traced build tells about lookups, actions and learning; called by generated code only.

Everything put into an event is JSON-ready: strings, numbers, lists and dicts.
"""

from __future__ import annotations

from itertools import islice
from typing import Any as Json

from p4nic.backend.interp.runtime import Packet, tell
from p4nic.backend.interp.tables.entry import ActionCode, LookupKey, TableEntry
from p4nic.backend.interp.tables.matching import matches
from p4nic.backend.interp.tables.table import MatchTable
from p4nic.ir.text import spell_match

NEAR_SHOWN = 3
NEAR_SEARCHED = 1024
"""Entries looked at for near misses: the search is linear, and a trace must not take a second."""


def _arguments(action: ActionCode, args: tuple[int, ...]) -> dict[str, int]:
    return {p.name: a for p, a in zip(action.action.params, args, strict=False)}


def _entry(table: MatchTable, entry: TableEntry) -> dict[str, Json]:
    names = [k.name for k in table.spec.keys]
    told: dict[str, Json] = {
        "key": {n: spell_match(m) for n, m in zip(names, table.index.matches_of(entry), strict=True)},
        "priority": entry.priority,
        "origin": entry.origin,
    }
    if entry.action is not None:
        told |= {"action": entry.action.name, "args": _arguments(entry.action, entry.args)}
    else:
        told["member_or_group"] = repr(entry.ref)
    return told


def near_misses(table: MatchTable, values: tuple[int, ...]) -> list[dict[str, Json]]:
    """Entries that differ from the key in exactly one field, with that field, in order of insertion."""
    keys = table.spec.keys
    found: list[dict[str, Json]] = []
    if len(keys) < 2:
        return found
    for entry in islice(table.entries.values(), NEAR_SEARCHED):
        given = table.index.matches_of(entry)
        failed = [i for i, k in enumerate(keys) if not matches(given[i], values[i], k.width)]
        if len(failed) == 1:
            at = failed[0]
            found.append(
                {"entry": _entry(table, entry), "failed": keys[at].name, "wanted": spell_match(given[at])}
            )
            if len(found) == NEAR_SHOWN:
                break
    return found


def tell_apply(
    packet: Packet, table: MatchTable, key: LookupKey, entry: TableEntry | None, source: str
) -> None:
    """A lookup and what it found; on a miss also what it nearly found."""
    values = key if isinstance(key, tuple) else (key,)
    data: dict[str, Json] = {
        "table": table.spec.name,
        "key": {k.name: v for k, v in zip(table.spec.keys, values, strict=True)},
        "hit": entry is not None,
        "entry": None if entry is None else _entry(table, entry),
        "near": near_misses(table, values) if entry is None else [],
    }
    tell(packet, "apply", source, data)


def tell_action(packet: Packet, action: ActionCode, args: tuple[int, ...]) -> None:
    """An action starts."""
    source = action.action.source
    place = str(source) if source.line or source.file else ""
    tell(packet, "action", place, {"name": action.name, "args": _arguments(action, args)})


def tell_learn(packet: Packet, action: ActionCode, args: tuple[int, ...], ok: bool, source: str) -> None:
    """An entry was learned, or could not be."""
    learner = packet.learner
    if learner is None:
        return
    keys = learner.table.spec.keys
    values = packet.learner_key if isinstance(packet.learner_key, tuple) else (packet.learner_key,)
    data: dict[str, Json] = {
        "table": learner.table.spec.name,
        "key": {k.name: v for k, v in zip(keys, values, strict=True)},
        "action": action.name,
        "args": _arguments(action, args),
        "ok": ok,
    }
    tell(packet, "learn", source, data)
