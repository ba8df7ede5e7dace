"""Multicast groups and clone sessions (P4Runtime 1.5 §9.5).

In: MulticastGroupEntry, CloneSessionEntry. Out: MulticastGroup, CloneSessionEntry of `target.entities`, and
back.

What is read back equals what was written, whichever way the client spelled ports (`port` bytes, or the
deprecated `egress_port`): a Note keeps the spelling and the opaque metadata, which the target has no use
for.
"""

from __future__ import annotations

from collections.abc import Iterable

from p4nic.backend.api import CloneSession, Replica
from p4nic.server.change import Note
from p4nic.server.codec.scalar import shortest, unimplemented, unsigned
from p4nic.target.entities import CloneSessionEntry, MulticastGroup, Operation
from p4rt import p4r

_PORT_WIDTH = 32
_OLD_SPELLING = b"\x01"
"""First byte of a note: the replicas named their ports by `egress_port`."""


def decode_multicast(operation: Operation, message: p4r.MulticastGroupEntry) -> tuple[MulticastGroup, Note]:
    number = message.multicast_group_id
    key = ("multicast group", number)
    if operation == "delete":
        return MulticastGroup(number), Note(key, None)
    place = f"multicast group {number}"
    replicas = _decode_replicas(place, message.replicas)
    backups = tuple(
        tuple(
            Replica(unsigned(b.port, _PORT_WIDTH, f"{place}, backup replica's port"), b.instance)
            for b in replica.backup_replicas
        )
        for replica in message.replicas
    )
    return MulticastGroup(number, replicas, backups if any(backups) else ()), Note(
        key, _note(message.replicas, message.metadata)
    )


def encode_multicast(group: MulticastGroup, kept: bytes | None) -> p4r.MulticastGroupEntry:
    message = p4r.MulticastGroupEntry(
        multicast_group_id=group.group_id,
        replicas=_encode_replicas(group.replicas, kept),
        metadata=(kept or b"\0")[1:],
    )
    for replica, backups in zip(message.replicas, group.backups, strict=False):
        for backup in backups:
            replica.backup_replicas.add(port=shortest(backup.port), instance=backup.instance)
    return message


def decode_clone(operation: Operation, message: p4r.CloneSessionEntry) -> tuple[CloneSessionEntry, Note]:
    number = message.session_id
    key = ("clone session", number)
    if operation == "delete":
        return CloneSessionEntry(number), Note(key, None)
    if any(replica.backup_replicas for replica in message.replicas):
        raise unimplemented(
            f"clone session {number}: backup replicas are for multicast groups; leave backup_replicas out"
        )
    replicas = _decode_replicas(f"clone session {number}", message.replicas)
    session = CloneSession(replicas, message.packet_length_bytes, message.class_of_service)
    return CloneSessionEntry(number, session), Note(key, _note(message.replicas, b""))


def encode_clone(entry: CloneSessionEntry, kept: bytes | None) -> p4r.CloneSessionEntry:
    assert entry.session is not None
    return p4r.CloneSessionEntry(
        session_id=entry.session_id,
        replicas=_encode_replicas(entry.session.replicas, kept),
        class_of_service=entry.session.class_of_service,
        packet_length_bytes=entry.session.truncate_bytes,
    )


def _decode_replicas(place: str, messages: Iterable[p4r.Replica]) -> tuple[Replica, ...]:
    replicas = []
    for message in messages:
        if message.WhichOneof("port_kind") == "port":
            port = unsigned(message.port, _PORT_WIDTH, f"{place}, port")
        else:
            port = message.egress_port
        replicas.append(Replica(port, message.instance))
    return tuple(replicas)


def _encode_replicas(replicas: Iterable[Replica], kept: bytes | None) -> list[p4r.Replica]:
    if kept is not None and kept[:1] == _OLD_SPELLING:
        return [p4r.Replica(egress_port=r.port, instance=r.instance) for r in replicas]
    return [p4r.Replica(port=shortest(r.port), instance=r.instance) for r in replicas]


def _note(messages: Iterable[p4r.Replica], metadata: bytes) -> bytes | None:
    old = any(m.WhichOneof("port_kind") == "egress_port" for m in messages)
    return (_OLD_SPELLING if old else b"\0") + metadata if old or metadata else None
