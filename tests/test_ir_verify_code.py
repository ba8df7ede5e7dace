"""Each rule of code, broken once: what the verifier says."""

from __future__ import annotations

import pytest
from ir_rule_samples import A, C, X, Y, program, sentences, with_action, with_code

from p4nic.errors import VerifyError
from p4nic.ir import verify
from p4nic.ir.ops import (
    Advance,
    Apply,
    Binary,
    Branch,
    BranchAction,
    BranchHit,
    Call,
    Case,
    ChecksumAdd,
    Clone,
    Const,
    CopyHeader,
    Count,
    CountDirect,
    Digest,
    Drop,
    Emit,
    Exit,
    Extract,
    Jump,
    Label,
    Learn,
    Lookahead,
    Meter,
    Move,
    Op,
    PacketLength,
    Param,
    Pop,
    Push,
    Receive,
    Ref,
    RegisterRead,
    Reject,
    Return,
    SetInvalid,
    SetValid,
    StackIndex,
    StackRef,
    StackValid,
    Switch,
    Temp,
    Transmit,
    Valid,
    Verify,
)
from p4nic.ir.types import Source

T = Temp("t1", 8)
ONE = Const(1, 8)
EXACT = Case((1,), (-1,), "here")


def test_a_sound_program_has_no_problems() -> None:
    assert verify.problems(program()) == []
    verify.check(program())


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        # operands
        ([Move(Ref("nope", "a"), ONE)], "Move: there is no header 'nope'"),
        ([Move(X, Ref("h", "nope"))], "Move: the header 'h' has no field 'nope'"),
        ([Move(X, StackRef("nope", "last", "a"))], "Move: there is no stack 'nope'"),
        ([Move(X, StackRef("seg", "last", "nope"))], "Move: the stack 'seg' has no field 'nope'"),
        ([Move(X, StackRef("seg", Ref("h", "z"), "a"))], "Move: the header 'h' has no field 'z'"),
        ([Move(StackRef("seg", Param("v"), "a"), ONE)], "Move: there is no parameter 'v'"),
        ([Move(X, Param("v"))], "Move: there is no parameter 'v'"),
        ([Move(X, Valid("nope"))], "Move: there is no header or union 'nope'"),
        ([Move(X, StackValid("nope", "last"))], "Move: there is no stack 'nope'"),
        ([Move(X, StackIndex("nope", "next"))], "Move: there is no stack 'nope'"),
        ([Move(X, Const(256, 8))], "Move: the constant 256 does not fit 8 bits"),
        ([Move(X, Const(-1, 8))], "Move: the constant -1 does not fit 8 bits"),
        ([Move(X, Const(0, 0))], "Move: the constant 0 does not fit 0 bits"),
        ([Move(Ref("opt", "data"), A)], "Move: a varbit moves to a varbit only"),
        # headers
        ([SetValid("m")], "SetValid: 'm' is no packet header"),
        ([SetInvalid("h", ONE)], "SetInvalid: there is no stack 'h'"),
        ([CopyHeader("h", "opt")], "CopyHeader: 'opt' and 'h' are not of one type of header, stack or union"),
        ([CopyHeader("h", "seg")], "CopyHeader: 'seg' and 'h' are not of one type of header, stack or union"),
        ([Push("nope", 1)], "Push: there is no stack 'nope'"),
        ([Pop("seg", 3)], "Pop: a shift by 3 is beyond the stack 'seg'"),
        ([ChecksumAdd(Y, "nope")], "ChecksumAdd: there is no header 'nope'"),
        # control flow
        ([Apply("nope")], "Apply: there is no table 'nope'"),
        ([Call("nope")], "Call: there is no action 'nope'"),
        ([Call("set")], "Call: the action 'set' takes 1 arguments, not 0"),
        ([Learn("set", (), ONE)], "Learn: the action 'set' takes 1 arguments, not 0"),
        ([Label("l"), BranchAction("nope", "l")], "BranchAction: there is no action 'nope'"),
        # state
        ([Count("nope", ONE, ONE, None)], "Count: there is no indexed counter 'nope'"),
        ([Count("dc", ONE, ONE, None)], "Count: there is no indexed counter 'dc'"),
        ([CountDirect("c", ONE, None)], "CountDirect: there is no direct counter 'c'"),
        ([Meter(X, "me", None)], "Meter: there is no direct meter 'me'"),
        ([Meter(X, "dm", ONE)], "Meter: there is no indexed meter 'dm'"),
        ([RegisterRead(X, "nope", ONE)], "RegisterRead: there is no register 'nope'"),
        ([Digest("nope", ())], "Digest: there is no digest 'nope'"),
        ([Digest("d", (A,))], "Digest: the digest 'd' has 2 fields, not 1"),
        ([Clone("i2e", ONE, (A,))], "Clone: h.a is no metadata, so it cannot be kept"),
    ],
)
def test_rule_of_an_instruction(code: list[Op], expected: str) -> None:
    at = next(i for i, op in enumerate(code) if not isinstance(op, Label))
    assert sentences(with_code("ingress", *code)) == [f"block ingress[{at}]: {expected}"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ([Extract("m")], "Extract: 'm' is neither a packet header nor a stack"),
        ([Extract("opt")], "Extract: 'opt' needs a varbit length if, and only if, it has a varbit"),
        ([Extract("h", ONE)], "Extract: 'h' needs a varbit length if, and only if, it has a varbit"),
        ([Lookahead("m")], "Lookahead: 'm' is no packet header"),
        ([Lookahead(X, -1)], "Lookahead: the offset -1 is negative"),
        ([Verify(ONE, "nope")], "Verify: there is no error 'nope'"),
        ([Reject("nope")], "Reject: there is no error 'nope'"),
        ([Label("here"), Switch((), (), None)], "Switch: there are no keys"),
        (
            [Label("here"), Switch((A, C), (EXACT,), None)],
            "Switch: a case has 1 values and 1 masks for 2 keys",
        ),
        (
            [Label("here"), Switch((A,), (Case((256,), (-1,), "here"),), None)],
            "Switch: the case value 256 does not fit the key's 8 bits",
        ),
        (
            [Label("here"), Switch((A,), (Case((), (), "here", "nope"),), None)],
            "Switch: there is no value set 'nope'",
        ),
    ],
)
def test_rule_of_the_parser(code: list[Op], expected: str) -> None:
    at = next(i for i, op in enumerate(code) if not isinstance(op, Label))
    assert sentences(with_code("parser", *code)) == [f"block parser[{at}]: {expected}"]


def test_only_packet_headers_are_emitted() -> None:
    found = sentences(with_code("deparser", Emit("m"), Emit("u.one")))
    assert found == ["block deparser[0]: Emit: 'm' is no packet header"]


def test_a_place_names_the_p4_position() -> None:
    found = sentences(with_code("ingress", Apply("nope", Source("lb.p4", 7))))
    assert found == ["block ingress[0] (lb.p4:7): Apply: there is no table 'nope'"]


# --- where an instruction may stand ----------------------------------------


@pytest.mark.parametrize(
    ("op", "block", "allowed"),
    [
        (Extract("h"), "ingress", "parser, pipeline"),
        (Advance(ONE), "deparser", "parser, pipeline"),
        (Emit("h"), "ingress", "deparser, pipeline"),
        (Apply("t"), "parser", "control, pipeline"),
        (Call("none"), "deparser", "control, pipeline"),
        (Exit(), "parser", "action, control, pipeline"),
        (Count("c", ONE, ONE, PacketLength()), "parser", "action, control, pipeline"),
        (Transmit(ONE), "ingress", "pipeline"),
        (Drop(), "ingress", "action, pipeline"),
    ],
)
def test_instruction_in_the_wrong_block(op: Op, block: str, allowed: str) -> None:
    kind = program().blocks[block].kind
    expected = f"block {block}[0]: {type(op).__name__} may not stand in a {kind}, only in {allowed}"
    assert sentences(with_code(block, op)) == [expected]


def test_an_action_applies_no_table() -> None:
    expected = "action set[0]: Apply may not stand in an action, only in control, pipeline"
    assert sentences(with_action(Apply("t"))) == [expected]


def test_receive_comes_first() -> None:
    found = sentences(with_code("ingress", Move(X, ONE), Receive(X)))
    assert "block ingress: Receive must be the first instruction" in found


# --- labels ----------------------------------------------------------------


def test_labels_are_unique() -> None:
    found = sentences(with_code("ingress", Label("l"), Label("l")))
    assert found == ["block ingress: the label 'l' stands twice"]


def test_targets_exist() -> None:
    found = sentences(with_code("ingress", Jump("l"), Apply("t"), BranchHit("k")))
    assert found == [
        "block ingress: Jump goes to the unknown label 'l'",
        "block ingress: BranchHit goes to the unknown label 'k'",
    ]


def test_cases_and_defaults_are_targets() -> None:
    found = sentences(with_code("parser", Switch((A,), (EXACT,), "there")))
    assert found == [
        "block parser: Switch goes to the unknown label 'here'",
        "block parser: Switch goes to the unknown label 'there'",
    ]


# --- temporaries -------------------------------------------------------------

UNWRITTEN = "the temporary 't1' may be read before it is written"


def test_a_temporary_has_one_type() -> None:
    found = sentences(with_code("ingress", Move(T, A), Move(X, Temp("t1", 9))))
    assert found == ["block ingress: the temporary 't1' has two widths or signs, 8 and 9"]


def test_a_temporary_has_bits() -> None:
    found = sentences(with_code("ingress", Move(Temp("t0", 0), A)))
    assert found == ["block ingress: the temporary 't0' has a width of 0"]


@pytest.mark.parametrize(
    "code",
    [
        [Move(X, T)],
        [Binary(T, "add", T, ONE)],
        # one of two ways around
        [Branch("eq", A, ONE, "else"), Move(T, A), Label("else"), Move(X, T)],
        # the loop's first turn
        [Label("top"), Branch("eq", X, ONE, "end"), Move(X, T), Move(T, A), Jump("top"), Label("end")],
        # inside a run-time index
        [Move(X, StackRef("seg", T, "a"))],
    ],
)
def test_a_temporary_is_written_on_every_path_to_its_reading(code: list[Op]) -> None:
    assert sentences(with_code("ingress", *code)) == [f"block ingress: {UNWRITTEN}"]


@pytest.mark.parametrize(
    "code",
    [
        [
            Branch("eq", A, ONE, "else"),
            Move(T, A),
            Jump("end"),
            Label("else"),
            Move(T, ONE),
            Label("end"),
            Move(X, T),
        ],
        # the way without a write never arrives
        [
            Branch("eq", A, ONE, "else"),
            Move(T, A),
            Jump("end"),
            Label("else"),
            Return(),
            Label("end"),
            Move(X, T),
        ],
        [Move(T, A), Label("top"), Binary(T, "sub", T, ONE), Branch("ne", T, ONE, "top"), Move(X, T)],
        # nothing comes to this label at all
        [Move(X, A), Return(), Label("dead"), Move(X, T)],
    ],
)
def test_paths_that_all_write_are_fine(code: list[Op]) -> None:
    assert sentences(with_code("ingress", *code)) == []


# --- the error -----------------------------------------------------------------


def test_check_raises_all_problems_in_one_sentence() -> None:
    spoilt = with_code("ingress", *(Apply(f"no{i}") for i in range(7)))
    with pytest.raises(VerifyError) as caught:
        verify.check(spoilt)
    assert len(caught.value.problems) == 7
    assert str(caught.value).startswith(
        "the program does not verify: block ingress[0]: Apply: there is no table 'no0'; block ingress[1]: "
    )
    assert str(caught.value).endswith("(and 2 more)")
