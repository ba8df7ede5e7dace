"""The boundary to a switch: what `reconcile` and `controller` ask of it, in names and plain values.

In and out: Entries, Updates, Flows, events. Two implementations: `p4client` (P4Runtime with finsy) and
`fake` (tables in memory). Nothing of gRPC or protobuf passes this boundary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Protocol

from lbctl.entries import Entry, Flow, Key, Update, UpdateKind
from lbctl.hashing import FiveTuple, Target
from lbctl.sizing import Limits


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: who may have signed the switch's certificate, and what we show it (mutual TLS)."""

    ca: Path
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class TargetInfo:
    """What a connected switch runs."""

    target: Target  # v1model learns from digests, PNA in the data plane
    limits: Limits
    primary: bool
    description: str  # one line for `lbctl status`


class RefusalKind(Enum):
    """Why one update of a batch failed, as far as a controller acts differently."""

    ALREADY_EXISTS = "ALREADY_EXISTS"
    NOT_FOUND = "NOT_FOUND"
    FULL = "RESOURCE_EXHAUSTED"
    OTHER = "OTHER"


class Refusal(NamedTuple):
    """An update of a batch that was not executed; `position` counts within the batch."""

    position: int
    kind: RefusalKind
    message: str


@dataclass(frozen=True, slots=True)
class NewFlow:
    """Digest event 1: a packet took this way and no flow entry knows it."""

    key: FiveTuple
    new_src: int
    new_dst: int
    new_sport: int
    new_dport: int
    service_id: int
    tcp_flags: int


@dataclass(frozen=True, slots=True)
class FlowClosing:
    """Digest event 2: FIN or RST on a known flow."""

    key: FiveTuple


@dataclass(frozen=True, slots=True)
class FlowIdle:
    """An idle-timeout notification for one flow entry. Its key is all a switch has to tell (P4Runtime 16.4),
    and all BMv2 does.
    """

    key: FiveTuple


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The stream ended; nothing more comes until the transport is opened again."""

    reason: str


@dataclass(frozen=True, slots=True)
class RoleChanged:
    """We became primary (and should reconcile), or lost it to a controller with a higher election id."""

    primary: bool


Event = NewFlow | FlowClosing | FlowIdle | Disconnected | RoleChanged


class FlowUpdate(NamedTuple):
    """One change of the flow table."""

    kind: UpdateKind
    flow: Flow


class Transport(Protocol):
    """A switch. Every method raises SwitchError; UNAVAILABLE means the outcome of the call is unknown."""

    async def open(self) -> TargetInfo:
        """Connect, arbitrate, load the pipeline if one was given."""

    async def close(self) -> None:
        """Disconnect; harmless when not open."""

    async def read_entries(self) -> list[Entry]:
        """All entries of the planned tables (not flows, not default actions)."""

    async def read_flows(self, keys: Sequence[FiveTuple] | None = None) -> list[Flow]:
        """The flow table with packets and age where the target has them; of `keys` only those that exist."""

    async def write(self, updates: Sequence[Update]) -> list[Refusal]:
        """Execute one batch; what is not in the result was done."""

    async def write_flows(self, updates: Sequence[FlowUpdate]) -> list[Refusal]:
        """Execute one batch of flow table changes."""

    async def next_events(self) -> list[Event]:
        """Wait for at least one event, then give all that are waiting. Digests are acknowledged by
        `acknowledge`.
        """

    async def acknowledge(self) -> None:
        """Tell the switch that the digests given so far are dealt with, so that it may repeat them."""


def flow_entry(flow: Flow) -> Entry:
    """A flow as a table entry."""
    key = flow.key
    return Entry(
        Key("flow_table", (key.src, key.dst, key.proto, key.sport, key.dport)), "flow_hit", flow.params
    )
