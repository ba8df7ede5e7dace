"""The random objects of a program that hold state: tables, profiles, counters, meters, registers, digests.

In: a Draw, a Shape. Out: Objects, whose actions `program` fills. Called by `program`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import final

from conformance.engine_fuzz.draw import Draw
from conformance.engine_fuzz.matches import random_key
from conformance.engine_fuzz.shape import Shape
from p4nic.backend.interp.tables.matching import normal
from p4nic.ir.ops import Operand, StackRef, Valid
from p4nic.ir.program import (
    Action,
    ActionCall,
    ActionParam,
    ActionProfile,
    ActionRef,
    Architecture,
    ConstEntry,
    Counter,
    DigestList,
    Key,
    MatchKind,
    MeterArray,
    Register,
    Table,
    ValueSet,
)


@final
@dataclass(slots=True)
class Objects:
    architecture: Architecture
    actions: dict[str, Action] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    profiles: dict[str, ActionProfile] = field(default_factory=dict)
    counters: dict[str, Counter] = field(default_factory=dict)
    meters: dict[str, MeterArray] = field(default_factory=dict)
    registers: dict[str, Register] = field(default_factory=dict)
    digests: dict[str, DigestList] = field(default_factory=dict)
    value_sets: dict[str, ValueSet] = field(default_factory=dict)

    def indexed(self, kind: str) -> list[str]:
        """Names of the counters or meters that are arrays."""
        found: dict[str, Counter] | dict[str, MeterArray] = (
            self.counters if kind == "counter" else self.meters
        )
        return [name for name, array in found.items() if array.table is None]


def random_objects(draw: Draw, shape: Shape) -> Objects:
    """All but the code of actions, which are declared with their parameters."""
    objects = Objects(shape.architecture)
    for i in range(draw.below(3)):
        objects.counters[f"c{i}"] = Counter(
            f"c{i}", draw.pick(("packets", "bytes", "both")), draw.pick((1, 4, 64))
        )
    for i in range(draw.below(2)):
        objects.meters[f"m{i}"] = MeterArray(f"m{i}", draw.pick(("packets", "bytes")), draw.pick((1, 4)))
    for i in range(draw.below(3)):
        width = draw.width(64) if draw.chance(0.9) else 128
        signed = 1 < width <= 64 and draw.chance(0.15)
        initial = draw.value(width) if draw.chance(0.3) else 0
        objects.registers[f"r{i}"] = Register(f"r{i}", width, draw.pick((1, 4, 64)), initial, signed)
    if draw.chance(0.5):
        fields = tuple((f"d{i}", draw.width()) for i in range(draw.between(1, 4)))
        objects.digests["d"] = DigestList("d", fields)
    if draw.chance(0.4):
        objects.value_sets["vs"] = ValueSet("vs", (draw.pick((8, 16)),), 4)
    if draw.chance(0.3):
        inputs = tuple(n.ref for n in draw.some(shape.numbers, 3))
        hashed = bool(inputs) and draw.chance(0.8)
        algorithm = draw.pick(("crc16", "crc32", "jhash", "crc32c", "identity")) if hashed else None
        objects.profiles["ap"] = ActionProfile(
            "ap", 16, 8, algorithm, inputs if hashed else (), selector_skip_invalid=draw.chance(0.3)
        )
    for i in range(draw.between(1, 6)):
        params = tuple(ActionParam(f"p{j}", draw.width()) for j in range(draw.below(4)))
        objects.actions[f"a{i}"] = Action(f"a{i}", params, ())
    for i in range(draw.between(1, 4)):
        _table(draw, shape, objects, f"t{i}")
    return objects


def _table(draw: Draw, shape: Shape, objects: Objects, name: str) -> None:
    learner = draw.chance(0.35)
    kinds: tuple[MatchKind, ...] = ("exact",)
    if not learner:
        kinds = draw.pick(
            (("exact",), ("exact",), ("lpm", "exact"), ("ternary", "exact"), ("range", "exact"),
             ("optional", "exact"), ("ternary", "range", "optional", "lpm", "exact"))
        )  # fmt: skip
    keys = _keys(draw, shape, kinds, draw.between(1, 3) if learner else draw.pick((0, 1, 1, 1, 2, 2, 3, 4)))
    if learner:
        names = [f"{name}_hit", f"{name}_miss"]
        params = tuple(ActionParam(f"p{j}", draw.width()) for j in range(draw.below(4)))
        objects.actions[names[0]] = Action(names[0], params, ())
        objects.actions[names[1]] = Action(names[1], (), ())
        default = ActionCall(names[1])
    else:
        common = [a for a in objects.actions if not a.startswith("t")]
        names = draw.some(common, 3) or common[:1]
        default = random_call(draw, objects, draw.pick(names))
    table = Table(
        name, keys, tuple(ActionRef(a) for a in names), default,
        size=draw.pick((2, 8, 64, 1024, 16384)),
        learner_timeouts=tuple(draw.between(1, 40) for _ in range(draw.pick((1, 2, 4)))) if learner else (),
    )  # fmt: skip
    if not learner and keys:
        table = _extras(draw, shape, objects, table)
    objects.tables[name] = table


def _extras(draw: Draw, shape: Shape, objects: Objects, table: Table) -> Table:
    if objects.profiles and draw.chance(0.4):
        # Members serve all tables of their profile: P4 has these tables share their actions.
        other = next((t for t in objects.tables.values() if t.implementation == "ap"), None)
        if other is not None:
            table = replace(table, actions=other.actions, default=other.default)
        table = replace(table, implementation="ap")
    elif draw.chance(0.2):
        table = replace(table, const_entries=_const_entries(draw, objects, table))
    if draw.chance(0.4):
        counter = f"{table.name}_counter"
        objects.counters[counter] = Counter(counter, "both", table=table.name)
        table = replace(table, counter=counter, counts_on_hit=draw.chance(0.6))
    if draw.chance(0.2):
        meter = f"{table.name}_meter"
        objects.meters[meter] = MeterArray(meter, draw.pick(("packets", "bytes")), table=table.name)
        places = [n.ref for n in shape.numbers if n.width <= 64]
        table = replace(table, meter=meter, meter_result=draw.pick(places) if draw.chance(0.7) else None)
    return replace(table, idle_timeout=draw.chance(0.25))


def _keys(draw: Draw, shape: Shape, kinds: tuple[MatchKind, ...], count: int) -> tuple[Key, ...]:
    keys: list[Key] = []
    for i in range(count):
        kind = kinds[0] if i == 0 else draw.pick(kinds)
        if kind == "lpm" and any(k.kind == "lpm" for k in keys):
            kind = "exact"
        operand: Operand
        if draw.chance(0.08):
            operand, width = Valid(draw.pick(shape.headers)), 1
        elif shape.stacks and draw.chance(0.06):
            operand, width = StackRef(draw.pick(list(shape.stacks)), "last", "v"), 8
        else:
            number = draw.pick(shape.numbers)
            operand, width = number.ref, number.width
        if draw.chance(0.1):
            width = draw.between(1, width)
        if width > 128 and kind in ("lpm", "range"):
            kind = "exact"  # the native engine refuses others of that size
        mask = draw.value(width) if draw.chance(0.06) else None
        keys.append(Key(f"k{i}", kind, operand, width, mask))
    return tuple(keys)


def random_call(draw: Draw, objects: Objects, name: str) -> ActionCall:
    """An action with arguments."""
    return ActionCall(name, tuple(draw.value(p.width) for p in objects.actions[name].params))


def _const_entries(draw: Draw, objects: Objects, table: Table) -> tuple[ConstEntry, ...]:
    """One or two; never two of one meaning, however they are written, which every engine refuses."""
    found: dict[object, ConstEntry] = {}
    for _ in range(draw.between(1, 2)):
        key = tuple(random_key(draw, k) for k in table.keys)
        meaning = tuple(normal(m, k) for m, k in zip(key, table.keys, strict=True))
        priority = draw.between(1, 3) if table.has_priority else 0
        call = random_call(draw, objects, draw.pick(table.actions).action)
        found.setdefault((meaning, priority), ConstEntry(key, call, priority))
    return tuple(found.values())[: table.size]
