"""PNA documents: extern functions, what the loader infers about tables, the side file, undeclared headers."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from bmv2_json_samples import (
    Json,
    action,
    document,
    field,
    goto,
    key,
    number,
    op,
    pipeline,
    primitive,
    state,
    table,
)
from pna_fixtures import BUILD, fixture
from test_bmv2_json_fuzz import mutate, outcome

from p4nic.errors import ArtifactError, UnsupportedError
from p4nic.ir import verify
from p4nic.ir.program import ActionRef, Program, Register
from p4nic.ir.text import code_lines
from p4nic.load.artifact import load_program
from p4nic.load.bmv2.pna import TIMEOUTS
from p4nic.load.bmv2.pna_side import Timers, read_side
from p4nic.load.bmv2_json import load_text

X, Y, A = field("scalars", "x"), field("scalars", "y"), field("h", "a")
KEY = key("exact", "h", "a")


def string(text: str) -> Json:
    return {"type": "string", "value": text}


def add_entry(name: str, arguments: Any = (), profile: int = 1) -> Json:
    return primitive("add_entry", string(name), list(arguments), number(profile))


def pna(*actions: Json, tables: list[Json] | None = None, **more: Any) -> Json:
    """A PNA document; its control applies the first of the tables."""
    made = tables or []
    control = pipeline("main_control", made[0]["name"] if made else None, tables=made)
    parser = {"name": "main_parser", "id": 0, "init_state": "start", "parse_states": [state("start")]}
    sections: Json = {
        "parsers": [parser],
        "pipelines": [control],
        "deparsers": [{"name": "main_deparser", "id": 0, "order": []}],
        "actions": list(actions),
    }
    return document(**{**sections, **more})


def load(doc: Json, **timers: Timers) -> Program:
    program = load_text(json.dumps(doc), "nic.json", timers=timers)
    assert verify.problems(program) == []
    return program


def lines(program: Program, name: str) -> list[str]:
    return [line.strip() for line in code_lines(program.actions[name].code)]


HIT = action("C.hit", id=1, params={"p": 8, "q": 16})
MISS = action("C.miss", add_entry("hit", [X, Y]), id=0)


def learner(*keys: Json, actions: dict[int, str] | None = None) -> Json:
    return table("t", *(keys or (KEY,)), actions=actions or {0: "C.miss", 1: "C.hit"})


# --- extern functions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (primitive("send_to_port", X), ["$pna.port = scalars.x", "$pna.dropped = 1w0x0"]),
        (primitive("drop_packet"), ["$pna.dropped = 1w0x1"]),
        (primitive("mirror_packet", number(3), Y), ["mirror slot 2w0x3 session scalars.y"]),
        (primitive("restart_expire_timer"), ["rearm"]),
        (primitive("set_entry_expire_time", X), ["rearm profile scalars.x"]),
        (
            primitive("set_entry_expire_time_if", op("==", A, number(1)), number(4)),
            ["if h.a != 1w0x1 goto $kept1", "rearm profile 3w0x4", "$kept1:"],
        ),
        (
            primitive("update_expire_info", op("==", A, number(1)), op("==", A, number(2)), X),
            [
                "if h.a != 1w0x1 goto $kept1",
                "if h.a != 2w0x2 goto $restart2",
                "rearm profile scalars.x",
                "goto $kept1",
                "$restart2:",
                "rearm",
                "$kept1:",
            ],
        ),
        (primitive("recirculate"), ["recirculate keeping ()"]),
    ],
)
def test_extern_function(call: Json, expected: list[str]) -> None:
    assert lines(load(pna(action("act", call))), "act") == expected


def test_add_entry_finds_its_action_in_the_table() -> None:
    program = load(pna(HIT, MISS, tables=[learner()]))
    assert lines(program, "C.miss") == ["learn C.hit(scalars.x, scalars.y) profile 1w0x1"]


def test_add_entry_if_is_add_entry_under_a_condition() -> None:
    call = primitive("add_entry_if", op("==", A, number(1)), string("hit"), [X, Y], number(2))
    program = load(pna(HIT, action("C.miss", call, id=0), tables=[learner()]))
    assert lines(program, "C.miss") == [
        "if h.a != 1w0x1 goto $kept1", "learn C.hit(scalars.x, scalars.y) profile 2w0x2", "$kept1:",
    ]  # fmt: skip


def test_an_argument_that_is_no_struct_stands_alone() -> None:
    miss = action("C.miss", primitive("add_entry", string("hit"), X, number(1)), id=0)
    program = load(pna(action("C.hit", id=1, params={"p": 8}), miss, tables=[learner()]))
    assert lines(program, "C.miss") == ["learn C.hit(scalars.x) profile 1w0x1"]


@pytest.mark.parametrize(
    ("doc", "sentence"),
    [
        (
            pna(HIT, action("C.miss", add_entry("hat"), id=0), tables=[learner()]),
            "no action is called 'hat' in the tables of this action, which have C.miss, C.hit.",
        ),
        (pna(HIT, MISS), "add_entry stands in an action that no table uses, so it could add to none."),
        (
            pna(
                HIT,
                action("C.miss", primitive("add_entry", number(1), [], number(1)), id=0),
                tables=[learner()],
            ),
            "expected 'string', found \"hexstr\".",
        ),
        (
            pna(HIT, MISS, tables=[learner(KEY, key("ternary", "h", "b"))]),
            "add_entry in a table with the ternary key 'b' is not supported; match exactly.",
        ),
    ],
)  # fmt: skip
def test_an_add_entry_that_cannot_be(doc: Json, sentence: str) -> None:
    with pytest.raises(ArtifactError) as refused:
        load(doc)
    assert sentence in str(refused.value)


# --- tables and the side file -------------------------------------------------------------------------------


def test_a_table_that_calls_add_entry_is_add_on_miss() -> None:
    made = load(pna(HIT, MISS, tables=[learner()])).tables["t"]
    assert made.learner_timeouts == TIMEOUTS
    assert made.actions == (ActionRef("C.miss", "default_only"), ActionRef("C.hit"))


def test_a_table_that_calls_neither_is_ordinary() -> None:
    made = load(pna(HIT, tables=[table("t", KEY, actions={1: "C.hit"}, default_entry=None)])).tables["t"]
    assert (made.is_learner, made.idle_timeout) == (False, False)


def test_a_table_that_restarts_timers_leaves_them_alone_otherwise() -> None:
    hit = action("C.hit", primitive("restart_expire_timer"), id=0)
    assert load(pna(hit, tables=[table("t", KEY, actions={0: "C.hit"})])).tables["t"].is_learner


@pytest.mark.parametrize(
    ("timers", "timeouts"),
    [
        (Timers(), TIMEOUTS),
        (Timers("AUTO_DELETE", (5, 7)), (5, 7)),
        (Timers(None, (5, 0)), (5, 0)),
        (Timers("NO_TIMEOUT"), (0,) * len(TIMEOUTS)),
    ],
)
def test_the_side_file_states_the_times(timers: Timers, timeouts: tuple[int, ...]) -> None:
    assert load(pna(HIT, MISS, tables=[learner()]), t=timers).tables["t"].learner_timeouts == timeouts


def test_the_side_file_makes_an_ordinary_table_notify() -> None:
    doc = pna(HIT, tables=[table("t", KEY, actions={1: "C.hit"}, default_entry=None)])
    assert load(doc, t=Timers("NOTIFY_CONTROL")).tables["t"].idle_timeout


def test_what_the_side_file_cannot_ask_for() -> None:
    plain = pna(HIT, tables=[table("t", KEY, actions={1: "C.hit"}, default_entry=None)])
    with pytest.raises(UnsupportedError, match="AUTO_DELETE in a table without add_entry"):
        load(plain, t=Timers("AUTO_DELETE"))
    with pytest.raises(UnsupportedError, match="NOTIFY_CONTROL in a table with add_entry"):
        load(pna(HIT, MISS, tables=[learner()]), t=Timers("NOTIFY_CONTROL"))
    with pytest.raises(ArtifactError, match=r"there is no table \(which the side file names\) named 'u'"):
        load(plain, u=Timers())
    with pytest.raises(ArtifactError, match="this is a v1model program; a side file belongs to a PNA"):
        load_text(json.dumps(document()), timers={"t": Timers()})


def test_a_side_file_is_read_and_checked() -> None:
    text = (
        '{"p4nic": "pna", "tables": {"C.t": {"idle_timeout": "AUTO_DELETE", "timeouts": [10, 0]}, "u": {}}}'
    )
    assert read_side(text, "s.json") == {"C.t": Timers("AUTO_DELETE", (10, 0)), "u": Timers()}
    for wrong, sentence in (
        ('{"tables": {}}', "starts with"),
        ('{"p4nic": "pna"}', "the key 'tables' is missing"),
        ('{"p4nic": "pna", "tables": {"t": {"timeout": []}}}', 'the key "timeout" is unknown'),
        ('{"p4nic": "pna", "tables": {"t": {"timeouts": [-1]}}}', "expected a whole number"),
        ('{"p4nic": "pna", "tables": {"t": {"idle_timeout": "NEVER"}}}', "expected 'NO_TIMEOUT'"),
    ):
        with pytest.raises(ArtifactError) as refused:
            read_side(wrong, "s.json")
        assert sentence in str(refused.value)


def test_a_side_file_is_given_beside_the_json(tmp_path: Path) -> None:
    side = tmp_path / "anything.json"
    side.write_text('{"p4nic": "pna", "tables": {"Main.kept": {"timeouts": [1, 2, 3]}}}')
    tables = fixture("flows", "json", side).tables
    assert [tables[f"Main.{n}"].learner_timeouts for n in ("kept", "retimed")] == [(1, 2, 3), TIMEOUTS]
    with pytest.raises(ArtifactError, match="belongs to the JSON of p4c-bm2-pna"):
        fixture("flows", "spec", side)
    with pytest.raises(ArtifactError, match="alone is no program|leave it out"):
        load_program([side])


# --- parser -------------------------------------------------------------------------------------------------


def test_a_select_without_a_match_is_an_error() -> None:
    """In v1model and PSA it accepts, as BMv2 does: see test_bmv2_json_parsers."""
    start = state("start", key=[A], to=[goto("start", "0x01")])
    parser = {"name": "main_parser", "id": 0, "init_state": "start", "parse_states": [start]}
    code = code_lines(load(pna(parsers=[parser])).blocks["main_parser"].code)
    assert "select (h.a) { 0x1: start; _: error NoMatch }" in [line.strip() for line in code]


def test_the_direction_comes_from_a_register_as_in_a_spec() -> None:
    program = fixture("direction", "json")
    assert program.registers == {"direction": Register("direction", 32, 256)}
    first, second = [line.strip() for line in code_lines(program.blocks["main_parser"].code)][:2]
    port = "direction[pna_main_parser_input_metadata.input_port]"
    assert first.split(" //")[0] == f"pna_main_parser_input_metadata.direction = {port}"
    assert second.split(" //")[0] == f"pna_main_input_metadata.direction = {port}"


# --- what p4c uses without declaring it ---------------------------------------------------------------------


def header(name: str) -> Json:
    return {"type": "header", "value": name}


def test_elements_without_a_stack_are_one() -> None:
    extract = {"op": "extract", "parameters": [{"type": "stack", "value": "seg"}]}
    parser = {
        "name": "main_parser",
        "id": 0,
        "init_state": "start",
        "parse_states": [state("start", extract)],
    }
    program = load(pna(parsers=[parser], header_stacks=[]))
    assert program.stacks["seg"].size == 2


def test_a_copied_header_has_the_type_of_what_it_copies() -> None:
    copies = [
        primitive("assign_header", header("u"), header("t")),
        primitive("assign_header", header("t"), header("h")),
    ]
    program = load(pna(action("act", *copies, primitive("assign", X, field("u", "b")))))
    assert {program.headers[n].type for n in "htu"} == {"h_t"}


def test_a_header_with_all_the_fields_of_one_type_is_of_it() -> None:
    sets = [primitive("assign", field("t", f), number(1)) for f in ("p", "q", "r")]
    program = load(pna(action("act", primitive("add_header", header("t")), *sets)))
    assert program.headers["t"].type == "s_t"


def test_a_header_that_is_only_removed_has_no_fields() -> None:
    program = load(pna(action("act", primitive("remove_header", header("t")))))
    assert program.header_types[program.headers["t"].type].fields == ()


@pytest.mark.parametrize(
    "call",
    [
        primitive("add_header", header("t")),
        primitive("assign", X, field("t", "a")),
        primitive("assign_header", header("t"), header("u")),
    ],
)
def test_a_header_whose_type_nothing_tells_is_refused(call: Json) -> None:
    with pytest.raises(
        UnsupportedError, match="the undeclared header 't' is not supported; make it a member"
    ):
        load(pna(action("act", call)))


# --- damaged documents --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["flows", "passes", "direction"])
def test_mutations_of_pna_documents(name: str) -> None:
    random_ = random.Random(name)
    original = (BUILD / f"{name}.json").read_text()
    outcomes = set()
    for _ in range(100):
        doc = json.loads(original)
        for _ in range(random_.choice([1, 1, 2, 5])):
            mutate(doc, random_)
        outcomes.add(outcome(json.dumps(doc)))
    assert {"loaded", "ArtifactError"} <= outcomes
