"""The SWX pipeline: rx, tx, drop, mirrors, recirculation, metadata from packet to
packet.
"""

from __future__ import annotations

from typing import Any as Json

import pytest
from ir_builders import action, const, header_type, m, one, pipeline, swx, traced

from p4nic.backend.api import Backend, CloneSession, Outcome, Pipeline, Replica
from p4nic.ir.ops import (
    Binary,
    Branch,
    Call,
    Drop,
    Emit,
    Extract,
    Label,
    Mirror,
    Move,
    Op,
    Recirculate,
    RecirculationId,
    Ref,
    SetInvalid,
    SetValid,
    Transmit,
    Truncate,
)

BYTE = header_type("byte_t", value=8)


def build(backend: Backend, *code: Op, **options: Json) -> Pipeline:
    built = swx(
        code,
        types=[BYTE],
        headers={"h": "byte_t"},
        metadata={"x": 32, "pass": 32},
        actions=[action("leave", [Drop()])],
    )
    return pipeline(backend, built, **options)


def run(running: Pipeline, frame: bytes = b"A-payload", port: int = 3) -> Outcome:
    outcome = one(running, frame, port)
    assert traced(running, frame, port, 0) == outcome
    return outcome


def test_rx_gives_the_port_and_tx_sends_there(backend: Backend) -> None:
    assert run(build(backend, Transmit(m("in_port")))).sent == ((3, b"A-payload"),)


def test_tx_sends_what_was_emitted_and_the_payload(backend: Backend) -> None:
    write = Move(Ref("h", "value"), const(ord("B")))
    assert run(build(backend, Extract("h"), write, Emit("h"), Transmit(const(1)))).sent == (
        (1, b"B-payload"),
    )
    assert run(build(backend, Extract("h"), Transmit(const(1)))).sent == ((1, b"-payload"),)
    assert run(build(backend, Extract("h"), SetInvalid("h"), Emit("h"), Transmit(const(1)))).sent == (
        (1, b"-payload"),
    )


def test_drop_ends_the_packet_at_once_also_inside_an_action(backend: Backend) -> None:
    assert run(build(backend, Call("leave"), Transmit(const(1)))) == Outcome((), "drop action")
    assert run(build(backend, Drop())) == Outcome((), "drop action")


@pytest.mark.parametrize(
    ("port", "outcome"),
    [
        (511, Outcome((), "drop port")),
        (512, Outcome((), "egress port does not exist")),
        (0xFFFFFFFA, Outcome((), "egress port does not exist")),
        (510, Outcome(((510, b"x"),))),
    ],
)
def test_ports_that_are_none(backend: Backend, port: int, outcome: Outcome) -> None:
    assert run(build(backend, Transmit(const(port))), b"x") == outcome


def test_code_that_ends_without_a_verdict_is_a_counted_drop(backend: Backend) -> None:
    assert run(build(backend, Move(m("x"), const(1)))) == Outcome((), "neither tx nor drop")


def test_metadata_and_headers_start_empty_for_every_packet(backend: Backend) -> None:
    count = Binary(m("x"), "add", m("x"), const(1))
    running = build(
        backend, count, Binary(m("x"), "add", m("x"), Ref("h", "value")), Extract("h"), Transmit(m("x"))
    )
    assert [o.sent[0][0] for o in running.process([(1, b"\xff"), (1, b"\xff")], 0)] == [1, 1]


# --- headers that no instruction changes ---


def unchanged(backend: Backend, *code: Op) -> Outcome:
    """Three headers of a byte from "ABC-payload"; what goes out, and a mirror of it on port 20."""
    built = swx(
        [
            Extract("a"),
            Extract("b"),
            Extract("c"),
            *code,
            Emit("a"),
            Emit("b"),
            Emit("c"),
            Transmit(const(1)),
        ],
        types=[BYTE],
        headers={"a": "byte_t", "b": "byte_t", "c": "byte_t"},
    )
    running = pipeline(backend, built)
    running.set_clone_session(9, CloneSession((Replica(20, 0),)))
    return run(running, b"ABC-payload")


@pytest.mark.parametrize(
    ("code", "frame"),
    [
        ([], b"ABC-payload"),
        ([SetInvalid("a")], b"BC-payload"),
        ([SetInvalid("b")], b"AC-payload"),
        ([SetInvalid("c")], b"AB-payload"),
        ([SetInvalid("a"), SetInvalid("b"), SetInvalid("c")], b"-payload"),
        ([SetInvalid("b"), SetValid("b")], b"A\0C-payload"),
        ([Emit("b")], b"BABC-payload"),
        ([Truncate(const(2))], b"AB"),
        ([SetInvalid("b"), Truncate(const(2))], b"AC"),
    ],
)
def test_headers_go_out_as_they_came_in_or_moved(backend: Backend, code: list[Op], frame: bytes) -> None:
    assert unchanged(backend, *code).sent == ((1, frame),)
    assert unchanged(backend, *code, Mirror(const(0), const(9))).sent == ((20, frame), (1, frame))


# --- mirrors ---

MIRRORS: list[Op] = [
    Extract("h"),
    Mirror(const(2), const(9)),
    Mirror(const(0), const(8)),
    Mirror(const(1), const(77)),
    Move(Ref("h", "value"), const(ord("M"))),
    Emit("h"),
]


def mirrored(backend: Backend, *end: Op) -> Pipeline:
    running = build(backend, *MIRRORS, *end)
    running.set_clone_session(8, CloneSession((Replica(20, 0),), truncate_bytes=3))
    running.set_clone_session(9, CloneSession((Replica(21, 0), Replica(22, 0))))
    return running


def test_mirrors_are_the_outgoing_packet_in_order_of_their_slots(backend: Backend) -> None:
    copies = ((20, b"M-p"), (21, b"M-payload"), (22, b"M-payload"))
    assert run(mirrored(backend, Transmit(const(1)))).sent == (*copies, (1, b"M-payload"))
    assert run(mirrored(backend, Drop())) == Outcome(copies)  # as in DPDK


def test_truncate_shortens_the_outgoing_packet(backend: Backend) -> None:
    assert run(build(backend, Extract("h"), Emit("h"), Truncate(const(2)), Transmit(const(1)))).sent == (
        (1, b"A-"),
    )


# --- recirculation ---


def test_recirculation_keeps_metadata_and_counts_passes(backend: Backend) -> None:
    running = build(
        backend,
        RecirculationId(m("pass")),
        Extract("h"),
        Binary(Ref("h", "value"), "add", Ref("h", "value"), const(1)),
        Emit("h"),
        Binary(m("x"), "add", m("x"), m("in_port")),
        Branch("eq", m("pass"), const(2), "out"),
        Move(m("in_port"), const(5)),
        Recirculate(),
        Transmit(const(0)),
        Label("out"),
        Transmit(m("x")),
    )
    # 3 from rx, then 5 twice: rx does not write the port again.
    assert run(running).sent == ((13, b"D-payload"),)


def test_endless_recirculation_ends_with_a_reason(backend: Backend) -> None:
    assert run(build(backend, Recirculate(), Transmit(const(0)))).drop_reason == "recirculation limit"


def test_drop_wins_over_recirculate(backend: Backend) -> None:
    assert run(build(backend, Recirculate(), Drop())).drop_reason == "drop action"
