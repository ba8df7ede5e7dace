"""What a backend is, to everyone above it: Protocols and the plain data that crosses.

A *Backend* turns a verified Program into a *Pipeline*: executable code plus all its data-plane state (tables,
groups, counters, registers, meters, replication). The switch (`target`) is the only caller; it serialises all
calls, so a Pipeline needs no locks: packets are processed in bursts, state changes between two bursts. Time
is always an argument, in nanoseconds on the switch's clock. Names everywhere; values are non-negative Python
ints that fit their width (the caller has checked that: `target.tables` validates, a Pipeline trusts).

Implementations: `backend.interp` (the definition), `backend.native` (the product),
`backend.swx` (DPDK's own).
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any as Json
from typing import Literal, NamedTuple, Protocol, final, runtime_checkable

from p4nic.ir.program import ActionCall, Match, Program

HASHES = (
    "crc16", "crc16_custom", "crc32", "crc32_custom", "crc32c", "crcCCITT", "csum16", "xor16", "identity",
    "round_robin", "jhash", "toeplitz", "ones_complement16", "swx_selector",
)  # fmt: skip
"""Algorithm names a Hash instruction may carry. crc32 is IEEE 802.3 (reflected, init and final xor all ones);
crc32c is `rte_hash_crc` (Castagnoli, reflected, init 0, no final xor); crc16 is ARC; crcCCITT is CCITT-FALSE
as BMv2 has it; swx_selector is how DPDK's selector tables hash up to 64 bytes."""


class Semantics(Enum):
    """Where p4c-dpdk's world and the PNA specification differ, which one a `.spec` gets (`--semantics`).

    DPDK: metadata survives from packet to packet is *not* imitated (it is undefined); drop is immediate;
    runts extract as zeros. SPEC: a packet shorter than its parser wants is dropped with reason "packet too
    short". Both: `drop` is an instruction of the artifact.
    """

    SPEC = "spec"
    DPDK = "dpdk"


@final
@dataclass(frozen=True, slots=True)
class Options:
    """How a Pipeline is made. Sizes override the artifact's table sizes; `seed` feeds Random and nothing
    else."""

    cpu_port: int = 510
    drop_port: int = 511
    seed: int = 0
    semantics: Semantics = Semantics.SPEC
    table_sizes: Mapping[str, int] | None = None
    learner_timeouts: Mapping[str, tuple[int, ...]] | None = None
    port_count: int = 512


# --- entries ---


@final
@dataclass(frozen=True, slots=True)
class MemberRef:
    member_id: int


@final
@dataclass(frozen=True, slots=True)
class GroupRef:
    group_id: int


@final
@dataclass(frozen=True, slots=True)
class WeightedAction:
    """One action of a one-shot action set; while its `watch_port` is down it is not selected."""

    call: ActionCall
    weight: int
    watch_port: int | None = None


@final
@dataclass(frozen=True, slots=True)
class ActionSet:
    """The one-shot way to fill an action selector. `target.tables` keeps it: a Pipeline is given a GroupRef
    instead, never this.

    `random`: each packet draws an action anew. `sizes` says what of it counts against the profile's sizes,
    None being as the profile does.
    """

    actions: tuple[WeightedAction, ...]
    random: bool = False
    sizes: Literal["weights", "members"] | None = None


Origin = Literal["control", "learned", "const"]


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """A table entry as it goes in and comes out.

    `key` has one Match per key of the table, in its order. `priority`: higher wins, 0 where the table has
    none. `idle_timeout_ns` 0: never expires. On the way out `learned` entries carry origin "learned" and the
    timeout of their profile. Equality of (table, key, priority) is identity.
    """

    table: str
    key: tuple[Match, ...]
    action: ActionCall | MemberRef | GroupRef | ActionSet
    priority: int = 0
    idle_timeout_ns: int = 0
    metadata: bytes = b""
    controller_metadata: int = 0
    origin: Origin = "control"


@final
@dataclass(frozen=True, slots=True)
class EntryState:
    """What a read adds to an entry: `idle_ns` since the last hit (or rearm, for a learner), direct
    counter."""

    entry: Entry
    idle_ns: int
    packets: int
    bytes: int


@final
@dataclass(frozen=True, slots=True)
class MeterConfig:
    """Rates in units (packets or bytes) per second and bursts in units. kind: RFC 2698, RFC 2697, or one rate
    two colours."""

    kind: Literal["two_rate_three_color", "single_rate_three_color", "single_rate_two_color"]
    cir: int
    cburst: int
    pir: int
    pburst: int


Count = tuple[int, int]
"""(packets, bytes)."""


@final
@dataclass(frozen=True, slots=True)
class Marks:
    """What a meter has coloured green, yellow and red."""

    green: Count = (0, 0)
    yellow: Count = (0, 0)
    red: Count = (0, 0)


@final
@dataclass(frozen=True, slots=True)
class DefaultOf:
    """The default entry of a table, as the owner of a direct counter and meter."""

    table: str


@final
@dataclass(frozen=True, slots=True)
class MeterIndex:
    """A cell of an indexed meter."""

    meter: str
    index: int


MeterPlace = MeterIndex | Entry | DefaultOf


@final
@dataclass(frozen=True, slots=True)
class Replica:
    """One copy of a multicast group or clone session: where to, and the instance number the copy carries."""

    port: int
    instance: int


@final
@dataclass(frozen=True, slots=True)
class CloneSession:
    """`truncate_bytes` 0: whole packet."""

    replicas: tuple[Replica, ...]
    truncate_bytes: int = 0
    class_of_service: int = 0


# --- events ---


@final
@dataclass(frozen=True, slots=True)
class DigestMessage:
    digest: str
    values: tuple[int, ...]


@final
@dataclass(frozen=True, slots=True)
class Expired:
    """An entry whose idle timeout passed. `removed`: a learned entry is gone; a control-plane entry stays
    and is reported again after each further timeout without a hit (P4Runtime 1.5 §16.4)."""

    state: EntryState
    removed: bool


REPEAT_NS = 10_000_000
"""An idle entry is reported again after its timeout, but no sooner than this: the interval at which the
specification's example scans (§16.4). A timeout of 1 ns must not keep the switch busy for ever."""


# --- packets ---


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one received packet: copies in order of sending, or the reason there is none.

    `drop_reason` is "" when something was sent. Reasons are short fixed phrases ("drop action", "egress port
    does not exist", "parser error PacketTooShort", "multicast group has no member"): they name the target's
    drop counters.
    """

    sent: tuple[tuple[int, bytes], ...]
    drop_reason: str = ""


@final
class TraceEvent(NamedTuple):
    """One step of a traced packet (a tuple, because a traced packet makes hundreds): `kind` says what, `data`
    is JSON-ready detail.

    Kinds and their data: "state" {name}; "extract" {header, fields}; "apply" {table, key, hit, entry, near}
    (`near`: entries that almost matched with the field that failed); "action" {name, args}; "branch" {taken};
    "write" {place, old, new}; "learn" {table, key, action, args, ok}; "emit" {header}; "send" {port, bytes};
    "drop" {reason}; "digest" {...}; "log" {text}; "error" {name}; "count" {...}. Every event has `source`, ""
    if unknown.
    """

    kind: str
    source: str
    data: Mapping[str, Json]


class Pipeline(Protocol):
    """A Program made executable. All methods are called by one thread at a time."""

    program: Program
    options: Options

    # packets
    def process(self, packets: Sequence[tuple[int, bytes]], now_ns: int) -> list[Outcome]:
        """Run a burst of (port, frame) in order; each packet sees the learning of those before it."""
        ...

    def trace(self, port: int, frame: bytes, now_ns: int) -> tuple[Outcome, list[TraceEvent]]:
        """Like process() of one packet, with every step told. State changes are real."""
        ...

    def digests(self) -> list[DigestMessage]:
        """Messages since the last call, oldest first."""
        ...

    def expire(self, now_ns: int) -> list[Expired]:
        """Entries whose time is up at `now_ns`, oldest deadline first; learned ones are removed, the timers
        of the others start anew at `now_ns`. `idle_ns` goes on to count from the last hit."""
        ...

    def next_expiry_ns(self) -> int | None:
        """A time before which expire() would return nothing; None when nothing can expire."""
        ...

    # tables
    def insert(self, entry: Entry, now_ns: int) -> None: ...
    def modify(self, entry: Entry, now_ns: int) -> None:
        """Replace action, timeout and metadata; the counter goes on, the idle time starts anew."""
        ...

    def delete(self, entry: Entry) -> None: ...
    def lookup(self, table: str, key: tuple[Match, ...], priority: int, now_ns: int) -> EntryState | None:
        """The entry with exactly this key and priority (not the one a packet would hit)."""
        ...

    def entries(self, table: str, now_ns: int) -> Iterator[EntryState]:
        """Every entry, in order of insertion; a snapshot per entry, safe against changes between bursts."""
        ...

    def entry_count(self, table: str) -> int: ...
    def default_action(self, table: str) -> ActionCall: ...
    def set_default_action(self, table: str, call: ActionCall) -> None: ...
    def set_direct_counter(self, entry: Entry, packets: int, bytes_: int) -> None: ...
    def direct_meter(self, entry: Entry) -> MeterConfig | None: ...
    def set_direct_meter(self, entry: Entry, config: MeterConfig | None) -> None: ...

    # action profiles
    def set_member(self, profile: str, member_id: int, call: ActionCall | None) -> None:
        """Add, change, or (None) remove."""
        ...

    def set_group(
        self, profile: str, group_id: int, members: tuple[tuple[int, int], ...] | None, random: bool = False
    ) -> None:
        """Members as (member id, weight); None removes the group. `random`: each packet draws its place
        anew, as a Random instruction would; else the selector's hash chooses."""
        ...

    # arrays
    def counter(self, name: str, index: int) -> tuple[int, int]:
        """(packets, bytes)."""
        ...

    def set_counter(self, name: str, index: int, packets: int, bytes_: int) -> None: ...
    def meter(self, name: str, index: int) -> MeterConfig | None: ...
    def set_meter(self, name: str, index: int, config: MeterConfig | None) -> None: ...
    def register(self, name: str, index: int) -> int: ...
    def set_register(self, name: str, index: int, value: int) -> None: ...

    # parser value sets, replication
    def set_value_set(self, name: str, members: tuple[tuple[Match, ...], ...]) -> None: ...
    def set_multicast_group(self, group_id: int, replicas: tuple[Replica, ...] | None) -> None: ...
    def set_clone_session(self, session_id: int, session: CloneSession | None) -> None: ...

    # statistics
    def statistics(self) -> Mapping[str, int]:
        """Counters of the engine itself: "learned", "learn_failed", "rearmed", "forgotten", "expired",
        "digest_dropped", "assert_failed", and "table.NAME.hit"/"table.NAME.miss"."""
        ...

    def close(self) -> None: ...


@runtime_checkable
class Transactional(Protocol):
    """What a Pipeline has besides, if its writes become visible by a commit: `target.tables` calls it once
    per batch."""

    def commit(self) -> None:
        """Make all writes so far visible; StateError if the target refuses them, and then none is."""
        ...


@runtime_checkable
class Gated(Protocol):
    """What a Pipeline has besides, if packets may be under way in threads of its own: its first change stops
    them between two bursts, and they go on when the switch's lock is given back."""

    def hold(self) -> None:
        """Stop packets as a change does, to read what they must not change meanwhile."""
        ...

    def resume(self) -> None:
        """All changes so far are visible; packets go on."""
        ...


@runtime_checkable
class ColourCounting(Protocol):
    """What a Pipeline has besides, if its meters count what they have coloured: packets, and bytes whatever
    the meter's unit. A meter without a configuration counts too. The counts live as long as what they belong
    to."""

    def marks(self, place: MeterPlace) -> Marks: ...
    def set_marks(self, place: MeterPlace, marks: Marks) -> None: ...


@runtime_checkable
class DefaultResources(Protocol):
    """What a Pipeline has besides, if default entries have a direct counter and meter of their own. A miss
    uses them as a hit uses those of its entry; but v1model's meter, unless configured, leaves the field of
    its colour alone, as BMv2 does on every miss."""

    def default_counter(self, table: str) -> Count: ...
    def set_default_counter(self, table: str, packets: int, bytes_: int) -> None: ...
    def default_meter(self, table: str) -> MeterConfig | None: ...
    def set_default_meter(self, table: str, config: MeterConfig | None) -> None: ...


@runtime_checkable
class Forgetting(Protocol):
    """What a Pipeline has besides, if learned entries may expire in it without a word."""

    def expire_untold(self, now_ns: int, told: Collection[str]) -> tuple[int, bool]:
        """Remove learned entries whose time is up at `now_ns`, but for those of the tables `told`: how many,
        and False if some are left for the next call, because packets in other threads are not to wait. After
        True, expire() does what it would have done otherwise."""
        ...


@final
@dataclass(frozen=True, slots=True)
class Alike:
    """Names of what an old and a new Program have alike, as far as its state is concerned."""

    tables: frozenset[str] = frozenset()
    counters: frozenset[str] = frozenset()
    meters: frozenset[str] = frozenset()
    registers: frozenset[str] = frozenset()


@runtime_checkable
class Adopting(Protocol):
    """What a Pipeline has besides, if it can take state over from the one it replaces at once, however much
    there is."""

    def adoptable(self, old: Pipeline, alike: Alike) -> Alike:
        """What of `alike` adopt() can take from `old`; nothing if that is another backend's."""
        ...

    def adopt(self, old: Pipeline, what: Alike) -> None:
        """Take entries with their timers and counters, and cells; default actions are not part of it. `old`
        can only be closed afterwards. `what` comes from adoptable(), and is still empty here."""
        ...


# --- entries by the thousand: packed rows ---

ROW_HEAD = struct.Struct("<IHBBIIQQQQ")
"""What each row begins with: its size with this head (a multiple of 8), table, operation (`ROW_OPERATIONS`),
origin, action, priority, timeout in ns, and for reads ns since the last hit, packets, bytes. Table, action
and origin by number: of `RowLayout`, and 0 to 2 as `Origin` has them."""
ROW_OPERATIONS = {"insert": 1, "modify": 2, "delete": 3}


@final
@dataclass(frozen=True, slots=True)
class Place:
    """Where a row has a value: little-endian, in `size` bytes at `offset` from the row's begin."""

    offset: int
    size: int


@final
@dataclass(frozen=True, slots=True)
class RowLayout:
    """One table's rows. `keys`: of each key field its value, for ranges the low end. `bits`: the mask, for
    ranges the high end; () where every field is exact. `actions`: number and places of the arguments, by
    name. What no place covers is zero."""

    table: int
    size: int
    keys: tuple[Place, ...]
    bits: tuple[Place, ...]
    actions: Mapping[str, tuple[int, tuple[Place, ...]]]


class RowReader(Protocol):
    """A read of one table as it was when the reader was made; what the data plane adds, changes or removes
    meanwhile may show or not, an entry never twice."""

    def read(self, now_ns: int) -> bytes | None:
        """The rows of the next stretch of the table, possibly none; None at its end."""
        ...


@runtime_checkable
class Bulk(Protocol):
    """What a Pipeline has besides, if it takes and gives entries as packed rows. Entries may go in one way
    and out the other: rows are another spelling of `Entry`."""

    def row_layout(self, table: str) -> RowLayout | None:
        """None if this table has no rows."""
        ...

    def write_rows(self, rows: bytes | memoryview, now_ns: int) -> bool:
        """Apply the rows in order and say True, or change nothing at all and say False: one of them cannot
        be applied, or this takes the way of single entries."""
        ...

    def read_rows(self, table: str) -> RowReader | None:
        """None if the table's entries have to be read one by one (now)."""
        ...


class Backend(Protocol):
    """Makes Pipelines. `name` is what the command line calls it."""

    name: str

    def build(self, program: Program, options: Options) -> Pipeline:
        """Raises UnsupportedError for what this backend cannot execute; the Program has been verified."""
        ...
