"""P4Data: typed values of registers and digests (P4Runtime 1.5 §8.5).

In: a P4Data and the type the P4Info gives it. Out: an int as the data plane holds it (unsigned, of the
type's width), and back. A struct or tuple of a digest is a P4Data per member. Types with a varying number
of bits, headers and stacks are refused when the pipeline configuration is set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from p4nic.bits import mask, wrap
from p4nic.errors import UnsupportedError
from p4nic.server.codec.scalar import SdnNames, invalid, shortest, shortest_signed, signed, unsigned
from p4rt import p4d, p4i, p4t


@final
@dataclass(frozen=True, slots=True)
class DataType:
    """One scalar type. `names` are the members of an enum by value; `strings` is set for sdn_string types."""

    kind: str
    width: int
    names: tuple[str, ...] = ()
    strings: SdnNames | None = None

    def encode(self, value: int) -> p4d.P4Data:
        match self.kind:
            case "int":
                return p4d.P4Data(bitstring=shortest_signed(wrap(value, self.width, signed=True)))
            case "bool":
                return p4d.P4Data(bool=bool(value))
            case "enum":
                return p4d.P4Data(enum=self.names[value] if value < len(self.names) else str(value))
            case "error":
                return p4d.P4Data(error=self.names[value] if value < len(self.names) else str(value))
            case "enum_value":
                return p4d.P4Data(enum_value=shortest(value))
            case _:
                return p4d.P4Data(
                    bitstring=shortest(value) if self.strings is None else self.strings.name(value)
                )

    def decode(self, message: p4d.P4Data, place: str) -> int:
        which = message.WhichOneof("data")
        wanted = {"bit": "bitstring", "int": "bitstring"}.get(self.kind, self.kind)
        if which != wanted:
            raise invalid(f"{place}: the data is {which or 'unset'}, the type wants {wanted}")
        match self.kind:
            case "bit" if self.strings is not None:
                return self.strings.value(message.bitstring, self.width, place)
            case "bit":
                return unsigned(message.bitstring, self.width, place)
            case "int":
                return signed(message.bitstring, self.width, place) & mask(self.width)
            case "bool":
                return int(message.bool)
            case "enum_value":
                return unsigned(message.enum_value, self.width, place)
            case _:
                name = message.enum if self.kind == "enum" else message.error
                if name not in self.names:
                    raise invalid(f"{place}: {name!r} is not one of {', '.join(self.names)}")
                return self.names.index(name)


@final
class DataTypes:
    """Resolves P4DataTypeSpec messages of one P4Info."""

    def __init__(self, info: p4t.P4TypeInfo, strings: dict[str, SdnNames]) -> None:
        self._info = info
        self._strings = strings

    def scalar(self, spec: p4t.P4DataTypeSpec, place: str, depth: int = 0) -> DataType:
        which = spec.WhichOneof("type_spec")
        match which:
            case "bitstring" if spec.bitstring.WhichOneof("type_spec") == "bit":
                return DataType("bit", spec.bitstring.bit.bitwidth)
            case "bitstring" if spec.bitstring.WhichOneof("type_spec") == "int":
                return DataType("int", spec.bitstring.int.bitwidth)
            case "bool":
                return DataType("bool", 1)
            case "enum" if spec.enum.name in self._info.enums:
                members = self._info.enums[spec.enum.name].members
                return DataType("enum", 32, tuple(m.name for m in members))
            case "error":
                return DataType("error", 32, tuple(self._info.error.members))
            case "serializable_enum" if spec.serializable_enum.name in self._info.serializable_enums:
                enum = self._info.serializable_enums[spec.serializable_enum.name]
                return DataType("enum_value", enum.underlying_type.bitwidth)
            case "new_type" if spec.new_type.name in self._info.new_types and depth < 8:
                return self._new_type(spec.new_type.name, place, depth)
        raise UnsupportedError(
            f"{place} has type {which or 'none'}, which p4nic does not put into P4Data; "
            "use bit, int, bool, enum or error"
        )

    def _new_type(self, name: str, place: str, depth: int) -> DataType:
        new = self._info.new_types[name]
        if new.WhichOneof("representation") != "translated_type":
            return self.scalar(new.original_type, place, depth + 1)
        if new.translated_type.WhichOneof("sdn_type") == "sdn_string":
            return DataType("bit", 32, strings=self._strings.setdefault(name, SdnNames(name)))
        return DataType("bit", new.translated_type.sdn_bitwidth)


@final
@dataclass(frozen=True, slots=True)
class Members:
    """The members of a digest's data. `shape`: a lone value, a tuple or a struct."""

    shape: str
    types: tuple[DataType, ...]

    def encode(self, values: Sequence[int]) -> p4d.P4Data:
        data = [each.encode(value) for each, value in zip(self.types, values, strict=True)]
        match self.shape:
            case "struct":
                return p4d.P4Data(struct=p4d.P4StructLike(members=data))
            case "tuple":
                return p4d.P4Data(tuple=p4d.P4StructLike(members=data))
            case _:
                return data[0]


def members_of(digest: p4i.Digest, types: DataTypes) -> Members:
    """What the data of a digest is made of."""
    place, spec = f"digest {digest.preamble.name}", digest.type_spec
    match spec.WhichOneof("type_spec"):
        case "struct":
            members = types._info.structs[spec.struct.name].members
            return Members("struct", tuple(types.scalar(m.type_spec, f"{place}, {m.name}") for m in members))
        case "tuple":
            return Members("tuple", tuple(types.scalar(m, place) for m in spec.tuple.members))
        case _:
            return Members("scalar", (types.scalar(spec, place),))
