"""An idle-timeout notification with what P4Runtime 16.4 demands and no more: BMv2 sends no action."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import finsy

from lbctl.entries import FLOW_TABLE
from lbctl.hashing import FiveTuple
from lbctl.p4client import P4RuntimeTransport
from lbctl.transport import FlowIdle


class _Switch:
    """finsy's switch: only its notifications."""

    async def read_idle_timeouts(self, *, queue_size: int) -> AsyncIterator[list[finsy.P4TableEntry]]:
        match = finsy.P4TableMatch(k_src=0x0AF4010B, k_dst=0x0A60000A, k_proto=6, k_sport=45001, k_dport=80)
        yield [finsy.P4TableEntry(FLOW_TABLE, match=match, idle_timeout_ns=10_000_000_000)]


def test_a_notice_without_an_action_names_its_flow() -> None:
    async def told() -> list[Any]:
        switch: Any = _Switch()
        return [event async for event in P4RuntimeTransport("-", 1, 1)._idle_events(switch)]

    assert asyncio.run(told()) == [FlowIdle(FiveTuple(0x0AF4010B, 0x0A60000A, 6, 45001, 80))]
