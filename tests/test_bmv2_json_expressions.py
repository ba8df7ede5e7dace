"""Every operator of BMv2 JSON, and the width each result gets."""

from __future__ import annotations

import pytest
from bmv2_json_samples import Json, action_text, assigned, field, masked, number, op, primitive, wrapped

A, B, C = field("h", "a"), field("h", "b"), field("h", "c")  # bit<8>, bit<8>, bit<16>
P, Q = field("s", "p"), field("s", "q")  # int<8>, int<16>
FLAG = field("scalars", "flag")
SEG = {"type": "header_stack", "value": "seg"}


def header(name: str) -> Json:
    return {"type": "header", "value": name}


def element(index: Json) -> Json:
    return op("dereference_header_stack", SEG, index)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (op("+", A, B), ["scalars.x = h.a + h.b"]),
        (op("-", A, B), ["scalars.x = h.a - h.b"]),
        (op("*", A, B), ["scalars.x = h.a * h.b"]),
        (op("/", A, B), ["scalars.x = h.a / h.b"]),
        (op("%", A, B), ["scalars.x = h.a % h.b"]),
        (op("&", A, B), ["scalars.x = h.a & h.b"]),
        (op("|", A, B), ["scalars.x = h.a | h.b"]),
        (op("^", A, B), ["scalars.x = h.a ^ h.b"]),
        (op("<<", A, B), ["scalars.x = h.a << h.b"]),
        (op(">>", A, B), ["scalars.x = h.a >> h.b"]),
        (op("~", None, A), ["scalars.x = ~h.a"]),
        (op("-", None, A), ["scalars.x = -h.a"]),
        (op("+", None, A), ["scalars.x = h.a"]),
        (op("b2d", None, op("==", A, B)), ["scalars.x = h.a == h.b"]),
        (op("b2d", None, op("<=", A, B)), ["scalars.x = h.a <= h.b"]),
        (op("b2d", None, op("not", None, op("<", A, B))), ["t1:bit<1> = h.a < h.b", "scalars.x = !t1"]),
        (
            op("b2d", None, op("and", op("!=", A, B), op(">", A, B))),
            ["t1:bit<1> = h.a != h.b", "t2:bit<1> = h.a > h.b", "scalars.x = t1 && t2"],
        ),
        (
            op("b2d", None, op("or", {"type": "bool", "value": True}, op(">=", A, B))),
            ["t1:bit<1> = h.a >= h.b", "scalars.x = 1w0x1 || t1"],
        ),
        (op("b2d", None, op("d2b", None, FLAG)), ["scalars.x = scalars.flag"]),
        (op("b2d", None, op("d2b", None, A)), ["scalars.x = h.a != 1w0x0"]),
        (op("?", A, B, cond=op("d2b", None, FLAG)), ["scalars.x = scalars.flag ? h.a : h.b"]),
        (op("b2d", None, op("valid", None, header("h"))), ["scalars.x = valid(h)"]),
        (op("b2d", None, op("d2b", None, field("h", "$valid$"))), ["scalars.x = valid(h)"]),
        (op("last_stack_index", None, SEG), ["scalars.x = last_index(seg)"]),
        (op("size_stack", None, SEG), ["scalars.x = next_index(seg)"]),
        (op("access_field", header("g"), 1), ["scalars.x = g.b"]),
        (op("access_field", element(number(1)), 0), ["scalars.x = seg[1].a"]),
        (op("access_field", element(A), 0), ["scalars.x = seg[h.a].a"]),
        (op("access_field", element(op("+", A, B)), 0), ["t1:bit<9> = h.a + h.b", "scalars.x = seg[t1].a"]),
        (op("b2d", None, op("valid", None, element(A))), ["scalars.x = valid(seg[h.a])"]),
        ({"type": "stack_field", "value": ["seg", "b"]}, ["scalars.x = seg[last].b"]),
        (number(7), ["scalars.x = 8w0x7"]),
        (number(-1), ["scalars.x = 8w0xff"]),
        (number(0x1FF), ["scalars.x = 8w0xff"]),
    ],
)
def test_operator(expression: Json, expected: list[str]) -> None:
    assert assigned(expression) == expected


def test_p4c_masks_cost_nothing_where_the_destination_wraps() -> None:
    assert assigned(masked(op("+", A, B), 8)) == ["scalars.x = h.a + h.b"]


def test_a_narrower_mask_than_the_destination_wraps_in_a_temporary() -> None:
    assert assigned(masked(op("+", A, B), 4)) == ["t1:bit<4> = h.a + h.b", "scalars.x = t1"]


def test_modular_arithmetic_inside_a_comparison_wraps_before_comparing() -> None:
    expression = op("b2d", None, op(">", masked(op("+", A, B), 8), number(3)))
    assert assigned(expression) == ["t1:bit<8> = h.a + h.b", "scalars.x = t1 > 2w0x3"]


def test_unmasked_arithmetic_inside_a_comparison_keeps_every_bit() -> None:
    expression = op("b2d", None, op(">", op("+", A, B), number(300)))
    assert assigned(expression) == ["t1:bit<9> = h.a + h.b", "scalars.x = t1 > 9w0x12c"]


def test_unmasked_subtraction_can_be_negative() -> None:
    expression = op("b2d", None, op("<", op("-", A, B), number(0)))
    assert assigned(expression) == ["t1:int<9> = h.a - h.b", "scalars.x = t1 < 1w0x0"]


def test_a_sum_divided_keeps_its_carry() -> None:
    assert assigned(op("/", op("+", A, B), number(2))) == ["t1:bit<9> = h.a + h.b", "scalars.x = t1 / 2w0x2"]


def test_a_demand_reaches_through_nested_ring_operations() -> None:
    expression = op("*", op("+", A, C), op("~", None, C))
    assert assigned(expression) == ["t1:bit<8> = h.a + h.c", "t2:bit<8> = ~h.c", "scalars.x = t1 * t2"]


def test_signed_fields_compare_as_signed() -> None:
    expression = op("b2d", None, op("<", P, Q))
    assert assigned(expression) == ["scalars.x = s.p < s.q"]


def test_signed_arithmetic_wraps_by_two_comp_mod() -> None:
    expression = op("b2d", None, op("<", op("two_comp_mod", op("+", P, P), number(8)), number(-3)))
    assert assigned(expression) == ["t1:int<8> = s.p + s.p", "scalars.x = t1 < 3s-0x3"]


def test_two_comp_mod_of_an_unsigned_field_reinterprets_it() -> None:
    expression = op("b2d", None, op("<", op("two_comp_mod", A, number(8)), number(0)))
    assert assigned(expression) == ["t1:int<8> = h.a", "scalars.x = t1 < 1w0x0"]


def test_sign_extension_on_assignment() -> None:
    assert assigned(op("two_comp_mod", P, number(16)), field("s", "q")) == ["s.q = s.p"]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (op("usat_cast", op("+", A, B), number(8)), ["scalars.x = h.a |+| h.b"]),
        (op("usat_cast", op("-", A, B), number(8)), ["scalars.x = h.a |-| h.b"]),
        (op("usat_cast", op("+", A, B), number(4)), ["t1:bit<4> = h.a |+| h.b", "scalars.x = t1"]),
        (op("sat_cast", op("+", P, P), number(8)), ["t1:int<8> = s.p |+| s.p", "scalars.x = t1"]),
        (op("usat_cast", C, number(8)), ["scalars.x = h.c |+| 1w0x0"]),
    ],
)
def test_saturation_happens_at_its_own_width(expression: Json, expected: list[str]) -> None:
    assert assigned(expression) == expected


def test_a_shift_left_by_a_field_is_held_in_the_demanded_bits() -> None:
    expression = op(">>", masked(op("<<", C, A), 16), number(8))
    assert assigned(expression) == ["t1:bit<16> = h.c << h.a", "scalars.x = t1 >> 4w0x8"]


def test_a_shift_right_needs_all_bits_of_its_operand() -> None:
    assert assigned(op(">>", op("+", C, C), number(9))) == [
        "t1:bit<17> = h.c + h.c",
        "scalars.x = t1 >> 4w0x9",
    ]


def test_action_parameters_are_locals() -> None:
    expression = op("+", {"type": "local", "value": 1}, A)
    assert assigned(expression, params={"m": 4, "n": 8}) == ["scalars.x = $n + h.a"]


def test_headers_compare_by_validity_and_every_field() -> None:
    lines = assigned(op("b2d", None, op("==", header("h"), header("g"))))
    assert lines[0] == "t1:bit<1> = 1w0x1"
    assert [line for line in lines if " == " in line] == [
        "t2:bit<1> = valid(h) == valid(g)", "t3:bit<1> = h.a == g.a", "t4:bit<1> = h.b == g.b",
        "t5:bit<1> = h.c == g.c",
    ]  # fmt: skip
    assert lines[-1] == "scalars.x = t1"


def test_a_register_is_an_operand() -> None:
    expression = op("+", {"type": "register", "value": ["r", number(3)]}, A)
    lines = action_text(
        primitive("assign", field("scalars", "x"), wrapped(expression)),
        register_arrays=[{"name": "r", "id": 0, "size": 4, "bitwidth": 16}],
    )
    assert lines == ["t1:bit<16> = r[2w0x3]", "scalars.x = t1 + h.a"]


def test_assignment_to_a_field_at_a_run_time_index() -> None:
    target = wrapped(op("access_field", element(A), 2))
    assert assigned(op("+", C, number(1)), target) == ["seg[h.a].c = h.c + 1w0x1"]
