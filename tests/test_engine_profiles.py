"""Action profiles and selectors: members, weighted groups, what runs when there is none."""

from __future__ import annotations

from collections import Counter

import pytest
from ir_builders import action, const, key, m, one, pipeline, swx, table, traced

from p4nic.backend.api import Backend, Entry, GroupRef, MemberRef, Pipeline
from p4nic.ir.ops import Apply, BranchHit, Label, Move, Op, Param, Transmit
from p4nic.ir.program import ActionCall, ActionProfile, Exact


@pytest.fixture
def running(backend: Backend) -> Pipeline:
    """Packets from port p have flow p; without any action they leave by port 99, on a miss by 77."""
    code: list[Op] = [
        Move(m("flow"), m("in_port")),
        Move(m("out"), const(99)),
        Apply("t"),
        BranchHit("hit"),
        Move(m("out"), const(77)),
        Label("hit"),
        Transmit(m("out")),
    ]
    return pipeline(
        backend,
        swx(
            code,
            metadata={"flow": 16, "out": 32, "k": 8},
            actions=[action("to", [Move(m("out"), Param("port"))], port=32)],
            tables=[table("t", [key(m("k"), 8)], ["to"], implementation="ap")],
            profiles=[ActionProfile("ap", 16, 8, "crc16", (m("flow"),))],
        ),
    )


def crc16(data: bytes) -> int:
    """CRC-16/ARC, bit by bit."""
    value = 0
    for bit in (byte >> i & 1 for byte in data for i in range(8)):
        value = value >> 1 ^ (0xA001 if (value ^ bit) & 1 else 0)
    return value


FLOWS = range(0, 65_536, 911)


def send(running: Pipeline, flow: int) -> int:
    outcome = one(running, b"x", port=flow)
    assert traced(running, b"x", flow, 0) == outcome
    return outcome.sent[0][0]


def test_group_members_lie_in_order_of_their_ids_each_as_often_as_its_weight(running: Pipeline) -> None:
    for member in (3, 1, 2):
        running.set_member("ap", member, ActionCall("to", (10 + member,)))
    running.set_group("ap", 9, ((3, 1), (1, 2), (2, 1)))
    running.insert(Entry("t", (Exact(0),), GroupRef(9)), 0)
    layout = [11, 11, 12, 13]
    for flow in FLOWS:
        assert send(running, flow) == layout[crc16(flow.to_bytes(2, "big")) % 4]
    assert set(Counter(send(running, flow) for flow in FLOWS)) == {11, 12, 13}


def test_member_reference_and_its_change(running: Pipeline) -> None:
    running.set_member("ap", 5, ActionCall("to", (3,)))
    running.insert(Entry("t", (Exact(0),), MemberRef(5)), 0)
    assert send(running, 1) == 3
    running.set_member("ap", 5, ActionCall("to", (4,)))
    assert send(running, 1) == 4
    state = running.lookup("t", (Exact(0),), 0, 0)
    assert state is not None
    assert state.entry.action == MemberRef(5)


def test_empty_group_and_missing_member_hit_without_an_action(running: Pipeline) -> None:
    running.set_group("ap", 9, ())
    running.insert(Entry("t", (Exact(0),), GroupRef(9)), 0)
    assert send(running, 1) == 99
    running.modify(Entry("t", (Exact(0),), MemberRef(5)), 0)
    assert send(running, 1) == 99
    running.delete(Entry("t", (Exact(0),), MemberRef(5)))
    assert send(running, 1) == 77


def test_default_action_of_a_table_with_a_profile_is_a_plain_action(running: Pipeline) -> None:
    running.set_default_action("t", ActionCall("to", (42,)))
    assert running.default_action("t") == ActionCall("to", (42,))
    running.set_group("ap", 1, ((1, 1),))
    running.set_group("ap", 1, None)
    running.set_member("ap", 1, ActionCall("to", (1,)))
    running.set_member("ap", 1, None)
    assert one(running).sent[0][0] == 77
