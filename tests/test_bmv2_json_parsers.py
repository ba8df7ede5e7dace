"""Parsers: states, extraction, transitions with masks, value sets, unions."""

from __future__ import annotations

from typing import Any

from bmv2_json_samples import Json, document, field, goto, loaded, number, op, primitive, state

from p4nic.ir.program import ValueSet
from p4nic.ir.text import code_lines


def extract(name: str, kind: str = "regular") -> Json:
    return {"op": "extract", "parameters": [{"type": kind, "value": name}]}


def parser_op(name: str, *parameters: Any) -> Json:
    return {"op": name, "parameters": list(parameters)}


def lookahead(offset: int, bits: int) -> Json:
    return {"type": "lookahead", "value": [offset, bits]}


def parsed(*states: Json, **sections: Any) -> list[str]:
    """The instructions of a parser of these states."""
    parser = {"name": "parser", "id": 0, "init_state": "start", "parse_states": list(states)}
    program = loaded(document(parsers=[parser], **sections))
    return [line.strip() for line in code_lines(program.blocks["parser"].code)]


def test_a_select_on_a_field() -> None:
    start = state(
        "start", extract("h"), key=[field("h", "c")], to=[goto("next", "0x0800"), goto(None)]
    )  # fmt: skip
    assert parsed(start, state("next", extract("g"))) == [
        "state start:",
        "extract h",
        "select (h.c) { 0x800: next; _: accept }",
        "state next:",
        "extract g",
        "accept:",
    ]


def test_values_of_several_keys_are_padded_to_bytes_each() -> None:
    keys = [field("scalars", "flag"), field("h", "c"), field("h", "a")]
    start = state(
        "start", key=keys, to=[goto("start", "0x01080006", "0x01ff00ff"), goto("start", "0x00000107")]
    )
    lines = parsed(start)
    expected = "0x1, 0x800 &&& 0xff00, 0x6: start; 0x0, 0x1, 0x7: start; _: accept"
    assert lines[1] == f"select (scalars.flag, h.c, h.a) {{ {expected} }}"


def test_the_start_state_need_not_come_first() -> None:
    lines = parsed(state("other"), state("start", to=[goto("other")]))
    assert lines == ["goto start", "state other:", "goto accept", "state start:", "goto other", "accept:"]


def test_transitions_after_the_default_are_dead() -> None:
    lines = parsed(state("start", key=[field("h", "a")], to=[goto(None), goto("start", "0x01")]))
    assert lines == ["state start:"]


def test_lookahead_in_a_key_and_in_a_set() -> None:
    start = state(
        "start",
        parser_op("set", field("scalars", "x"), lookahead(8, 8)),
        parser_op("set", field("scalars", "y"), lookahead(0, 4)),
        key=[lookahead(4, 4)],
        to=[goto(None, "0x05")],
    )
    assert parsed(start)[1:5] == [
        "scalars.x = lookahead at 8",
        "t1:bit<4> = lookahead at 0",
        "scalars.y = t1",
        "t2:bit<4> = lookahead at 4",
    ]


def test_set_advance_shift_verify_and_primitives() -> None:
    cond = op("==", field("h", "a"), number(4))
    start = state(
        "start",
        parser_op(
            "set", field("scalars", "x"), {"type": "expression", "value": op("+", field("h", "a"), number(1))}
        ),
        parser_op("advance", number(32)),
        parser_op("shift", 2),
        parser_op("verify", cond, number(2)),
        parser_op("verify", cond, field("scalars", "x")),
        parser_op("primitive", primitive("add_header", {"type": "header", "value": "h"})),
    )
    assert parsed(start)[1:] == [
        "scalars.x = h.a + 1w0x1",
        "advance 6w0x20",
        "advance 32w0x10",
        "t1:bit<1> = h.a == 3w0x4",
        "verify t1 else error NoMatch",
        "t2:bit<1> = h.a == 3w0x4",
        "verify t2 else error scalars.x",
        "validate h",
    ]


def test_varbit_and_stack_extraction() -> None:
    length = {"type": "expression", "value": op("*", field("h", "a"), number(8))}
    start = state(
        "start",
        parser_op("extract_VL", {"type": "regular", "value": "opt"}, length),
        extract("seg", "stack"),
        key=[{"type": "stack_field", "value": ["seg", "a"]}],
        to=[goto("start", "0x01"), goto(None)],
    )
    assert parsed(start)[1:5] == [
        "t1:bit<11> = h.a * 4w0x8",
        "extract opt varbit t1",
        "extract seg",
        "select (seg[last].a) { 0x1: start; _: accept }",
    ]


def test_the_width_of_a_varbit_is_what_the_fixed_fields_leave() -> None:
    fields = loaded(document()).header_types["opt_t"].fields
    assert [(f.name, f.width, f.varbit) for f in fields] == [("len", 8, False), ("data", 320, True)]


def test_a_value_set_takes_its_key_widths_from_the_select() -> None:
    transition = {"type": "parse_vset", "value": "pvs", "mask": None, "next_state": None}
    start = state("start", key=[field("h", "c"), field("h", "a")], to=[transition])
    vset = {"name": "pvs", "id": 0, "compressed_bitwidth": 24, "max_size": 4}
    parser = {"name": "parser", "id": 0, "init_state": "start", "parse_states": [start]}
    program = loaded(document(parsers=[parser], parse_vsets=[vset]))
    assert program.value_sets == {"pvs": ValueSet("pvs", (16, 8), 4)}
    assert "pvs: accept" in list(code_lines(program.blocks["parser"].code))[1]


def union_sections() -> Json:
    """A stack `us` of two unions of (m1: h_t, m2: h_t)."""
    doc = document()
    names = ["us[0].m1", "us[0].m2", "us[1].m1", "us[1].m2"]
    extra = [{"name": n, "id": 20 + i, "header_type": "h_t", "metadata": False} for i, n in enumerate(names)]
    return {
        "headers": doc["headers"] + extra,
        "header_union_types": [{"name": "u_t", "id": 0, "headers": [["m1", "h_t"], ["m2", "h_t"]]}],
        "header_unions": [
            {"name": "us[0]", "id": 0, "union_type": "u_t", "header_ids": [20, 21]},
            {"name": "us[1]", "id": 1, "union_type": "u_t", "header_ids": [22, 23]},
        ],
        "header_union_stacks": [
            {"name": "us", "id": 0, "union_type": "u_t", "size": 2, "header_union_ids": [0, 1]}
        ],
    }


def test_extraction_into_a_stack_of_unions_counts_in_hidden_metadata() -> None:
    start = state("start", {"op": "extract", "parameters": [{"type": "union_stack", "value": ["us", "m2"]}]})
    assert parsed(start, **union_sections())[1:] == [
        "if $union_stacks.us != 32w0x0 goto $next2",
        "extract us[0].m2",
        "goto $extracted1",
        "$next2:",
        "if $union_stacks.us != 32w0x1 goto $next3",
        "extract us[1].m2",
        "goto $extracted1",
        "$next3:",
        "verify 1w0x0 else error StackOutOfBounds",
        "$extracted1:",
        "$union_stacks.us = $union_stacks.us + 32w0x1",
    ]


def test_select_on_the_last_union_of_a_stack() -> None:
    last = {"type": "union_stack_field", "value": ["us", "m1", "a"]}
    lines = parsed(state("start", key=[last], to=[goto(None, "0x07")]), **union_sections())
    assert "t1:bit<8> = us[0].m1.a" in lines
    assert "t1:bit<8> = us[1].m1.a" in lines
    assert "select (t1) { 0x7: accept; _: accept }" in lines
