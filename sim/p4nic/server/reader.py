"""Read: what each entity of a request selects, in messages of a bounded size (P4Runtime 1.5 §13).

In: the entities of a ReadRequest, each a query. Out: entities in the order of the queries, and one result
per query. Called by the service.

Rows are collected while no Write can happen and encoded afterwards, as the client takes them: a client that
stalls holds up nobody, and each response is made when it is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

from p4nic.backend.api import Marks
from p4nic.errors import StateError
from p4nic.server.codec import Codec
from p4nic.server.codec.meter import encode_marks
from p4nic.server.codec.profiles import encode_group, encode_member, profile_name
from p4nic.server.codec.replication import encode_clone, encode_multicast
from p4nic.server.codec.scalar import invalid, unimplemented
from p4nic.server.codec.schema import index_of
from p4nic.server.entry_reader import Visible, read_direct_counters, read_direct_meters, read_entries
from p4nic.server.forwarding import Forwarding
from p4nic.target.entities import MeterCell
from p4rt import p4r

_RESPONSE_BYTES = 256 << 10
Entities = Iterator[p4r.Entity]
Answers = Iterator[p4r.Entity | bytes]
"""Entities, and whole ReadResponses of the bulk path."""


def collect(
    forwarding: Forwarding, queries: Sequence[p4r.Entity], visible: Visible
) -> tuple[Answers, list[StateError | None]]:
    """Run every query. The caller keeps Writes out during this call; the entities may be taken later."""
    found: list[Answers] = []
    results: list[StateError | None] = []
    for query in queries:
        try:
            found.append(_select(forwarding, query, visible))
            results.append(None)
        except StateError as error:
            results.append(error)
    return chain.from_iterable(found), results


def responses(answers: Iterable[p4r.Entity | bytes]) -> Iterator[bytes]:
    """Serialized ReadResponses of about 256 KB, far below gRPC's 4 MB."""
    batch: list[p4r.Entity] = []
    size = 0
    for answer in answers:
        if not isinstance(answer, bytes):
            batch.append(answer)
            size += answer.ByteSize()
        if batch and (isinstance(answer, bytes) or size >= _RESPONSE_BYTES):
            yield p4r.ReadResponse(entities=batch).SerializeToString()
            batch, size = [], 0
        if isinstance(answer, bytes):
            yield answer
    if batch:
        yield p4r.ReadResponse(entities=batch).SerializeToString()


def _select(forwarding: Forwarding, query: p4r.Entity, visible: Visible) -> Answers:
    which = query.WhichOneof("entity")
    match which:
        case "table_entry":
            return read_entries(forwarding, query.table_entry, visible)
        case "direct_counter_entry":
            return read_direct_counters(forwarding, query.direct_counter_entry, visible)
        case "direct_meter_entry":
            return read_direct_meters(forwarding, query.direct_meter_entry, visible)
        case "packet_replication_engine_entry":
            return _replication(forwarding, query.packet_replication_engine_entry)
        case "extern_entry" if not query.extern_entry.extern_type_id:
            return iter(())  # "all extern instances": there are none
        case "extern_entry":
            raise forwarding.codec.no_extern(query.extern_entry)
        case None:
            raise invalid("a query is empty; set the kind of entity to read")
        case _:
            select = _OBJECTS.get(which)
            if select is None:
                raise unimplemented(f"p4nic does not know entities of kind {which}")
            return select(forwarding, query, visible)


def _index(index: int | None) -> p4r.Index:
    assert index is not None, "a cell that was read has an index"
    return p4r.Index(index=index)


def _members(forwarding: Forwarding, query: p4r.Entity, visible: Visible) -> Entities:
    info, ask = forwarding.codec.info, query.action_profile_member
    name = profile_name(info, ask.action_profile_id) if ask.action_profile_id else None
    return iter(
        [
            p4r.Entity(action_profile_member=encode_member(info, forwarding.codec.actions, member))
            for member in forwarding.tables().members(name)
            if ask.member_id in (0, member.member_id)
            and member.profile in info.profiles
            and visible(info.profiles[member.profile].id)
        ]
    )


def _groups(forwarding: Forwarding, query: p4r.Entity, visible: Visible) -> Entities:
    info, ask = forwarding.codec.info, query.action_profile_group
    name = profile_name(info, ask.action_profile_id) if ask.action_profile_id else None
    return iter(
        [
            p4r.Entity(action_profile_group=encode_group(info, group))
            for group in forwarding.tables().groups(name)
            if ask.group_id in (0, group.group_id)
            and group.profile in info.profiles
            and visible(info.profiles[group.profile].id)
        ]
    )


def _counters(forwarding: Forwarding, query: p4r.Entity, visible: Visible) -> Entities:
    info, ask = forwarding.codec.info, query.counter_entry
    name = forwarding.codec.counter_name(ask.counter_id) if ask.counter_id else None
    cells = [
        cell
        for cell in forwarding.tables().counters(name, index_of(ask) if name else None)
        if cell.counter in info.counters and visible(info.counters[cell.counter].id)
    ]
    return (
        p4r.Entity(
            counter_entry=p4r.CounterEntry(
                counter_id=info.counters[cell.counter].id,
                index=_index(cell.index),
                data=p4r.CounterData(packet_count=cell.packets, byte_count=cell.bytes),
            )
        )
        for cell in cells
    )


def _meters(forwarding: Forwarding, query: p4r.Entity, visible: Visible) -> Entities:
    codec, ask = forwarding.codec, query.meter_entry
    name = codec.meter_name(ask.meter_id) if ask.meter_id else None
    cells = [
        cell
        for cell in forwarding.tables().meters(name, index_of(ask) if name else None)
        if cell.meter in codec.meters and visible(codec.info.meters[cell.meter].id)
    ]
    marked = ask.HasField("counter_data")
    rows = [(cell, _marks(forwarding, cell) if marked else None) for cell in cells]
    return (_meter(codec, cell, marks) for cell, marks in rows)


def _marks(forwarding: Forwarding, cell: MeterCell) -> Marks:
    assert cell.index is not None, "a cell that was read has an index"
    return forwarding.tables().meter_marks(cell.meter, cell.index)


def _meter(codec: Codec, cell: MeterCell, marks: Marks | None) -> p4r.Entity:
    entry = p4r.MeterEntry(meter_id=codec.info.meters[cell.meter].id, index=_index(cell.index))
    if cell.config is not None:
        entry.config.CopyFrom(codec.meters[cell.meter].encode(cell.config))
    if marks is not None:
        entry.counter_data.CopyFrom(encode_marks(marks))
    return p4r.Entity(meter_entry=entry)


def _registers(forwarding: Forwarding, query: p4r.Entity, visible: Visible) -> Entities:
    codec, ask = forwarding.codec, query.register_entry
    name = codec.register_name(ask.register_id) if ask.register_id else None
    cells = [
        cell
        for cell in forwarding.tables().registers(name, index_of(ask) if name else None)
        if cell.register in codec.registers and visible(codec.info.registers[cell.register].id)
    ]
    return (
        p4r.Entity(
            register_entry=p4r.RegisterEntry(
                register_id=codec.info.registers[cell.register].id,
                index=_index(cell.index),
                data=codec.registers[cell.register].encode(cell.value),
            )
        )
        for cell in cells
    )


def _value_sets(forwarding: Forwarding, query: p4r.Entity, visible: Visible) -> Entities:
    codec, ask = forwarding.codec, query.value_set_entry
    name = codec.value_set_name(ask.value_set_id) if ask.value_set_id else None
    found = []
    for one in forwarding.tables().value_sets(name):
        if one.value_set in codec.value_sets and visible(codec.info.value_sets[one.value_set].id):
            entry = p4r.ValueSetEntry(value_set_id=codec.info.value_sets[one.value_set].id)
            for member in one.members:
                entry.members.add(match=codec.value_sets[one.value_set].encode(member))
            found.append(p4r.Entity(value_set_entry=entry))
    return iter(found)


def _digests(forwarding: Forwarding, query: p4r.Entity, visible: Visible) -> Entities:
    info, ask = forwarding.codec.info, query.digest_entry
    name = forwarding.codec.digest_name(ask.digest_id) if ask.digest_id else None
    found = []
    for digest, settings in forwarding.digests.settings(name):
        if visible(info.digests[digest].id):
            entry = p4r.DigestEntry(digest_id=info.digests[digest].id)
            entry.config.max_timeout_ns = settings.max_timeout_ns
            entry.config.max_list_size = settings.max_list_size
            entry.config.ack_timeout_ns = settings.ack_timeout_ns
            found.append(p4r.Entity(digest_entry=entry))
    return iter(found)


def _replication(forwarding: Forwarding, ask: p4r.PacketReplicationEngineEntry) -> Entities:
    which = ask.WhichOneof("type")
    if which == "multicast_group_entry":
        wanted = ask.multicast_group_entry.multicast_group_id
        groups = [g for g in forwarding.tables().multicast_groups() if wanted in (0, g.group_id)]
        found = [
            p4r.PacketReplicationEngineEntry(
                multicast_group_entry=encode_multicast(g, forwarding.kept(("multicast group", g.group_id)))
            )
            for g in groups
        ]
    elif which == "clone_session_entry":
        wanted = ask.clone_session_entry.session_id
        sessions = [s for s in forwarding.tables().clone_sessions() if wanted in (0, s.session_id)]
        found = [
            p4r.PacketReplicationEngineEntry(
                clone_session_entry=encode_clone(s, forwarding.kept(("clone session", s.session_id)))
            )
            for s in sessions
        ]
    else:
        raise invalid(
            "the packet replication engine entry is empty; set a multicast group or a clone session"
        )
    return iter([p4r.Entity(packet_replication_engine_entry=one) for one in found])


_OBJECTS: dict[str, Callable[[Forwarding, p4r.Entity, Visible], Entities]] = {
    "action_profile_member": _members,
    "action_profile_group": _groups,
    "counter_entry": _counters,
    "meter_entry": _meters,
    "register_entry": _registers,
    "value_set_entry": _value_sets,
    "digest_entry": _digests,
}
