"""A Program: everything one artifact says, by name. Numbers (P4Info ids, BMv2 ids) never enter here.

Out of: `load`. Into: `verify`, `text`, every backend, `target`. Flat and frozen; mappings keep the artifact's
order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, final

from p4nic.ir.image import SpecImage
from p4nic.ir.ops import Code, Operand, Ref
from p4nic.ir.types import Header, HeaderType, Source, Stack, Union

MatchKind = Literal["exact", "lpm", "ternary", "range", "optional"]
"""`optional` matches one value or anything, and has a priority like ternary and range."""
Architecture = Literal["v1model", "psa", "pna", "swx"]
"""What surrounds the blocks: `v1model`, `psa` and `pna` as BMv2's compilers write them, `swx` as p4c-dpdk
does."""
BlockKind = Literal["parser", "control", "deparser", "pipeline"]


@final
@dataclass(frozen=True, slots=True)
class ActionParam:
    name: str
    width: int


@final
@dataclass(frozen=True, slots=True)
class Action:
    name: str
    params: tuple[ActionParam, ...]
    code: Code
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class ActionCall:
    """An action with its arguments, in the order of its parameters."""

    action: str
    args: tuple[int, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Key:
    """One field of a table's key. `mask` (BMv2) is and-ed to the value before matching."""

    name: str
    kind: MatchKind
    operand: Operand
    width: int
    mask: int | None = None


@final
@dataclass(frozen=True, slots=True)
class ActionRef:
    """An action a table may use: by entries, as default, or both."""

    action: str
    scope: Literal["both", "table_only", "default_only"] = "both"


# What one key field of an entry may say. `Any` (don't care) is legal for every kind but exact.
@final
@dataclass(frozen=True, slots=True)
class Exact:
    value: int


@final
@dataclass(frozen=True, slots=True)
class Lpm:
    """value has zeros beyond prefix_length."""

    value: int
    prefix_length: int


@final
@dataclass(frozen=True, slots=True)
class Ternary:
    """value has zeros where mask has."""

    value: int
    mask: int


@final
@dataclass(frozen=True, slots=True)
class Range:
    """Both ends included."""

    low: int
    high: int


@final
@dataclass(frozen=True, slots=True)
class Any:
    pass


Match = Exact | Lpm | Ternary | Range | Any


@final
@dataclass(frozen=True, slots=True)
class ConstEntry:
    """An entry the artifact itself brings. A higher `priority` wins (loaders turn BMv2's lower-wins
    around)."""

    key: tuple[Match, ...]
    call: ActionCall
    priority: int = 0


@final
@dataclass(frozen=True, slots=True)
class Table:
    """A match-action table.

    `learner_timeouts` (seconds by profile index) marks an add-on-miss table; () is an ordinary one.
    `implementation` names an ActionProfile; then entries point to members or groups instead of carrying an
    action. `counter`/`meter` name the direct resource. `counts_on_hit`: a hit counts by itself (v1model
    direct_counter); else CountDirect does. `meter_result` is where a v1model direct meter puts its colour.
    `const_entries` are there from the start; unless `entries_are_const`, the control plane may change them.
    """

    name: str
    keys: tuple[Key, ...]
    actions: tuple[ActionRef, ...]
    default: ActionCall
    default_is_const: bool = False
    size: int = 1024
    const_entries: tuple[ConstEntry, ...] = ()
    entries_are_const: bool = False
    implementation: str | None = None
    counter: str | None = None
    counts_on_hit: bool = False
    meter: str | None = None
    meter_result: Ref | None = None
    idle_timeout: bool = False
    learner_timeouts: tuple[int, ...] = ()
    source: Source = Source()

    @property
    def is_learner(self) -> bool:
        return bool(self.learner_timeouts)

    @property
    def entries_origin(self) -> Literal["const", "control"]:
        """The origin of the entries that are there from the start."""
        return "const" if self.entries_are_const else "control"

    @property
    def has_priority(self) -> bool:
        """Whether entries carry a priority (P4Runtime: any ternary, range or optional key)."""
        return any(k.kind in ("ternary", "range", "optional") for k in self.keys)


@final
@dataclass(frozen=True, slots=True)
class ActionProfile:
    """Members, and groups of them where `selector_inputs` is given: which member is hash(inputs) mod the
    group's weights.

    A group's members are laid out by ascending member id, each repeated by its weight; with `selector_slots`
    they are spread over that many places, as DPDK does. `selector_host_order` and `selector_skip_invalid`
    are Hash's `host_order` and `skip_invalid`. `sum_of_members`: sizes count members, not weights, and no
    member weighs more than `max_member_weight` (0: any). `weights_disallowed`: all members weigh the same.
    """

    name: str
    size: int
    max_group_size: int = 0
    selector_algorithm: str | None = None
    selector_inputs: tuple[Operand, ...] = ()
    selector_host_order: bool = False
    selector_skip_invalid: bool = False
    sum_of_members: bool = False
    max_member_weight: int = 0
    weights_disallowed: bool = False
    selector_slots: int = 0

    def layout(self, members: Iterable[tuple[int, int]]) -> tuple[int, ...]:
        """Of (member id, weight), the member id at each place a hash may point to, modulo their number."""
        ordered = [(member, weight) for member, weight in sorted(members) if weight]
        if self.selector_slots and ordered:
            ordered = _spread(ordered, self.selector_slots)
        return tuple(member for member, places in ordered for _ in range(places))


def _spread(members: list[tuple[int, int]], slots: int) -> list[tuple[int, int]]:
    """DPDK's rte_swx_table_selector: weights made smaller by common divisors, each tried once, then scaled
    up; the rest goes to the first ones. Unchanged if they do not fit: DPDK refuses that."""
    weights = [weight for _, weight in members]
    for divisor in range(2, min(weights) + 1):
        if all(weight % divisor == 0 for weight in weights):
            weights = [weight // divisor for weight in weights]
    each, left = divmod(slots, sum(weights))
    if not each:
        return members
    places = []
    for weight in weights:
        more = min(weight, left)
        places.append(weight * each + more)
        left -= more
    return [(member, count) for (member, _), count in zip(members, places, strict=True)]


@final
@dataclass(frozen=True, slots=True)
class Counter:
    """`table` names the table of a direct counter; then `size` is 0."""

    name: str
    unit: Literal["packets", "bytes", "both"]
    size: int = 0
    table: str | None = None


@final
@dataclass(frozen=True, slots=True)
class MeterArray:
    """`table` names the table of a direct meter; then `size` is 0."""

    name: str
    unit: Literal["packets", "bytes"]
    size: int = 0
    table: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Register:
    name: str
    width: int
    size: int
    initial: int = 0
    signed: bool = False


@final
@dataclass(frozen=True, slots=True)
class DigestList:
    """Messages of one kind to the control plane; fields are (name, width)."""

    name: str
    fields: tuple[tuple[str, int], ...]


@final
@dataclass(frozen=True, slots=True)
class ValueSet:
    """A parser value set; members are tuples of Match, one per key, set at run time."""

    name: str
    widths: tuple[int, ...]
    size: int


@final
@dataclass(frozen=True, slots=True)
class Block:
    """A programmable block. v1model: `parser`, `verify_checksum`, `ingress`, `egress`, `compute_checksum`,
    `deparser` under exactly these names in Program.blocks; psa adds `ingress_parser` … ; pna (BMv2):
    `main_parser`, `main_control`, `main_deparser`; swx: one block `pipeline`."""

    name: str
    kind: BlockKind
    code: Code
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True, weakref_slot=True)
class Program:
    """Everything an artifact says."""

    name: str
    architecture: Architecture
    header_types: Mapping[str, HeaderType]
    headers: Mapping[str, Header]
    blocks: Mapping[str, Block]
    actions: Mapping[str, Action]
    tables: Mapping[str, Table]
    stacks: Mapping[str, Stack] = field(default_factory=dict)
    unions: Mapping[str, Union] = field(default_factory=dict)
    action_profiles: Mapping[str, ActionProfile] = field(default_factory=dict)
    counters: Mapping[str, Counter] = field(default_factory=dict)
    meters: Mapping[str, MeterArray] = field(default_factory=dict)
    registers: Mapping[str, Register] = field(default_factory=dict)
    digests: Mapping[str, DigestList] = field(default_factory=dict)
    value_sets: Mapping[str, ValueSet] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    image: SpecImage | None = field(default=None, compare=False, repr=False)
    """The artifact itself, for a target that runs it; None where there is no `.spec`."""
