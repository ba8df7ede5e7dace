"""What can be written to and read from a switch, by name: the vocabulary of `Tables.batch` and its readers.

Out of: the P4Runtime codec, entries files, tests. Into: `target.tables` and its parts. Table entries
themselves are `backend.api.Entry`; everything else a batch may carry is here. All frozen: an entity read back
equals the one written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from p4nic.backend.api import CloneSession, DefaultOf, Entry, MeterConfig, Replica
from p4nic.ir.program import ActionCall, Match

Operation = Literal["insert", "modify", "delete"]
Atomicity = Literal["continue", "rollback", "dataplane"]


@final
@dataclass(frozen=True, slots=True)
class EntryKey:
    """What identifies an entry; enough to delete it or to address its direct resources."""

    table: str
    key: tuple[Match, ...]
    priority: int = 0


@final
@dataclass(frozen=True, slots=True)
class TableWrite:
    """An entry together with its direct resources, as one update.

    `counter` is (packets, bytes); None leaves it (0 for a new entry). `meter` None resets it: P4Runtime wants
    both so. `unmark`: what the meter has coloured is 0 again.
    """

    entry: Entry
    counter: tuple[int, int] | None = None
    meter: MeterConfig | None = None
    unmark: bool = False


@final
@dataclass(frozen=True, slots=True)
class DefaultEntry:
    """The default entry of a table: `modify` only; `call` None resets it to what the program says. The rest
    is as in TableWrite.
    """

    table: str
    call: ActionCall | None
    counter: tuple[int, int] | None = None
    meter: MeterConfig | None = None
    unmark: bool = False


@final
@dataclass(frozen=True, slots=True)
class DirectCounter:
    """The counter of one entry: `modify` only."""

    entry: EntryKey | DefaultOf
    packets: int
    bytes: int


@final
@dataclass(frozen=True, slots=True)
class DirectMeter:
    """The meter of one entry: `modify` only; None is the default that colours everything green. `unmark`:
    what it has coloured is 0 again.
    """

    entry: EntryKey | DefaultOf
    config: MeterConfig | None
    unmark: bool = False


@final
@dataclass(frozen=True, slots=True)
class CounterCell:
    """A cell of an indexed counter: `modify` only; `index` None writes every cell."""

    counter: str
    index: int | None
    packets: int
    bytes: int


@final
@dataclass(frozen=True, slots=True)
class MeterCell:
    """A cell of an indexed meter: `modify` only; `index` None writes every cell, config None resets.
    `unmark`: what it has coloured is 0 again.
    """

    meter: str
    index: int | None
    config: MeterConfig | None
    unmark: bool = False


@final
@dataclass(frozen=True, slots=True)
class RegisterCell:
    """A cell of a register: `modify` only; `index` None writes every cell."""

    register: str
    index: int | None
    value: int


@final
@dataclass(frozen=True, slots=True)
class Member:
    """A member of an action profile. `call` may be None in a delete."""

    profile: str
    member_id: int
    call: ActionCall | None = None


@final
@dataclass(frozen=True, slots=True)
class GroupMember:
    """One member of a group; while its `watch_port` is down it is not selected. `weight` 0 where the profile
    has no weights.
    """

    member_id: int
    weight: int
    watch_port: int | None = None


@final
@dataclass(frozen=True, slots=True)
class Group:
    """A group of an action selector. `max_size` 0: as many as the selector takes."""

    profile: str
    group_id: int
    members: tuple[GroupMember, ...] = ()
    max_size: int = 0


@final
@dataclass(frozen=True, slots=True)
class ValueSetMembers:
    """All members of a parser value set: `modify` only."""

    value_set: str
    members: tuple[tuple[Match, ...], ...]


@final
@dataclass(frozen=True, slots=True)
class MulticastGroup:
    """A multicast group and its copies. `backups` has, for each of the replicas, those that stand in for it
    while its port is down, in their order; () where no replica has any.
    """

    group_id: int
    replicas: tuple[Replica, ...] = ()
    backups: tuple[tuple[Replica, ...], ...] = ()


@final
@dataclass(frozen=True, slots=True)
class CloneSessionEntry:
    """A clone session; `session` may be None in a delete."""

    session_id: int
    session: CloneSession | None = None


Cell = DefaultEntry | DirectCounter | DirectMeter | CounterCell | MeterCell | RegisterCell | ValueSetMembers
"""What is there from the start, and can only be modified."""
Entity = Entry | EntryKey | TableWrite | Member | Group | MulticastGroup | CloneSessionEntry | Cell
