"""Table entries: p4.v1.TableEntry to what `Tables` takes, and EntryState back (P4Runtime 1.5 §9.1).

In: a TableEntry and the kind of update. Out: a Change. And for reads: a TableEntry with what the request
asked for.

MODIFY without an action leaves the entry alone and writes its direct resources only; that is also the only
MODIFY a constant table takes.
"""

from __future__ import annotations

from typing import final

from p4nic.backend.api import Count, DefaultOf, Entry, EntryState, MeterConfig
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.program import ActionCall, Table
from p4nic.load.p4info_model import TableInfo
from p4nic.server.change import Change, Note
from p4nic.server.codec.action import ActionCodec, Actions
from p4nic.server.codec.match import KeyCodec
from p4nic.server.codec.meter import MeterCodec, decode_unmark
from p4nic.server.codec.scalar import invalid
from p4nic.target.checks import check_count
from p4nic.target.entities import (
    DefaultEntry,
    DirectCounter,
    DirectMeter,
    Entity,
    EntryKey,
    Operation,
    TableWrite,
)
from p4rt import p4r

LEARNED = b"learned"
"""The metadata of an entry the data plane inserted, unless the control plane has given it another."""


@final
class TableCodec:
    """One table of the P4Info."""

    def __init__(
        self,
        info: TableInfo,
        table: Table,
        key: KeyCodec,
        actions: Actions,
        meter: MeterCodec | None,
    ) -> None:
        self.id = info.id
        self.name = info.name
        self.table = table
        self.key = key
        self.place = f"table {info.name}"
        self._actions = actions
        self._meter = meter
        self._entry_actions = [r.action for r in table.actions if r.scope != "default_only"]
        self._default_actions = [r.action for r in table.actions if r.scope != "table_only"]
        self.ages = table.idle_timeout or table.is_learner

    # --- writes ---

    def change(self, operation: Operation, message: p4r.TableEntry) -> Change:
        if message.is_const:
            raise invalid(f"{self.place}: is_const is the switch's to say; leave it unset in a write")
        if message.is_default_action:
            return self._default_change(operation, message)
        if self.table.entries_are_const and operation != "modify":
            raise StateError(
                ErrorKind.PERMISSION_DENIED,
                f"{self.place}: its entries are constant; only their counters and meters and the "
                "default action may change",
            )
        key = self.decode_key(message)
        if operation == "delete":
            return Change(
                ((operation, key),), note=one_shot_note(key, None) if self.table.implementation else None
            )
        self._refuse_read_only(message)
        if not message.HasField("action"):
            if operation == "insert":
                raise invalid(f"{self.place}: an entry to insert needs an action")
            return self._direct_change(key, message)
        return self._entry_change(operation, key, message)

    def _entry_change(self, operation: Operation, key: EntryKey, message: p4r.TableEntry) -> Change:
        entry = Entry(
            self.name,
            key.key,
            self._actions.decode_entry(message.action, self.place, self._entry_actions),
            key.priority,
            message.idle_timeout_ns,
            message.metadata,
            message.controller_metadata,
        )
        note = one_shot_note(key, message.action) if self.table.implementation else None
        direct = self._decode_direct(message)
        if direct == (None, None, False):
            return Change(((operation, entry),), note=note)
        return Change(((operation, TableWrite(entry, *direct)),), note=note)

    def _direct_change(self, key: EntryKey, message: p4r.TableEntry) -> Change:
        counter, meter, unmark = self._decode_direct(message)
        steps: list[tuple[Operation, Entity]] = []
        if counter is not None:
            check_count(f"{self.place}, direct counter", *counter)
            steps.append(("modify", DirectCounter(key, *counter)))
        if self.table.meter or meter is not None or unmark:
            steps.append(("modify", DirectMeter(key, meter, unmark)))
        return Change(tuple(steps), must_exist=None if steps else key)

    def _default_change(self, operation: Operation, message: p4r.TableEntry) -> Change:
        if operation != "modify":
            verb = "inserted" if operation == "insert" else "deleted"
            raise invalid(f"{self.place}: the default entry can only be modified, not {verb}")
        self.check_default(message)
        self._refuse_read_only(message)
        direct = self._decode_direct(message)
        key = ("default entry", self.name)
        if not message.HasField("action"):
            return Change((("modify", DefaultEntry(self.name, None, *direct)),), note=Note(key, None))
        call = self._actions.decode_entry(message.action, self.place, self._default_actions)
        if not isinstance(call, ActionCall):
            raise invalid(
                f"{self.place}: the default entry carries an action, not a member, group or one-shot set"
            )
        kept = p4r.TableEntry(metadata=message.metadata, controller_metadata=message.controller_metadata)
        return Change(
            (("modify", DefaultEntry(self.name, call, *direct)),),
            note=Note(key, kept.SerializeToString() or None),
        )

    def check_default(self, message: p4r.TableEntry) -> None:
        """What a default entry must not carry, in a write or a read."""
        if message.match:
            raise invalid(f"{self.place}: the default entry has no match fields; leave `match` empty")
        if message.priority:
            raise invalid(f"{self.place}: the default entry has no priority; {message.priority} must be 0")
        if message.idle_timeout_ns or message.HasField("time_since_last_hit"):
            raise invalid(
                f"{self.place}: the default entry does not age; leave idle_timeout_ns and "
                "time_since_last_hit unset"
            )

    def _refuse_read_only(self, message: p4r.TableEntry) -> None:
        if message.HasField("time_since_last_hit"):
            raise invalid(f"{self.place}: time_since_last_hit can be read, not written; leave it unset")

    def decode_owner(self, message: p4r.TableEntry) -> EntryKey | DefaultOf:
        """Whose direct resources are meant."""
        if not message.is_default_action:
            return self.decode_key(message)
        self.check_default(message)
        return DefaultOf(self.name)

    def decode_key(self, message: p4r.TableEntry) -> EntryKey:
        return EntryKey(self.name, self.key.decode(message.match), message.priority)

    def _decode_direct(self, message: p4r.TableEntry) -> tuple[Count | None, MeterConfig | None, bool]:
        """Counter, meter, and whether what the meter has coloured is 0 again."""
        counter = message.counter_data if message.HasField("counter_data") else None
        unmark = message.HasField("meter_counter_data")
        if unmark:
            decode_unmark(self.place, message.meter_counter_data)
        return (
            None if counter is None else (counter.packet_count, counter.byte_count),
            self.decode_meter(message.meter_config) if message.HasField("meter_config") else None,
            unmark,
        )

    def decode_meter(self, message: p4r.MeterConfig) -> MeterConfig:
        if self._meter is None:
            raise invalid(f"{self.place} has no direct meter")
        return self._meter.decode(message)

    # --- reads ---

    def action(self, name: str) -> ActionCodec | None:
        """None for an action the compiler made, which the P4Info does not know."""
        return self._actions.codec(name)

    def encode(self, state: EntryState) -> p4r.TableEntry:
        """Everything but the direct resources and the time since the last hit."""
        entry = state.entry
        learned = entry.origin == "learned"
        return p4r.TableEntry(
            table_id=self.id,
            match=self.key.encode(entry.key),
            action=self._actions.encode_entry(entry.action),
            priority=entry.priority,
            controller_metadata=entry.controller_metadata,
            idle_timeout_ns=entry.idle_timeout_ns,
            metadata=entry.metadata or (LEARNED if learned else b""),
            is_const=self.table.entries_are_const and entry.origin == "const",
        )

    def encode_key(self, entry: Entry) -> p4r.TableEntry:
        """What identifies the entry, as DirectCounterEntry and DirectMeterEntry carry it."""
        return p4r.TableEntry(table_id=self.id, match=self.key.encode(entry.key), priority=entry.priority)

    def encode_default_key(self) -> p4r.TableEntry:
        """The same of the default entry."""
        return p4r.TableEntry(table_id=self.id, is_default_action=True)

    def encode_default(self, call: ActionCall, kept: bytes | None) -> p4r.TableEntry:
        message = p4r.TableEntry.FromString(kept or b"")
        message.table_id = self.id
        message.is_default_action = True
        action = self._actions.encode_entry(call)
        if action is not None:
            message.action.CopyFrom(action)
        return message

    def encode_meter(self, config: MeterConfig) -> p4r.MeterConfig:
        assert self._meter is not None
        return self._meter.encode(config)


def one_shot_note(key: EntryKey, action: p4r.TableAction | None) -> Note:
    """Keep how a one-shot spelled its mode and semantics: the target only knows their default."""
    kept = p4r.ActionProfileActionSet()
    if action is not None and action.WhichOneof("type") == "action_profile_action_set":
        kept.action_selection_mode = action.action_profile_action_set.action_selection_mode
        kept.size_semantics = action.action_profile_action_set.size_semantics
    return Note(("one-shot", key), kept.SerializeToString() or None)
