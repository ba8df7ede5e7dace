"""Entities by name as P4Runtime updates, for a switch that is not ours.

In: a Codec, an operation and an entity. Out: a p4r.Update, or StateError for what BMv2's P4Runtime lacks.
Called by `bmv2`.
"""

from __future__ import annotations

from p4nic.backend.api import Entry, EntryState
from p4nic.errors import ErrorKind, StateError
from p4nic.server.codec.profiles import encode_group, encode_member
from p4nic.server.codec.replication import encode_clone, encode_multicast
from p4nic.server.codec.schema import Codec
from p4nic.target.entities import (
    CloneSessionEntry,
    DefaultEntry,
    Entity,
    EntryKey,
    Group,
    Member,
    MeterCell,
    MulticastGroup,
    Operation,
    TableWrite,
)
from p4rt import p4r

_TYPES = {"insert": p4r.Update.INSERT, "modify": p4r.Update.MODIFY, "delete": p4r.Update.DELETE}


def encode(codec: Codec, operation: Operation, entity: Entity) -> p4r.Update:
    """The update that does to a device what `operation` does to a switch of ours."""
    return p4r.Update(type=_TYPES[operation], entity=_entity(codec, entity))


def _entity(codec: Codec, entity: Entity) -> p4r.Entity:
    match entity:
        case Entry():
            return p4r.Entity(table_entry=_entry(codec, entity))
        case TableWrite():
            if entity.counter is not None or entity.meter is not None:
                raise _lacking("direct counters and meters in an entry")
            return p4r.Entity(table_entry=_entry(codec, entity.entry))
        case EntryKey():
            table = codec.tables[entity.table]
            message = p4r.TableEntry(table_id=table.id, match=table.key.encode(entity.key))
            message.priority = entity.priority
            return p4r.Entity(table_entry=message)
        case DefaultEntry():
            table = codec.tables[entity.table]
            if entity.call is None:
                return p4r.Entity(table_entry=p4r.TableEntry(table_id=table.id, is_default_action=True))
            return p4r.Entity(table_entry=table.encode_default(entity.call, None))
        case Member():
            return p4r.Entity(action_profile_member=encode_member(codec.info, codec.actions, entity))
        case Group():
            return p4r.Entity(action_profile_group=encode_group(codec.info, entity))
        case MulticastGroup():
            engine = p4r.PacketReplicationEngineEntry(multicast_group_entry=encode_multicast(entity, None))
            return p4r.Entity(packet_replication_engine_entry=engine)
        case CloneSessionEntry():
            engine = p4r.PacketReplicationEngineEntry(clone_session_entry=encode_clone(entity, None))
            return p4r.Entity(packet_replication_engine_entry=engine)
        case MeterCell():
            raise _lacking("meters whose colours depend on the machine's clock")
        case _:
            raise _lacking(type(entity).__name__)


def _entry(codec: Codec, entry: Entry) -> p4r.TableEntry:
    return codec.tables[entry.table].encode(EntryState(entry, 0, 0, 0))


def _lacking(what: str) -> StateError:
    return StateError(ErrorKind.UNIMPLEMENTED, f"{what}: BMv2 is not compared with these")
