"""Makes the SpecImage: what a target that runs the `.spec` itself must call the things a Program names.

In: the `.spec` as parsed, the same with its profiles rebuilt, its P4 names. Out: `ir.image.SpecImage`. Called
by `load.dpdk_spec`.
"""

from __future__ import annotations

from collections.abc import Iterable

from p4nic.ir.image import SpecCounter, SpecImage, SpecProfile, SpecTable
from p4nic.load.spec.names import Names
from p4nic.load.spec.syntax import SpecFile, TableDecl


def image(text: str, raw: SpecFile, fused: SpecFile, names: Names) -> SpecImage:
    """Everything by its P4 name; what has none of its own keeps that of the `.spec`."""
    return SpecImage(
        file=raw.file,
        text=text,
        tables={names.table(t.name): _table(raw.tables[t.name], fused, names) for t in fused.tables.values()},
        profiles={
            names.profile(p.name): SpecProfile(
                _table(raw.tables[p.name], fused, names), p.selector.name if p.selector else None
            )
            for p in fused.profiles.values()
        },
        counters=_counters(names),
        registers={names.register(a): a for a in fused.regarrays if a not in names.counters},
        meters={names.meter(a): a for a in fused.metarrays},
    )


def _table(table: TableDecl, fused: SpecFile, names: Names) -> SpecTable:
    """`fused` lacks the actions that point into a profile: so they are known."""
    own = [use.name for use in table.actions]
    setters = [name for name in own if name not in fused.actions]
    return SpecTable(
        table.name,
        {names.action(name): name for name in own if name in fused.actions},
        _ending(setters, "_set_member_id"),
        _ending(setters, "_set_group_id"),
    )


def _ending(names: Iterable[str], end: str) -> str | None:
    return next((name for name in names if name.endswith(end)), None)


def _counters(names: Names) -> dict[str, SpecCounter]:
    halves: dict[str, dict[str, str]] = {}
    for array, (info, half) in names.counters.items():
        halves.setdefault(info.name, {})[half] = array
    return {name: SpecCounter(h.get("packets"), h.get("bytes")) for name, h in halves.items()}
