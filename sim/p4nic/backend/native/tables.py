"""One table as Python sees it: entries by their matches on this side, by number and bytes on the other.

In: `backend.api.Entry`. Exact tables live in C alone. For the others this side keeps each entry's matches (C
has only masked keys) and tells equal entries apart. Called by `pipeline`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, assert_never, final

from p4nic.backend.api import ActionSet, Entry, EntryState, GroupRef, MemberRef, Origin
from p4nic.backend.native.described import TableLayout
from p4nic.backend.native.layout import Packing
from p4nic.bits import mask, prefix_mask
from p4nic.errors import ErrorKind, StateError
from p4nic.ir import program as ir
from p4nic.ir.program import ActionCall, Exact, Lpm, Match, Range, Ternary

ORIGINS: tuple[Origin, ...] = ("control", "learned", "const")
ACTION, MEMBER, GROUP = range(3)

Identity = tuple[tuple[Match, ...], int]


@final
class Shown(NamedTuple):
    """What C knows of an entry: times in nanoseconds, key and arguments as they lie in memory."""

    last_ns: int
    timeout_ns: int
    packets: int
    volume: int
    sequence: int
    priority: int
    number: int
    action: int
    origin: int
    kind: int
    key: bytes
    args: bytes


def normal(match: Match, kind: str, width: int) -> Match:
    """One spelling for each meaning, so that equal entries are found equal."""
    match match:
        case ir.Any() if kind == "lpm":
            return Lpm(0, 0)
        case ir.Any() if kind == "ternary":
            return Ternary(0, 0)
        case ir.Any() if kind == "range":
            return Range(0, mask(width))
        case Exact(value) if kind == "ternary":
            return Ternary(value, mask(width))
        case Exact(value) if kind == "lpm":
            return Lpm(value, width)
        case Exact(value) if kind == "range":
            return Range(value, value)
        case _:
            return match


def value_and_mask(match: Match, width: int) -> tuple[int, int]:
    """As the masked key has it; of a range the bits that all its values begin with, the rest is compared
    in its chain."""
    match match:
        case ir.Any():
            return 0, 0
        case Range(low, high):
            bits = prefix_mask(width, width - (low ^ high).bit_length())
            return low & bits, bits
        case Exact(value):
            return value, mask(width)
        case Lpm(value, length):
            return value, prefix_mask(width, length)
        case Ternary(value, bits):
            return value & bits, bits
        case _:
            assert_never(match)


@final
class NativeTable:
    """The state of one table, through the library."""

    def __init__(
        self, library: tuple[Any, Any, Any], number: int, spec: ir.Table, size: int, layout: TableLayout,
        actions: Mapping[str, tuple[int, Packing]],
    ) -> None:  # fmt: skip
        """`library`: (ffi, lib, engine)."""
        self._ffi, self._lib, self._engine = library
        self.number = number
        self.spec = spec
        self.size = size
        self.layout = layout
        self.actions = actions
        self._names = list(actions)
        self._learned: Any = self._ffi.new("p4_entry_t *")
        self._keys: dict[int, tuple[Match, ...]] = {}
        self._identities: dict[Identity, int] = {}
        self._metadata: dict[int, tuple[int, bytes, int]] = {}
        """By entry number: (sequence, metadata, controller metadata), where there are any. The sequence tells
        whether the number still means the same entry."""
        self._is_lpm = any(k.kind == "lpm" for k in spec.keys) and not spec.has_priority
        self.default = spec.default
        self.set_default(spec.default)

    @property
    def has_metadata(self) -> bool:
        """Whether an entry carries metadata, which C does not know."""
        return bool(self._metadata)

    # --- finding ---

    def _identity(self, key: tuple[Match, ...], priority: int) -> Identity:
        told = tuple(normal(m, k.kind, k.width) for m, k in zip(key, self.spec.keys, strict=True))
        return told, 0 if self._is_lpm else priority

    def find(self, key: tuple[Match, ...], priority: int) -> int:
        """The number of the entry with this key and priority; -1 if there is none."""
        if self.layout.exact:
            if not self.spec.keys:
                return -1
            packed = self.layout.key.pack([m.value for m in key if isinstance(m, Exact)])
            return int(self._lib.p4_find(self._engine, self.number, packed))
        return self._identities.get(self._identity(key, priority), -1)

    def existing(self, key: tuple[Match, ...], priority: int) -> int:
        """NOT_FOUND if there is none."""
        found = self.find(key, priority)
        if found < 0:
            raise StateError(ErrorKind.NOT_FOUND, f"table {self.spec.name} has no entry with the key {key}")
        return found

    # --- changes ---

    def _action(self, entry: Entry) -> tuple[int, int, bytes]:
        """(action number, kind, arguments in memory)."""
        match entry.action:
            case ActionCall(name, args):
                number, packing = self.actions[name]
                return number, ACTION, packing.pack(args)
            case MemberRef(number):
                return 0, MEMBER, number.to_bytes(8, "little")
            case GroupRef(number):
                return 0, GROUP, number.to_bytes(8, "little")
            case ActionSet():
                raise AssertionError("target.tables turns a one-shot action set into a GroupRef")
            case _:
                assert_never(entry.action)

    def insert(self, entry: Entry, now_ns: int) -> None:
        """ALREADY_EXISTS or RESOURCE_EXHAUSTED if it cannot be added."""
        action, kind, args = self._action(entry)
        packing = self.layout.key
        key_mask, bounds, priority = b"", b"", entry.priority
        if self.layout.exact:
            key = packing.pack([m.value for m in entry.key])  # type: ignore[union-attr]  # all Exact: exact table
        else:
            if self._identity(entry.key, entry.priority) in self._identities:
                self._refuse(-1, entry)
            key, key_mask, bounds, priority = self._masked(entry)
        made = self._lib.p4_insert(
            self._engine, self.number, key, key_mask, bounds, priority, action, kind, args, len(args),
            ORIGINS.index(entry.origin), entry.idle_timeout_ns, now_ns,
        )  # fmt: skip
        if made < 0:
            self._refuse(made, entry)
        if not self.layout.exact:
            self._keys[made] = entry.key
            self._identities[self._identity(entry.key, entry.priority)] = made
        if entry.metadata or entry.controller_metadata:
            self._remember(made, entry)

    def _masked(self, entry: Entry) -> tuple[bytes, bytes, bytes, int]:
        pairs = [value_and_mask(m, k.width) for m, k in zip(entry.key, self.spec.keys, strict=True)]
        packing = self.layout.key
        priority = entry.priority
        if self._is_lpm:
            told = self._identity(entry.key, 0)[0]
            priority = next(m.prefix_length for m in told if isinstance(m, Lpm))
        return (
            packing.pack([v for v, _ in pairs]),
            packing.pack([b for _, b in pairs]),
            self._bounds(entry),
            priority,
        )

    def _bounds(self, entry: Entry) -> bytes:
        if not self.layout.ranges:
            return b""
        low, high = [], []
        for match, key in zip(entry.key, self.spec.keys, strict=True):
            told = normal(match, key.kind, key.width)
            low.append(told.low if isinstance(told, Range) else 0)
            high.append(told.high if isinstance(told, Range) else 0)
        return self.layout.key.pack(low) + self.layout.key.pack(high)

    def _refuse(self, why: int, entry: Entry) -> None:
        name = self.spec.name
        if why == -1:
            raise StateError(
                ErrorKind.ALREADY_EXISTS, f"table {name} already has an entry with the key {entry.key}"
            )
        if why == -2:
            raise StateError(
                ErrorKind.RESOURCE_EXHAUSTED, f"table {name} is full: it holds {self.size} entries"
            )
        raise StateError(
            ErrorKind.RESOURCE_EXHAUSTED, f"there is no memory for another entry of table {name}"
        )

    def modify(self, entry: Entry, now_ns: int) -> None:
        number = self.existing(entry.key, entry.priority)
        action, kind, args = self._action(entry)
        self._lib.p4_modify(
            self._engine, self.number, number, action, kind, args, len(args), entry.idle_timeout_ns, now_ns
        )
        self.forget(number)
        if entry.metadata or entry.controller_metadata:
            self._remember(number, entry)

    def _remember(self, number: int, entry: Entry) -> None:
        raw = self.raw(number)
        self._metadata[number] = raw.sequence, entry.metadata, entry.controller_metadata
        self._lib.p4_annotate(self._engine, self.number, 1)

    def forget(self, number: int) -> None:
        """The metadata of an entry that is gone, or is another now."""
        if self._metadata.pop(number, None) is not None and not self._metadata:
            self._lib.p4_annotate(self._engine, self.number, 0)

    def remove(self, number: int) -> None:
        """Take out the entry of that number."""
        key_mask = b""
        if not self.layout.exact:
            key = self._keys.pop(number)
            del self._identities[self._identity(key, self.raw(number).priority)]
            pairs = [value_and_mask(m, k.width) for m, k in zip(key, self.spec.keys, strict=True)]
            key_mask = self.layout.key.pack([b for _, b in pairs])
        self.forget(number)
        self._lib.p4_remove(self._engine, self.number, number, key_mask)

    def set_default(self, call: ActionCall) -> None:
        number, packing = self.actions[call.action]
        args = packing.pack(call.args)
        self._lib.p4_set_default(self._engine, self.number, number, args, len(args))
        self.default = call

    # --- replacing another program's table ---

    def can_adopt(self, other: NativeTable) -> bool:
        """Whether the other's entries lie in memory as ours do."""
        ours, theirs = self.layout, other.layout
        return (
            self.size == other.size
            and (ours.head, ours.args, ours.size, ours.ranges, ours.exact)
            == (theirs.head, theirs.args, theirs.size, theirs.ranges, theirs.exact)
            and ours.key.members == theirs.key.members
            and all(
                self.actions[ref.action][1].members == other.actions[ref.action][1].members
                for ref in other.spec.actions
            )
        )

    def adopt(self, other: NativeTable) -> None:
        """Take over the entries of a table that can_adopt() has let through; ours, empty, goes there."""
        gone = 0xFFFF
        numbers = [self.actions[name][0] if name in self.actions else gone for name in other._names]
        sequences = other._ffi.new("uint64_t *")
        other._lib.p4_read_settle(other._engine, other.number)
        there = other._lib.p4_table(other._engine, other.number, sequences)
        address = self._ffi.cast("void *", int(other._ffi.cast("uintptr_t", there)))
        self._lib.p4_adopt_table(self._engine, self.number, address, sequences[0], numbers)
        self._keys, other._keys = other._keys, {}
        self._identities, other._identities = other._identities, {}
        self._metadata, other._metadata = other._metadata, {}
        self._lib.p4_annotate(self._engine, self.number, bool(self._metadata))

    # --- reads ---

    def raw(self, number: int) -> Any:
        """The entry as C has it; good until the next call."""
        self._lib.p4_entry(self._engine, self.number, number, self._learned)
        return self._learned[0]

    def describe(self, number: int, now_ns: int) -> EntryState:
        """An entry as it is read from outside."""
        raw = self.raw(number)
        key = bytes(self._ffi.buffer(raw.key, self.layout.key.size))
        args = bytes(self._ffi.buffer(raw.args, self.layout.args))
        return self.state(
            Shown(
                raw.last_ns, raw.timeout_ns, raw.packets, raw.bytes, raw.sequence, raw.priority, number,
                raw.action, raw.origin, raw.kind, key, args,
            ),
            now_ns,
        )  # fmt: skip

    def state(self, shown: Shown, now_ns: int) -> EntryState:
        """What C shows of an entry, as it is read from outside."""
        action: ActionCall | MemberRef | GroupRef
        if shown.kind == ACTION:
            name = self._names[shown.action]
            packing = self.actions[name][1]
            action = ActionCall(name, packing.unpack(shown.args[: packing.size]))
        else:
            reference = int.from_bytes(shown.args[:8], "little")
            action = MemberRef(reference) if shown.kind == MEMBER else GroupRef(reference)
        sequence, metadata, controller = self._metadata.get(shown.number, (-1, b"", 0))
        if sequence != shown.sequence:
            metadata, controller = b"", 0
        if self.layout.exact:
            key: tuple[Match, ...] = tuple(map(Exact, self.layout.key.unpack(shown.key)))
        else:
            key = self._keys[shown.number]
        priority = shown.priority if not self._is_lpm else 0
        told = Entry(
            self.spec.name, key, action, priority, shown.timeout_ns, metadata, controller,
            ORIGINS[shown.origin],
        )  # fmt: skip
        return EntryState(told, max(now_ns - shown.last_ns, 0), shown.packets, shown.volume)

    def numbers(self) -> list[int]:
        """All entries' numbers, in order of insertion."""
        room = max(self.count(), 1)
        ids, sequences = self._ffi.new("uint32_t[]", room), self._ffi.new("uint64_t[]", room)
        found = self._lib.p4_ids(self._engine, self.number, ids, sequences, room)
        return [i for _, i in sorted(zip(sequences[0:found], ids[0:found], strict=True))]

    def states(self, now_ns: int) -> Iterator[EntryState]:
        """Every entry, in order of insertion; one that went meanwhile is left out."""
        sequences = {number: self.raw(number).sequence for number in self.numbers()}
        for number, sequence in sequences.items():
            raw = self.raw(number)
            if raw.id == number and raw.sequence == sequence and self._is_live(number):
                yield self.describe(number, now_ns)

    def _is_live(self, number: int) -> bool:
        return bool(self._lib.p4_is_live(self._engine, self.number, number))

    def count(self) -> int:
        return int(self._lib.p4_count(self._engine, self.number))
