"""Idle timeouts of ordinary tables: refreshed by hits, told in the order of their deadlines."""

from __future__ import annotations

from ir_builders import action, entry, key, pipeline, std, table, v1model

from p4nic.backend.api import REPEAT_NS, Backend, Expired, Pipeline
from p4nic.ir.ops import Apply, Move, Param
from p4nic.ir.program import Exact


def ageing_program(backend: Backend) -> Pipeline:
    ports = action("to", [Move(std("egress_spec"), Param("port"))], port=9)
    keys = [key(std("ingress_port"), 9)]
    return pipeline(
        backend, v1model([Apply("t")], actions=[ports], tables=[table("t", keys, ["to"], idle_timeout=True)])
    )


def expired(running: Pipeline, now_ns: int) -> list[tuple[int, int, bool]]:
    """(key, idle time, removed) of what expires."""
    found: list[Expired] = running.expire(now_ns)
    return [(e.state.entry.key[0].value, e.state.idle_ns, e.removed) for e in found]  # type: ignore[union-attr]


def test_idle_timeout_is_refreshed_by_hits_and_reported_again_after_each_timeout(backend: Backend) -> None:
    """P4Runtime 1.5 §16.4: the timer starts anew with the report; `idle_ns` still counts from the hit."""
    running, ms = ageing_program(backend), 1_000_000
    running.insert(entry("t", [Exact(1)], "to", 2, idle_timeout_ns=100 * ms), 0)
    running.insert(entry("t", [Exact(2)], "to", 2), 0)
    assert running.next_expiry_ns() == 100 * ms
    running.process([(1, b"")], 60 * ms)
    assert running.next_expiry_ns() == 160 * ms
    assert expired(running, 159 * ms) == []
    assert expired(running, 200 * ms) == [(1, 140 * ms, False)]
    assert running.entry_count("t") == 2
    assert running.next_expiry_ns() == 300 * ms
    assert expired(running, 300 * ms) == [(1, 240 * ms, False)]
    running.process([(1, b"")], 350 * ms)
    assert running.next_expiry_ns() == 450 * ms
    assert expired(running, 450 * ms) == [(1, 100 * ms, False)]
    assert running.statistics()["expired"] == 3


def test_tiny_timeouts_are_repeated_every_ten_milliseconds(backend: Backend) -> None:
    running = ageing_program(backend)
    running.insert(entry("t", [Exact(1)], "to", 2, idle_timeout_ns=1), 0)
    assert expired(running, 1) == [(1, 1, False)]
    assert running.next_expiry_ns() == 1 + REPEAT_NS


def test_entries_expire_in_order_of_their_deadlines_then_of_insertion(backend: Backend) -> None:
    running = ageing_program(backend)
    for port, timeout in ((1, 300), (2, 100), (3, 200), (4, 100)):
        running.insert(entry("t", [Exact(port)], "to", 0, idle_timeout_ns=timeout), 0)
    assert [key for key, _, _ in expired(running, 300)] == [2, 4, 3, 1]


def test_modify_restarts_the_timer_and_delete_ends_it(backend: Backend) -> None:
    running = ageing_program(backend)
    running.insert(entry("t", [Exact(1)], "to", 2, idle_timeout_ns=100), 0)
    running.modify(entry("t", [Exact(1)], "to", 2, idle_timeout_ns=50), 80)
    assert running.next_expiry_ns() == 130
    running.modify(entry("t", [Exact(1)], "to", 2), 90)
    assert running.next_expiry_ns() is None
    running.modify(entry("t", [Exact(1)], "to", 2, idle_timeout_ns=50), 100)
    running.delete(entry("t", [Exact(1)], "to", 2))
    assert running.next_expiry_ns() is None
    running.insert(entry("t", [Exact(1)], "to", 2, idle_timeout_ns=500), 200)
    assert running.next_expiry_ns() == 700
