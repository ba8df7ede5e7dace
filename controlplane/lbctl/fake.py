"""A switch in memory behind the Transport protocol: `lbctl diff` without a switch, and every test of the
reconciler.

In: batches. Out: refusals as a P4Runtime server would give them, and scripted failures. Keeps a log of every
update.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from lbctl.entries import Entry, Flow, Key, Update, UpdateKind
from lbctl.errors import SwitchError, SwitchErrorKind
from lbctl.hashing import FiveTuple, Target
from lbctl.sizing import Limits
from lbctl.transport import Event, FlowUpdate, Refusal, RefusalKind, TargetInfo

Fault = Callable[[Update], Refusal | None]


class FakeTransport:
    """Tables in memory. Scripted failures: `unavailable_after` updates, `fault` per update, `capacity` per
    table.
    """

    def __init__(self, target: Target = Target.PNA, limits: Limits | None = None) -> None:
        self.target = target
        self.limits = limits or Limits()
        self.entries: dict[Key, Entry] = {}
        self.flow_table: dict[FiveTuple, Flow] = {}
        self.log: list[Update] = []
        self.batches: list[int] = []
        self.flow_log: list[FlowUpdate] = []
        self.opened = 0
        self.acknowledged = 0
        self.unavailable_after: int | None = None  # updates until the connection breaks, once
        self.refuse_open = 0  # how many open() calls fail
        self.fault: Fault | None = None
        self.capacity: dict[str, int] = {}
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> TargetInfo:
        if self.refuse_open:
            self.refuse_open -= 1
            raise SwitchError(SwitchErrorKind.UNAVAILABLE, "the fake switch is not listening; start it")
        self.opened += 1
        if self._loop is not asyncio.get_running_loop():
            # A second controller, in a loop of its own: a queue belongs to the loop that waited on it.
            self._loop, self._events = asyncio.get_running_loop(), asyncio.Queue()
        return TargetInfo(self.target, self.limits, True, f"fake {self.target.value} switch in memory")

    async def close(self) -> None:
        return None

    async def read_entries(self) -> list[Entry]:
        return list(self.entries.values())

    async def read_flows(self, keys: Sequence[FiveTuple] | None = None) -> list[Flow]:
        if keys is None:
            return list(self.flow_table.values())
        return [self.flow_table[key] for key in keys if key in self.flow_table]

    async def write(self, updates: Sequence[Update]) -> list[Refusal]:
        self.batches.append(len(updates))
        refusals = []
        for index, update in enumerate(updates):
            if self.unavailable_after is not None:
                if self.unavailable_after == 0:
                    self.unavailable_after = None
                    raise SwitchError(SwitchErrorKind.UNAVAILABLE, "the fake switch broke the connection")
                self.unavailable_after -= 1
            refusal = self._refusal(update)
            if refusal is not None:
                refusals.append(refusal._replace(position=index))
                continue
            self.log.append(update)
            if update.kind is UpdateKind.DELETE:
                del self.entries[update.entry.key]
            else:
                self.entries[update.entry.key] = update.entry
        return refusals

    def _refusal(self, update: Update) -> Refusal | None:
        if self.fault is not None and (refusal := self.fault(update)) is not None:
            return refusal
        key = update.entry.key
        present = key in self.entries
        if update.kind is UpdateKind.INSERT:
            if present:
                return Refusal(0, RefusalKind.ALREADY_EXISTS, "entry exists")
            limit = self.capacity.get(key.table)
            if limit is not None and sum(1 for other in self.entries if other.table == key.table) >= limit:
                return Refusal(0, RefusalKind.FULL, f"table {key.table} is full ({limit} entries)")
        elif not present:
            return Refusal(0, RefusalKind.NOT_FOUND, "no such entry")
        return None

    async def write_flows(self, updates: Sequence[FlowUpdate]) -> list[Refusal]:
        refusals = []
        for index, update in enumerate(updates):
            key = update.flow.key
            present = key in self.flow_table
            if update.kind is UpdateKind.INSERT and present:
                refusals.append(Refusal(index, RefusalKind.ALREADY_EXISTS, "entry exists"))
                continue
            if update.kind is not UpdateKind.INSERT and not present:
                refusals.append(Refusal(index, RefusalKind.NOT_FOUND, "no such entry"))
                continue
            limit = self.capacity.get("flow_table")
            if update.kind is UpdateKind.INSERT and limit is not None and len(self.flow_table) >= limit:
                refusals.append(Refusal(index, RefusalKind.FULL, "table flow_table is full"))
                continue
            self.flow_log.append(update)
            if update.kind is UpdateKind.DELETE:
                del self.flow_table[key]
            else:
                self.flow_table[key] = update.flow
        return refusals

    async def next_events(self) -> list[Event]:
        events = [await self._events.get()]
        while not self._events.empty():
            events.append(self._events.get_nowait())
        return events

    async def acknowledge(self) -> None:
        self.acknowledged += 1

    def emit(self, *events: Event) -> None:
        """Give events to whoever waits in `next_events` (call it on the loop's thread)."""
        for event in events:
            self._events.put_nowait(event)
