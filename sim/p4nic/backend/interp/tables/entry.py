"""A table entry as the interpreter keeps it, and the actions entries run.

In: `backend.api.Entry` from the control plane, or a key and an action from `Learn`. Used by the tables,
ageing and generated code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any as Json
from typing import final

from p4nic.backend.api import GroupRef, MemberRef, Origin
from p4nic.backend.interp.meters import TokenMeter
from p4nic.ir.program import Action, Match

LookupKey = int | tuple[int, ...]
"""The values of a table's key fields: a bare int where there is one field, else a tuple in the key's
order.
"""
Identity = LookupKey | tuple[tuple[Match, ...], int]
"""What makes two entries the same one: the lookup key of an exact table, else normalised matches and
priority.
"""
ActionFunction = Callable[[list[int], Json, tuple[int, ...]], object]
"""Generated: (field slots, packet, arguments)."""


def _not_built(_fields: list[int], _packet: Json, _args: tuple[int, ...]) -> object:
    raise AssertionError("the engine binds every action before the first packet")


@final
class ActionCode:
    """An action with its generated functions; `traced` is bound when tracing is first asked for."""

    __slots__ = ("action", "fast", "name", "traced")

    def __init__(self, action: Action) -> None:
        self.action = action
        self.name = action.name
        self.fast: ActionFunction = _not_built
        self.traced: ActionFunction = _not_built


@final
class TableEntry:
    """A mutable entry. `ref` is None where the entry carries its own action, else the profile's member
    or group.

    `last_ns` is the time of the last hit (ordinary tables with idle timeout), learn or rearm (learners),
    else of insertion. `queued_ns` is the earliest deadline ageing holds for it, None if none. `sequence`
    orders entries by insertion.
    """

    __slots__ = (
        "action", "args", "bytes", "controller_metadata", "id", "identity", "key", "last_ns", "metadata",
        "meter", "origin", "packets", "priority", "queued_ns", "ref", "sequence", "table", "timeout_ns",
    )  # fmt: skip

    def __init__(
        self, table: str, identity: Identity, key: tuple[Match, ...] | None, priority: int, origin: Origin
    ) -> None:
        self.table = table
        self.identity = identity
        self.key = key
        self.priority = priority
        self.origin: Origin = origin
        self.action: ActionCode | None = None
        self.args: tuple[int, ...] = ()
        self.ref: MemberRef | GroupRef | None = None
        self.packets = 0
        self.bytes = 0
        self.meter: TokenMeter | None = None
        self.last_ns = 0
        self.timeout_ns = 0
        self.queued_ns: int | None = None
        self.sequence = 0
        self.id = 0
        self.metadata = b""
        self.controller_metadata = 0
