"""How a table finds the entry for a key: one class per discipline, chosen by the kinds of the key fields.

`ExactIndex` is the table's own dict; `LpmIndex` one dict per prefix length, longest first;
`TernaryIndex` (any ternary, range or optional field) one dict per tuple of masks, "tuple-space search",
ordered by the highest priority inside. Among equal priorities the entry inserted first wins, so that
results do not depend on the layout.
"""

from __future__ import annotations

from typing import Protocol, final

from p4nic.backend.interp.tables.entry import Identity, LookupKey, TableEntry
from p4nic.backend.interp.tables.matching import matches, normal, value_and_mask
from p4nic.bits import prefix_mask
from p4nic.ir.program import Exact, Key, Lpm, Match


class Index(Protocol):
    """Entries of one table, by key. The table keeps `entries` (identity to entry); an index may share
    that dict.
    """

    def identity(self, key: tuple[Match, ...], priority: int) -> Identity: ...
    def matches_of(self, entry: TableEntry) -> tuple[Match, ...]: ...
    def add(self, entry: TableEntry) -> None: ...
    def remove(self, entry: TableEntry) -> None: ...
    def find(self, key: LookupKey) -> TableEntry | None: ...
    def adopt(self, other: Index) -> None:
        """Take over what an index of the same kind holds."""
        ...


@final
class ExactIndex:
    """All fields exact (or no field at all: such a table always misses)."""

    def __init__(self, keys: tuple[Key, ...], entries: dict[Identity, TableEntry]) -> None:
        self.keys = keys
        self.find = entries.get

    def identity(self, key: tuple[Match, ...], priority: int) -> Identity:
        values = tuple(m.value for m in key if isinstance(m, Exact))
        return values[0] if len(self.keys) == 1 else values

    def matches_of(self, entry: TableEntry) -> tuple[Match, ...]:
        if entry.key is None:  # learned: written by the data plane as bare values
            values = entry.identity if len(self.keys) != 1 else (entry.identity,)
            entry.key = (
                tuple(Exact(v) for v in values if isinstance(v, int)) if isinstance(values, tuple) else ()
            )
        return entry.key

    def add(self, entry: TableEntry) -> None:
        pass

    def remove(self, entry: TableEntry) -> None:
        pass

    def adopt(self, other: Index) -> None:
        pass


def _given_key(entry: TableEntry) -> tuple[Match, ...]:
    assert entry.key is not None, "only exact tables learn"
    return entry.key


@final
class LpmIndex:
    """One LPM field, the others exact: the longest prefix wins."""

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self.keys = keys
        self.position = next(i for i, k in enumerate(keys) if k.kind == "lpm")
        self.width = keys[self.position].width
        self.by_length: dict[int, dict[LookupKey, TableEntry]] = {}
        self.levels: list[tuple[int, dict[LookupKey, TableEntry]]] = []

    def identity(self, key: tuple[Match, ...], priority: int) -> Identity:
        return tuple(normal(m, k) for m, k in zip(key, self.keys, strict=True)), 0

    def matches_of(self, entry: TableEntry) -> tuple[Match, ...]:
        return _given_key(entry)

    def _prefix(self, entry: TableEntry) -> tuple[int, LookupKey]:
        normalised = tuple(normal(m, k) for m, k in zip(_given_key(entry), self.keys, strict=True))
        prefix = normalised[self.position]
        assert isinstance(prefix, Lpm)
        values = tuple(m.value for m in normalised if isinstance(m, (Exact, Lpm)))
        return prefix.prefix_length, values[0] if len(values) == 1 else values

    def add(self, entry: TableEntry) -> None:
        length, values = self._prefix(entry)
        if length not in self.by_length:
            self.by_length[length] = {}
            self._order()
        self.by_length[length][values] = entry

    def remove(self, entry: TableEntry) -> None:
        length, values = self._prefix(entry)
        del self.by_length[length][values]
        if not self.by_length[length]:
            del self.by_length[length]
            self._order()

    def adopt(self, other: Index) -> None:
        assert isinstance(other, LpmIndex)
        self.by_length, self.levels = other.by_length, other.levels

    def _order(self) -> None:
        longest_first = sorted(self.by_length.items(), key=lambda item: -item[0])
        self.levels = [(prefix_mask(self.width, length), entries) for length, entries in longest_first]

    def find(self, key: LookupKey) -> TableEntry | None:
        if isinstance(key, int):
            for bits, entries in self.levels:
                if (found := entries.get(key & bits)) is not None:
                    return found
            return None
        before, value, after = key[: self.position], key[self.position], key[self.position + 1 :]
        for bits, entries in self.levels:
            if (found := entries.get((*before, value & bits, *after))) is not None:
                return found
        return None


@final
class _MaskGroup:
    """Entries whose masks are equal. `best` is the highest priority among them."""

    __slots__ = ("best", "buckets", "masks")

    def __init__(self, masks: tuple[int, ...]) -> None:
        self.masks = masks
        self.buckets: dict[tuple[int, ...], list[TableEntry]] = {}
        self.best = 0

    def refresh(self) -> None:
        self.best = max(bucket[0].priority for bucket in self.buckets.values())


def _rank(entry: TableEntry) -> tuple[int, int]:
    """Smaller is better: the higher priority, then the earlier insertion."""
    return -entry.priority, entry.sequence


@final
class TernaryIndex:
    """Any kinds mixed: the highest priority wins. A range is compared entry by entry inside its bucket."""

    def __init__(self, keys: tuple[Key, ...]) -> None:
        self.keys = keys
        self.widths = tuple(k.width for k in keys)
        self.ranges = tuple(i for i, k in enumerate(keys) if k.kind == "range")
        self.groups: dict[tuple[int, ...], _MaskGroup] = {}
        self.order: list[_MaskGroup] = []

    def identity(self, key: tuple[Match, ...], priority: int) -> Identity:
        return tuple(normal(m, k) for m, k in zip(key, self.keys, strict=True)), priority

    def matches_of(self, entry: TableEntry) -> tuple[Match, ...]:
        return _given_key(entry)

    def _place(self, entry: TableEntry) -> tuple[tuple[int, ...], tuple[int, ...]]:
        pairs = [value_and_mask(m, w) or (0, 0) for m, w in zip(_given_key(entry), self.widths, strict=True)]
        return tuple(v & b for v, b in pairs), tuple(b for _, b in pairs)

    def add(self, entry: TableEntry) -> None:
        values, masks = self._place(entry)
        group = self.groups.get(masks)
        if group is None:
            group = self.groups[masks] = _MaskGroup(masks)
            self.order.append(group)
        bucket = group.buckets.setdefault(values, [])
        bucket.append(entry)
        bucket.sort(key=_rank)
        if entry.priority > group.best or len(group.buckets) == 1:
            group.refresh()
            self.order.sort(key=lambda g: -g.best)

    def remove(self, entry: TableEntry) -> None:
        values, masks = self._place(entry)
        group = self.groups[masks]
        bucket = group.buckets[values]
        bucket.remove(entry)
        if not bucket:
            del group.buckets[values]
        if not group.buckets:
            del self.groups[masks]
            self.order.remove(group)
        elif entry.priority == group.best:
            group.refresh()
            self.order.sort(key=lambda g: -g.best)

    def find(self, key: LookupKey) -> TableEntry | None:
        values = (key,) if isinstance(key, int) else key
        best: TableEntry | None = None
        for group in self.order:
            if best is not None and best.priority > group.best:
                break
            bucket = group.buckets.get(tuple([v & b for v, b in zip(values, group.masks, strict=True)]))
            if bucket is None:
                continue
            found = bucket[0] if not self.ranges else self._in_ranges(bucket, values)
            if found is not None and (best is None or _rank(found) < _rank(best)):
                best = found
        return best

    def adopt(self, other: Index) -> None:
        assert isinstance(other, TernaryIndex)
        self.groups, self.order = other.groups, other.order

    def _in_ranges(self, bucket: list[TableEntry], values: tuple[int, ...]) -> TableEntry | None:
        for entry in bucket:
            key = _given_key(entry)
            if all(matches(key[i], values[i], self.widths[i]) for i in self.ranges):
                return entry
        return None


def index_for(keys: tuple[Key, ...], entries: dict[Identity, TableEntry]) -> Index:
    """The index for a key. At most one field is LPM unless a priority decides (the verifier sees to it)."""
    kinds = {k.kind for k in keys}
    if kinds & {"ternary", "range", "optional"}:
        return TernaryIndex(keys)
    if "lpm" in kinds:
        return LpmIndex(keys)
    return ExactIndex(keys, entries)
