"""The packet replication engine's configuration: multicast groups and clone sessions.

In: MulticastGroup, CloneSessionEntry. Out: set_multicast_group/set_clone_session on the pipeline, undo
functions for `tables.batch`. Called by `target.tables` under the switch's lock; read by the P4Runtime server.
P4Runtime 1.5 §9.5. Copying itself is the pipeline's work; a group nobody configured drops. The pipeline is
given each replica or the first of its backups whose port is up; the replica itself if none is.
"""

from __future__ import annotations

from collections.abc import Callable

from p4nic.backend.api import CloneSession, Pipeline, Replica
from p4nic.errors import ErrorKind
from p4nic.target.checks import MAX_ID, check_id, invalid, refuse
from p4nic.target.entities import CloneSessionEntry, MulticastGroup, Operation

Undo = Callable[[], None]


class Replication:
    """Multicast groups and clone sessions of one pipeline; `groups` and `sessions` are for reading."""

    def __init__(self, pipeline: Pipeline, is_up: Callable[[int], bool] = lambda _: True) -> None:
        self._pipeline = pipeline
        self._is_up = is_up
        self.groups: dict[int, MulticastGroup] = {}
        self.sessions: dict[int, CloneSession] = {}

    def write_group(self, operation: Operation, group: MulticastGroup) -> Undo:
        check_id("multicast group", "id", group.group_id)
        _check_exists("multicast group", operation, group.group_id, group.group_id in self.groups)
        after = None if operation == "delete" else group
        if after is not None:
            _check_replicas(f"multicast group {group.group_id}", after.replicas)
            for backups in after.backups:
                _check_replicas(f"multicast group {group.group_id}, backup replicas", backups)
        before = self.groups.get(group.group_id)
        self._set_group(group.group_id, after)
        return lambda: self._set_group(group.group_id, before)

    def write_session(self, operation: Operation, entry: CloneSessionEntry) -> Undo:
        check_id("clone session", "id", entry.session_id)
        _check_exists("clone session", operation, entry.session_id, entry.session_id in self.sessions)
        after = None if operation == "delete" else entry.session
        if operation != "delete":
            _check_session(entry)
        before = self.sessions.get(entry.session_id)
        self._set_session(entry.session_id, after)
        return lambda: self._set_session(entry.session_id, before)

    def _set_group(self, group_id: int, group: MulticastGroup | None) -> None:
        self._pipeline.set_multicast_group(group_id, self._used(group) if group is not None else None)
        if group is None:
            del self.groups[group_id]
        else:
            self.groups[group_id] = group

    def ports_changed(self) -> None:
        """A port went up or down."""
        for group in self.groups.values():
            if group.backups:
                self._pipeline.set_multicast_group(group.group_id, self._used(group))

    def _used(self, group: MulticastGroup) -> tuple[Replica, ...]:
        if not group.backups:
            return group.replicas
        candidates = ((one, *backups) for one, backups in zip(group.replicas, group.backups, strict=True))
        return tuple(next((r for r in ours if self._is_up(r.port)), ours[0]) for ours in candidates)

    def _set_session(self, session_id: int, session: CloneSession | None) -> None:
        self._pipeline.set_clone_session(session_id, session)
        if session is None:
            del self.sessions[session_id]
        else:
            self.sessions[session_id] = session


def _check_exists(what: str, operation: Operation, number: int, exists: bool) -> None:
    if operation == "insert" and exists:
        refuse(ErrorKind.ALREADY_EXISTS, f"{what} {number} exists already; modify it instead")
    if operation != "insert" and not exists:
        refuse(ErrorKind.NOT_FOUND, f"there is no {what} {number}")


def _check_session(entry: CloneSessionEntry) -> None:
    place = f"clone session {entry.session_id}"
    if entry.session is None:
        invalid(f"{place}: nothing is given for it")
    _check_replicas(place, entry.session.replicas)
    if not 0 <= entry.session.truncate_bytes <= 0xFFFF:
        invalid(
            f"{place}: truncation to {entry.session.truncate_bytes} bytes is not in 0..65535 (0 is the "
            "whole packet)"
        )


def _check_replicas(place: str, replicas: tuple[Replica, ...]) -> None:
    seen: set[Replica] = set()
    for replica in replicas:
        if not 0 <= replica.port <= MAX_ID:
            refuse(ErrorKind.OUT_OF_RANGE, f"{place}: port {replica.port} does not fit in 32 bits")
        if not 0 <= replica.instance <= MAX_ID:
            refuse(ErrorKind.OUT_OF_RANGE, f"{place}: instance {replica.instance} does not fit in 32 bits")
        if replica in seen:
            invalid(f"{place}: port {replica.port} with instance {replica.instance} is listed twice")
        seen.add(replica)
