"""The open streams: arbitration with its order of events, and who receives what (P4Runtime 1.5 §5).

In: MasterArbitrationUpdates and the ends of streams. Out: notices in the outboxes; answers to "may this
request write" and "which streams get this". Called by `stream` (one thread per stream), the service (Writes)
and `notifications`.

Two locks, because of the order a takeover must have (§5.3): `_turn` lets one update finish before the next
begins; `_state` guards the arbiter for a moment. In between, the new primary's notice waits for the Write
under way; the old primary's later Writes are refused already.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from threading import Lock
from typing import final

from google.protobuf import any_pb2

from p4nic.errors import ErrorKind
from p4nic.server.access import Access, caller
from p4nic.server.arbitration import Arbiter, ArbitrationRefused, Notice, Standing
from p4nic.server.outbox import Outbox
from p4nic.server.roles import RoleRules, check_overlap, role_rules
from p4nic.server.status import canonical_code
from p4rt import p4r

log = logging.getLogger(__name__)

_SAYS = {
    Standing.PRIMARY: "you are the primary",
    Standing.BACKUP: "another client is the primary",
    Standing.NO_PRIMARY: "there is no primary",
}


@final
@dataclass(eq=False, slots=True)
class Session:
    """One open stream. `names` are those of its client's certificate. `refusal` is why the server ends it,
    None if the client does.
    """

    number: int
    names: tuple[str, ...] = ()
    outbox: Outbox = field(default_factory=Outbox)
    refusal: ArbitrationRefused | None = None

    def refuse(self, refusal: ArbitrationRefused) -> None:
        """End the stream with this status; what is queued goes out first."""
        if self.refusal is None:
            self.refusal = refusal
        self.outbox.close()


@final
class Sessions:
    """All streams of the device. `writing` is held by the service during a Write."""

    def __init__(
        self,
        device_id: int,
        writing: Lock,
        on_new_primary: Callable[[], None],
        max_streams: int,
        access: Access,
    ) -> None:
        self._arbiter = Arbiter(device_id, max_streams)
        self._writing = writing
        self._access = access
        self._on_new_primary = on_new_primary
        self._max_streams = max_streams
        self._turn = Lock()
        self._state = Lock()
        self._open: dict[int, Session] = {}
        self._numbers = count(1)

    # --- streams come, speak and go ---

    def open(self) -> Session:
        """A new stream, which has not arbitrated yet. When there are too many, the oldest that never
        arbitrated gives way; ArbitrationRefused if there is none.
        """
        with self._state:
            if len(self._open) >= self._max_streams:
                idle = next((s for n, s in self._open.items() if self._arbiter.role_of(n) is None), None)
                if idle is None:
                    raise ArbitrationRefused(
                        ErrorKind.RESOURCE_EXHAUSTED,
                        f"{self._max_streams} streams are open already; close one first",
                    )
                del self._open[idle.number]
                idle.refuse(
                    ArbitrationRefused(
                        ErrorKind.RESOURCE_EXHAUSTED,
                        "the stream has not arbitrated, and another client needs its place; begin with a "
                        "MasterArbitrationUpdate",
                    )
                )
            session = Session(next(self._numbers), caller())
            self._open[session.number] = session
            return session

    def arbitrate(self, session: Session, update: p4r.MasterArbitrationUpdate) -> None:
        """Take a client's update; ArbitrationRefused ends the stream."""
        role, config = update.role.name, _serialized(update.role)
        election_id = _number(update.election_id) if update.HasField("election_id") else None
        self._access.check(session.names, role)
        with self._turn:
            rules = role_rules(role, config)
            with self._state:
                before = self._primary(role)
                check_overlap(rules, self._all_rules())
                notices = self._arbiter.update(session.number, update.device_id, role, election_id, config)
                after = self._primary(role)
            others = [n for n in notices if n.standing is not Standing.PRIMARY]
            for notice in others:
                self._notify(notice)
            for notice in notices:
                if notice.standing is Standing.PRIMARY:
                    if before != after:
                        self._finish_writes()
                    self._notify(notice)

    def close(self, session: Session) -> None:
        """The stream has ended, for whatever reason."""
        session.outbox.discard()
        with self._turn:
            with self._state:
                self._open.pop(session.number, None)
                notices = self._arbiter.gone(session.number)
            for notice in notices:
                self._notify(notice)

    def close_all(self) -> None:
        """End every stream, as the server stops."""
        with self._state:
            sessions = list(self._open.values())
        for session in sessions:
            session.outbox.close()

    def _finish_writes(self) -> None:
        """Wait for the Write under way: it belongs to the old primary (§5.3, step 1.2.3)."""
        with self._writing:
            self._on_new_primary()

    def _primary(self, role: str) -> int | None:
        return dict(self._arbiter.primaries()).get(role)

    def _notify(self, notice: Notice) -> None:
        with self._state:
            session = self._open.get(notice.stream)
            config = self._arbiter.role_config(notice.role)
        if session is None:
            return
        message = p4r.StreamMessageResponse()
        update = message.arbitration
        update.device_id = self._arbiter.device_id
        if notice.role or config:
            update.role.name = notice.role
        if config:
            update.role.config.ParseFromString(config)
        if notice.highest is not None:
            update.election_id.high = notice.highest >> 64
            update.election_id.low = notice.highest & (1 << 64) - 1
        update.status.code = (
            0 if notice.standing is Standing.PRIMARY else canonical_code(ErrorKind[notice.standing.value])
        )
        update.status.message = _SAYS[notice.standing]
        if not session.outbox.put_notice(message):
            session.outbox.discard()
            session.refuse(
                ArbitrationRefused(
                    ErrorKind.RESOURCE_EXHAUSTED, "the stream is not being read; open it again"
                )
            )

    # --- questions of the service ---

    def check_role(self, role: str) -> None:
        """ArbitrationRefused NOT_FOUND for a role nobody has arbitrated for, PERMISSION_DENIED for one the
        client's certificate is not bound to.
        """
        self._access.check(caller(), role)
        with self._state:
            if not self._arbiter.knows(role):
                raise ArbitrationRefused(
                    ErrorKind.NOT_FOUND, f"there is no role {role!r} here; arbitrate for it on a stream first"
                )

    def check_primary(self, role: str, election_id: p4r.Uint128 | None) -> None:
        """ArbitrationRefused unless the request is from the role's primary. The caller holds `writing`."""
        self.check_role(role)
        number = _number(election_id) if election_id is not None else None
        with self._state:
            if self._arbiter.may_write(role, number):
                return
        given = f"election id {number}" if number is not None else "a request without election id"
        what = f"role {role!r}" if role else "the default role"
        raise ArbitrationRefused(
            ErrorKind.PERMISSION_DENIED,
            f"{given} is not that of the primary of {what}; become primary on a stream first",
        )

    def rules(self, role: str) -> RoleRules:
        with self._state:
            return role_rules(role, self._arbiter.role_config(role))

    def all_rules(self) -> list[RoleRules]:
        with self._state:
            return self._all_rules()

    def _all_rules(self) -> list[RoleRules]:
        return [role_rules(role, self._arbiter.role_config(role)) for role in self._arbiter.roles()]

    def is_primary(self, session: Session) -> bool:
        with self._state:
            return self._arbiter.is_primary(session.number)

    def receivers(self, wants: Callable[[RoleRules], bool]) -> list[Outbox]:
        """Outboxes of the primaries whose roles want a message."""
        with self._state:
            return [
                self._open[stream].outbox
                for role, stream in self._arbiter.primaries()
                if stream in self._open and wants(role_rules(role, self._arbiter.role_config(role)))
            ]


def _number(election_id: p4r.Uint128) -> int:
    return election_id.high << 64 | election_id.low


def _serialized(role: p4r.Role) -> bytes:
    """role.config as bytes to compare and remember; b"" if unset."""
    if not role.HasField("config"):
        return b""
    config: any_pb2.Any = role.config
    # An Any that is set but empty is still no "unset": it has no type, so `roles` refuses it.
    return config.SerializeToString(deterministic=True) or any_pb2.Any(type_url="/").SerializeToString()
