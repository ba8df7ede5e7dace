"""What a person reads when a document is not what p4c writes: one sentence with the place, golden."""

from __future__ import annotations

import json
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
    wrapped,
)

from p4nic.errors import ArtifactError, UnsupportedError
from p4nic.load.bmv2_json import load, load_text

X, A = field("scalars", "x"), field("h", "a")


def message(doc: Json | str) -> str:
    """The error's text, without the file's name."""
    text = doc if isinstance(doc, str) else json.dumps(doc)
    with pytest.raises(ArtifactError) as caught:
        load_text(text, "sample.json")
    return str(caught.value).removeprefix("sample.json").removeprefix(": ")


def acting(*primitives: Json, **sections: Any) -> Json:
    return document(actions=[action("act", *primitives)], **sections)


def with_table(t: Json, **sections: Any) -> Json:
    actions = [action("none", id=0), action("set", id=1, params={"v": 8})]
    return document(
        actions=actions,
        pipelines=[pipeline("ingress", t["name"], tables=[t]), pipeline("egress")],
        **sections,
    )


def parsing(*states: Json, init: str = "start") -> Json:
    return document(parsers=[{"name": "parser", "id": 0, "init_state": init, "parse_states": list(states)}])


# --- the file --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ":1:1: is not JSON: Expecting value. The file is cut short."),
        (
            '{"header_types": [{"name": "a',
            ":1:28: is not JSON: Unterminated string starting at. The file is cut short.",
        ),
        ('{"header_types": [1, 2', ":1:23: is not JSON: Expecting ',' delimiter. The file is cut short."),
        ("[]", "$: expected an object, found an array of 0."),
        ("9" * 5000, "is not JSON that p4c writes: a number or the nesting is out of bounds."),
        ("[" * 100_000, "is not JSON that p4c writes: a number or the nesting is out of bounds."),
    ],
)
def test_not_json(text: str, expected: str) -> None:
    assert message(text) == expected


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"none\.json: cannot be read: No such file or directory\."):
        load(tmp_path / "none.json")


def test_a_binary_file(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ArtifactError, match=r"x\.json: is not text in UTF-8, so it is no BMv2 JSON\."):
        load(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        (None, "$: the key '__meta__' is missing, so this is no BMv2 JSON of version 2.x; compile with p4c."),
        ({"version": [3, 0]}, "$.__meta__: version 3.0 is not supported; p4nic reads 2.0 to 2.24."),
        ({"version": [2, 99]}, "$.__meta__: version 2.99 is not supported; p4nic reads 2.0 to 2.24."),
        ({"version": "2.23"}, '$.__meta__.version: expected an array, found "2.23".'),
        ({}, "$.__meta__: the key 'version' is missing."),
    ],
)
def test_version(meta: Json | None, expected: str) -> None:
    assert message(document(__meta__=meta)) == expected


# --- references and types ----------------------------------------


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        (
            acting(primitive("assign", field("scalar", "x"), A)),
            "$.actions[0].primitives[0].parameters[0].value[0]: there is no header named 'scalar'; "
            "did p4c mean 'scalars'?",
        ),
        (
            acting(primitive("assign", X, field("h", "zz"))),
            "$.actions[0].primitives[0].parameters[1].value[1]: there is no field in header 'h' named 'zz'.",
        ),
        (
            acting({"op": "assign", "parameters": [{"type": "field", "value": "h.a"}, A]}),
            '$.actions[0].primitives[0].parameters[0].value: expected an array, found "h.a".',
        ),
        (
            acting(primitive("assign", X)),
            "$.actions[0].primitives[0]: 'assign' takes 2 parameters, found 1.",
        ),
        (
            acting(primitive("assign", X, {"type": "hexstr", "value": "12"})),
            "$.actions[0].primitives[0].parameters[1].value: expected a hexadecimal string such as "
            "'0x0a', found \"12\".",
        ),
        (
            acting(primitive("assign", X, {"type": "runtime_data", "value": 0})),
            "$.actions[0].primitives[0].parameters[1].value: there is no action parameter "
            "0; the action has 0.",
        ),
        (
            acting(primitive("count", {"type": "counter_array", "value": "c"}, A)),
            "$.actions[0].primitives[0].parameters[0].value: there is no counter array named 'c'.",
        ),
        (
            acting(primitive("resubmit", number(4))),
            "$.actions[0].primitives[0].parameters[0].value: there is no field list with id 4.",
        ),
        (
            acting(primitive("_jump", number(9))),
            "$.actions[0].primitives[0].parameters[0].value: the jump leaves the action, "
            "which has 1 primitives.",
        ),
        (
            acting({"op": ["assign"], "parameters": [X, A]}),
            "$.actions[0].primitives[0].op: expected a string, found an array of 1.",
        ),
        (
            document(actions=[action("a"), action("b")]),
            "$.actions[1]: there are two actions with id 0.",
        ),
        (
            with_table(table("t", key("exact", "h", "a"), actions={0: "none"}, next_tables={"none": "u"})),
            "$.pipelines[0].tables[0].next_tables.none: there is no table, conditional or "
            "action call named 'u'.",
        ),
        (
            with_table(table("t", key("exact", "h", "a"), actions={7: "none"})),
            "$.pipelines[0].tables[0].action_ids[0]: there is no action with id 7.",
        ),
        (
            with_table(table("t", actions={1: "set"})),
            "$.pipelines[0].tables[0].default_entry: 'set' takes 1 arguments, found 0.",
        ),
        (
            with_table(table("t", key("exact", "h", "a", mask="0x1ff"), actions={0: "none"})),
            "$.pipelines[0].tables[0].key[0].target: the mask of key 'a' does not fit its 8 bits.",
        ),
        (
            with_table(table("t", actions={0: "none"}, type="indirect", action_profile="ap")),
            "$.pipelines[0].tables[0].action_profile: there is no action profile named 'ap'.",
        ),
        (
            parsing(state("start"), init="stat"),
            "$.parsers[0].init_state: there is no parser state named 'stat'; did p4c mean 'start'?",
        ),
        (
            parsing(state("start", to=[goto("start", "0x01")])),
            "$.parsers[0].parse_states[0]: there are transitions on values, but 'transition_key' is empty.",
        ),
        (
            parsing(state("start", key=[A], to=[goto("start", "0x0100")])),
            '$.parsers[0].parse_states[0].transitions[0].value: expected a value of 1 bytes, found "0x0100".',
        ),
        (
            document(pipelines=[pipeline("ingress")]),
            "$: pipelines lacks 'egress'.",
        ),
        (
            document(parsers=[]),
            "$: the parsers [] belong to no architecture p4nic knows: v1model has parser; psa has "
            "ingress_parser, egress_parser; pna has main_parser.",
        ),
        (
            document(headers=[]),
            "$.header_stacks[0].header_ids[0]: there is no header with id 6.",
        ),
        (
            document(headers=[], header_stacks=[]),
            "$: v1model needs the metadata header 'standard_metadata'.",
        ),
        (
            document(header_types=[{"name": "t", "id": 0, "fields": [["f", "8"]]}]),
            '$.header_types[0].fields[0][1]: expected a whole number, found "8".',
        ),
        (
            document(counter_arrays=[{"name": "c", "id": 0, "size": -1}]),
            "$.counter_arrays[0].size: expected a whole number from 0 to 2147483647, found -1.",
        ),
    ],
)
def test_artifact_error(doc: Json, expected: str) -> None:
    assert message(doc) == expected


# --- constructs refused by name ----------------------------------------


def positioned(call: Json) -> Json:
    return {**call, "source_info": {"filename": "lb.p4", "line": 7, "column": 1, "source_fragment": "?"}}


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        (
            acting(positioned(primitive("teleport", A))),
            "$.actions[0].primitives[0]: the primitive 'teleport' at lb.p4:7 is not "
            "supported; p4nic has add, "
            "add_header, ",
        ),
        (
            acting(positioned(primitive("assign", X, wrapped(op("**", A, A))))),
            "$.actions[0].primitives[0].parameters[1].value.value: the operator '**' at "
            "lb.p4:7 is not supported; "
            "the operators of BMv2 JSON 2.24 are != ",
        ),
        (
            document(calculations=[{"name": "c", "id": 0, "algo": "random", "input": []}]),
            "$.calculations[0].algo: the hash algorithm 'random' is not supported; use one of crc16, ",
        ),
        (
            with_table(table("t", key("selector", "h", "a"), actions={0: "none"})),
            "$.pipelines[0].tables[0].key[0].match_type: the match kind 'selector' is not "
            "supported; use exact, ",
        ),
        (
            parsing(state("start", {"op": "rewind", "parameters": []})),
            "$.parsers[0].parse_states[0].parser_ops[0].op: the parser operation 'rewind' is not supported; ",
        ),
        (
            document(teleporters=[]),
            "$: the section 'teleporters' is not supported; p4nic reads BMv2 JSON up to version 2.24.",
        ),
        (
            document(extern_instances=[{"name": "e", "id": 0, "type": "Hash", "attribute_values": []}]),
            "$.extern_instances[0]: the extern 'Hash' is not supported; v1model's own externs need none.",
        ),
        (
            acting(
                primitive(
                    "assign",
                    field("scalars", "flag"),
                    wrapped(op(">", op("<<", A, field("scalars", "wide")), A)),
                )
            ),
            "$.actions[0].primitives[0].parameters[1].value.value.left.value: a shift left "
            "by a run-time amount that is "
            "not masked is not supported; mask or cast the result.",
        ),
    ],
)
def test_unsupported(doc: Json, expected: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        load_text(json.dumps(doc), "sample.json")
    assert str(caught.value).removeprefix("sample.json: ").startswith(expected)


def test_an_expression_nested_beyond_reason() -> None:
    expression = A
    for _ in range(3000):
        expression = op("~", None, expression)
    text = json.dumps(acting(primitive("assign", X, "HERE")))
    nested = (
        '{"type": "expression", "value": {"op": "~", "left": null, "right": ' * 400
        + json.dumps(A)
        + "}}" * 400
    )
    text = text.replace('"HERE"', nested)
    assert message(text) == "$: expressions are nested too deeply."
