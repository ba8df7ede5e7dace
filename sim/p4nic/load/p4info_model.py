"""What a P4Info says, as plain data: the names, ids and widths the control plane uses.

Out of: `load.p4info` (which reads the protobuf). Into: the `.spec` loader (names), the checker, the server's
codec. No protobuf here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from p4nic.ir.program import MatchKind

MeterKind = Literal["two_rate_three_color", "single_rate_three_color", "single_rate_two_color"]


@final
@dataclass(frozen=True, slots=True)
class Translation:
    """A `@p4runtime_translation`: on the wire the value is a string (`sdn_string`) or a number of `width`
    bits (`sdn_bitwidth`)."""

    type_name: str
    uri: str
    kind: Literal["sdn_string", "sdn_bitwidth"]
    width: int = 0


@final
@dataclass(frozen=True, slots=True)
class FieldInfo:
    """An action parameter, a digest member or a packet header's field. `width` is 0 where only a string goes
    over the wire."""

    id: int
    name: str
    width: int
    translation: Translation | None = None


@final
@dataclass(frozen=True, slots=True)
class MatchFieldInfo:
    id: int
    name: str
    width: int
    kind: MatchKind
    translation: Translation | None = None


@final
@dataclass(frozen=True, slots=True)
class ActionInfo:
    id: int
    name: str
    alias: str
    params: tuple[FieldInfo, ...]


@final
@dataclass(frozen=True, slots=True)
class ActionRefInfo:
    action: str
    scope: Literal["both", "table_only", "default_only"]


@final
@dataclass(frozen=True, slots=True)
class TableInfo:
    """`const_default` names the action of a default that must not be changed; `implementation`, `counter`
    and `meter` are names."""

    id: int
    name: str
    alias: str
    match_fields: tuple[MatchFieldInfo, ...]
    actions: tuple[ActionRefInfo, ...]
    size: int
    const_default: str | None = None
    implementation: str | None = None
    counter: str | None = None
    meter: str | None = None
    idle_timeout: bool = False
    is_const: bool = False
    has_initial_entries: bool = False


@final
@dataclass(frozen=True, slots=True)
class ProfileInfo:
    id: int
    name: str
    alias: str
    tables: tuple[str, ...]
    with_selector: bool
    size: int
    max_group_size: int
    sum_of_members: bool = False
    max_member_weight: int = 0
    weights_disallowed: bool = False


@final
@dataclass(frozen=True, slots=True)
class CounterInfo:
    """`table` names the table of a direct counter; then `size` is 0."""

    id: int
    name: str
    alias: str
    unit: Literal["packets", "bytes", "both"]
    size: int = 0
    table: str | None = None


@final
@dataclass(frozen=True, slots=True)
class MeterInfo:
    """`table` names the table of a direct meter; then `size` is 0."""

    id: int
    name: str
    alias: str
    unit: Literal["packets", "bytes"]
    kind: MeterKind
    size: int = 0
    table: str | None = None


@final
@dataclass(frozen=True, slots=True)
class RegisterInfo:
    """`width` is 0 where the element is not a plain bit string."""

    id: int
    name: str
    alias: str
    width: int
    size: int


@final
@dataclass(frozen=True, slots=True)
class DigestInfo:
    """`shape` says how its members travel in P4Data: one bit string, a tuple or a struct."""

    id: int
    name: str
    alias: str
    fields: tuple[FieldInfo, ...]
    shape: Literal["bitstring", "tuple", "struct"]


@final
@dataclass(frozen=True, slots=True)
class ValueSetInfo:
    id: int
    name: str
    alias: str
    match_fields: tuple[MatchFieldInfo, ...]
    size: int


@final
@dataclass(frozen=True, slots=True)
class PacketHeaderInfo:
    """`packet_in` or `packet_out`: the metadata a packet carries between switch and controller."""

    id: int
    name: str
    fields: tuple[FieldInfo, ...]
