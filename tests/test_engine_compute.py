"""Arithmetic: every operation at widths and values where a mistake would show."""

from __future__ import annotations

import pytest
from ir_builders import action, const, fields, header_type, m, one, pipeline, swx, value_of

from p4nic.backend.api import Backend
from p4nic.ir.ops import (
    Binary,
    BinaryOp,
    Branch,
    Call,
    ChecksumAdd,
    Choose,
    Emit,
    Exit,
    Jump,
    Label,
    Move,
    Op,
    Param,
    Random,
    Ref,
    Return,
    SetValid,
    Temp,
    Transmit,
    Unary,
    UnaryOp,
)
from p4nic.ir.types import HeaderType

WIDTHS = {"a": 32, "b": 32, "narrow": 8, "odd": 13, "signed": -8, "wide": 128, "folded": 64, "both": 128}


def computed(
    backend: Backend, op: BinaryOp, dst: str, a: int, b: int, width: int = 32, signed: bool = False
) -> int:
    """dst = a op b on run-time operands, and on constants, which must agree."""
    left, right = Temp("x", width, signed), Temp("y", width, signed)
    code: list[Op] = [
        Move(left, const(a, width, signed)),
        Move(right, const(b, width, signed)),
        Binary(m(dst), op, left, right),
    ]
    code += [
        Binary(m("both"), "shl", m(dst), const(64)),
        Binary(m(dst), op, const(a, width, signed), const(b, width, signed)),
        Move(m("folded"), m(dst)),
        Binary(m("both"), "or", m("both"), m("folded")),
    ]
    at_run_time, folded = divmod(value_of(backend, code, m("both"), 128, metadata=WIDTHS), 1 << 64)
    assert at_run_time == folded
    return at_run_time


@pytest.mark.parametrize(
    ("op", "dst", "a", "b", "expected"),
    [
        ("add", "a", 0xFFFFFFFF, 2, 1),
        ("add", "narrow", 250, 10, 4),
        ("add", "wide", 0xFFFFFFFF, 1, 1 << 32),
        ("sub", "a", 1, 2, 0xFFFFFFFF),
        ("sub", "odd", 0, 1, 0x1FFF),
        ("mul", "narrow", 20, 20, 400 & 0xFF),
        ("mul", "wide", 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF * 0xFFFFFFFF & (1 << 64) - 1),
        ("div", "a", 17, 5, 3),
        ("div", "a", 17, 0, 0),
        ("mod", "a", 17, 5, 2),
        ("mod", "a", 17, 0, 0),
        ("and", "a", 0xF0F0, 0xFF00, 0xF000),
        ("or", "narrow", 0x1F0, 0x00F, 0xFF),
        ("xor", "a", 0xFF, 0x0F, 0xF0),
        ("shl", "a", 1, 31, 0x80000000),
        ("shl", "a", 1, 32, 0),
        ("shl", "a", 1, 0xFFFFFFFF, 0),
        ("shl", "narrow", 0x81, 1, 2),
        ("shr", "a", 0x80000000, 31, 1),
        ("shr", "a", 0x80000000, 0xFFFFFFFF, 0),
        ("sat_add", "narrow", 200, 100, 255),
        ("sat_sub", "narrow", 1, 2, 0),
        ("eq", "a", 5, 5, 1),
        ("ne", "a", 5, 5, 0),
        ("lt", "a", 4, 5, 1),
        ("le", "a", 5, 5, 1),
        ("gt", "a", 5, 4, 1),
        ("ge", "a", 4, 5, 0),
        ("land", "a", 2, 4, 1),
        ("land", "a", 2, 0, 0),
        ("lor", "a", 0, 0, 0),
        ("lor", "a", 0, 8, 1),
    ],
)
def test_unsigned(backend: Backend, op: BinaryOp, dst: str, a: int, b: int, expected: int) -> None:
    assert computed(backend, op, dst, a, b) == expected


@pytest.mark.parametrize(
    ("op", "a", "b", "expected"),
    [
        ("add", 127, 1, -128),
        ("sub", -128, 1, 127),
        ("mul", -3, 5, -15),
        ("div", -7, 2, -3),
        ("div", 7, -2, -3),
        ("mod", -7, 2, -1),
        ("shr", -8, 1, -4),
        ("shr", -8, 100, -1),
        ("shl", -1, 7, -128),
        ("sat_add", 100, 100, 127),
        ("sat_sub", -100, 100, -128),
        ("and", -1, 0x0F, 0x0F),
        ("or", -128, 1, -127),
    ],
)
def test_signed(backend: Backend, op: BinaryOp, a: int, b: int, expected: int) -> None:
    assert computed(backend, op, "signed", a, b, 8, True) == expected & (1 << 64) - 1


MOST, LEAST = (1 << 127) - 1, -(1 << 127)
ALL = (1 << 128) - 1


@pytest.mark.parametrize(
    ("op", "width", "signed", "a", "b", "expected"),
    [
        ("sat_add", 128, False, ALL, 1, ALL),
        ("sat_add", 128, False, ALL - 1, 1, ALL),
        ("sat_add", 125, False, (1 << 125) - 1, 9, (1 << 125) - 1),
        ("sat_sub", 128, False, 5, ALL, 0),
        ("sat_sub", 128, False, ALL, 5, ALL - 5),
        ("sat_add", 128, True, MOST, 1, MOST),
        ("sat_add", 128, True, LEAST, -1, LEAST),
        ("sat_add", 128, True, LEAST, MOST, -1),
        ("sat_sub", 128, True, LEAST, 1, LEAST),
        ("sat_sub", 128, True, 0, LEAST, MOST),
        ("sat_sub", 126, True, -(1 << 125), 1, -(1 << 125)),
        ("sat_add", 126, True, (1 << 125) - 1, 1, (1 << 125) - 1),
    ],
)
def test_wide_saturation(
    backend: Backend, op: BinaryOp, width: int, signed: bool, a: int, b: int, expected: int
) -> None:
    sign = -1 if signed else 1
    code: list[Op] = [
        Move(m("x"), const(a, width, signed)),
        Binary(m("x"), op, m("x"), const(b, width, signed)),
        Binary(m("same"), "eq", m("x"), const(expected, width, signed)),
    ]
    assert value_of(backend, code, m("same"), metadata={"x": sign * width, "same": 8}) == 1


@pytest.mark.parametrize(("op", "expected"), [("lt", 1), ("gt", 0)])
def test_signed_comparison(backend: Backend, op: BinaryOp, expected: int) -> None:
    assert computed(backend, op, "a", -1, 1, 8, True) == expected


@pytest.mark.parametrize(
    ("op", "a", "expected"), [("not", 0x0F, 0xF0), ("neg", 1, 0xFF), ("lnot", 0, 1), ("lnot", 7, 0)]
)
def test_unary(backend: Backend, op: UnaryOp, a: int, expected: int) -> None:
    code: list[Op] = [Move(m("a"), const(a)), Unary(m("narrow"), op, m("a"))]
    assert value_of(backend, code, m("narrow"), metadata=WIDTHS) == expected


def test_move_wraps_and_extends_sign(backend: Backend) -> None:
    code: list[Op] = [
        Move(m("signed"), const(0x1FF)),
        Move(m("wide"), m("signed")),
        Move(m("narrow"), m("signed")),
    ]
    assert value_of(backend, code, m("wide"), 128, metadata=WIDTHS) == (1 << 128) - 1
    assert value_of(backend, code, m("narrow"), metadata=WIDTHS) == 0xFF


@pytest.mark.parametrize(("cond", "expected"), [(0, 2), (9, 1)])
def test_choose(backend: Backend, cond: int, expected: int) -> None:
    code: list[Op] = [Move(m("b"), const(cond)), Choose(m("a"), m("b"), const(1), const(2))]
    assert value_of(backend, code, m("a"), metadata=WIDTHS) == expected


def ones_complement(*words: int) -> int:
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


@pytest.mark.parametrize(
    ("before", "added", "removed"),
    [(0x1234, 0x0A00, 0x0B00), (0xFFFF, 0, 0), (0, 1, 0), (0x00FF, 0xFF00, 0xFFFF), (0xFFFE, 0xFFFF, 0)],
)
def test_checksum_add_agrees_with_full_recomputation(
    backend: Backend, before: int, added: int, removed: int
) -> None:
    rest = 0x5555
    start = ones_complement(before, removed, rest)
    code: list[Op] = [
        Move(m("sum"), const(start, 16)),
        ChecksumAdd(m("sum"), const(removed, 16), subtract=True),
        ChecksumAdd(m("sum"), const(added, 16)),
    ]
    result = value_of(backend, code, m("sum"), metadata={"sum": 16})
    assert result % 0xFFFF == ones_complement(before, added, rest) % 0xFFFF
    assert result != 0  # DPDK stores 0 as 0xFFFF


@pytest.mark.parametrize("width", [16, 32, 48, 64, 128])
def test_checksum_add_counts_words_of_wide_operands(backend: Backend, width: int) -> None:
    value = int.from_bytes(bytes(range(1, 17)), "big") & ((1 << width) - 1)
    code: list[Op] = [
        Move(m("sum"), const(ones_complement(0x1111), 16)),
        ChecksumAdd(m("sum"), const(value, width)),
    ]
    words = [value >> shift & 0xFFFF for shift in range(0, width, 16)]
    assert value_of(backend, code, m("sum"), metadata={"sum": 16}) == ones_complement(0x1111, *words)


def test_checksum_add_of_a_header_counts_all_its_words(backend: Backend) -> None:
    six = HeaderType("six_t", fields(x=8, y=24, z=16))
    code: list[Op] = [
        SetValid("six"),
        Move(Ref("six", "x"), const(0x01)),
        Move(Ref("six", "y"), const(0x020304)),
        Move(Ref("six", "z"), const(0x0506)),
        Move(m("sum"), const(0xFFFF, 16)),
        ChecksumAdd(m("sum"), "six"),
    ]
    result = value_of(backend, code, m("sum"), metadata={"sum": 16}, types=[six], headers={"six": "six_t"})
    assert result == ones_complement(0x0102, 0x0304, 0x0506)


def test_random_is_seeded_and_within_bounds(backend: Backend) -> None:
    byte = header_type("byte_t", value=8)
    code: list[Op] = [
        SetValid("r"),
        Random(Ref("r", "value"), const(10), const(12)),
        Emit("r"),
        Transmit(const(0)),
    ]
    built = swx(code, types=[byte], headers={"r": "byte_t"})

    def sequence(seed: int) -> list[int]:
        return [o.sent[0][1][0] for o in pipeline(backend, built, seed=seed).process([(1, b"")] * 50, 0)]

    assert sequence(1) == sequence(1)
    assert sequence(1) != sequence(2)
    assert set(sequence(1)) == {10, 11, 12}


def test_random_with_bounds_the_wrong_way_round_is_the_low_one(backend: Backend) -> None:
    assert value_of(backend, [Random(m("a"), const(9), const(3))], m("a"), metadata=WIDTHS) == 9


def test_branches_and_jumps(backend: Backend) -> None:
    code: list[Op] = [
        Label("top"),
        Binary(m("a"), "add", m("a"), const(1)),
        Branch("lt", m("a"), const(10), "top"),
        Jump("end"),
        Move(m("a"), const(99)),
        Label("end"),
    ]
    assert value_of(backend, code, m("a"), metadata=WIDTHS) == 10


def test_call_passes_arguments_and_return_ends_the_action_only(backend: Backend) -> None:

    called = action("set", [Move(m("a"), Param("v")), Return(), Move(m("a"), const(0))], v=8)
    code: list[Op] = [Call("set", (const(0x1FF),)), Binary(m("b"), "add", m("a"), const(1))]
    assert value_of(backend, code, m("b"), metadata=WIDTHS, actions=[called]) == 0x100


def test_exit_in_an_action_ends_the_block(backend: Backend) -> None:

    built = swx([Call("leave"), Transmit(const(0))], actions=[action("leave", [Exit()])])
    assert one(pipeline(backend, built)).drop_reason == "neither tx nor drop"
