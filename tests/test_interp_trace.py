"""The trace, which only the interpreter has: every kind of step, what it says, and that it is JSON; names
from an artifact cannot become Python.
"""

from __future__ import annotations

import json
from typing import Any as Json

from ir_builders import action, const, entry, header_type, key, m, one, pipeline, swx, table

from p4nic.backend.api import Options, Pipeline, TraceEvent
from p4nic.backend.interp import InterpreterBackend
from p4nic.ir.ops import (
    Apply,
    Branch,
    Case,
    Count,
    Digest,
    Emit,
    Extract,
    Label,
    Learn,
    Move,
    Op,
    Param,
    Ref,
    SetInvalid,
    Switch,
    Transmit,
    Verify,
)
from p4nic.ir.program import Any, Counter, DigestList, Exact, Lpm, Ternary
from p4nic.ir.types import Source

PAIR = header_type("pair_t", a=8, b=8)
AT = Source("lb.p4", 42)


def build(code: list[Op], **more: Json) -> Pipeline:
    return pipeline(
        InterpreterBackend(),
        swx(code, types=[PAIR], headers={"h": "pair_t"}, metadata={"out": 32, "x": 8}, **more),
    )


def events(running: Pipeline, frame: bytes = b"\x05\x06rest", kind: str | None = None) -> list[TraceEvent]:
    """The steps of one packet, of one kind."""
    _, told = running.trace(1, frame, 0)
    json.dumps([e.data for e in told])
    return [e for e in told if kind is None or e.kind == kind]


def test_steps_of_a_packet_in_order() -> None:
    running = build(
        [
            Label("start", "state"),
            Extract("h", source=AT),
            Branch("eq", Ref("h", "a"), const(5), "five", source=AT),
            Label("five"),
            Move(Ref("h", "b"), const(9), source=AT),
            Emit("h"),
            Transmit(const(4)),
        ]
    )
    told = [(e.kind, e.source, e.data) for e in events(running)]
    assert told == [
        ("write", "", {"place": "m.in_port", "old": 0, "new": 1}),
        ("state", "", {"name": "start"}),
        ("extract", "lb.p4:42", {"header": "h", "fields": {"a": 5, "b": 6}}),
        ("branch", "lb.p4:42", {"taken": True, "target": "five"}),
        ("write", "lb.p4:42", {"place": "h.b", "old": 6, "new": 9}),
        ("emit", "", {"header": "h"}),
        ("send", "", {"port": 4, "bytes": b"\x05\x09rest".hex()}),
    ]


def test_write_to_an_invalid_header_is_not_told() -> None:
    running = build([Move(Ref("h", "b"), const(9)), SetInvalid("h"), Transmit(const(4))])
    assert [e.data["place"] for e in events(running, kind="write")] == ["m.in_port", "h.$valid$"]


def test_switch_tells_where_it_goes() -> None:
    exact = [Case((5, 6), (-1, -1), "one")]
    masked = [Case((1, 0), (1, 0), "one")]
    for cases in (exact, masked):
        keys = (Ref("h", "a"), Ref("h", "b"))
        code: list[Op] = [Extract("h"), Switch(keys, tuple(cases), "two"), Label("two"), Label("one")]
        running = build([*code, Transmit(const(1))])
        assert [e.data["target"] for e in events(running, kind="branch")] == ["one"]
        assert [e.data["target"] for e in events(running, b"\0\0", kind="branch")] == ["two"]


# --- tables ---


def lookup(*kinds: str) -> Pipeline:
    keys = [key(Ref("h", name), 8, kind) for name, kind in zip("ab", kinds, strict=False)]
    to = action("to", [Move(m("out"), Param("port"))], port=32)
    return build(
        [Extract("h"), Apply("t"), Transmit(m("out"))], actions=[to], tables=[table("t", keys, ["to"])]
    )


def test_hit_names_entry_and_action() -> None:
    running = lookup("exact", "ternary")
    running.insert(entry("t", [Exact(5), Ternary(4, 0xF4)], "to", 7, priority=3), 0)
    told = events(running)
    apply = next(e for e in told if e.kind == "apply")
    assert apply.data == {
        "table": "t",
        "key": {"a": 5, "b": 6},
        "hit": True,
        "entry": {
            "key": {"a": "0x5", "b": "0x4&&&0xf4"},
            "priority": 3,
            "origin": "control",
            "action": "to",
            "args": {"port": 7},
        },
        "near": [],
    }
    assert [e.data for e in told if e.kind == "action"] == [{"name": "to", "args": {"port": 7}}]


def test_miss_names_entries_that_failed_in_one_field() -> None:
    running = lookup("exact", "lpm")
    running.insert(entry("t", [Exact(5), Lpm(0xF0, 4)], "to", 1), 0)
    running.insert(entry("t", [Exact(4), Any()], "to", 2), 0)
    running.insert(entry("t", [Exact(4), Lpm(0xF0, 4)], "to", 3), 0)
    (apply,) = events(running, kind="apply")
    assert not apply.data["hit"]
    assert apply.data["entry"] is None
    assert [(n["failed"], n["wanted"]) for n in apply.data["near"]] == [("b", "0xf0/4"), ("a", "0x4")]
    assert [e.data["name"] for e in events(running, kind="action")] == ["NoAction"]


def test_learning_digests_counts_and_errors_are_told() -> None:
    learn = action("miss", [Learn("hit", (m("x"),), const(0))])
    running = build(
        [
            Extract("h"),
            Apply("flows"),
            Count("c", const(1), const(1), const(2)),
            Digest("d", (Ref("h", "a"),)),
            Verify(const(0), "Unlucky", source=AT),
            Transmit(const(1)),
        ],
        actions=[action("hit", (), v=8), learn],
        tables=[table("flows", [key(Ref("h", "a"), 8)], ["hit"], "miss", learner_timeouts=(10,))],
        counters=[Counter("c", "both", 4)],
        digests=[DigestList("d", (("value", 8),))],
    )
    told = {e.kind: e for e in events(running)}
    assert told["learn"].data == {
        "table": "flows",
        "key": {"a": 5},
        "action": "hit",
        "args": {"v": 0},
        "ok": True,
    }
    assert told["count"].data == {"counter": "c", "index": 1, "packets": 1, "bytes": 2}
    assert told["digest"].data == {"digest": "d", "values": {"value": 5}}
    assert (told["error"].source, told["error"].data) == ("lb.p4:42", {"name": "Unlucky"})
    assert told["drop"].data == {"reason": "parser error Unlucky"}
    assert running.digests() != []  # state changes of a traced packet are real


# --- hostile names ---


def test_names_from_an_artifact_cannot_become_python() -> None:
    evil = "x')\nraise SystemExit('pwned')  # {m}"
    built = swx(
        [
            Label(evil, "state"),
            Extract(evil),
            Apply(evil),
            Branch("eq", Ref(evil, "a"), const(99), evil),
            Emit(evil),
            Count(evil, const(0), const(1), None, source=Source(evil, 3)),
            Transmit(const(1)),
        ],
        types=[PAIR],
        headers={evil: "pair_t"},
        metadata={evil: 8},
        actions=[action(evil, [Move(m(evil), const(1), source=Source(evil, 7))])],
        tables=[table(evil, [key(Ref(evil, "a"), 8)], [evil], evil)],
        counters=[Counter(evil, "both", 4)],
    )
    running = InterpreterBackend().build(built, Options())
    assert one(running, b"\1\2").sent == ((1, b"\1\2"),)
    outcome, told = running.trace(1, b"\1\2", 0)
    assert outcome.sent == ((1, b"\1\2"),)
    assert {"name": evil} in [e.data for e in told if e.kind == "state"]


def test_two_names_that_look_alike_stay_apart() -> None:
    keys = [key(Ref("h", "a"), 8)]
    first, second = action("a.b", [Move(m("out"), const(1))]), action("a_b", [Move(m("out"), const(2))])
    running = build(
        [Extract("h"), Apply("t.x"), Apply("t_x"), Transmit(m("out"))],
        actions=[first, second],
        tables=[table("t.x", keys, ["a.b"], "a_b"), table("t_x", keys, ["a_b"], "a.b")],
    )
    assert one(running, b"\1\2").sent[0][0] == 1
    running.insert(entry("t_x", [Exact(1)], "a_b"), 0)
    assert one(running, b"\1\2").sent[0][0] == 2
