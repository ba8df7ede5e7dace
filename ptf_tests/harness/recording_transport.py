"""lbctl's P4Runtime transport, with the notifications that passed through it kept for tests to count.

In and out: as lbctl.transport.Transport. Called by `environment`.
"""

from __future__ import annotations

from collections.abc import Sequence

from lbctl.entries import Entry, Flow, Update
from lbctl.hashing import FiveTuple
from lbctl.p4client import P4RuntimeTransport
from lbctl.transport import Event, FlowClosing, FlowIdle, FlowUpdate, NewFlow, Refusal, TargetInfo


class RecordingTransport:
    """Passes everything on."""

    def __init__(self, inner: P4RuntimeTransport) -> None:
        self._inner = inner
        self.events: list[NewFlow | FlowClosing | FlowIdle] = []

    def idle_notices(self) -> list[FiveTuple]:
        """Keys of the flow entries the switch said were idle, one for each notice."""
        return [event.key for event in self.events if isinstance(event, FlowIdle)]

    async def open(self) -> TargetInfo:
        return await self._inner.open()

    async def close(self) -> None:
        await self._inner.close()

    async def read_entries(self) -> list[Entry]:
        return await self._inner.read_entries()

    async def read_flows(self, keys: Sequence[FiveTuple] | None = None) -> list[Flow]:
        return await self._inner.read_flows(keys)

    async def write(self, updates: Sequence[Update]) -> list[Refusal]:
        return await self._inner.write(updates)

    async def write_flows(self, updates: Sequence[FlowUpdate]) -> list[Refusal]:
        return await self._inner.write_flows(updates)

    async def next_events(self) -> list[Event]:
        events = await self._inner.next_events()
        self.events += (event for event in events if isinstance(event, NewFlow | FlowClosing | FlowIdle))
        return events

    async def acknowledge(self) -> None:
        await self._inner.acknowledge()
