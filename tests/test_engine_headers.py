"""Headers: extraction, short packets, stacks, unions, varbits, validity, emission."""

from __future__ import annotations

from typing import Any

import pytest
from ir_builders import const, fields, header_type, m, one, pipeline, swx, traced, value_of

from p4nic.backend.api import Backend, Pipeline, Semantics
from p4nic.ir.ops import (
    Advance,
    Binary,
    Branch,
    Case,
    CopyHeader,
    Drop,
    Emit,
    Extract,
    Label,
    Lookahead,
    Move,
    Op,
    Pop,
    Push,
    Ref,
    Reject,
    SetInvalid,
    SetValid,
    StackIndex,
    StackRef,
    StackValid,
    Switch,
    Transmit,
    Valid,
    Verify,
)
from p4nic.ir.program import Exact, Ternary, ValueSet
from p4nic.ir.types import Field, HeaderType, Stack, Union

BITS = header_type("bits_t", top=4, flag=1, odd=13, low=6, byte=8)
TAG = header_type("tag_t", id=12, last=4)
OPTIONS = HeaderType("options_t", (Field("kind", 8), Field("data", 64, varbit=True), Field("end", 8)))
TYPES = [BITS, TAG, OPTIONS, HeaderType("signed_t", fields(value=-8))]
HEADERS = {"bits": "bits_t", "copy": "bits_t", "options": "options_t", "other": "options_t", "s": "signed_t"}
TAGS = Stack("tag", "tag_t", 3)


def running(backend: Backend, code: list[Op], semantics: Semantics = Semantics.SPEC, **more: Any) -> Pipeline:
    built = swx(code, types=TYPES, headers=HEADERS, stacks=[TAGS], metadata={"x": 32, "y": 32}, **more)
    return pipeline(backend, built, semantics=semantics)


def sent(
    backend: Backend, code: list[Op], frame: bytes, semantics: Semantics = Semantics.SPEC, **more: Any
) -> bytes:
    """What leaves, both builds agreeing."""
    outcome = one(running(backend, code, semantics, **more), frame)
    assert traced(running(backend, code, semantics, **more), frame) == outcome
    assert outcome.sent, outcome
    return outcome.sent[0][1]


def dropped(
    backend: Backend, code: list[Op], frame: bytes, semantics: Semantics = Semantics.SPEC, **more: Any
) -> str:
    return one(running(backend, code, semantics, **more), frame).drop_reason


OUT = Transmit(const(0))


def test_fields_of_any_width_survive_extract_and_emit(backend: Backend) -> None:
    frame = bytes.fromhex("a5c3f11e") + b"payload"
    assert sent(backend, [Extract("bits"), Emit("bits"), OUT], frame) == frame


def test_fields_are_where_the_wire_has_them(backend: Backend) -> None:
    code: list[Op] = [Extract("bits"), Move(m("x"), Ref("bits", "odd")), SetInvalid("bits")]
    wire = 0b1010_1_0000000000111_000001_11111111.to_bytes(4, "big")
    assert value_of(backend, code, m("x"), frame=wire, types=TYPES, headers=HEADERS, metadata={"x": 32}) == 7


def test_signed_field_comes_in_negative_and_goes_out_as_its_bits(backend: Backend) -> None:
    code: list[Op] = [
        Extract("s"),
        Binary(Ref("s", "value"), "shr", Ref("s", "value"), const(1)),
        Emit("s"),
        OUT,
    ]
    assert sent(backend, code, b"\x80") == b"\xc0"


def test_writing_an_invalid_header_does_nothing_and_reading_it_gives_zero(backend: Backend) -> None:
    code: list[Op] = [
        Move(Ref("bits", "byte"), const(7)),
        Move(m("x"), Ref("bits", "byte")),
        SetValid("bits"),
        Move(m("y"), Ref("bits", "byte")),
        Binary(m("x"), "or", m("x"), m("y")),
    ]
    assert value_of(backend, code, m("x"), types=TYPES, headers=HEADERS, metadata={"x": 32, "y": 32}) == 0


def test_set_valid_keeps_fields_of_a_valid_header_and_set_invalid_forgets_them(backend: Backend) -> None:
    fill: list[Op] = [SetValid("bits"), Move(Ref("bits", "byte"), const(7))]
    assert sent(backend, [*fill, SetValid("bits"), Emit("bits"), OUT], b"") == b"\0\0\0\x07"
    assert sent(backend, [*fill, SetInvalid("bits"), SetValid("bits"), Emit("bits"), OUT], b"") == b"\0\0\0\0"
    assert sent(backend, [*fill, SetInvalid("bits"), Emit("bits"), OUT], b"") == b""


def test_copy_header_copies_validity_too(backend: Backend) -> None:
    copy: list[Op] = [CopyHeader("copy", "bits"), Emit("copy"), OUT]
    assert sent(backend, [Extract("bits"), *copy], bytes.fromhex("a5c3f11e")) == bytes.fromhex("a5c3f11e")
    assert sent(backend, [SetValid("copy"), *copy], b"") == b""


# --- short packets ---


def test_short_packet_is_dropped_under_the_specification(backend: Backend) -> None:
    assert dropped(backend, [Extract("bits"), Emit("bits"), OUT], b"\xa5\xc3\xf1") == "packet too short"
    assert dropped(backend, [Lookahead(m("x")), OUT], b"\xa5\xc3\xf1") == "packet too short"
    assert dropped(backend, [Advance(const(8)), OUT], b"") == "packet too short"


@pytest.mark.parametrize("frame", [b"", b"\xa5", b"\xa5\xc3\xf1", b"\xa5\xc3\xf1\x1e\x55"])
def test_short_packet_reads_as_zeros_and_keeps_its_length_under_dpdk(backend: Backend, frame: bytes) -> None:
    assert sent(backend, [Extract("bits"), Emit("bits"), OUT], frame, Semantics.DPDK) == frame
    code: list[Op] = [Extract("bits"), Move(Ref("bits", "byte"), const(0xEE)), Emit("bits"), OUT]
    expected = (frame.ljust(4, b"\0")[:3] + b"\xee" + frame[4:])[: len(frame)]
    assert sent(backend, code, frame, Semantics.DPDK) == expected


def test_dpdk_looks_ahead_and_skips_beyond_the_end(backend: Backend) -> None:
    code: list[Op] = [Lookahead(m("x")), Advance(const(32)), SetValid("bits"), Emit("bits"), OUT]
    assert sent(backend, code, b"\x01", Semantics.DPDK) == b"\0"


# --- lookahead, advance, verify, select ---


def test_lookahead_does_not_move_and_advance_skips(backend: Backend) -> None:
    code: list[Op] = [Lookahead(m("x"), offset=8), Advance(const(16)), Extract("bits"), Emit("bits"), OUT]
    assert sent(backend, code, b"\0\0" + b"\x01\x02\x03\x04") == b"\x01\x02\x03\x04"
    look: list[Op] = [Lookahead(m("x"), offset=4)]
    value = value_of(backend, look, m("x"), frame=bytes.fromhex("0123456789"), metadata={"x": 32})
    assert value == 0x12345678


def test_lookahead_into_a_header_makes_it_valid_and_leaves_the_payload(backend: Backend) -> None:
    code: list[Op] = [Lookahead("bits"), Emit("bits"), OUT]
    assert sent(backend, code, b"\x01\x02\x03\x04") == b"\x01\x02\x03\x04" * 2


def test_advance_by_part_of_a_byte_is_an_invalid_argument(backend: Backend) -> None:
    assert dropped(backend, [Advance(const(4)), OUT], b"abc") == "parser error ParserInvalidArgument"


def test_verify_and_reject_name_the_error(backend: Backend) -> None:
    assert dropped(backend, [Verify(const(0), "Unlucky"), OUT], b"") == "parser error Unlucky"
    assert dropped(backend, [Verify(const(0), const(7)), OUT], b"") == "parser error Unlucky"
    assert dropped(backend, [Reject("Unlucky")], b"") == "parser error Unlucky"
    assert sent(backend, [Verify(const(3), "Unlucky"), OUT], b"z") == b"z"


def select(backend: Backend, cases: list[Case], default: str | None, **more: Any) -> Pipeline:
    code: list[Op] = [
        Extract("tag[0]"),
        Switch((Ref("tag[0]", "id"), Ref("tag[0]", "last")), tuple(cases), default),
        Label("one"),
        Transmit(const(1)),
        Label("two"),
        Transmit(const(2)),
    ]
    return running(backend, code, **more)


def chosen(parser: Pipeline, frame: str) -> int | str:
    outcome = one(parser, bytes.fromhex(frame))
    assert traced(parser, bytes.fromhex(frame)) == outcome
    return outcome.sent[0][0] if outcome.sent else outcome.drop_reason


def test_switch_exact_takes_the_first_case(backend: Backend) -> None:
    exact = (-1, -1)
    parser = select(backend, [Case((0x123, 4), exact, "one"), Case((0x123, 4), exact, "two")], "two")
    assert chosen(parser, "1234") == 1
    assert chosen(parser, "1235") == 2


def test_switch_masks_and_no_match(backend: Backend) -> None:
    parser = select(
        backend, [Case((0x100, 0), (0xF00, 0), "one"), Case((0x100, 2), (0x100, -1), "two")], None
    )
    assert chosen(parser, "1ff7") == 1
    assert chosen(parser, "3ff2") == 2
    assert chosen(parser, "3ff7") == "parser error NoMatch"
    assert chosen(select(backend, [Case((1, 1), (-1, -1), "one")], None), "0000") == "parser error NoMatch"


def test_switch_on_a_value_set(backend: Backend) -> None:
    parser = select(backend, [Case((), (), "one", "vs")], "two", value_sets=[ValueSet("vs", (12, 4), 4)])
    assert chosen(parser, "1234") == 2
    parser.set_value_set("vs", ((Exact(0x123), Ternary(0, 3)), (Exact(7), Exact(7))))
    assert chosen(parser, "1234") == 1
    assert chosen(parser, "1235") == 2
    parser.set_value_set("vs", ())
    assert chosen(parser, "1234") == 2


# --- stacks ---

EMIT_TAGS: list[Op] = [Emit(f"tag[{i}]") for i in range(3)]
PARSE_TAGS: list[Op] = [
    Label("next", "state"),
    Extract("tag"),
    Branch("eq", StackRef("tag", "last", "last"), const(0), "next"),
]


def test_stack_is_extracted_until_its_last_element(backend: Backend) -> None:
    frame = bytes.fromhex("0010 0020 0031 ffff")
    assert sent(backend, [*PARSE_TAGS, *EMIT_TAGS, OUT], frame) == frame
    code = [*PARSE_TAGS, Move(m("x"), StackRef("tag", "last", "id")), Move(m("y"), StackIndex("tag", "next"))]
    both = [*code, Binary(m("x"), "shl", m("x"), const(8)), Binary(m("x"), "or", m("x"), m("y"))]
    more: dict[str, Any] = {
        "types": TYPES,
        "headers": HEADERS,
        "stacks": [TAGS],
        "metadata": {"x": 32, "y": 32},
    }
    assert value_of(backend, both, m("x"), frame=frame, **more) == 0x303


def test_stack_overflow_is_its_own_error_before_the_length_is_looked_at(backend: Backend) -> None:
    assert dropped(backend, [*PARSE_TAGS, OUT], bytes(6)) == "parser error StackOutOfBounds"
    assert dropped(backend, [*PARSE_TAGS, OUT], bytes(5)) == "packet too short"


def test_push_and_pop_move_elements(backend: Backend) -> None:
    frame = bytes.fromhex("0010 0021")
    push: list[Op] = [*PARSE_TAGS, Push("tag", 1), SetValid("tag[0]"), *EMIT_TAGS, OUT]
    assert sent(backend, push, frame) == bytes.fromhex("0000 0010 0021")
    twice: list[Op] = [*PARSE_TAGS, Push("tag", 2), *EMIT_TAGS, OUT]
    assert sent(backend, twice, frame) == bytes.fromhex("0010")
    pop: list[Op] = [*PARSE_TAGS, Pop("tag", 1), *EMIT_TAGS, OUT]
    assert sent(backend, pop, frame) == bytes.fromhex("0021")
    assert sent(backend, [*PARSE_TAGS, Pop("tag", 3), *EMIT_TAGS, OUT], frame) == b""
    assert sent(backend, [*PARSE_TAGS, Push("tag", 3), *EMIT_TAGS, OUT], frame) == b""
    counted: list[Op] = [*PARSE_TAGS, Push("tag", 2), Transmit(StackIndex("tag", "next"))]
    assert one(running(backend, counted), frame).sent[0][0] == 3
    counted = [*PARSE_TAGS, Pop("tag", 1), Transmit(StackIndex("tag", "last"))]
    assert one(running(backend, counted), frame).sent[0][0] == 0


def test_stack_elements_by_run_time_index(backend: Backend) -> None:
    more: dict[str, Any] = {
        "types": TYPES,
        "headers": HEADERS,
        "stacks": [TAGS],
        "metadata": {"i": 8, "x": 32},
    }
    frame = bytes.fromhex("0010 0021")
    at_one: list[Op] = [*PARSE_TAGS, Move(m("i"), const(1)), Move(m("x"), StackRef("tag", m("i"), "id"))]
    assert value_of(backend, at_one, m("x"), frame=frame, **more) == 2
    beyond: list[Op] = [*PARSE_TAGS, Move(m("i"), const(3)), Move(m("x"), StackRef("tag", m("i"), "id"))]
    assert value_of(backend, beyond, m("x"), frame=frame, **more) == 0
    write: list[Op] = [
        *PARSE_TAGS,
        Move(m("i"), const(2)),
        Move(StackRef("tag", m("i"), "id"), const(9)),  # not valid yet: nothing
        SetValid("tag", m("i")),
        Move(StackRef("tag", const(1), "id"), const(5)),
        SetInvalid("tag", const(0)),
        Move(m("x"), StackValid("tag", m("i"))),
        *EMIT_TAGS,
        Transmit(m("x")),
    ]
    outcome = one(pipeline(backend, swx(write, **more)), frame)
    assert outcome.sent == ((1, bytes.fromhex("0051 0000")),)
    assert traced(pipeline(backend, swx(write, **more)), frame) == outcome


# --- unions and varbits ---

EMIT_UNION: list[Op] = [Emit("bits"), Emit("s")]
UNION: dict[str, Any] = {"unions": [Union("u", ("bits", "s"))]}


def test_union_has_at_most_one_valid_member(backend: Backend) -> None:
    code: list[Op] = [Extract("bits"), SetValid("s"), *EMIT_UNION, OUT]
    assert sent(backend, code, b"\1\2\3\4", **UNION) == b"\0"
    code = [SetValid("s"), Extract("bits"), *EMIT_UNION, OUT]
    assert sent(backend, code, b"\1\2\3\4", **UNION) == b"\1\2\3\4"
    code = [SetValid("s"), SetValid("copy"), CopyHeader("bits", "copy"), *EMIT_UNION, OUT]
    assert sent(backend, code, b"", **UNION) == bytes(4)
    code = [SetValid("s"), CopyHeader("bits", "copy"), *EMIT_UNION, OUT]  # an invalid source changes no rival
    assert sent(backend, code, b"", **UNION) == b"\0"


@pytest.mark.parametrize(("member", "port"), [("s", 1), ("bits", 1), ("copy", 0)])
def test_union_is_valid_if_any_member_is(backend: Backend, member: str, port: int) -> None:
    assert one(running(backend, [SetValid(member), Transmit(Valid("u"))], **UNION), b"").sent[0][0] == port


@pytest.mark.parametrize("bits", [0, 8, 64])
def test_varbit_keeps_its_length_through_copies(backend: Backend, bits: int) -> None:
    frame = b"K" + bytes(range(1, 1 + bits // 8)) + b"E" + b"rest"
    extract = Extract("options", varbit_bits=const(bits))
    assert sent(backend, [extract, Emit("options"), OUT], frame) == frame
    copied: list[Op] = [extract, CopyHeader("other", "options"), Emit("other"), OUT]
    assert sent(backend, copied, frame) == frame
    moved: list[Op] = [extract, SetValid("other"), Move(Ref("other", "data"), Ref("options", "data"))]
    assert sent(backend, [*moved, Emit("other"), OUT], frame) == b"\0" + frame[1 : 1 + bits // 8] + b"\0rest"


@pytest.mark.parametrize(
    ("bits", "frame", "reason"),
    [
        (12, b"K" * 20, "parser error ParserInvalidArgument"),
        (64, b"K" * 9, "packet too short"),
        (72, b"K" * 20, "parser error HeaderTooShort"),
        (72, b"K" * 5, "packet too short"),
    ],
)
def test_varbit_errors_in_the_order_of_bmv2(backend: Backend, bits: int, frame: bytes, reason: str) -> None:
    assert dropped(backend, [Extract("options", varbit_bits=const(bits)), OUT], frame) == reason


# --- loops ---


def test_endless_loop_ends_with_a_reason(backend: Backend) -> None:
    assert (
        dropped(backend, [Label("again", "state"), Branch("eq", const(1), const(1), "again"), Drop()], b"")
        == "instruction limit"
    )
    stuck: list[Op] = [
        Label("s", "state"),
        Lookahead(m("x")),
        Switch((m("x"),), (Case((5,), (-1,), "s"),), "s"),
    ]
    assert dropped(backend, stuck, bytes(4)) == "instruction limit"


def test_a_header_without_fields_takes_nothing_and_is_valid(backend: Backend) -> None:
    code: list[Op] = [Extract("none"), Move(m("x"), Valid("none")), Emit("none"), Transmit(const(1))]
    built = swx(code, types=[HeaderType("none_t", ())], headers={"none": "none_t"}, metadata={"x": 32})
    assert pipeline(backend, built).process([(0, b"\x01\x02")], 0)[0].sent == ((1, b"\x01\x02"),)
