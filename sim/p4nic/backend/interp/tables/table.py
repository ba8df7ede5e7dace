"""A match-action table: its entries, their order, their numbers, and the default action.

In: changes from the pipeline (control plane) and from `Learner` (data plane). Generated code calls
`find` and reads `default`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import final

from p4nic.backend.api import ActionSet, Entry, EntryState, GroupRef, MemberRef
from p4nic.backend.interp.ageing import Ageing
from p4nic.backend.interp.meters import TokenMeter
from p4nic.backend.interp.tables.entry import ActionCode, Identity, TableEntry
from p4nic.backend.interp.tables.indexes import index_for
from p4nic.errors import ErrorKind, StateError
from p4nic.ir import program as ir
from p4nic.ir.program import ActionCall, Match


@final
class MatchTable:
    """The state of one ir.Table. Checks only what would corrupt it (full, present, absent); the target
    validates the rest.
    """

    def __init__(
        self,
        spec: ir.Table,
        size: int,
        actions: Mapping[str, ActionCode],
        ageing: Ageing,
        numbers: Iterator[int],
    ) -> None:
        self.spec = spec
        self.size = size
        self.entries: dict[Identity, TableEntry] = {}
        self.index = index_for(spec.keys, self.entries)
        self.find = self.index.find
        self.hits = 0
        self.misses = 0
        self._actions = actions
        self._ageing = ageing
        self._numbers = numbers
        self._free_ids: list[int] = []
        self._fresh_ids = count()
        self.default = TableEntry(spec.name, (), (), 0, "const")
        self.set_default(spec.default)
        for const in spec.const_entries:
            origin = spec.entries_origin
            self.insert(Entry(spec.name, const.key, const.call, const.priority, origin=origin), 0)

    # --- changes ---

    def set_default(self, call: ActionCall) -> None:
        """Replace the action of a miss."""
        self.default.action, self.default.args = self._actions[call.action], call.args

    def insert(self, entry: Entry, now_ns: int) -> None:
        """Add; ALREADY_EXISTS or RESOURCE_EXHAUSTED otherwise."""
        identity = self.index.identity(entry.key, entry.priority)
        if identity in self.entries:
            raise StateError(
                ErrorKind.ALREADY_EXISTS,
                f"table {self.spec.name} already has an entry with the key {entry.key}",
            )
        if len(self.entries) >= self.size:
            raise StateError(
                ErrorKind.RESOURCE_EXHAUSTED, f"table {self.spec.name} is full: it holds {self.size} entries"
            )
        made = TableEntry(self.spec.name, identity, entry.key, entry.priority, entry.origin)
        self._fill(made, entry, now_ns)
        self.add(made)

    def modify(self, entry: Entry, now_ns: int) -> None:
        """Replace action, timeout and metadata; a learned entry keeps its timeout unless one is given."""
        found = self.existing(entry.key, entry.priority)
        keeps_profile = found.origin == "learned" and not entry.idle_timeout_ns
        timeout_ns = found.timeout_ns
        self._fill(found, entry, now_ns)
        if keeps_profile:
            found.timeout_ns = timeout_ns
        self._ageing.forget(found)
        self._ageing.arm(found)

    def delete(self, entry: Entry) -> None:
        self.remove(self.existing(entry.key, entry.priority))

    def _fill(self, made: TableEntry, entry: Entry, now_ns: int) -> None:
        match entry.action:
            case ActionCall(name, args):
                made.action, made.args, made.ref = self._actions[name], args, None
            case MemberRef() | GroupRef():
                made.action, made.args, made.ref = None, (), entry.action
            case ActionSet():
                raise AssertionError("target.tables turns a one-shot action set into a GroupRef")
        made.timeout_ns = entry.idle_timeout_ns
        made.metadata = entry.metadata
        made.controller_metadata = entry.controller_metadata
        made.last_ns = now_ns

    def add(self, made: TableEntry) -> None:
        """Take in an entry that is not there yet; the caller has checked the size."""
        made.sequence = next(self._numbers)
        # Freed numbers are used again, the last one first: they stay below the size and are deterministic.
        made.id = self._free_ids.pop() if self._free_ids else next(self._fresh_ids)
        self.entries[made.identity] = made
        self.index.add(made)
        self._ageing.arm(made)

    def remove(self, entry: TableEntry) -> None:
        """Take out an entry that is there."""
        del self.entries[entry.identity]
        self.index.remove(entry)
        self._free_ids.append(entry.id)
        self._ageing.forget(entry)
        entry.timeout_ns = 0  # a packet under way may still refresh it; that must not bring its timer back

    def adopt(self, other: MatchTable) -> None:
        """Take over the entries of another program's table with the same key and actions. The dict stays
        ours, because generated code holds it.
        """
        self.entries.update(other.entries)
        self.index.adopt(other.index)
        for entry in self.entries.values():
            if entry.action is not None:
                entry.action = self._actions[entry.action.name]
        self._free_ids, self._fresh_ids, self._numbers = other._free_ids, other._fresh_ids, other._numbers

    # --- reads ---

    def existing(self, key: tuple[Match, ...], priority: int) -> TableEntry:
        """The entry with this key and priority; NOT_FOUND otherwise."""
        found = self.entries.get(self.index.identity(key, priority))
        if found is None:
            raise StateError(ErrorKind.NOT_FOUND, f"table {self.spec.name} has no entry with the key {key}")
        return found

    def get(self, key: tuple[Match, ...], priority: int) -> TableEntry | None:
        """Like `existing`, None if absent."""
        return self.entries.get(self.index.identity(key, priority))

    def describe(self, entry: TableEntry, now_ns: int) -> EntryState:
        """An entry as it is read from outside."""
        action: ActionCall | MemberRef | GroupRef
        if entry.ref is not None:
            action = entry.ref
        else:
            assert entry.action is not None
            action = ActionCall(entry.action.name, entry.args)
        told = Entry(
            self.spec.name, self.index.matches_of(entry), action, entry.priority, entry.timeout_ns,
            entry.metadata, entry.controller_metadata, entry.origin,
        )  # fmt: skip
        return EntryState(told, max(now_ns - entry.last_ns, 0), entry.packets, entry.bytes)

    def meter_of(self, entry: TableEntry) -> TokenMeter:
        """The entry's direct meter, made on demand."""
        if entry.meter is None:
            entry.meter = TokenMeter()
        return entry.meter
