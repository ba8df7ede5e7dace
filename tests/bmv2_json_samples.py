"""BMv2 JSON documents by hand, as small as the format allows, for test_bmv2_json_*.py.

A document has the metadata `standard_metadata` and `scalars`, the headers `h` and `g` (of one type), the
signed header `s`, the stack `seg` and the varbit header `opt`; sections given to `document` are added or
replaced.
"""

from __future__ import annotations

import json
from typing import Any

from p4nic.ir import verify
from p4nic.ir.program import Program
from p4nic.ir.text import code_lines
from p4nic.load.bmv2_json import load_text

Json = dict[str, Any]

STANDARD = [
    ["ingress_port", 9, False], ["egress_spec", 9, False], ["egress_port", 9, False],
    ["instance_type", 32, False], ["packet_length", 32, False], ["mcast_grp", 16, False],
    ["checksum_error", 1, False], ["parser_error", 32, False],
]  # fmt: skip
SCALARS = [["x", 8, False], ["y", 16, False], ["flag", 1, False], ["i", 8, True], ["wide", 64, False]]
H = [["a", 8, False], ["b", 8, False], ["c", 16, False]]
S = [["p", 8, True], ["q", 16, True], ["r", 8, False]]


def document(**sections: Any) -> Json:
    """A v1model document whose blocks are empty."""
    doc: Json = {
        "__meta__": {"version": [2, 23], "compiler": "https://github.com/p4lang/p4c"},
        "program": "sample.p4",
        "header_types": [
            {"name": "scalars_t", "id": 0, "fields": SCALARS},
            {"name": "standard_metadata", "id": 1, "fields": STANDARD},
            {"name": "h_t", "id": 2, "fields": H},
            {"name": "s_t", "id": 3, "fields": S},
            {"name": "opt_t", "id": 4, "fields": [["len", 8, False], ["data", "*"]], "max_length": 41},
        ],
        "headers": [
            {"name": "scalars", "id": 0, "header_type": "scalars_t", "metadata": True},
            {"name": "standard_metadata", "id": 1, "header_type": "standard_metadata", "metadata": True},
            {"name": "h", "id": 2, "header_type": "h_t", "metadata": False},
            {"name": "g", "id": 3, "header_type": "h_t", "metadata": False},
            {"name": "s", "id": 4, "header_type": "s_t", "metadata": False},
            {"name": "opt", "id": 5, "header_type": "opt_t", "metadata": False},
            {"name": "seg[0]", "id": 6, "header_type": "h_t", "metadata": False},
            {"name": "seg[1]", "id": 7, "header_type": "h_t", "metadata": False},
        ],
        "header_stacks": [{"name": "seg", "id": 0, "header_type": "h_t", "size": 2, "header_ids": [6, 7]}],
        "errors": [["NoError", 0], ["PacketTooShort", 1], ["NoMatch", 2], ["StackOutOfBounds", 3]],
        "parsers": [{"name": "parser", "id": 0, "init_state": "start", "parse_states": [state("start")]}],
        "deparsers": [{"name": "deparser", "id": 0, "order": ["h"]}],
        "actions": [],
        "pipelines": [pipeline("ingress"), pipeline("egress")],
    }
    doc.update(sections)
    return doc


def loaded(doc: Json) -> Program:
    """The verified Program of a document."""
    program = load_text(json.dumps(doc), "sample.json")
    assert verify.problems(program) == []
    return program


# --- parts ---------------------------------------------------------------------------------------------


def pipeline(name: str, init: str | None = None, **sections: Any) -> Json:
    return {
        "name": name, "id": 0, "init_table": init, "tables": [], "action_profiles": [], "conditionals": [],
        **sections,
    }  # fmt: skip


def state(name: str, *ops: Json, key: list[Json] | None = None, to: list[Json] | None = None) -> Json:
    """A parser state; without transitions it accepts."""
    transitions = [goto(None)] if to is None else to
    return {
        "name": name,
        "id": 0,
        "parser_ops": list(ops),
        "transitions": transitions,
        "transition_key": key or [],
    }


def goto(target: str | None, value: str | None = None, mask: str | None = None) -> Json:
    """A transition: the default one, or one on a value."""
    kind = "default" if value is None else "hexstr"
    return {"type": kind, "value": value, "mask": mask, "next_state": target}


def action(name: str, *primitives: Json, id: int = 0, params: dict[str, int] | None = None) -> Json:
    data = [{"name": n, "bitwidth": w} for n, w in (params or {}).items()]
    return {"name": name, "id": id, "runtime_data": data, "primitives": list(primitives)}


def primitive(op: str, *parameters: Any) -> Json:
    return {"op": op, "parameters": list(parameters)}


def table(name: str, *keys: Json, actions: dict[int, str], **more: Any) -> Json:
    """A table of type simple; its default is the first action, and it ends the pipeline."""
    return {
        "name": name, "id": 0, "key": list(keys), "match_type": "exact", "type": "simple", "max_size": 64,
        "with_counters": False, "support_timeout": False, "direct_meters": None,
        "action_ids": list(actions), "actions": list(actions.values()), "base_default_next": None,
        "next_tables": dict.fromkeys(actions.values()),
        "default_entry": {"action_id": min(actions), "action_const": False, "action_data": []},
        **more,
    }  # fmt: skip


def key(kind: str, header: str, field: str, **more: Any) -> Json:
    return {"match_type": kind, "name": field, "target": [header, field], "mask": None, **more}


# --- values --------------------------------------------------------------------------------------------


def field(header: str, name: str) -> Json:
    return {"type": "field", "value": [header, name]}


def number(value: int) -> Json:
    return {"type": "hexstr", "value": f"-{-value:#x}" if value < 0 else f"{value:#x}"}


def op(name: str, left: Json | None, right: Any, **more: Any) -> Json:
    return {"type": "expression", "value": {"op": name, "left": left, "right": right, **more}}


def wrapped(expression: Json) -> Json:
    """As p4c writes an expression that is a parameter."""
    return {"type": "expression", "value": expression}


def masked(expression: Json, bits: int) -> Json:
    """bit<W> arithmetic as p4c writes it."""
    return op("&", expression, number((1 << bits) - 1))


# --- what came out ----------------------------------------


def action_text(*primitives: Json, params: dict[str, int] | None = None, **sections: Any) -> list[str]:
    """The instructions that an action with these primitives becomes."""
    doc = document(actions=[action("act", *primitives, params=params)], **sections)
    return [line.strip() for line in code_lines(loaded(doc).actions["act"].code)]


def assigned(expression: Json, dst: Json | None = None, params: dict[str, int] | None = None) -> list[str]:
    """The instructions that `dst` (default: scalars.x, bit<8>) = expression becomes."""
    return action_text(primitive("assign", dst or field("scalars", "x"), wrapped(expression)), params=params)
