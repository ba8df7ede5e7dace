"""Primitives, jumps inside actions, and the copies p4c makes of an action."""

from __future__ import annotations

import pytest
from bmv2_json_samples import (
    Json,
    action,
    action_text,
    document,
    field,
    key,
    loaded,
    number,
    op,
    pipeline,
    primitive,
    table,
    wrapped,
)

from p4nic.ir.ops import Move, Ref
from p4nic.ir.text import code_lines

A, X = field("h", "a"), field("scalars", "x")
STATE: Json = {
    "counter_arrays": [{"name": "count", "id": 0, "size": 9, "is_direct": False}],
    "meter_arrays": [
        {"name": "police", "id": 0, "size": 9, "is_direct": False, "rate_count": 2, "type": "bytes"}
    ],
    "register_arrays": [{"name": "reg", "id": 0, "size": 9, "bitwidth": 16}],
    "calculations": [
        {
            "name": "calc",
            "id": 0,
            "algo": "crc16",
            "input": [A, {"type": "hexstr", "value": "0x01ff", "bitwidth": 9}],
        }
    ],
    "field_lists": [{"id": 1, "name": "fl", "elements": [X]}],
    "learn_lists": [{"id": 1, "name": "news_t", "elements": [A, field("scalars", "tmp.y")]}],
}
STATE["learn_lists"] = [{"id": 1, "name": "news_t", "elements": [A, field("scalars", "y")]}]


def header(name: str) -> Json:
    return {"type": "header", "value": name}


def named(kind: str, name: str) -> Json:
    return {"type": kind, "value": name}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (primitive("assign", X, number(5)), ["scalars.x = 8w0x5"]),
        (primitive("modify_field", X, A), ["scalars.x = h.a"]),
        (primitive("add_to_field", X, A), ["scalars.x = scalars.x + h.a"]),
        (primitive("subtract", X, A, number(1)), ["scalars.x = h.a - 1w0x1"]),
        (primitive("assign_VL", field("opt", "data"), field("opt", "data")), ["opt.data = opt.data"]),
        (primitive("assign_header", header("h"), header("g")), ["copy h = g"]),
        (primitive("add_header", header("h")), ["validate h"]),
        (primitive("remove_header", header("h")), ["invalidate h"]),
        (primitive("push", named("header_stack", "seg"), number(1)), ["push seg by 1"]),
        (primitive("pop", named("header_stack", "seg"), number(9)), ["pop seg by 2"]),
        (
            primitive("mark_to_drop", header("standard_metadata")),
            ["standard_metadata.egress_spec = 9w0x1ff", "standard_metadata.mcast_grp = 16w0x0"],
        ),
        (
            primitive("clone_ingress_pkt_to_egress", number(7), number(1)),
            ["clone i2e session 3w0x7 keeping (scalars.x)"],
        ),
        (primitive("clone_egress_pkt_to_egress", A, number(0)), ["clone e2e session h.a keeping ()"]),
        (primitive("resubmit", number(1)), ["resubmit keeping (scalars.x)"]),
        (primitive("recirculate", number(1)), ["recirculate keeping (scalars.x)"]),
        (primitive("truncate", number(64)), ["truncate to 7w0x40"]),
        (primitive("generate_digest", number(1), number(1)), ["digest news_t(h.a, scalars.y)"]),
        (
            primitive("count", named("counter_array", "count"), A),
            ["count count[h.a] by packets 32w0x1, bytes packet_length"],
        ),
        (primitive("execute_meter", named("meter_array", "police"), A, X), ["scalars.x = meter police[h.a]"]),
        (primitive("register_read", X, named("register_array", "reg"), A), ["scalars.x = reg[h.a]"]),
        (
            primitive("register_write", named("register_array", "reg"), A, wrapped(op("+", A, number(1)))),
            ["t1:bit<9> = h.a + 1w0x1", "reg[h.a] = t1"],
        ),
        (
            primitive(
                "modify_field_with_hash_based_offset", X, number(2), named("calculation", "calc"), number(9)
            ),
            ["scalars.x = 2w0x2 + (crc16(valid h.a, 9w0x1ff) % 4w0x9)"],
        ),
        (
            primitive(
                "modify_field_with_hash_based_offset",
                X,
                number(0),
                named("calculation", "calc"),
                number(1 << 16),
            ),
            ["scalars.x = crc16(valid h.a, 9w0x1ff)"],
        ),
        (primitive("modify_field_rng_uniform", X, number(1), A), ["scalars.x = random(1w0x1, h.a)"]),
        (
            primitive("log_msg", named("string", "a {}"), {"type": "parameters_vector", "value": [A]}),
            ["log 'a {}' (h.a)"],
        ),
        (
            primitive("log_msg", named("string", "hi"), {"type": "parameters_vector", "value": {}}),
            ["log 'hi' ()"],
        ),
        (
            primitive("assert", wrapped(op("b2d", None, op("==", A, X)))),
            ["t1:bit<1> = h.a == scalars.x", "assert t1 'assert'"],
        ),
        (primitive("exit"), ["exit"]),
        (primitive("no_op"), []),
    ],
)
def test_primitive(call: Json, expected: list[str]) -> None:
    assert action_text(call, **STATE) == expected


def test_headers_at_a_run_time_index_are_copied_field_by_field() -> None:
    stack = {"type": "header_stack", "value": "seg"}
    element = wrapped(op("dereference_header_stack", stack, A))
    assert action_text(primitive("assign_header", element, header("g"))) == [
        "if valid(g) == 1w0x0 goto $invalid1",
        "validate seg[h.a]",
        "seg[h.a].a = g.a",
        "seg[h.a].b = g.b",
        "seg[h.a].c = g.c",
        "goto $copied2",
        "$invalid1:",
        "invalidate seg[h.a]",
        "$copied2:",
    ]


def test_an_if_in_an_action() -> None:
    cond = wrapped(op("b2d", None, op("==", A, number(1))))
    lines = action_text(
        primitive("_jump_if_zero", cond, number(3)),
        primitive("assign", X, number(1)),
        primitive("_jump", number(4)),
        primitive("assign", X, number(2)),
    )
    assert lines == [
        "if h.a != 1w0x1 goto at3",
        "scalars.x = 8w0x1",
        "goto at4",
        "at3:",
        "scalars.x = 8w0x2",
        "at4:",
    ]


def test_a_loop_in_an_action() -> None:
    cond = wrapped(op("b2d", None, op("<", X, number(4))))
    lines = action_text(
        primitive("_jump_if_zero", cond, number(3)),
        primitive("assign", X, wrapped(op("+", X, number(1)))),
        primitive("_jump", number(0)),
    )
    expected = ["at0:", "if scalars.x >= 3w0x4 goto at3", "scalars.x = scalars.x + 1w0x1", "goto at0", "at3:"]
    assert lines == expected


def test_positions_come_from_the_primitives() -> None:
    call = primitive("assign", X, A)
    call["source_info"] = {"filename": "lb.p4", "line": 12, "column": 3, "source_fragment": "x = hdr.h.a"}
    program = loaded(document(actions=[action("act", call)]))
    assert next(code_lines(program.actions["act"].code)).endswith("// lb.p4:12")
    assert str(program.actions["act"].source) == "lb.p4:12"


# --- copies ----------------------------------------------------------------------------------------------


def two_tables(first: Json, second: Json) -> Json:
    """`first` (id 0) is used by table t1, `second` (id 1) by t2, applied one after the other."""
    t1 = table("t1", key("exact", "h", "a"), actions={0: "act"}, next_tables={"act": "t2"})
    t2 = table("t2", key("exact", "h", "b"), actions={1: "act"})
    return document(
        actions=[first, second], pipelines=[pipeline("ingress", "t1", tables=[t1, t2]), pipeline("egress")]
    )


def test_copies_that_differ_in_local_variables_are_one_action() -> None:
    copies = (
        action("act", primitive("assign", field("scalars", "x"), A)),
        action("act", primitive("assign", field("scalars", "flag"), A), id=1),
    )
    program = loaded(two_tables(*copies))
    assert list(program.actions) == ["act"]
    assert len(program.actions["act"].code) == 1


def test_copies_that_write_elsewhere_are_variants_chosen_before_the_table() -> None:
    copies = (
        action("act", primitive("assign", field("h", "a"), number(1))),
        action("act", primitive("assign", field("h", "b"), number(2)), id=1),
    )
    program = loaded(two_tables(*copies))
    assert [line.strip() for line in code_lines(program.actions["act"].code)] == [
        "if $variants.act != 16w0x0 goto $variant2",
        "h.a = 8w0x1",
        "goto $end1",
        "$variant2:",
        "if $variants.act != 16w0x1 goto $variant3",
        "h.b = 8w0x2",
        "$variant3:",
        "$end1:",
    ]
    chosen = [
        o.src
        for o in program.blocks["ingress"].code
        if isinstance(o, Move) and o.dst == Ref("$variants", "act")
    ]
    assert [c.value for c in chosen if hasattr(c, "value")] == [0, 1]


def test_copies_that_bring_other_locals_in_are_variants() -> None:
    """`act(x)` and `act(flag)`: p4c puts the argument in, and the local is the caller's, not the copy's."""
    copies = (
        action("act", primitive("assign", field("scalars", "x"), A)),
        action("act", primitive("assign", field("scalars", "flag"), A), id=1),
    )
    made = two_tables(*copies)
    assert "$variants" not in loaded(made).headers
    for own, name in enumerate(("x", "flag"), start=2):
        made["actions"].append(action(f"use_{name}", primitive("assign", A, field("scalars", name)), id=own))
    assert "$variants" in loaded(made).headers


def test_a_copy_with_arguments_put_in_is_an_action_of_its_own() -> None:
    """`forward(2)` in the program: the control plane's action keeps its name and its parameter."""
    called = action("act", primitive("assign", A, number(2)))
    full = action("act", primitive("assign", A, {"type": "runtime_data", "value": 0}), id=1, params={"v": 8})
    doc = two_tables(called, full)
    doc["pipelines"][0]["tables"][1]["default_entry"]["action_data"] = ["0x1"]
    program = loaded(doc)
    assert {name: [p.name for p in a.params] for name, a in program.actions.items()} == {
        "act": ["v"], "act$1": [],
    }  # fmt: skip
    assert [ref.action for ref in program.tables["t1"].actions] == ["act$1"]
    assert [ref.action for ref in program.tables["t2"].actions] == ["act"]
