"""Random data of a program: header types, headers, stacks, a union, metadata; and what of it can be used.

In: a Draw, the architecture. Out: a Shape. Called by `program`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import final

from conformance.engine_fuzz.architectures import INTRINSIC
from conformance.engine_fuzz.draw import Draw
from p4nic.ir.ops import Ref
from p4nic.ir.program import Architecture
from p4nic.ir.types import Field, Header, HeaderType, Stack, Union


@final
@dataclass(frozen=True, slots=True)
class Number:
    """A field code may read and write."""

    ref: Ref
    width: int
    signed: bool


@final
@dataclass(slots=True)
class Shape:
    """All data. `headers`: packet headers that stand alone; `numbers`: every field to compute with;
    `varbits`: fields that are read, hashed, and moved to each other."""

    architecture: Architecture
    types: dict[str, HeaderType] = field(default_factory=dict)
    instances: dict[str, Header] = field(default_factory=dict)
    stacks: dict[str, Stack] = field(default_factory=dict)
    unions: dict[str, Union] = field(default_factory=dict)
    headers: list[str] = field(default_factory=list)
    numbers: list[Number] = field(default_factory=list)
    varbits: list[Ref] = field(default_factory=list)

    def type_of(self, header: str) -> HeaderType:
        return self.types[self.instances[header].type]

    def metadata(self) -> list[Number]:
        """Fields that can be kept through a copy."""
        return [n for n in self.numbers if self.instances[n.ref.header].metadata]

    def of_type(self, type_: str) -> list[str]:
        return [h for h in self.headers if self.instances[h].type == type_]

    def varbit(self, header: str) -> Field | None:
        return next((f for f in self.type_of(header).fields if f.varbit), None)


def random_shape(draw: Draw, architecture: Architecture) -> Shape:
    """One program in six has values beyond 128 bits, which the native engine computes with in another way."""
    draw.widest = 320 if draw.chance(0.17) else 128
    shape = Shape(architecture)
    for name, widths in INTRINSIC[architecture].items():
        _metadata(shape, name, tuple(Field(n, w) for n, w in widths.items()))
    fields = tuple(
        Field(f"m{i}", (w := draw.width()), signed=w > 1 and draw.chance(0.12))
        for i in range(draw.between(3, 9))
    )
    # Every program needs a 16-bit unsigned place for checksums, and a byte.
    _metadata(shape, "m", (*fields, Field("sum", 16), Field("byte", 8)))
    for i in range(draw.between(1, 4)):
        name = f"h{i}_t"
        shape.types[name] = HeaderType(name, _header_fields(draw))
        for j in range(draw.pick((1, 1, 1, 2))):
            _header(shape, f"h{i}" + ("b" if j else ""), name)
    if draw.chance(0.45):
        _stack(shape, draw)
    if draw.chance(0.3):
        _union(shape, draw)
    if draw.chance(0.35):
        for name in ("vb", "vb2")[: draw.pick((1, 1, 2))]:
            _varbit(shape, draw, name)
    return shape


def _varbit(shape: Shape, draw: Draw, name: str) -> None:
    """A header whose first byte tells the length of its varbit."""
    tail = draw.pick(((), (Field("rest", 8),), (Field("rest", 12), Field("more", 4))))
    most = draw.between(1, 12) if draw.chance(0.8) else draw.between(13, 40)
    varbit = Field("data", 8 * most, varbit=True)
    shape.types[f"{name}_t"] = HeaderType(f"{name}_t", (Field("len", 8), varbit, *tail))
    shape.instances[name] = Header(name, f"{name}_t")
    shape.headers.append(name)
    shape.varbits.append(Ref(name, "data"))
    _numbers(shape, name)


def _header_fields(draw: Draw) -> tuple[Field, ...]:
    """Fields that add up to whole bytes."""
    fields: list[Field] = []
    for i in range(draw.between(1, 5)):
        width = draw.width() if draw.chance(0.97) else 8 * draw.between(17, 24)
        fields.append(Field(f"f{i}", width, signed=width > 1 and draw.chance(0.1)))
    short = -sum(f.width for f in fields) % 8
    return (*fields, Field("pad", short)) if short else tuple(fields)


def _metadata(shape: Shape, name: str, fields: tuple[Field, ...]) -> None:
    shape.types[f"{name}_t"] = HeaderType(f"{name}_t", fields)
    shape.instances[name] = Header(name, f"{name}_t", metadata=True)
    _numbers(shape, name)


def _header(shape: Shape, name: str, type_: str) -> None:
    shape.instances[name] = Header(name, type_)
    shape.headers.append(name)
    _numbers(shape, name)


def _numbers(shape: Shape, header: str) -> None:
    shape.numbers += [
        Number(Ref(header, f.name), f.width, f.signed) for f in shape.type_of(header).fields if not f.varbit
    ]


def _stack(shape: Shape, draw: Draw) -> None:
    type_ = HeaderType("s_t", (Field("last", 1), Field("id", draw.pick((7, 15, 31))), Field("v", 8)))
    shape.types["s_t"] = type_
    for name in ("s", "s2")[: draw.pick((1, 1, 2))]:
        shape.stacks[name] = Stack(name, "s_t", draw.between(1, 4) if name == "s" else shape.stacks["s"].size)
        for i in range(shape.stacks[name].size):
            element = f"{name}[{i}]"
            shape.instances[element] = Header(element, "s_t")
            _numbers(shape, element)


def _union(shape: Shape, draw: Draw) -> None:
    members = []
    for i in range(draw.between(2, 3)):
        type_ = f"u{i}_t"
        shape.types[type_] = HeaderType(type_, (Field("a", 8 * draw.between(1, 4)), Field("b", 8)))
        _header(shape, f"u{i}", type_)
        members.append(f"u{i}")
    shape.unions["u"] = Union("u", tuple(members))
