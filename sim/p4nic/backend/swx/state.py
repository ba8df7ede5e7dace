"""What the control plane has written, and what of it DPDK has not seen yet.

In: entries, members, groups, default actions by P4 name. Out: the changes of the next commit, in the shim's
bytes. Called by `pipeline`.

DPDK has transactions: changes pile up and become visible with one commit. So writes are kept here, places
that changed are marked, and a commit sends what is at those places now. An undone write costs nothing, and
after a crash everything is marked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import final

from p4nic.backend.api import ActionSet, Entry, GroupRef, MemberRef
from p4nic.backend.swx import wire
from p4nic.backend.swx.layout import ActionLayout, Description, Slot, TableLayout, dpdk_priority
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.image import SpecImage, SpecTable
from p4nic.ir.program import ActionCall, Match, Program, Table

_ADD, _DELETE, _DEFAULT = 1, 2, 3
Identity = tuple[tuple[Match, ...], int]


@final
@dataclass(slots=True)
class TableState:
    """One table. `slots`: by DPDK's place, then by priority.

    DPDK takes two entries that differ in priority alone for one. Only the higher one can match: it is sent.
    """

    table: Table
    spec: SpecTable
    layout: TableLayout
    default: ActionCall
    entries: dict[Identity, Entry] = field(default_factory=dict)
    slots: dict[Slot, dict[int, Entry]] = field(default_factory=dict)
    changed: dict[Slot, None] = field(default_factory=dict)
    default_changed: bool = False

    def slot(self, key: tuple[Match, ...]) -> Slot:
        return self.layout.slot(self.table.name, self.table.keys, key)

    def put(self, entry: Entry) -> Slot:
        slot = self.slot(entry.key)
        dpdk_priority(self.table.name, self.table.keys, entry.key, entry.priority)
        self.entries[entry.key, entry.priority] = entry
        self.slots.setdefault(slot, {})[entry.priority] = entry
        self.changed[slot] = None
        return slot

    def remove(self, key: tuple[Match, ...], priority: int) -> None:
        slot = self.slot(key)
        del self.entries[key, priority]
        del self.slots[slot][priority]
        if not self.slots[slot]:
            del self.slots[slot]
        self.changed[slot] = None


@final
@dataclass(slots=True)
class ProfileState:
    """One action profile. `dpdk_groups`: DPDK numbers groups itself."""

    spec: SpecTable
    selector: str | None
    layout: TableLayout
    members: dict[int, ActionCall] = field(default_factory=dict)
    changed: dict[int, None] = field(default_factory=dict)
    groups: dict[int, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    dpdk_groups: dict[int, int] = field(default_factory=dict)


@final
class State:
    """All tables that the control plane writes (learners are not among them)."""

    def __init__(self, program: Program, image: SpecImage, description: Description) -> None:
        self._actions: Mapping[str, ActionLayout] = description.actions
        self.tables = {
            name: TableState(table, spec, description.tables[spec.name], table.default)
            for name, table in program.tables.items()
            for spec in [image.tables[name]]
            if not table.is_learner
        }
        self.profiles = {
            name: ProfileState(p.members, p.selector, description.tables[p.members.name])
            for name, p in image.profiles.items()
        }

    def changes(self) -> list[bytes]:
        """Everything to send with the next commit, members before the entries that need them."""
        out = [change for profile in self.profiles.values() for change in self._member_changes(profile)]
        for table in self.tables.values():
            # Deletions first: a full table can be exchanged in one batch.
            ordered = sorted(table.changed, key=lambda slot: slot in table.slots)
            out += [self._entry_change(table, slot) for slot in ordered]
            if table.default_changed:
                number, data = self._call(table.spec, table.default)
                out.append(_change(_DEFAULT, table.spec.name, Slot(b"", b""), 0, number, data))
        return out

    def committed(self) -> None:
        """DPDK has them."""
        for table in self.tables.values():
            table.changed.clear()
            table.default_changed = False
        for profile in self.profiles.values():
            profile.changed.clear()

    def lost(self) -> None:
        """A fresh DPDK knows nothing of it."""
        for table in self.tables.values():
            table.changed = dict.fromkeys(table.slots)
            table.default_changed = table.default != table.table.default
        for profile in self.profiles.values():
            profile.changed = dict.fromkeys(profile.members)
            profile.dpdk_groups.clear()

    def regrouped(self, profile: str, group_id: int) -> None:
        """DPDK has given a group another number: entries that point to it must be sent again."""
        for table in self.tables.values():
            if table.table.implementation == profile:
                for entry in table.entries.values():
                    if entry.action == GroupRef(group_id):
                        table.changed[table.slot(entry.key)] = None

    def entries(self) -> Iterator[Entry]:
        """All entries, for a report."""
        for table in self.tables.values():
            yield from table.entries.values()

    def _member_changes(self, profile: ProfileState) -> Iterator[bytes]:
        (place,) = profile.layout.fields
        for member_id in profile.changed:
            slot = Slot(member_id.to_bytes(place.size, place.order), b"")
            call = profile.members.get(member_id)
            if call is None:
                yield _change(_DELETE, profile.spec.name, slot, 0, 0, b"")
            else:
                yield _change(_ADD, profile.spec.name, slot, 0, *self._call(profile.spec, call))

    def _entry_change(self, table: TableState, slot: Slot) -> bytes:
        rivals = table.slots.get(slot)
        if not rivals:
            return _change(_DELETE, table.spec.name, slot, 0, 0, b"")
        entry = rivals[max(rivals)]
        priority = dpdk_priority(table.table.name, table.table.keys, entry.key, entry.priority)
        return _change(_ADD, table.spec.name, slot, priority, *self._action(table, entry))

    def _action(self, table: TableState, entry: Entry) -> tuple[int, bytes]:
        match entry.action:
            case ActionCall():
                return self._call(table.spec, entry.action)
            case MemberRef(member_id):
                return self._setter(table, table.spec.set_member, member_id)
            case GroupRef(group_id):
                assert table.table.implementation is not None
                groups = self.profiles[table.table.implementation].dpdk_groups
                return self._setter(table, table.spec.set_group, groups[group_id])
            case ActionSet():
                raise AssertionError(f"{entry}: target.tables turns one-shots into groups")

    def _setter(self, table: TableState, action: str | None, number: int) -> tuple[int, bytes]:
        if action is None:
            raise StateError(
                ErrorKind.UNIMPLEMENTED,
                f"table {table.table.name}: the .spec has no action that points an entry there",
            )
        layout = self._actions[action]
        return layout.number, layout.encode((number,))

    def _call(self, spec: SpecTable, call: ActionCall) -> tuple[int, bytes]:
        layout = self._actions[spec.actions[call.action]]
        return layout.number, layout.encode(call.args)


def _change(kind: int, table: str, slot: Slot, priority: int, action: int, data: bytes) -> bytes:
    head = wire.u8(kind) + wire.name(table) + wire.sized(slot.key) + wire.sized(slot.mask)
    return head + wire.u32(priority) + wire.u32(action) + wire.sized(data)
