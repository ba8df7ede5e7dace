"""The dump of a Program, golden: one whole program, and every instruction and operand."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
from ir_rule_samples import A, B, C, X, by_name, program, table, with_code

from p4nic.ir import ops
from p4nic.ir.ops import (
    Advance,
    Apply,
    Assert,
    Binary,
    Branch,
    BranchAction,
    BranchHit,
    Call,
    Case,
    ChecksumAdd,
    Choose,
    Clone,
    Const,
    CopyHeader,
    Count,
    CountDirect,
    Digest,
    Drop,
    Emit,
    EntryId,
    Exit,
    Extract,
    Forget,
    Hash,
    Jump,
    Label,
    Learn,
    LogMessage,
    Lookahead,
    Meter,
    Mirror,
    Move,
    Op,
    Operand,
    PacketLength,
    Param,
    Pop,
    Push,
    Random,
    Rearm,
    Receive,
    Recirculate,
    RecirculationId,
    Ref,
    RegisterAdd,
    RegisterRead,
    RegisterWrite,
    Reject,
    Resubmit,
    Return,
    SetInvalid,
    SetValid,
    StackIndex,
    StackRef,
    StackValid,
    Switch,
    Temp,
    Transmit,
    Truncate,
    Unary,
    Valid,
    Verify,
)
from p4nic.ir.program import (
    ActionCall,
    ActionRef,
    Any,
    ConstEntry,
    Exact,
    Key,
    Lpm,
    Range,
    Ternary,
)
from p4nic.ir.text import dump
from p4nic.ir.text_op import op_text, operand_text
from p4nic.ir.types import Source

ONE = Const(1, 8)
T = Temp("t1", 9)

GOLDEN = """\
program sample (v1model)

header type h_t
  a bit<8>
  b bit<8>
  c bit<16>
header type opt_t
  len bit<8>
  data varbit<320>
header type m_t
  x bit<8>
  y bit<16>
  i int<8>
header h h_t
header g h_t
header opt opt_t
header seg[0] h_t
header seg[1] h_t
header u.one h_t
header u.two h_t
metadata m m_t
stack seg h_t[2]
union u = u.one | u.two

error NoError = 0
error NoMatch = 2
value set vs (8) size 4
counter c both size 8
counter dc packets direct of t
meter me bytes size 8
meter dm bytes direct of t
register r bit<16>[8]
digest d (a 8, y 16)
action profile ap size 16 groups of 4 selected by crc16(h.a, h.c)

table t size 1024
  key h.a exact 8 = h.a
  action set
  action none
  default none()
  counter dc on hit
  meter dm
  entry (0x5) set(0x1)

action set(v 8)                                         // lb.p4:5
    m.x = $v

action none()

block parser parser
  state start:
    extract h

block verify_checksum control

block ingress control
  node t:                                               // lb.p4:7
    apply t                                             // lb.p4:7
    if miss goto end
  end:

block egress control

block compute_checksum control

block deparser deparser
    emit h
"""


def test_a_whole_program() -> None:
    here = Source("lb.p4", 7)
    code = (Label("t", "node", here), Apply("t", here), BranchHit("end", hit=False), Label("end"))
    assert dump(with_code("ingress", *code)) == GOLDEN


def test_equal_programs_give_equal_text() -> None:
    assert dump(program()) == dump(program())


def test_a_table_with_everything() -> None:
    keys = (
        Key("k", "exact", A, 8),
        Key("l", "lpm", C, 16, 0xFF00),
        Key("m", "ternary", B, 8),
        Key("r", "range", X, 8),
    )
    matches = (Exact(1), Lpm(0x1200, 8), Ternary(1, 3), Range(2, 9))
    full = table(
        keys=keys,
        actions=(ActionRef("set", "table_only"), ActionRef("none", "default_only")),
        default_is_const=True,
        const_entries=(
            ConstEntry(matches, ActionCall("set", (255,)), 7),
            ConstEntry((Exact(2), Any(), Any(), Any()), ActionCall("set", (0,)), 1),
        ),
        entries_are_const=True,
        implementation="ap",
        meter_result=X,
        idle_timeout=True,
        learner_timeouts=(10, 30),
        source=Source("lb.p4", 3),
    )
    text = dump(replace(program(), tables=by_name(full)))
    assert (
        text[text.index("table t") : text.index("\n\naction")]
        == """\
table t size 1024                                       // lb.p4:3
  key k exact 8 = h.a
  key l lpm 16 = h.c & 0xff00
  key m ternary 8 = h.b
  key r range 8 = m.x
  action set table only
  action none default only
  default none() const
  implementation ap
  counter dc on hit
  meter dm to m.x
  idle timeout
  learns, timeouts 10, 30 s
  const entry (0x1, 0x1200/8, 0x1 &&& 0x3, 0x2..0x9) set(0xff) priority 7
  const entry (0x2, _, _, _) set(0x0) priority 1"""
    )


@pytest.mark.parametrize(
    ("operand", "expected"),
    [
        (Const(0x800, 16), "16w0x800"),
        (Const(-3, 8, True), "8s-0x3"),
        (Ref("h", "a"), "h.a"),
        (StackRef("seg", "last", "a"), "seg[last].a"),
        (StackRef("seg", A, "a"), "seg[h.a].a"),
        (T, "t1"),
        (Param("v"), "$v"),
        (Valid("h"), "valid(h)"),
        (StackValid("seg", ONE), "valid(seg[8w0x1])"),
        (PacketLength(), "packet_length"),
        (StackIndex("seg", "next"), "next_index(seg)"),
    ],
)
def test_operand(operand: Operand, expected: str) -> None:
    assert operand_text(operand) == expected


INSTRUCTIONS: list[tuple[Op, str]] = [
    (Move(T, A), "t1:bit<9> = h.a"),
    (Unary(Temp("t2", 8, True), "neg", A), "t2:int<8> = -h.a"),
    (Binary(X, "sat_add", A, ONE), "m.x = h.a |+| 8w0x1"),
    (Choose(X, T, A, B), "m.x = t1 ? h.a : h.b"),
    (Hash(X, "crc16", (A, C)), "m.x = crc16(h.a, h.c)"),
    (
        Hash(X, "crc32", (A,), ONE, C, host_order=True, with_payload=True),
        "m.x = 8w0x1 + (crc32 host order(h.a, payload) % h.c)",
    ),
    (ChecksumAdd(C, A), "h.c = checksum with h.a"),
    (ChecksumAdd(C, "g", subtract=True), "h.c = checksum without g"),
    (Random(X, ONE, A), "m.x = random(8w0x1, h.a)"),
    (SetValid("h"), "validate h"),
    (SetInvalid("seg", A), "invalidate seg[h.a]"),
    (CopyHeader("h", "g"), "copy h = g"),
    (Push("seg", 1), "push seg by 1"),
    (Pop("seg", 2), "pop seg by 2"),
    (Extract("h"), "extract h"),
    (Extract("opt", T), "extract opt varbit t1"),
    (Lookahead(X, 8), "m.x = lookahead at 8"),
    (Lookahead("h"), "h = lookahead at 0"),
    (Advance(ONE), "advance 8w0x1"),
    (Verify(T, "NoMatch"), "verify t1 else error NoMatch"),
    (Verify(T, X), "verify t1 else error m.x"),
    (Reject("NoMatch"), "reject NoMatch"),
    (Emit("h"), "emit h"),
    (Label("here"), "here:"),
    (Jump("here"), "goto here"),
    (Branch("le", A, ONE, "here"), "if h.a <= 8w0x1 goto here"),
    (
        Switch(
            (A, C), (Case((1, 2), (-1, 0xF0), "x"), Case((0, 3), (0, -1), "y"), Case((), (), "z", "vs")), None
        ),
        "select (h.a, h.c) { 0x1, 0x2 &&& 0xf0: x; _, 0x3: y; vs: z; _: error NoMatch }",
    ),
    (Switch((A,), (), "here"), "select (h.a) { _: here }"),
    (Apply("t"), "apply t"),
    (BranchHit("here"), "if hit goto here"),
    (BranchAction("set", "here"), "if ran set goto here"),
    (BranchAction("set", "here", ran=False), "if did not run set goto here"),
    (Call("set", (ONE,)), "call set(8w0x1)"),
    (Return(), "return"),
    (Exit(), "exit"),
    (Learn("set", (A,), ONE), "learn set(h.a) profile 8w0x1"),
    (Rearm(), "rearm"),
    (Rearm(ONE), "rearm profile 8w0x1"),
    (Forget(), "forget"),
    (EntryId(X), "m.x = entry_id"),
    (Count("c", A, ONE, PacketLength()), "count c[h.a] by packets 8w0x1, bytes packet_length"),
    (CountDirect("dc", ONE, None), "count dc by packets 8w0x1"),
    (Meter(X, "me", A, C, B), "m.x = meter me[h.a] length h.c color h.b"),
    (Meter(X, "dm", None), "m.x = meter dm"),
    (RegisterRead(X, "r", A), "m.x = r[h.a]"),
    (RegisterWrite("r", A, X), "r[h.a] = m.x"),
    (RegisterAdd("r", A, X), "r[h.a] += m.x"),
    (Digest("d", (A, C)), "digest d(h.a, h.c)"),
    (Clone("i2e", ONE, (Ref("m", "x"),)), "clone i2e session 8w0x1 keeping (m.x)"),
    (Resubmit(), "resubmit keeping ()"),
    (Recirculate(), "recirculate keeping ()"),
    (RecirculationId(X), "m.x = recirculation_id"),
    (Mirror(A, ONE), "mirror slot h.a session 8w0x1"),
    (Truncate(ONE), "truncate to 8w0x1"),
    (Receive(X), "m.x = receive"),
    (Transmit(X), "transmit m.x"),
    (Drop(), "drop"),
    (LogMessage("x {}", (A,)), "log 'x {}' (h.a)"),
    (Assert(T, "x > 1"), "assert t1 'x > 1'"),
]


@pytest.mark.parametrize(("op", "expected"), INSTRUCTIONS)
def test_instruction(op: Op, expected: str) -> None:
    assert op_text(op) == expected


def test_every_instruction_is_tested() -> None:
    assert {type(op) for op, _ in INSTRUCTIONS} == set(get_args(ops.Op))
