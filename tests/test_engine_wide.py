"""Values beyond 128 bits, and numbers of which a sign and 128 bits meet: every operation, on both engines."""

from __future__ import annotations

import logging
import random
from typing import get_args

import pytest
from ir_builders import action, const, entry, header_type, key, m, one, pipeline, swx, table

from p4nic.backend.api import Backend
from p4nic.bits import mask, wrap
from p4nic.ir.ops import (
    Apply,
    Assert,
    Binary,
    BinaryOp,
    Choose,
    Digest,
    Emit,
    Extract,
    Hash,
    LogMessage,
    Move,
    Op,
    Param,
    Ref,
    SetValid,
    Temp,
    Transmit,
    Unary,
)
from p4nic.ir.program import DigestList, Exact, Ternary
from p4nic.ir.types import Field, HeaderType

OPERATIONS: tuple[BinaryOp, ...] = get_args(BinaryOp)
WIDE = 200


def expected(op: BinaryOp, a: int, b: int, width: int, signed: bool) -> int:
    """What ir.ops says, on Python's integers."""
    low, high = (-(1 << (width - 1)), mask(width - 1)) if signed else (0, mask(width))
    quotient = (abs(a) // abs(b)) * (1 if (a < 0) == (b < 0) else -1) if b else 0
    by = max(b, 0)
    found = {
        "add": a + b, "sub": a - b, "mul": a * b, "and": a & b, "or": a | b, "xor": a ^ b,
        "eq": a == b, "ne": a != b, "lt": a < b, "le": a <= b, "gt": a > b, "ge": a >= b,
        "land": bool(a and b), "lor": bool(a or b), "div": quotient, "mod": a - b * quotient if b else 0,
        "shl": a << by if by < width else 0, "shr": a >> min(by, 1000),
        "sat_add": min(max(a + b, low), high), "sat_sub": min(max(a - b, low), high),
    }  # fmt: skip
    return wrap(int(found[op]), width, signed)


@pytest.mark.parametrize(
    ("a", "b", "dst"),
    [
        (WIDE, WIDE, WIDE),
        (-WIDE, 16, -WIDE),
        (16, -WIDE, 32),
        (-128, 128, 128),
        (128, -128, -128),
        (320, -8, 144),
    ],
    ids=str,
)
def test_every_operation(backend: Backend, a: int, b: int, dst: int) -> None:
    """`a`, `b` and `dst` are widths, negative ones of signed fields."""
    operands = header_type("in_t", a=a, b=b)
    results = header_type("out_t", **dict.fromkeys(OPERATIONS, dst))
    code: list[Op] = [Extract("in"), SetValid("out")]
    code += [Binary(Ref("out", op), op, Ref("in", "a"), Ref("in", "b")) for op in OPERATIONS]
    code += [Emit("out"), Transmit(const(1))]
    running = pipeline(backend, swx(code, types=[operands, results], headers={"in": "in_t", "out": "out_t"}))
    draw = random.Random(f"{a} {b} {dst}")
    for _ in range(60):
        x, y = _number(draw, abs(a)), _number(draw, abs(b))
        if draw.random() < 0.2:
            y = x & mask(abs(b))
        frame = (x << abs(b) | y).to_bytes((abs(a) + abs(b) + 7) // 8, "big")
        sent = one(running, frame).sent[0][1]
        number = int.from_bytes(sent, "big")
        for op in reversed(OPERATIONS):
            wanted = expected(op, wrap(x, abs(a), a < 0), wrap(y, abs(b), b < 0), abs(dst), dst < 0)
            assert number & mask(abs(dst)) == wanted & mask(abs(dst)), (op, hex(x), hex(y))
            number >>= abs(dst)


def _number(draw: random.Random, width: int) -> int:
    edges = (0, 1, mask(width), mask(width - 1), 1 << (width - 1), draw.randrange(3 * width) & mask(width))
    return draw.choice((draw.getrandbits(width), draw.getrandbits(width) >> draw.randrange(width), *edges))


def test_moves_choices_hashes_and_constants(backend: Backend) -> None:
    big = (1 << 199) - 12345
    temp = Temp("t", 256)
    code: list[Op] = [
        Move(m("wide"), const(big, 200)),
        Unary(temp, "not", m("wide")),
        Unary(m("low"), "neg", temp),
        Choose(m("chosen"), m("wide"), m("wide"), const(7)),
        Hash(m("hash"), "identity", (const(1, 4), m("wide"), const(2, 4))),
        Hash(m("slot"), "crc32", (m("wide"),), base=const(1 << 190, 200), modulus=const(1, 200)),
        SetValid("out"),
        *(Move(Ref("out", name), m(name)) for name in ("low", "chosen", "hash", "slot")),
        Emit("out"),
        Transmit(const(1)),
    ]
    widths = {"low": 64, "chosen": 136, "hash": 64, "slot": 192}
    built = swx(
        code,
        types=[header_type("out_t", **widths)],
        headers={"out": "out_t"},
        metadata={"wide": 200, **widths},
    )
    number = int.from_bytes(one(pipeline(backend, built)).sent[0][1], "big")
    identity = (1 << 204 | big << 4 | 2).to_bytes(26, "big")
    assert number & mask(192) == 1 << 190
    assert number >> 192 & mask(64) in (
        int.from_bytes(identity[-8:], "big"),
        int.from_bytes(identity[:8], "big"),
    )
    assert number >> 256 & mask(136) == big & mask(136)
    assert number >> 392 == big + 1 & mask(64)


def test_keys_arguments_digests_and_messages(backend: Backend, caplog: pytest.LogCaptureFixture) -> None:
    code: list[Op] = [Extract("in")]
    key_field = Ref("in", "key")
    code += [
        Apply("exact"),
        Apply("ternary"),
        Digest("d", (key_field, m("got"), const(5, 8))),
        LogMessage("{} and {} and {}", (m("got"), m("minus"), const(7))),
        Assert(m("got"), "got"),
        SetValid("out"),
        Move(Ref("out", "got"), m("got")),
        Emit("out"),
        Transmit(const(1)),
    ]
    built = swx(
        code,
        types=[header_type("in_t", key=168), header_type("out_t", got=264)],
        headers={"in": "in_t", "out": "out_t"},
        metadata={"got": 264, "minus": -136},
        actions=[
            action("take", [Move(m("got"), Param("x")), Unary(m("minus"), "neg", const(9, 136))], x=264),
            action("add", [Binary(m("got"), "add", m("got"), Param("x"))], x=264),
        ],
        tables=[
            table("exact", [key(key_field, 168)], ["take"]),
            table("ternary", [key(key_field, 168, "ternary")], ["add"]),
        ],
        digests=[DigestList("d", (("key", 168), ("got", 264), ("five", 8)))],
    )
    running = pipeline(backend, built)
    wanted, argument = (1 << 167) + 99, (1 << 263) + 5
    running.insert(entry("exact", [Exact(wanted)], "take", argument), 0)
    high = mask(8) << 160
    running.insert(entry("ternary", [Ternary(wanted & high, high)], "add", 1 << 200, priority=1), 0)
    with caplog.at_level(logging.INFO):
        sent = one(running, wanted.to_bytes(21, "big")).sent[0][1]
    total = argument + (1 << 200)
    assert int.from_bytes(sent, "big") == total
    assert [d.values for d in running.digests()] == [(wanted, total, 5)]
    assert any(f"{total} and -9 and 7" in r.getMessage() for r in caplog.records)
    assert [e.entry.action.args for e in running.entries("exact", 0)] == [(argument,)]  # type: ignore[union-attr]
    other = one(running, (wanted ^ 1 << 166).to_bytes(21, "big"))
    assert int.from_bytes(other.sent[0][1], "big") == 0


def test_a_field_behind_a_varbit_is_read_and_written_where_it_is(backend: Backend) -> None:
    type_ = HeaderType(
        "v_t", (Field("a", 4), Field("data", 320, varbit=True), Field("b", 12), Field("c", 160))
    )
    code: list[Op] = [
        Extract("v", varbit_bits=const(24)),
        Binary(Ref("v", "b"), "add", Ref("v", "b"), const(1)),
        Move(Ref("v", "c"), const(mask(160), 160)),
        Emit("v"),
        Transmit(const(1)),
    ]
    built = swx(code, types=[type_], headers={"v": "v_t"})
    frame = (0x1ABCDEF234 << 160).to_bytes(25, "big") + b"rest"
    assert (
        one(pipeline(backend, built), frame).sent[0][1]
        == bytes.fromhex("1abcdef235") + b"\xff" * 20 + b"rest"
    )
