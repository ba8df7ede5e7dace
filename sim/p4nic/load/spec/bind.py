"""Finds the P4 name of everything in a `.spec`.

In: a parsed `.spec` (profiles rebuilt), the P4Info, the context JSON if there is one. Out: `Names`.

p4c-dpdk flattens `Lb.flow_table` to `flow_table`, `a.b.c` of an @name to `a_b_c`, numbers what clashes
(`drop_1`, `drop_2` are copies of one P4 action for several tables; `flow_counter_0` is a counter) and cuts
names at 60 characters. So a name fits if it is the end of the P4 name, or that plus `_NUMBER`. Where several
fit, keys, parameters and the table's own actions decide; where they do not, that is an error, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

from p4nic.errors import ArtifactError
from p4nic.ir.program import ActionParam
from p4nic.load.p4info_model import ActionInfo, CounterInfo, TableInfo
from p4nic.load.spec.context import Context
from p4nic.load.spec.copies import differing_copies
from p4nic.load.spec.lines import Line
from p4nic.load.spec.names import Half, Names
from p4nic.load.spec.syntax import ActionDecl, SpecFile, TableDecl

if TYPE_CHECKING:
    from p4nic.load.p4info import P4Info

T = TypeVar("T")
_CUT = 50
"""Names at least this long may have been cut by p4c, which then ends them in a number."""


def bind(
    spec: SpecFile, info: P4Info, context: Context | None = None, filled: frozenset[str] = frozenset()
) -> Names:
    """Raises ArtifactError on an ambiguous name, or on keys or parameters that do not fit the P4Info.
    `filled`: tables whose entries are given."""
    return _Binder(spec, info, context, filled).bind()


def fit(spec_name: str, p4_name: str) -> int:
    """How well a name of the `.spec` fits a P4 name: 3 exactly its end, 2 with a number behind, 1 cut, 0
    not."""
    parts = p4_name.replace("[", "_").replace("]", "").split(".")
    ends = {"_".join(parts[start:]) for start in range(len(parts))}
    if spec_name in ends:
        return 3
    plain = re.sub(r"_\d+$", "", spec_name)
    if plain in ends:
        return 2
    head = re.sub(r"\d+$", "", spec_name)
    return 1 if len(head) >= _CUT and any(end.startswith(head) for end in ends) else 0


class _Binder:
    def __init__(self, spec: SpecFile, info: P4Info, context: Context | None, filled: frozenset[str]) -> None:
        self.spec = spec
        self.filled = filled
        self.info = info
        self.context = context or Context({}, {})
        self.actions: dict[str, str] = {}

    def bind(self) -> Names:
        tables = self.tables()
        for name, table in tables.items():
            self.bind_actions(self.spec.tables[name], table)
        self.bind_unused_actions()
        params = {
            name: self.params(self.spec.actions[name], self.info.actions[p4])
            for name, p4 in self.actions.items()
        }
        counters = self.counters()
        return Names(
            tables=tables,
            actions=self.actions,
            copies=self.copies(),
            params=params,
            counters=counters,
            registers=self.arrays(self.spec.regarrays, self.info.registers, "register", taken=counters),
            meters=self.arrays(self.spec.metarrays, self.info.meters, "meter"),
            profiles=self.arrays(self.spec.profiles, self.info.profiles, "action profile"),
        )

    # --- tables ---------------------------------------------------------------------------------------

    def tables(self) -> dict[str, TableInfo]:
        found: dict[str, TableInfo] = {}
        owner: dict[str, str] = {}
        for table in self.spec.tables.values():
            info = self.table(table)
            if info is None:
                continue  # made by the compiler: not for the control plane
            if info.name in owner:
                raise table.line.error(
                    f"tables {owner[info.name]} and {table.name} both look like {info.name} of the P4Info; "
                    "give the context JSON too, or rename one in P4"
                )
            if (info.is_const or info.has_initial_entries) and table.name not in self.filled:
                raise table.line.unsupported(
                    f"{info.name} has entries in the P4 program, which p4c-dpdk leaves out of the .spec and "
                    f"writes to {table.name}.txtpb in the folder it runs in; give that file too"
                )
            owner[info.name] = table.name
            found[table.name] = info
            self.check_keys(table, info)
        return found

    def table(self, table: TableDecl) -> TableInfo | None:
        spelling = table.line.note or table.name
        named = [t for t in self.info.tables.values() if self.context.tables.get(t.name) == spelling]
        ranked = named or _best((fit(spelling, t.name), t) for t in self.info.tables.values())
        fitting = [t for t in ranked if self.signature(table, t)] or ranked
        return _only(fitting, table.name, "table", table.line)

    def signature(self, table: TableDecl, info: TableInfo) -> bool:
        if len(table.keys) != len(info.match_fields):
            return False
        return all(any(fit(use.name, ref.action) for use in table.actions) for ref in info.actions)

    def check_keys(self, table: TableDecl, info: TableInfo) -> None:
        if len(table.keys) != len(info.match_fields):
            raise table.line.error(
                f"table {table.name} has {len(table.keys)} keys, but {info.name} of the P4Info has "
                f"{len(info.match_fields)}; give the P4Info of the same p4c run"
            )
        for key, field in zip(table.keys, info.match_fields, strict=True):
            width = self.width(key.name)
            if width is not None and width < field.width:
                raise key.line.error(
                    f"key {key.name} has {width} bits, but {field.name} of {info.name} in the P4Info has "
                    f"{field.width}; give the P4Info of the same p4c run"
                )
            if key.kind != "wildcard" and key.kind != field.kind:
                raise key.line.error(
                    f"key {key.name} is {key.kind}, but {field.name} of {info.name} in the P4Info is "
                    f"{field.kind}; give the P4Info of the same p4c run"
                )

    def width(self, token: str) -> int | None:
        """The width of `h.HEADER.FIELD` or `m.FIELD`; None where it does not exist, which `build` reports."""
        match token.split("."):
            case ("m", name):
                struct = self.spec.metadata
            case ("h", header, name) if header in self.spec.headers:
                struct = self.spec.headers[header].struct
            case _:
                return None
        fields = self.spec.structs[struct].fields if struct in self.spec.structs else ()
        return next((f.width for f in fields if f.name == name), None)

    # --- actions --------------------------------------------------------------------------------------

    def bind_actions(self, table: TableDecl, info: TableInfo) -> None:
        for use in table.actions:
            action = self.spec.actions.get(use.name)
            if action is None:
                raise use.line.error(f"there is no action {use.name}")
            refs = [ref.action for ref in info.actions]
            self.bind_action(action, _best((fit(use.name, ref), ref) for ref in refs))

    def bind_unused_actions(self) -> None:
        """Actions of compiler-made tables, or only learnt: a P4 name helps the reader, and a clash hurts
        nobody."""
        for name, action in self.spec.actions.items():
            if name not in self.actions:
                ranked = _best((fit(name, p4), p4) for p4 in self.info.actions)
                if len(ranked) == 1 and self.arity(action) == len(self.info.actions[ranked[0]].params):
                    self.actions[name] = ranked[0]

    def bind_action(self, action: ActionDecl, ranked: list[str]) -> None:
        fitting = [p4 for p4 in ranked if len(self.info.actions[p4].params) == self.arity(action)] or ranked
        p4_name = _only(fitting, action.name, "action", action.line)
        if p4_name is None:
            return
        if self.actions.setdefault(action.name, p4_name) != p4_name:
            raise action.line.error(
                f"action {action.name} is both {self.actions[action.name]} and {p4_name} of the P4Info"
            )

    def arity(self, action: ActionDecl) -> int:
        return len(self.spec.params(action))

    def params(self, action: ActionDecl, info: ActionInfo) -> tuple[ActionParam, ...]:
        fields = self.spec.params(action)
        if len(fields) != len(info.params):
            raise action.line.error(
                f"action {action.name} has {len(fields)} parameters, but {info.name} of the P4Info has "
                f"{len(info.params)}; give the P4Info of the same p4c run"
            )
        params = []
        for have, param in zip(fields, info.params, strict=True):
            if have.width < param.width:
                raise action.line.error(
                    f"parameter {have.name} has {have.width} bits, but {param.name} of {info.name} in the "
                    f"P4Info has {param.width}; give the P4Info of the same p4c run"
                )
            params.append(ActionParam(param.name, param.width or have.width))
        return tuple(params)

    def copies(self) -> frozenset[str]:
        """All copies of an action but the first; they must do the same, for the control plane knows one
        action."""
        first: dict[str, str] = {}
        extra: set[str] = set()
        for name in self.spec.actions:
            p4_name = self.actions.get(name)
            if p4_name is None:
                continue
            if p4_name in first:
                extra.add(name)
                if differing_copies(self.spec, first[p4_name], name):
                    raise self.spec.actions[name].line.unsupported(
                        f"actions {first[p4_name]} and {name} are copies of {p4_name} for different "
                        f"tables, but p4c-dpdk compiled "
                        "them differently; declare one P4 action for each table"
                    )
            first.setdefault(p4_name, name)
        return frozenset(extra)

    # --- arrays ---------------------------------------------------------------------------------------

    def counters(self) -> dict[str, tuple[CounterInfo, Half]]:
        """A counter is one register array, or two with `_packets` and `_bytes` behind the name if it counts
        both."""
        found: dict[str, tuple[CounterInfo, Half]] = {}
        arrays = self.spec.regarrays
        for info in self.info.counters.values():
            if info.unit == "both":
                bases = [a.removesuffix("_packets") for a in arrays if a.endswith("_packets")]
                base = self.array(info.name, [b for b in bases if f"{b}_bytes" in arrays], "counter")
                if base is not None:
                    found[f"{base}_packets"] = (info, "packets")
                    found[f"{base}_bytes"] = (info, "bytes")
            else:
                base = self.array(info.name, [a for a in arrays if a not in found], "counter")
                if base is not None:
                    found[base] = (info, info.unit)
        return found

    def arrays(
        self, objects: Mapping[str, object], infos: Mapping[str, T], kind: str, taken: Iterable[str] = ()
    ) -> dict[str, T]:
        found: dict[str, T] = {}
        for name, info in infos.items():
            free = [o for o in objects if o not in found and o not in taken]
            spelling = self.array(name, free, kind)
            if spelling is not None:
                found[spelling] = info
        return found

    def array(self, p4_name: str, names: list[str], kind: str) -> str | None:
        """The name in the `.spec` of a P4 object that is no table and no action; None if it left no trace."""
        told = self.context.externs.get(p4_name)
        if told in names:
            return told
        ranked = _best((fit(name, p4_name), name) for name in names)
        if len(ranked) > 1:
            raise ArtifactError(
                f"{self.spec.file}: {' and '.join(ranked)} both look like {kind} {p4_name} of the P4Info; "
                "give the context JSON too, or rename one in P4"
            )
        return ranked[0] if ranked else None


def _best(scored: Iterable[tuple[int, T]]) -> list[T]:
    """Those with the highest score above 0."""
    listed = [pair for pair in scored if pair[0]]
    top = max((score for score, _ in listed), default=0)
    return [each for score, each in listed if score == top]


def _only(candidates: list[T], name: str, kind: str, line: Line) -> T | None:
    if len(candidates) > 1:
        shown = " or ".join(str(getattr(c, "name", c)) for c in candidates)
        raise line.error(
            f"{kind} {name} could be {shown} of the P4Info; give the context JSON too, or rename one in P4"
        )
    return candidates[0] if candidates else None
