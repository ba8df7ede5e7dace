"""Reading table entries and their direct resources: selection and filters (P4Runtime 1.5 §9.1.5, §9.1.6).

In: the TableEntry of a query; what is set in it filters, or asks for a direct resource. Out: entities.
Called by `reader`.

Rows are collected at once and encoded when the iterator is advanced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from p4nic.backend.api import Count, DefaultOf, EntryState, Marks, MeterConfig
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.program import ActionCall
from p4nic.server.codec.meter import encode_marks
from p4nic.server.codec.scalar import invalid
from p4nic.server.codec.table import LEARNED, TableCodec
from p4nic.server.forwarding import Forwarding
from p4nic.target.checks import check_key, spell_key
from p4nic.target.entities import EntryKey
from p4rt import p4r

Visible = Callable[[int], bool]
"""Whether the client's role sees the object with this P4Info id."""
_Metered = tuple[MeterConfig | None, Marks | None]
_Row = tuple[TableCodec, EntryState, _Metered]


def read_entries(
    forwarding: Forwarding, ask: p4r.TableEntry, visible: Visible
) -> Iterator[p4r.Entity | bytes]:
    """Entries as the query selects them, with the direct resources it asks for. Whole tables come as
    serialized ReadResponses where they can."""
    codecs = _selected_tables(forwarding, ask, visible)
    if ask.is_default_action:
        return _defaults(forwarding, ask, codecs)
    if ask.table_id and ask.HasField("time_since_last_hit") and not codecs[0].ages:
        raise invalid(f"{codecs[0].place} does not support idle timeouts; leave time_since_last_hit unset")
    parts = [_bulk(forwarding, ask, codec) or _one_by_one(forwarding, ask, codec) for codec in codecs]
    return chain.from_iterable(parts)


def _bulk(forwarding: Forwarding, ask: p4r.TableEntry, codec: TableCodec) -> Iterator[bytes] | None:
    """All of a table, begun at this call; None if it has to go entry by entry."""
    wire = forwarding.wire()
    filters = ask.match or ask.HasField("action") or ask.priority or ask.metadata or ask.controller_metadata
    metered = codec.table.meter is not None and (
        ask.HasField("meter_config") or ask.HasField("meter_counter_data")
    )
    if wire is None or filters or metered or not wire.knows(codec.name):
        return None
    pieces = forwarding.tables().rows.read(codec.name)
    if pieces is None:
        return None
    counter, idle = ask.HasField("counter_data"), ask.HasField("time_since_last_hit")
    return (wire.encode(codec.name, rows, counter=counter, idle=idle) for rows in pieces)


def _one_by_one(forwarding: Forwarding, ask: p4r.TableEntry, codec: TableCodec) -> Iterator[p4r.Entity]:
    wanted = ask.HasField("meter_config"), ask.HasField("meter_counter_data")
    rows = list(_rows(forwarding, ask, [codec], *wanted))
    return (_entity(forwarding, ask, *row) for row in rows)


def read_direct_counters(
    forwarding: Forwarding, query: p4r.DirectCounterEntry, visible: Visible
) -> Iterator[p4r.Entity]:
    """Counters of the selected entries; a whole key without an entry is NOT_FOUND (§9.3.1)."""
    codecs = _direct_tables(forwarding, query.table_entry, visible, "counter")
    found: list[tuple[p4r.TableEntry, Count]] = []
    if query.table_entry.is_default_action:
        found = [(c.encode_default_key(), forwarding.tables().default_counter(c.name)) for c in codecs]
    else:
        for codec, state, _ in _direct_rows(forwarding, query.table_entry, codecs):
            found.append((codec.encode_key(state.entry), (state.packets, state.bytes)))
    return iter(
        [
            p4r.Entity(direct_counter_entry=p4r.DirectCounterEntry(table_entry=key, data=_count(*count)))
            for key, count in found
        ]
    )


def read_direct_meters(
    forwarding: Forwarding, query: p4r.DirectMeterEntry, visible: Visible
) -> Iterator[p4r.Entity]:
    """Meter configurations of the selected entries, unset where the default, and what they have coloured if
    the query asks for it (§9.4.1)."""
    marked = query.HasField("counter_data")
    codecs = _direct_tables(forwarding, query.table_entry, visible, "meter")
    found: list[tuple[TableCodec, p4r.TableEntry, _Metered]] = []
    if query.table_entry.is_default_action:
        for codec in codecs:
            metered = _metered(forwarding, DefaultOf(codec.name), True, marked)
            found.append((codec, codec.encode_default_key(), metered))
    else:
        for codec, state, metered in _direct_rows(forwarding, query.table_entry, codecs, True, marked):
            found.append((codec, codec.encode_key(state.entry), metered))
    entities = []
    for codec, key, (config, marks) in found:
        message = p4r.DirectMeterEntry(table_entry=key)
        if config is not None:
            message.config.CopyFrom(codec.encode_meter(config))
        if marks is not None:
            message.counter_data.CopyFrom(encode_marks(marks))
        entities.append(p4r.Entity(direct_meter_entry=message))
    return iter(entities)


# --- selection ----------------------------------------------------------------------------------------------


def _selected_tables(forwarding: Forwarding, ask: p4r.TableEntry, visible: Visible) -> list[TableCodec]:
    if ask.table_id:
        codec = forwarding.codec.table(ask.table_id)
        return [codec] if visible(codec.id) else []
    if ask.match or ask.HasField("action") or ask.priority or ask.metadata or ask.controller_metadata:
        raise invalid(
            "a read of all tables takes no filter; name a table, or leave match, action, priority "
            "and metadata out"
        )
    return [codec for codec in forwarding.codec.tables.values() if visible(codec.id)]


def _rows(
    forwarding: Forwarding,
    ask: p4r.TableEntry,
    codecs: Iterable[TableCodec],
    config: bool = False,
    marks: bool = False,
) -> Iterator[_Row]:
    """`config`, `marks`: what of its direct meter is wanted, if the table has one."""
    for codec in codecs:
        keep = _filter(forwarding, codec, ask)
        for state in _states(forwarding, codec, ask):
            if keep is not None and not keep(state):
                continue
            metered: _Metered = (None, None)
            if codec.table.meter is not None and (config or marks):
                key = EntryKey(codec.name, state.entry.key, state.entry.priority)
                try:
                    metered = _metered(forwarding, key, config, marks)
                except StateError as error:
                    if error.kind is not ErrorKind.NOT_FOUND:
                        raise
                    continue  # it has aged out between the two looks
            yield codec, state, metered


def _metered(forwarding: Forwarding, owner: EntryKey | DefaultOf, config: bool, marks: bool) -> _Metered:
    tables = forwarding.tables()
    return tables.direct_meter(owner) if config else None, tables.direct_marks(owner) if marks else None


def _states(forwarding: Forwarding, codec: TableCodec, ask: p4r.TableEntry) -> Iterable[EntryState]:
    if not ask.match:
        return forwarding.tables().read(codec.name)
    key = codec.decode_key(ask)
    if codec.table.has_priority and not ask.priority:
        check_key(codec.table, key.key, 1)  # the priority is a wildcard here, so any will do
        return forwarding.tables().read(codec.name, lambda state: state.entry.key == key.key)
    found = forwarding.tables().find(key)
    return () if found is None else (found,)


def _filter(
    forwarding: Forwarding, codec: TableCodec, ask: p4r.TableEntry
) -> Callable[[EntryState], bool] | None:
    """None where everything passes."""
    action = _action_filter(forwarding, codec, ask) if ask.HasField("action") else None
    if not (action or ask.priority or ask.metadata or ask.controller_metadata):
        return None

    def keep(state: EntryState) -> bool:
        entry = state.entry
        metadata = entry.metadata or (LEARNED if entry.origin == "learned" else b"")
        return (
            (action is None or (isinstance(entry.action, ActionCall) and entry.action.action == action))
            and ask.priority in (0, entry.priority)
            and ask.metadata in (b"", metadata)
            and ask.controller_metadata in (0, entry.controller_metadata)
        )

    return keep


def _action_filter(forwarding: Forwarding, codec: TableCodec, ask: p4r.TableEntry) -> str:
    if ask.action.WhichOneof("type") != "action":
        raise invalid(
            f"{codec.place}: a read filters by action id only, not by member, group or one-shot set"
        )
    number = ask.action.action.action_id
    name = forwarding.codec.actions.name_of(number)
    if name is None:
        raise invalid(f"{codec.place}: there is no action with id {number} to filter by")
    return name


def _direct_tables(
    forwarding: Forwarding, ask: p4r.TableEntry, visible: Visible, what: str
) -> list[TableCodec]:
    """The selected tables that have a direct counter or meter; INVALID_ARGUMENT if the one named has none."""
    codecs = _selected_tables(forwarding, ask, visible)
    have = [codec for codec in codecs if getattr(codec.table, what) is not None]
    if ask.table_id and codecs and not have:
        raise invalid(f"{codecs[0].place} has no direct {what}")
    if ask.is_default_action:
        for codec in have:
            codec.check_default(ask)
    return have


def _direct_rows(
    forwarding: Forwarding,
    ask: p4r.TableEntry,
    codecs: list[TableCodec],
    config: bool = False,
    marks: bool = False,
) -> list[_Row]:
    rows = list(_rows(forwarding, ask, codecs, config, marks))
    if ask.match and codecs and not rows:
        key = codecs[0].decode_key(ask)
        spelled = spell_key(codecs[0].table.keys, key.key, key.priority)
        raise StateError(ErrorKind.NOT_FOUND, f"{codecs[0].place}: there is no entry {spelled}")
    return rows


# --- encoding -----------------------------------------------------------------------------------------------


def _entity(
    forwarding: Forwarding,
    ask: p4r.TableEntry,
    codec: TableCodec,
    state: EntryState,
    metered: _Metered,
) -> p4r.Entity:
    message = codec.encode(state)
    if codec.table.implementation is not None:
        _restore_one_shot(forwarding, codec, state, message)
    if codec.table.counter is not None and ask.HasField("counter_data"):
        message.counter_data.CopyFrom(_count(state.packets, state.bytes))
    _add_meter(codec, message, metered)
    if codec.ages and ask.HasField("time_since_last_hit"):
        message.time_since_last_hit.elapsed_ns = state.idle_ns
    return p4r.Entity(table_entry=message)


def _count(packets: int, bytes_: int) -> p4r.CounterData:
    return p4r.CounterData(packet_count=packets, byte_count=bytes_)


def _add_meter(codec: TableCodec, message: p4r.TableEntry, metered: _Metered) -> None:
    config, marks = metered
    if config is not None:
        message.meter_config.CopyFrom(codec.encode_meter(config))
    if marks is not None:
        message.meter_counter_data.CopyFrom(encode_marks(marks))


def _restore_one_shot(
    forwarding: Forwarding, codec: TableCodec, state: EntryState, message: p4r.TableEntry
) -> None:
    """What a one-shot said about its mode and semantics (read-write symmetry, §8.3)."""
    entry = state.entry
    kept = forwarding.kept(("one-shot", EntryKey(codec.name, entry.key, entry.priority)))
    if kept is not None and message.action.WhichOneof("type") == "action_profile_action_set":
        message.action.action_profile_action_set.MergeFrom(p4r.ActionProfileActionSet.FromString(kept))


def _defaults(
    forwarding: Forwarding, ask: p4r.TableEntry, codecs: Iterable[TableCodec]
) -> Iterator[p4r.Entity]:
    rows = []
    for codec in codecs:
        codec.check_default(ask)
        call = forwarding.tables().default(codec.name)
        if not ask.HasField("action") or _action_filter(forwarding, codec, ask) == call.action:
            message = codec.encode_default(call, forwarding.kept(("default entry", codec.name)))
            own = message.controller_metadata
            if ask.metadata in (b"", message.metadata) and ask.controller_metadata in (0, own):
                _add_default_resources(forwarding, ask, codec, message)
                rows.append(p4r.Entity(table_entry=message))
    return iter(rows)


def _add_default_resources(
    forwarding: Forwarding, ask: p4r.TableEntry, codec: TableCodec, message: p4r.TableEntry
) -> None:
    """Those the query asks for and the table has (§9.1.6)."""
    if codec.table.counter is not None and ask.HasField("counter_data"):
        message.counter_data.CopyFrom(_count(*forwarding.tables().default_counter(codec.name)))
    wanted = ask.HasField("meter_config"), ask.HasField("meter_counter_data")
    if codec.table.meter is not None and any(wanted):
        _add_meter(codec, message, _metered(forwarding, DefaultOf(codec.name), *wanted))
