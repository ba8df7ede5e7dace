"""A Program that verifies, and ways to spoil it: for test_ir_verify_*.py and test_ir_text.py."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from p4nic.ir import verify
from p4nic.ir.ops import Emit, Extract, Label, Move, Op, Param, Ref
from p4nic.ir.program import (
    Action,
    ActionCall,
    ActionParam,
    ActionProfile,
    ActionRef,
    Block,
    ConstEntry,
    Counter,
    DigestList,
    Exact,
    Key,
    MeterArray,
    Program,
    Register,
    Table,
    ValueSet,
)
from p4nic.ir.types import Field, Header, HeaderType, Source, Stack, Union

H_T = HeaderType("h_t", (Field("a", 8), Field("b", 8), Field("c", 16)))
OPT_T = HeaderType("opt_t", (Field("len", 8), Field("data", 320, varbit=True)))
M_T = HeaderType("m_t", (Field("x", 8), Field("y", 16), Field("i", 8, signed=True)))
HEADERS = (
    Header("h", "h_t"), Header("g", "h_t"), Header("opt", "opt_t"), Header("seg[0]", "h_t"),
    Header("seg[1]", "h_t"), Header("u.one", "h_t"), Header("u.two", "h_t"),
    Header("m", "m_t", metadata=True),
)  # fmt: skip
A, B, C, X, Y = Ref("h", "a"), Ref("h", "b"), Ref("h", "c"), Ref("m", "x"), Ref("m", "y")


def by_name(*things: Any) -> dict[str, Any]:
    return {thing.name: thing for thing in things}


def program(**changes: Any) -> Program:
    """A v1model program with one of everything; `changes` replace its fields."""
    blocks = {
        "parser": Block("parser", "parser", (Label("start", "state"), Extract("h"))),
        "verify_checksum": Block("verify_checksum", "control", ()),
        "ingress": Block("ingress", "control", ()),
        "egress": Block("egress", "control", ()),
        "compute_checksum": Block("compute_checksum", "control", ()),
        "deparser": Block("deparser", "deparser", (Emit("h"),)),
    }
    base = Program(
        "sample",
        "v1model",
        by_name(H_T, OPT_T, M_T),
        by_name(*HEADERS),
        blocks,
        by_name(
            Action("set", (ActionParam("v", 8),), (Move(X, Param("v")),), Source("lb.p4", 5)),
            Action("none", (), ()),
        ),
        by_name(table()),
        stacks=by_name(Stack("seg", "h_t", 2)),
        unions=by_name(Union("u", ("u.one", "u.two"))),
        action_profiles=by_name(ActionProfile("ap", 16, 4, "crc16", (A, C))),
        counters=by_name(Counter("c", "both", 8), Counter("dc", "packets", table="t")),
        meters=by_name(MeterArray("me", "bytes", 8), MeterArray("dm", "bytes", table="t")),
        registers=by_name(Register("r", 16, 8)),
        digests=by_name(DigestList("d", (("a", 8), ("y", 16)))),
        value_sets=by_name(ValueSet("vs", (8,), 4)),
        errors={"NoError": 0, "NoMatch": 2},
    )
    return replace(base, **changes)


def table(**changes: Any) -> Table:
    """Table `t`: exact h.a, actions set and none, one const entry, direct counter and meter."""
    base = Table(
        "t",
        (Key("h.a", "exact", A, 8),),
        (ActionRef("set"), ActionRef("none")),
        ActionCall("none"),
        const_entries=(ConstEntry((Exact(5),), ActionCall("set", (1,))),),
        counter="dc",
        counts_on_hit=True,
        meter="dm",
    )
    return replace(base, **changes)


def with_table(**changes: Any) -> Program:
    return program(tables=by_name(table(**changes)))


def with_code(block: str, *code: Op) -> Program:
    """The program with this code in one of its blocks."""
    base = program()
    blocks = dict(base.blocks)
    blocks[block] = replace(blocks[block], code=code)
    return replace(base, blocks=blocks)


def with_action(*code: Op) -> Program:
    """The program with this code in its action `set`, which has the parameter `v`."""
    base = program()
    actions = dict(base.actions)
    actions["set"] = replace(actions["set"], code=code)
    return replace(base, actions=actions)


def sentences(spoilt: Program) -> list[str]:
    """Every problem as "place: sentence"."""
    return [f"{place}: {sentence}" for place, sentence in verify.problems(spoilt)]
