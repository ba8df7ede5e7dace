"""Indexed counters, registers, digests, assertions and logs."""

from __future__ import annotations

import logging

import pytest
from ir_builders import const, m, one, pipeline, swx, traced

from p4nic.backend.api import Backend, DigestMessage, Pipeline
from p4nic.ir.ops import (
    Assert,
    Count,
    Digest,
    LogMessage,
    Op,
    PacketLength,
    RegisterAdd,
    RegisterRead,
    RegisterWrite,
    Transmit,
)
from p4nic.ir.program import Counter, DigestList, Register
from p4nic.ir.types import Source


def build(backend: Backend, *code: Op) -> Pipeline:
    """Packets leave by the port number in `x`."""
    return pipeline(
        backend,
        swx(
            [*code, Transmit(m("x"))],
            metadata={"x": 32, "s": -8},
            counters=[Counter("c", "both", 4)],
            registers=[Register("r", 8, 4, initial=7), Register("signed", 8, 2, signed=True)],
            digests=[DigestList("d", (("value", 8),))],
        ),
    )


def port(running: Pipeline, frame: bytes = b"", received: int = 1) -> int:
    outcome = one(running, frame, received)
    return outcome.sent[0][0]


def test_counter_adds_what_it_is_told_and_ignores_indices_beyond_its_size(backend: Backend) -> None:
    running = build(backend, Count("c", m("in_port"), const(1), PacketLength()))
    running.process([(2, b"abc"), (2, b"de"), (3, b"x"), (4, b"beyond")], 0)
    assert [running.counter("c", i) for i in range(5)] == [(0, 0), (0, 0), (2, 5), (1, 1), (0, 0)]
    running.set_counter("c", 2, 100, 200)
    traced(running, b"abc", 2)
    assert running.counter("c", 2) == (101, 203)


def test_counter_halves_can_be_left_alone(backend: Backend) -> None:
    running = build(backend, Count("c", const(0), None, const(9)), Count("c", const(1), const(2), None))
    running.process([(1, b"abc")] * 2, 0)
    assert running.counter("c", 0) == (0, 18)
    assert running.counter("c", 1) == (4, 0)


def test_register_keeps_its_value_from_packet_to_packet_and_wraps(backend: Backend) -> None:
    running = build(backend, RegisterRead(m("x"), "r", const(1)), RegisterAdd("r", const(1), const(250)))
    assert [port(running) for _ in range(3)] == [7, 1, 251]
    assert running.register("r", 1) == (251 + 250) & 0xFF
    running.set_register("r", 1, 0x55)
    assert traced(running, b"").sent[0][0] == 0x55


def test_register_beyond_its_size_reads_zero_and_swallows_writes(backend: Backend) -> None:
    running = build(
        backend,
        RegisterWrite("r", const(4), const(9)),
        RegisterAdd("r", const(9), const(9)),
        RegisterRead(m("x"), "r", const(4)),
    )
    assert port(running) == 0
    assert [running.register("r", i) for i in range(4)] == [7] * 4


def test_signed_register_is_signed_inside_and_its_bits_outside(backend: Backend) -> None:
    running = build(
        backend, RegisterWrite("signed", const(0), const(0xFF)), RegisterRead(m("s"), "signed", const(0))
    )
    port(running)
    assert running.register("signed", 0) == 0xFF


def test_digests_beyond_the_queue_are_dropped_and_counted(backend: Backend) -> None:
    queue = 65_536
    running = build(backend, Digest("d", (m("in_port"),)))
    running.process([(p % 200, b"") for p in range(queue + 3)], 0)
    assert running.digests() == [DigestMessage("d", (p % 200,)) for p in range(queue)]
    assert running.statistics()["digest_dropped"] == 3
    running.process([(9, b"")], 0)
    assert running.digests() == [DigestMessage("d", (9,))]


def test_false_assertion_is_counted_and_named_and_the_packet_goes_on(
    backend: Backend,
    caplog: pytest.LogCaptureFixture,
) -> None:
    running = build(backend, Assert(m("in_port"), "port is not 0", Source("lb.p4", 12)))
    with caplog.at_level(logging.WARNING):
        assert port(running, received=0) == 0
        assert port(running, received=1) == 0
    assert running.statistics()["assert_failed"] == 1
    assert [r.getMessage() for r in caplog.records] == ["assertion failed at lb.p4:12: port is not 0"]


def test_log_message_fills_in_its_values(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    running = build(backend, LogMessage("in {} of {}, {}", (m("in_port"), const(3))))
    with caplog.at_level(logging.INFO):
        port(running, received=2)
    assert [r.getMessage() for r in caplog.records] == ["in 2 of 3, {} (unknown position)"]


def test_log_message_tells_negative_values(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    values = (const(-3, 16, signed=True), m("in_port"), const(-1, 128, signed=True), const(5, 8, signed=True))
    running = build(backend, LogMessage("{} {} {} {}", values))
    with caplog.at_level(logging.INFO):
        port(running, received=2)
    assert [r.getMessage() for r in caplog.records] == ["-3 2 -1 5 (unknown position)"]
