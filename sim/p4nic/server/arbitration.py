"""Who may write: P4Runtime's client arbitration (1.5 §5) as a pure state machine.

In: what streams say (open, MasterArbitrationUpdate, gone). Out: notices to send, or a refusal that ends the
stream. No gRPC, no protobuf, no threads: `sessions` holds a lock around every call and delivers the notices
in order.

The rules that surprise: the primary is whoever's election id is at least the highest *ever seen* for its
role, so when the primary leaves there is none until somebody sends such an id (nobody is promoted); an unset
election id is lower than any id, {0,0} included, and never primary.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import final

from p4nic.errors import ErrorKind


class Standing(Enum):
    """The status a MasterArbitrationUpdate from the server carries."""

    PRIMARY = "OK"
    BACKUP = "ALREADY_EXISTS"
    NO_PRIMARY = "NOT_FOUND"


@final
class ArbitrationRefused(Exception):
    """The stream must end with this status and sentence."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        self.kind = kind
        super().__init__(message)


@final
@dataclass(frozen=True, slots=True)
class Notice:
    """One MasterArbitrationUpdate to send. `highest`: the highest election id ever seen for the role, or
    None.
    """

    stream: int
    standing: Standing
    role: str
    highest: int | None


@final
@dataclass(slots=True)
class _Client:
    role: str
    election_id: int | None


@final
@dataclass(slots=True)
class _Role:
    highest: int | None = None
    primary: int | None = None  # a stream
    config: bytes = b""


@final
@dataclass(slots=True)
class Arbiter:
    """All streams of one device.

    Streams are numbers the caller makes up; election ids are 128-bit ints (high << 64 | low).
    """

    device_id: int
    max_streams: int = 128
    max_roles: int = 256
    _clients: dict[int, _Client] = field(default_factory=dict)
    _roles: dict[str, _Role] = field(default_factory=dict)

    def update(
        self, stream: int, device_id: int, role: str, election_id: int | None, role_config: bytes = b""
    ) -> list[Notice]:
        """Take one MasterArbitrationUpdate; the notices stand in the order in which they must go out.

        Raises ArbitrationRefused; the caller then ends the stream and calls `gone`.
        """
        self._admit(stream, device_id, role, election_id)
        known = self._clients.get(stream)
        state = self._roles.setdefault(role, _Role())
        was_primary = state.primary == stream
        self._clients[stream] = _Client(role, election_id)
        if election_id is None or (state.highest is not None and election_id < state.highest):
            if was_primary:  # it stepped down: everybody hears that there is no primary
                state.primary = None
                return self._tell_all(role)
            return [self._notice(stream, role)]
        unchanged = was_primary and state.highest == election_id and state.config == role_config
        state.highest, state.primary, state.config = election_id, stream, role_config
        if known is not None and unchanged:
            return [self._notice(stream, role)]
        return self._tell_all(role)

    def gone(self, stream: int) -> list[Notice]:
        """The stream ended, for whatever reason; a stream that never arbitrated is fine."""
        client = self._clients.pop(stream, None)
        if client is None:
            return []
        state = self._roles[client.role]
        if state.primary != stream:
            return []
        state.primary = None
        return self._tell_all(client.role)

    # --- questions ---

    def knows(self, role: str) -> bool:
        """The default role always exists; another since somebody first arbitrated for it."""
        return not role or role in self._roles

    def may_write(self, role: str, election_id: int | None) -> bool:
        """Whether a request with this role and election id comes from the primary of that role."""
        state = self._roles.get(role)
        if state is None or state.primary is None or election_id is None:
            return False
        return self._clients[state.primary].election_id == election_id

    def is_primary(self, stream: int) -> bool:
        client = self._clients.get(stream)
        return client is not None and self._roles[client.role].primary == stream

    def role_of(self, stream: int) -> str | None:
        client = self._clients.get(stream)
        return None if client is None else client.role

    def role_config(self, role: str) -> bytes:
        """The serialized role.config the role's primary last gave; b"" is "no restriction"."""
        state = self._roles.get(role)
        return b"" if state is None else state.config

    def roles(self) -> list[str]:
        """Every role anybody arbitrated for, oldest first."""
        return list(self._roles)

    def primaries(self) -> list[tuple[str, int]]:
        """(role, stream) of those that are primary, default role first."""
        return [(name, r.primary) for name, r in sorted(self._roles.items()) if r.primary is not None]

    # --- rules ---

    def _admit(self, stream: int, device_id: int, role: str, election_id: int | None) -> None:
        known = self._clients.get(stream)
        if device_id != self.device_id:
            if known is not None:
                raise ArbitrationRefused(
                    ErrorKind.FAILED_PRECONDITION,
                    f"this stream arbitrates for device {self.device_id}; open another stream for device "
                    f"{device_id}",
                )
            raise ArbitrationRefused(
                ErrorKind.NOT_FOUND,
                f"there is no device {device_id} here; the only device is {self.device_id}",
            )
        if known is not None and known.role != role:
            raise ArbitrationRefused(
                ErrorKind.FAILED_PRECONDITION,
                f"this stream arbitrates for role {known.role!r}; open another stream for role {role!r}",
            )
        self._admit_new(known, role)
        for other, client in self._clients.items():
            if other != stream and client.role == role and election_id is not None:
                if client.election_id == election_id:
                    raise ArbitrationRefused(
                        ErrorKind.INVALID_ARGUMENT,
                        f"election id {election_id} is in use by another client of role {role!r}; choose "
                        "another",
                    )

    def _admit_new(self, known: _Client | None, role: str) -> None:
        if known is None and len(self._clients) >= self.max_streams:
            raise ArbitrationRefused(
                ErrorKind.RESOURCE_EXHAUSTED, f"{self.max_streams} streams are open already; close one first"
            )
        # The highest election id is remembered for ever, so roles are never forgotten: their number needs
        # an end.
        if role not in self._roles and len(self._roles) >= self.max_roles:
            raise ArbitrationRefused(
                ErrorKind.RESOURCE_EXHAUSTED,
                f"{self.max_roles} roles are known already; use one of them",
            )

    def _notice(self, stream: int, role: str) -> Notice:
        state = self._roles[role]
        if state.primary == stream:
            standing = Standing.PRIMARY
        else:
            standing = Standing.NO_PRIMARY if state.primary is None else Standing.BACKUP
        return Notice(stream, standing, role, state.highest)

    def _tell_all(self, role: str) -> list[Notice]:
        """The new primary hears it last: by then every other client knows that it is not."""
        primary = self._roles[role].primary
        others = [s for s, c in self._clients.items() if c.role == role and s != primary]
        return [self._notice(s, role) for s in [*others, *([primary] if primary is not None else [])]]
