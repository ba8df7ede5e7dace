"""Add-on-miss: learning, timer profiles, rearming, forgetting, expiry in order, what the control plane
may do.
"""

from __future__ import annotations

from typing import Any as Json

from ir_builders import action, const, entry, key, m, one, pipeline, swx, table, traced

from p4nic.backend.api import Backend, Pipeline
from p4nic.ir.ops import (
    Apply,
    Branch,
    EntryId,
    Extract,
    Forget,
    Label,
    Learn,
    Move,
    Op,
    Param,
    Rearm,
    Ref,
    Transmit,
)
from p4nic.ir.program import Exact
from p4nic.ir.types import Field, HeaderType

S = 1_000_000_000
TIMEOUTS = (10, 30, 60, 120)
REARM, SHORTEN, FORGET, RELEARN, LEAVE = 1, 2, 3, 4, 0


def learner(backend: Backend, size: int = 1000, **options: Json) -> Pipeline:
    """Frame: flow, port to learn, profile, what a hit does. A hit goes to the learned port, a miss to 99."""
    frame = HeaderType("k_t", (Field("flow", 16), Field("port", 8), Field("profile", 8), Field("what", 8)))
    hit: list[Op] = [
        Move(m("out"), Param("port")),
        Branch("eq", Ref("k", "what"), const(REARM), "rearm"),
        Branch("eq", Ref("k", "what"), const(SHORTEN), "shorten"),
        Branch("eq", Ref("k", "what"), const(FORGET), "forget"),
        Branch("ne", Ref("k", "what"), const(RELEARN), "end"),
        Learn("hit", (Ref("k", "port"),), Ref("k", "profile")),
        Branch("eq", const(0), const(0), "end"),
        Label("rearm"),
        Rearm(),
        Branch("eq", const(0), const(0), "end"),
        Label("shorten"),
        Rearm(Ref("k", "profile")),
        Branch("eq", const(0), const(0), "end"),
        Label("forget"),
        Forget(),
        Rearm(),
        Label("end"),
    ]
    miss: list[Op] = [
        Move(m("out"), const(99)),
        Rearm(),
        Forget(),
        Learn("hit", (Ref("k", "port"),), Ref("k", "profile")),
    ]
    built = swx(
        [Extract("k"), Apply("flows"), EntryId(m("id")), Transmit(m("out"))],
        metadata={"out": 32, "id": 32},
        types=[frame],
        headers={"k": "k_t"},
        actions=[action("hit", hit, port=8), action("miss", miss)],
        tables=[
            table("flows", [key(Ref("k", "flow"), 16)], ["hit"], "miss", size=size, learner_timeouts=TIMEOUTS)
        ],
    )
    return pipeline(backend, built, **options)


def send(
    running: Pipeline, flow: int, port: int = 5, profile: int = 0, what: int = LEAVE, now: int = 0
) -> int:
    frame = flow.to_bytes(2, "big") + bytes((port, profile, what))
    return one(running, frame, now_ns=now).sent[0][0]


def flows(running: Pipeline, now: int = 0) -> list[int]:
    return [s.entry.key[0].value for s in running.entries("flows", now)]  # type: ignore[union-attr]


def test_the_next_packet_of_a_burst_sees_what_was_learned(backend: Backend) -> None:
    running = learner(backend)
    burst = [(1, bytes((0, 1, 7, 0, 0))), (1, bytes((0, 1, 8, 0, 0)))]
    assert [o.sent[0][0] for o in running.process(burst, 0)] == [99, 7]
    assert running.statistics()["learned"] == 1


def test_learned_entries_are_readable_with_their_timeout_and_idle_time(backend: Backend) -> None:
    running = learner(backend)
    send(running, 1, port=7, profile=1, now=5 * S)
    (state,) = running.entries("flows", 8 * S)
    assert state.entry == entry("flows", [Exact(1)], "hit", 7, idle_timeout_ns=30 * S, origin="learned")
    assert state.idle_ns == 3 * S
    assert running.lookup("flows", (Exact(1),), 0, 8 * S) == state


def test_a_hit_alone_does_not_refresh_and_rearm_does(backend: Backend) -> None:
    running = learner(backend)
    send(running, 1)
    send(running, 1, what=LEAVE, now=9 * S)
    assert running.next_expiry_ns() == 10 * S
    send(running, 1, what=REARM, now=9 * S)
    assert running.next_expiry_ns() == 19 * S
    assert running.expire(19 * S - 1) == []
    (gone,) = running.expire(19 * S)
    assert gone.removed
    assert gone.state.entry.key == (Exact(1),)
    assert gone.state.idle_ns == 10 * S
    assert flows(running) == []
    assert running.next_expiry_ns() is None


def test_rearm_with_a_shorter_profile_expires_earlier_and_with_a_longer_one_later(backend: Backend) -> None:
    running = learner(backend)
    send(running, 1, profile=3)
    assert running.next_expiry_ns() == 120 * S
    send(running, 1, profile=0, what=SHORTEN, now=S)
    assert running.next_expiry_ns() == 11 * S
    send(running, 1, profile=2, what=SHORTEN, now=2 * S)
    assert running.next_expiry_ns() == 62 * S
    assert running.expire(61 * S) == []
    assert len(running.expire(62 * S)) == 1
    assert running.expire(1000 * S) == []


def test_expiry_is_in_order_of_deadlines_over_many_rearms(backend: Backend) -> None:
    running = learner(backend)
    for flow, profile in ((1, 2), (2, 0), (3, 1), (4, 0)):
        send(running, flow, profile=profile)
    send(running, 2, what=REARM, now=25 * S)  # now 35 s, after flow 3 (30 s)
    gone = running.expire(100 * S)
    assert [g.state.entry.key[0].value for g in gone] == [4, 3, 2, 1]  # type: ignore[union-attr]
    assert running.statistics()["expired"] == 4


def test_a_packet_that_comes_before_expire_is_called_has_won(backend: Backend) -> None:
    running = learner(backend)
    send(running, 1, port=7)
    assert send(running, 1, what=REARM, now=50 * S) == 7
    assert running.expire(50 * S) == []


def test_forget_deletes_without_a_notice(backend: Backend) -> None:
    running = learner(backend)
    send(running, 1)
    send(running, 1, what=FORGET)
    assert flows(running) == []
    assert running.expire(1000 * S) == []
    assert running.statistics()["forgotten"] == 1
    assert running.statistics()["rearmed"] == 0


def test_learning_on_a_hit_replaces_action_and_timer(backend: Backend) -> None:
    running = learner(backend)
    send(running, 1, port=7, profile=3)
    send(running, 1, port=8, profile=0, what=RELEARN, now=S)
    assert send(running, 1, now=2 * S) == 8
    assert running.next_expiry_ns() == 11 * S
    assert running.entry_count("flows") == 1


def test_full_table_counts_a_failure_and_changes_nothing_else(backend: Backend) -> None:
    running = learner(backend, size=2)
    for flow in (1, 2, 3, 3):
        assert send(running, flow) == 99
    assert flows(running) == [1, 2]
    assert running.statistics()["learn_failed"] == 2
    running.expire(10 * S)
    send(running, 3, now=10 * S)
    assert flows(running) == [3]


def test_sizes_and_timeouts_can_be_overridden_and_profiles_wrap(backend: Backend) -> None:
    running = learner(backend, table_sizes={"flows": 1}, learner_timeouts={"flows": (1, 2)})
    send(running, 1, profile=3)
    assert running.next_expiry_ns() == 2 * S
    send(running, 2)
    assert running.statistics()["learn_failed"] == 1


# --- the control plane and a learner ---


def test_control_plane_entries_never_expire_and_keep_their_own_timeout(backend: Backend) -> None:
    running = learner(backend)
    running.insert(entry("flows", [Exact(1)], "hit", 3), 0)
    running.insert(entry("flows", [Exact(2)], "hit", 4, idle_timeout_ns=5 * S), 0)
    assert send(running, 1, profile=0, what=SHORTEN) == 3
    send(running, 2, profile=3, what=SHORTEN, now=S)
    assert running.next_expiry_ns() == 6 * S
    (told,) = running.expire(1000 * S)
    assert not told.removed
    assert flows(running) == [1, 2]
    send(running, 2, what=REARM, now=1000 * S)
    assert running.next_expiry_ns() == 1005 * S


def test_control_plane_modifies_and_deletes_learned_entries(backend: Backend) -> None:
    running = learner(backend)
    send(running, 1, port=7, profile=1)
    running.modify(entry("flows", [Exact(1)], "hit", 8), 4 * S)
    assert send(running, 1) == 8
    assert running.next_expiry_ns() == 34 * S
    (state,) = running.entries("flows", 4 * S)
    assert state.entry.origin == "learned"
    running.delete(state.entry)
    assert running.next_expiry_ns() is None
    assert send(running, 1) == 99


def test_two_learners_keep_their_own_last_lookup(backend: Backend) -> None:
    """Learn after a later ordinary lookup still goes to the learner, under the key looked up there."""
    frame = HeaderType("k_t", (Field("flow", 16),))
    built = swx(
        [
            Extract("k"),
            Apply("first"),
            Apply("second"),
            Apply("plain"),
            Learn("hit", (), const(0)),
            Transmit(const(1)),
        ],
        metadata={"x": 8},
        types=[frame],
        headers={"k": "k_t"},
        actions=[action("hit")],
        tables=[
            table("first", [key(Ref("k", "flow"), 16)], ["hit"], learner_timeouts=(10,)),
            table("second", [key(Ref("k", "flow"), 16), key(m("x"), 8)], ["hit"], learner_timeouts=(10,)),
            table("plain", [key(m("x"), 8)], []),
        ],
    )
    running = pipeline(backend, built)
    one(running, b"\x00\x05")
    assert running.entry_count("first") == 0
    assert [s.entry.key for s in running.entries("second", 0)] == [(Exact(5), Exact(0))]


def test_learning_before_any_learner_was_looked_up_is_nothing(backend: Backend) -> None:
    built = swx(
        [Learn("hit", (), const(0)), Rearm(), Forget(), Transmit(const(1))],
        metadata={"x": 8},
        actions=[action("hit")],
        tables=[table("first", [key(m("x"), 8)], ["hit"], learner_timeouts=(10,))],
    )
    running = pipeline(backend, built)
    assert one(running).sent == ((1, b""),)
    assert traced(running, b"").sent == ((1, b""),)
    assert running.entry_count("first") == 0


def test_an_entry_without_arguments_leaves_its_neighbour_alone(backend: Backend) -> None:
    """Learned where another one was before, in a table whose entries end with their key."""
    frame = HeaderType("k_t", (Field("flow", 128),))
    built = swx(
        [Extract("k"), Apply("flows"), Transmit(const(1))],
        types=[frame],
        headers={"k": "k_t"},
        actions=[action("hit", [Forget()]), action("miss", [Learn("hit", (), const(0))])],
        tables=[table("flows", [key(Ref("k", "flow"), 128)], ["hit"], "miss", learner_timeouts=TIMEOUTS)],
    )
    running = pipeline(backend, built)
    for flow in (1, 2, 1, 3):
        one(running, flow.to_bytes(16, "big"))
    assert flows(running) == [2, 3]
