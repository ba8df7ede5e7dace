"""Each rule of layout, blocks, tables and other state, broken once: what the verifier says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from ir_rule_samples import H_T, HEADERS, M_T, OPT_T, A, C, by_name, program, sentences, with_table

from p4nic.ir.ops import Const, Ref
from p4nic.ir.program import (
    Action,
    ActionCall,
    ActionParam,
    ActionProfile,
    ActionRef,
    Block,
    ConstEntry,
    Counter,
    Exact,
    Key,
    Lpm,
    Match,
    MatchKind,
    MeterArray,
    Program,
    Range,
    Register,
    Ternary,
    ValueSet,
)
from p4nic.ir.program import (
    Any as AnyMatch,
)
from p4nic.ir.types import Field, Header, HeaderType, Stack, Union


def types(*extra: HeaderType) -> dict[str, HeaderType]:
    return by_name(H_T, OPT_T, M_T, *extra)


def headers(*extra: Header) -> dict[str, Header]:
    return by_name(*HEADERS, *extra)


def renamed(mapping: Any) -> dict[str, Any]:
    """The objects under names that are not theirs."""
    return {f"not_{name}": thing for name, thing in mapping.items()}


@pytest.mark.parametrize(
    ("spoilt", "expected"),
    [
        (
            program(header_types=types(HeaderType("z", (Field("f", 8), Field("f", 8))))),
            "header type z: has the field 'f' twice",
        ),
        (
            program(header_types=types(HeaderType("z", (Field("f", -8),)))),
            "header type z: the field 'f' has a width of -8",
        ),
        (
            program(
                header_types=types(HeaderType("z", (Field("f", 8, varbit=True), Field("g", 8, varbit=True))))
            ),
            "header type z: has more than one varbit",
        ),
        (program(headers=headers(Header("z", "nope"))), "header z: is of the unknown type 'nope'"),
        (
            program(
                header_types=types(HeaderType("z_t", (Field("f", 9),))), headers=headers(Header("z", "z_t"))
            ),
            "header z: has 9 bits, which are no whole bytes",
        ),
        (program(stacks=by_name(Stack("z", "h_t", 0))), "stack z: has 0 elements"),
        (program(stacks=by_name(Stack("seg", "h_t", 3))), "stack seg: element 2 is no header of type 'h_t'"),
        (program(unions=by_name(Union("z", ("nope",)))), "union z: the member 'nope' does not exist"),
        (program(unions={"z": Union("u", ())}), "union z: calls itself 'u'"),
        (
            program(blocks={k: b for k, b in program().blocks.items() if k != "egress"}),
            "program: v1model needs the block 'egress'",
        ),
        (
            program(blocks={**program().blocks, "egress": Block("egress", "parser", ())}),
            "block egress: must be of kind 'control', not 'parser'",
        ),
        (
            program(blocks={**program().blocks, "extra": Block("extra", "control", ())}),
            "block extra: does not belong to v1model",
        ),
    ],
)
def test_rule_of_the_layout(spoilt: Program, expected: str) -> None:
    assert sentences(spoilt) == [expected]


# --- tables ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"keys": (Key("k", "exact", Ref("h", "z"), 8),)}, "the header 'h' has no field 'z'"),
        ({"keys": (Key("k", "exact", A, 9),)}, "the key 'k' has 9 bits, its operand 8"),
        ({"keys": (Key("k", "exact", A, 8, mask=256),)}, "the mask of the key 'k' does not fit 8 bits"),
        ({"actions": (ActionRef("set"), ActionRef("none"), ActionRef("zz"))}, "there is no action 'zz'"),
        (
            {"actions": (ActionRef("set"), ActionRef("none"), ActionRef("none"))},
            "the action 'none' stands twice",
        ),
        ({"actions": (ActionRef("set"),)}, "the default action 'none' is not among its actions"),
        (
            {"actions": (ActionRef("set"), ActionRef("none", "table_only"))},
            "the default action 'none' is not among its actions",
        ),
        ({"default": ActionCall("set")}, "the default action 'set' takes 1 arguments, not 0"),
        (
            {"default": ActionCall("set", (256,))},
            "the default action 'set': 256 does not fit the 8 bits of 'v'",
        ),
        ({"size": -1}, "has a size of -1"),
        ({"implementation": "nope", "const_entries": ()}, "there is no action profile 'nope'"),
        ({"implementation": "ap"}, "has entries of its own, but also an action profile"),
        ({"counter": "nope"}, "the direct counter 'nope' is not bound to it"),
        ({"counter": "c"}, "the direct counter 'c' is not bound to it"),
        ({"counter": None}, "counts on hit, but has no counter"),
        ({"meter": "me"}, "the direct meter 'me' is not bound to it"),
        ({"meter_result": Ref("m", "z")}, "the header 'm' has no field 'z'"),
    ],
)
def test_rule_of_a_table(changes: dict[str, Any], expected: str) -> None:
    assert sentences(with_table(**changes)) == [f"table t: {expected}"]


def test_keys_have_names_of_their_own() -> None:
    keys = (Key("k", "exact", A, 8), Key("k", "exact", C, 16))
    assert sentences(with_table(keys=keys, const_entries=())) == ["table t: the key 'k' stands twice"]


def test_one_lpm_key_at_most() -> None:
    keys = (Key("k", "lpm", A, 8), Key("l", "lpm", C, 16))
    assert sentences(with_table(keys=keys, const_entries=())) == ["table t: has more than one lpm key"]


def test_a_learner_matches_exactly() -> None:
    changes = {"keys": (Key("k", "ternary", A, 8),), "const_entries": (), "learner_timeouts": (10,)}
    assert sentences(with_table(**changes)) == ["table t: learns, so all its keys must be exact"]


def test_the_operand_may_be_wider_than_the_key() -> None:
    assert sentences(with_table(keys=(Key("k", "exact", C, 9),))) == []


# --- entries -----------------------------------------------------------------


def entry_problems(kind: MatchKind, match: Match, priority: int = 0) -> list[str]:
    keys = (Key("k", kind, A, 8),)
    return sentences(
        with_table(keys=keys, const_entries=(ConstEntry((match,), ActionCall("none"), priority),))
    )


@pytest.mark.parametrize(
    ("kind", "match", "priority"),
    [
        ("exact", Exact(255), 0),
        ("lpm", Lpm(0xF0, 4), 0),
        ("lpm", AnyMatch(), 0),
        ("ternary", Ternary(0x0A, 0x0F), 1),
        ("range", Range(3, 255), 1),
        ("optional", Exact(3), 1),
        ("optional", AnyMatch(), 2),
    ],
)
def test_an_entry_that_fits(kind: MatchKind, match: Match, priority: int) -> None:
    assert entry_problems(kind, match, priority) == []


@pytest.mark.parametrize(
    ("kind", "match", "priority", "expected"),
    [
        ("exact", Exact(256), 0, "Exact(value=256) does not fit the 8 bits of the key 'k'"),
        ("lpm", Lpm(0xFF, 4), 0, "Lpm(value=255, prefix_length=4) does not fit the 8 bits of the key 'k'"),
        ("lpm", Lpm(0, 9), 0, "Lpm(value=0, prefix_length=9) does not fit the 8 bits of the key 'k'"),
        (
            "ternary",
            Ternary(0xFF, 0x0F),
            1,
            "Ternary(value=255, mask=15) does not fit the 8 bits of the key 'k'",
        ),
        ("range", Range(5, 3), 1, "Range(low=5, high=3) does not fit the 8 bits of the key 'k'"),
        ("exact", AnyMatch(), 0, "Any cannot match the exact key 'k'"),
        ("ternary", Exact(1), 1, "Exact cannot match the ternary key 'k'"),
        ("exact", Exact(1), 4, "has the priority 4; the table's kinds of keys need none"),
        ("ternary", AnyMatch(), 0, "has the priority 0; the table's kinds of keys need one above 0"),
    ],
)
def test_an_entry_that_does_not(kind: MatchKind, match: Match, priority: int, expected: str) -> None:
    assert entry_problems(kind, match, priority) == [f"table t: entry 0: {expected}"]


def test_an_entry_matches_every_key() -> None:
    entry = ConstEntry((), ActionCall("none"))
    assert sentences(with_table(const_entries=(entry,))) == ["table t: entry 0: matches 0 keys of 1"]


def test_an_entry_runs_an_action_of_the_table() -> None:
    entry = ConstEntry((Exact(1),), ActionCall("none"))
    actions = (ActionRef("set"), ActionRef("none", "default_only"))
    found = sentences(with_table(const_entries=(entry,), actions=actions))
    assert found == ["table t: entry 0: the action 'none' is not among its actions"]


def test_entries_differ() -> None:
    entry = ConstEntry((Exact(1),), ActionCall("none"))
    assert sentences(with_table(const_entries=(entry, entry))) == ["table t: entry 1: stands twice"]


# --- other state -------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {
                "actions": {
                    **program().actions,
                    "z": Action("z", (ActionParam("p", 8), ActionParam("p", 8)), ()),
                }
            },
            "action z: the parameter 'p' stands twice",
        ),
        (
            {"actions": {**program().actions, "z": Action("z", (ActionParam("p", 0),), ())}},
            "action z: the parameter 'p' has 0 bits",
        ),
        ({"actions": {**program().actions, "z": Action("y", (), ())}}, "action z: calls itself 'y'"),
        (
            {"action_profiles": by_name(ActionProfile("ap", 8, 0, "crc16", (Ref("h", "z"),)))},
            "action profile ap: the header 'h' has no field 'z'",
        ),
        (
            {"action_profiles": by_name(ActionProfile("ap", 8, 0, None, (A,)))},
            "action profile ap: has inputs to a selector, but no algorithm",
        ),
        (
            {"counters": {**program().counters, "z": Counter("z", "both", table="nope")}},
            "counter z: is bound to the unknown table 'nope'",
        ),
        ({"counters": {**program().counters, "z": Counter("z", "both", -1)}}, "counter z: has a size of -1"),
        (
            {"meters": {**program().meters, "z": MeterArray("z", "bytes", 4, "t")}},
            "meter z: has a size of 4",
        ),
        ({"registers": by_name(Register("r", 0, 4))}, "register r: has 4 cells of 0 bits"),
        ({"registers": by_name(Register("r", 8, 4, 256))}, "register r: the initial value 256 does not fit"),
        ({"value_sets": by_name(ValueSet("vs", (), 4))}, "value set vs: has keys of () bits"),
    ],
)
def test_rule_of_other_state(changes: dict[str, Any], expected: str) -> None:
    assert sentences(program(**changes)) == [expected]


def test_a_table_is_called_what_it_is() -> None:
    spoilt = program()
    assert "table not_t: calls itself 't'" in sentences(replace(spoilt, tables=renamed(spoilt.tables)))


def test_a_constant_may_be_a_key() -> None:
    assert sentences(with_table(keys=(Key("k", "exact", Const(1, 8), 8),))) == []
