"""Reads a P4Info (protobuf text, binary or JSON) into names and ids.

In: the file p4c's `--p4runtime-files` wrote, or the message a client sent. Out: `P4Info`, the only object
that knows both names and ids. Called by `load.artifact`, the `.spec` loader (through plain data), and the
server's codec. The only file of `load` that sees protobuf.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, final

from google.protobuf import text_format
from google.protobuf.message import DecodeError

from p4nic.errors import ArtifactError, UnsupportedError
from p4nic.ir.program import MatchKind
from p4nic.load.files import read_bytes
from p4nic.load.p4info_check import check
from p4nic.load.p4info_model import (
    ActionInfo,
    ActionRefInfo,
    CounterInfo,
    DigestInfo,
    FieldInfo,
    MatchFieldInfo,
    MeterInfo,
    MeterKind,
    PacketHeaderInfo,
    ProfileInfo,
    RegisterInfo,
    TableInfo,
    Translation,
    ValueSetInfo,
)
from p4rt import p4i, p4t

__all__ = ["P4Info", "check", "decode_p4info", "load_p4info", "parse_p4info"]


class _Named(Protocol):
    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...


T = TypeVar("T", bound=_Named)


@final
@dataclass(frozen=True, slots=True)
class Index(Mapping[str, T]):
    """Objects of one kind by name, in the P4Info's order; `by_id` is the same by number."""

    by_name: Mapping[str, T]
    by_id: Mapping[int, T]

    def __getitem__(self, name: str) -> T:
        return self.by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)


@final
@dataclass(frozen=True, slots=True)
class P4Info:
    """A P4Info, decoded. Each mapping goes from preamble name to its object, and has `by_id` for the other
    direction.

    `counters` and `meters` hold indexed and direct ones alike: a direct one has `table` set.
    """

    message: p4i.P4Info
    architecture: str
    tables: Index[TableInfo]
    actions: Index[ActionInfo]
    profiles: Index[ProfileInfo]
    counters: Index[CounterInfo]
    meters: Index[MeterInfo]
    registers: Index[RegisterInfo]
    digests: Index[DigestInfo]
    value_sets: Index[ValueSetInfo]
    packet_headers: Index[PacketHeaderInfo]
    translations: Mapping[str, Translation] = field(default_factory=dict)

    def name_of(self, number: int) -> str | None:
        """The name behind any id, whatever its kind; None if the P4Info does not have it."""
        for index in self._indices():
            found = index.by_id.get(number)
            if found is not None:
                return str(found.name)
        return None

    def id_of(self, name: str) -> int | None:
        """The id of any named object; None if the P4Info does not have it."""
        for index in self._indices():
            found = index.get(name)
            if found is not None:
                return int(found.id)
        return None

    def _indices(self) -> tuple[Index[Any], ...]:
        return (
            *(self.tables, self.actions, self.profiles, self.counters, self.meters),
            *(self.registers, self.digests, self.value_sets, self.packet_headers),
        )


# --- reading --------------------------------------------------------------------------------------


def load_p4info(path: Path) -> P4Info:
    """Read a P4Info file of any of the three encodings; raises ArtifactError with one sentence."""
    return decode_p4info(parse_p4info(read_bytes(path, "P4Info"), str(path)), str(path))


def parse_p4info(data: bytes, name: str) -> p4i.P4Info:
    """Bytes of protobuf text, JSON or binary as a message; raises ArtifactError naming `name` and, for text,
    the line."""
    message = p4i.P4Info()
    if any(byte < 0x20 and byte not in b"\t\n\r" for byte in data[:4096]):
        try:
            message.ParseFromString(data)
        except DecodeError as error:
            raise ArtifactError(
                f"{name} is not a P4Info: it is binary, but not this protobuf message ({error})"
            ) from None
        return message
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ArtifactError(f"{name} is not a P4Info: byte {error.start} is not UTF-8 text") from None
    if text.lstrip().startswith("{"):
        return _parse_json(text, message, name)
    try:
        return text_format.Parse(text, message)
    except text_format.ParseError as error:
        reason = " ".join(str(error).rpartition("': ")[2].split())
        raise ArtifactError(f"{name} is not a P4Info: line {error.GetLine() or 1}: {reason}") from None
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{name} is not a P4Info: {' '.join(str(error).split())}") from None


def _parse_json(text: str, message: p4i.P4Info, name: str) -> p4i.P4Info:
    from google.protobuf import json_format  # late: p4c writes text, and this takes as long to import

    try:
        return json_format.Parse(text, message)
    except (json_format.ParseError, ValueError, RecursionError) as error:
        raise ArtifactError(f"{name} is not a P4Info: {' '.join(str(error).split())}") from None


def decode_p4info(message: p4i.P4Info, name: str = "the P4Info") -> P4Info:
    """Turn a message into names and ids; raises ArtifactError on duplicate names or ids and on references to
    nothing."""
    decoder = _Decoder(message, name)
    return decoder.decode()


# --- decoding -------------------------------------------------------------------------------------

_KINDS: Mapping[int, MatchKind] = {
    p4i.MatchField.EXACT: "exact", p4i.MatchField.LPM: "lpm", p4i.MatchField.TERNARY: "ternary",
    p4i.MatchField.RANGE: "range", p4i.MatchField.OPTIONAL: "optional",
}  # fmt: skip
_SCOPES: Mapping[int, Literal["both", "table_only", "default_only"]] = {
    p4i.ActionRef.TABLE_AND_DEFAULT: "both",
    p4i.ActionRef.TABLE_ONLY: "table_only",
    p4i.ActionRef.DEFAULT_ONLY: "default_only",
}
_COUNTER_UNITS: Mapping[int, Literal["packets", "bytes", "both"]] = {
    p4i.CounterSpec.BYTES: "bytes", p4i.CounterSpec.PACKETS: "packets", p4i.CounterSpec.BOTH: "both",
}  # fmt: skip


class _Decoder:
    """One run over a message. Order matters: actions before tables, tables before direct resources."""

    def __init__(self, message: p4i.P4Info, name: str) -> None:
        self.message = message
        self.name = name
        self.translations = {
            key: t for key, spec in message.type_info.new_types.items() if (t := _translation(key, spec))
        }

    def decode(self) -> P4Info:
        m = self.message
        actions = self.index("action", (self.action(a) for a in m.actions))
        table_names = {t.preamble.id: t.preamble.name for t in m.tables}
        profile_names = {p.preamble.id: p.preamble.name for p in m.action_profiles}
        counters = self.index("counter", self.counters(table_names))
        meters = self.index("meter", self.meters(table_names))
        tables = (self.table(t, actions.by_id, profile_names, counters, meters) for t in m.tables)
        return P4Info(
            message=m,
            architecture=m.pkg_info.arch,
            tables=self.index("table", tables),
            actions=actions,
            profiles=self.index("action profile", (self.profile(p, table_names) for p in m.action_profiles)),
            counters=counters,
            meters=meters,
            registers=self.index("register", (self.register(r) for r in m.registers)),
            digests=self.index("digest", (self.digest(d) for d in m.digests)),
            value_sets=self.index("value set", (self.value_set(v) for v in m.value_sets)),
            packet_headers=self.index(
                "packet header", (self.packet_header(h) for h in m.controller_packet_metadata)
            ),
            translations=self.translations,
        )

    def counters(self, tables: Mapping[int, str]) -> Iterator[CounterInfo]:
        for c in self.message.counters:
            pre, unit = c.preamble, _COUNTER_UNITS.get(c.spec.unit, "both")
            yield CounterInfo(pre.id, pre.name, pre.alias, unit, c.size)
        for d in self.message.direct_counters:
            pre, unit = d.preamble, _COUNTER_UNITS.get(d.spec.unit, "both")
            table = self.resolve(tables, d.direct_table_id, pre.name, "table")
            yield CounterInfo(pre.id, pre.name, pre.alias, unit, table=table)

    def meters(self, tables: Mapping[int, str]) -> Iterator[MeterInfo]:
        for e in self.message.meters:
            pre = e.preamble
            yield MeterInfo(pre.id, pre.name, pre.alias, _meter_unit(e.spec), _meter_kind(e.spec), e.size)
        for d in self.message.direct_meters:
            pre = d.preamble
            table = self.resolve(tables, d.direct_table_id, pre.name, "table")
            yield MeterInfo(
                pre.id, pre.name, pre.alias, _meter_unit(d.spec), _meter_kind(d.spec), table=table
            )

    def profile(self, p: p4i.ActionProfile, tables: Mapping[int, str]) -> ProfileInfo:
        users = tuple(self.resolve(tables, i, p.preamble.name, "table") for i in p.table_ids)
        pre = p.preamble
        return ProfileInfo(
            pre.id,
            pre.name,
            pre.alias,
            users,
            p.with_selector,
            p.size,
            p.max_group_size,
            p.HasField("sum_of_members"),
            p.sum_of_members.max_member_weight,
            p.weights_disallowed,
        )

    def register(self, r: p4i.Register) -> RegisterInfo:
        return RegisterInfo(r.preamble.id, r.preamble.name, r.preamble.alias, self.width(r.type_spec), r.size)

    def value_set(self, v: p4i.ValueSet) -> ValueSetInfo:
        fields = tuple(self.match_field(f, v.preamble.name) for f in v.match)
        return ValueSetInfo(v.preamble.id, v.preamble.name, v.preamble.alias, fields, v.size)

    def packet_header(self, h: p4i.ControllerPacketMetadata) -> PacketHeaderInfo:
        fields = (FieldInfo(f.id, f.name, f.bitwidth, self.translated(f.type_name.name)) for f in h.metadata)
        return PacketHeaderInfo(h.preamble.id, h.preamble.name, tuple(fields))

    def index(self, kind: str, objects: Iterable[T]) -> Index[T]:
        by_name: dict[str, T] = {}
        by_id: dict[int, T] = {}
        for each in objects:
            if not each.name or not each.id:
                raise ArtifactError(
                    f"{self.name}: a {kind} has no {'id' if each.name else 'name'}; write the P4Info with p4c"
                )
            if each.name in by_name or each.id in by_id:
                raise ArtifactError(f"{self.name}: {kind} {each.name} (id {each.id}) occurs twice")
            by_name[each.name] = by_id[each.id] = each
        return Index(by_name, by_id)

    def resolve(self, names: Mapping[int, str], number: int, user: str, kind: str) -> str:
        name = names.get(number)
        if name is None:
            raise ArtifactError(
                f"{self.name}: {user} refers to {kind} id {number}, which is not in the P4Info"
            )
        return name

    def translated(self, type_name: str) -> Translation | None:
        return self.translations.get(type_name)

    def action(self, a: p4i.Action) -> ActionInfo:
        params = tuple(
            FieldInfo(p.id, p.name, p.bitwidth, self.translated(p.type_name.name)) for p in a.params
        )
        return ActionInfo(a.preamble.id, a.preamble.name, a.preamble.alias, params)

    def match_field(self, f: p4i.MatchField, owner: str) -> MatchFieldInfo:
        kind = _KINDS.get(f.match_type)
        if kind is None:
            what = f.other_match_type or "none at all"
            raise UnsupportedError(
                f"{self.name}: key {f.name} of {owner} has match kind {what}; "
                "p4nic takes exact, lpm, ternary, range and optional"
            )
        return MatchFieldInfo(f.id, f.name, f.bitwidth, kind, self.translated(f.type_name.name))

    def table(
        self,
        t: p4i.Table,
        actions: Mapping[int, ActionInfo],
        profiles: Mapping[int, str],
        counters: Index[CounterInfo],
        meters: Index[MeterInfo],
    ) -> TableInfo:
        name = t.preamble.name
        names = {number: a.name for number, a in actions.items()}
        return TableInfo(
            id=t.preamble.id,
            name=name,
            alias=t.preamble.alias,
            match_fields=tuple(self.match_field(f, name) for f in t.match_fields),
            actions=tuple(
                ActionRefInfo(self.resolve(names, r.id, name, "action"), _SCOPES.get(r.scope, "both"))
                for r in t.action_refs
            ),
            size=t.size,
            const_default=self.resolve(names, t.const_default_action_id, name, "action")
            if t.const_default_action_id
            else None,
            implementation=self.resolve(profiles, t.implementation_id, name, "action profile")
            if t.implementation_id
            else None,
            counter=next((c.name for i in t.direct_resource_ids if (c := counters.by_id.get(i))), None),
            meter=next((e.name for i in t.direct_resource_ids if (e := meters.by_id.get(i))), None),
            idle_timeout=t.idle_timeout_behavior == p4i.Table.NOTIFY_CONTROL,
            is_const=t.is_const_table,
            has_initial_entries=t.has_initial_entries,
        )

    def digest(self, d: p4i.Digest) -> DigestInfo:
        spec, pre = d.type_spec, d.preamble
        match spec.WhichOneof("type_spec"):
            case "struct":
                members = self.message.type_info.structs.get(spec.struct.name)
                if members is None:
                    raise ArtifactError(
                        f"{self.name}: digest {pre.name} is of struct {spec.struct.name}, which is "
                        f"not in the P4Info"
                    )
                fields = tuple(self.member(n, m.name, m.type_spec) for n, m in enumerate(members.members, 1))
                return DigestInfo(pre.id, pre.name, pre.alias, fields, "struct")
            case "tuple":
                fields = tuple(
                    self.member(n, f"f{n - 1}", each) for n, each in enumerate(spec.tuple.members, 1)
                )
                return DigestInfo(pre.id, pre.name, pre.alias, fields, "tuple")
            case _:
                return DigestInfo(pre.id, pre.name, pre.alias, (self.member(1, "value", spec),), "bitstring")

    def member(self, number: int, name: str, spec: p4t.P4DataTypeSpec) -> FieldInfo:
        translation = (
            self.translated(spec.new_type.name) if spec.WhichOneof("type_spec") == "new_type" else None
        )
        return FieldInfo(number, name, self.width(spec), translation)

    def width(self, spec: p4t.P4DataTypeSpec, depth: int = 0) -> int:
        """Bits of a plain type; 0 for a compound one."""
        info = self.message.type_info
        match spec.WhichOneof("type_spec"):
            case "bitstring":
                bits = spec.bitstring
                return bits.bit.bitwidth or bits.int.bitwidth or bits.varbit.max_bitwidth
            case "bool":
                return 1
            case "enum" | "error":
                return 32
            case "serializable_enum" if spec.serializable_enum.name in info.serializable_enums:
                return info.serializable_enums[spec.serializable_enum.name].underlying_type.bitwidth
            case "new_type" if spec.new_type.name in info.new_types and depth < 8:
                new = info.new_types[spec.new_type.name]
                if new.WhichOneof("representation") == "translated_type":
                    return new.translated_type.sdn_bitwidth
                return self.width(new.original_type, depth + 1)
            case _:
                return 0


def _translation(name: str, spec: p4t.P4NewTypeSpec) -> Translation | None:
    if spec.WhichOneof("representation") != "translated_type":
        return None
    to = spec.translated_type
    if to.WhichOneof("sdn_type") == "sdn_string":
        return Translation(name, to.uri, "sdn_string")
    return Translation(name, to.uri, "sdn_bitwidth", to.sdn_bitwidth)


def _meter_unit(spec: p4i.MeterSpec) -> Literal["packets", "bytes"]:
    return "packets" if spec.unit == p4i.MeterSpec.PACKETS else "bytes"


def _meter_kind(spec: p4i.MeterSpec) -> MeterKind:
    match spec.type:
        case p4i.MeterSpec.SINGLE_RATE_THREE_COLOR:
            return "single_rate_three_color"
        case p4i.MeterSpec.SINGLE_RATE_TWO_COLOR:
            return "single_rate_two_color"
        case _:
            return "two_rate_three_color"
