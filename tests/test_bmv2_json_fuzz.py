"""Damaged documents: whatever is changed, removed or exchanged, only an ArtifactError or a VerifyError comes
out.

Mutations are seeded; one that leaves the document loadable is fine, and some must (else they are too crude).
"""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest
from bmv2_json_samples import (
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

from p4nic.errors import ArtifactError, VerifyError
from p4nic.ir import verify
from p4nic.load.bmv2_json import load_text

ROOT = Path(__file__).parents[1]
ARTIFACTS = [
    ROOT / "pipeline" / "build" / "k8s_lb.json",
    ROOT / "tests" / "programs" / "build" / "packet_io.json",
]
JUNK: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    7,
    1 << 70,
    1.5,
    "",
    "x",
    "0x",
    "0xff",
    "-0x1",
    "0x" + "f" * 40,
    "$valid$",
    "header",
    "field",
    "expression",
    "scalars",
    [],
    {},
    [[]],
    {"type": "field"},
    ["h", "a"],
    {"type": "expression", "value": {}},
]


def rich() -> Any:
    """A document with a little of everything."""
    expression = op(
        "?", op("+", field("h", "a"), number(1)), field("s", "p"), cond=op("d2b", None, field("h", "$valid$"))
    )
    entries = [
        {
            "match_key": [{"match_type": "ternary", "key": "0x01", "mask": "0xff"}],
            "action_entry": {"action_id": 0, "action_data": ["0x01"]},
            "priority": 1,
        }
    ]
    default = {"action_id": 0, "action_const": False, "action_data": ["0x1"]}
    t = table(
        "t",
        key("ternary", "h", "a"),
        actions={0: "act"},
        entries=entries,
        default_entry=default,
        direct_meters="m",
    )
    start = state(
        "start",
        {"op": "extract", "parameters": [{"type": "regular", "value": "h"}]},
        key=[field("h", "c"), {"type": "lookahead", "value": [0, 4]}],
        to=[
            goto("start", "0x080001", "0xffff0f"),
            {"type": "parse_vset", "value": "pvs", "mask": None, "next_state": None},
        ],
    )
    return document(
        actions=[
            action("act", primitive("assign", field("scalars", "x"), wrapped(expression)), params={"v": 8})
        ],
        pipelines=[pipeline("ingress", "t", tables=[t]), pipeline("egress")],
        parsers=[{"name": "parser", "id": 0, "init_state": "start", "parse_states": [start]}],
        parse_vsets=[{"name": "pvs", "id": 0, "compressed_bitwidth": 20, "max_size": 2}],
        meter_arrays=[
            {
                "name": "m",
                "id": 0,
                "is_direct": True,
                "rate_count": 2,
                "type": "bytes",
                "size": 1,
                "binding": "t",
                "result_target": ["scalars", "y"],
            }
        ],
        calculations=[
            {"name": "c", "id": 0, "algo": "csum16", "input": [field("h", "a"), {"type": "payload"}]}
        ],
        checksums=[{"name": "k", "id": 0, "target": ["h", "c"], "type": "generic", "calculation": "c"}],
        learn_lists=[{"id": 1, "name": "l", "elements": [field("h", "a")]}],
    )


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) of a document."""
    found: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        node = stack.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else []
        for name in keys:
            found.append((node, name))
            stack.append(node[name])
    return found


def mutate(doc: Any, random_: random.Random) -> None:
    """One change: junk, removal, duplication, or a value from elsewhere in the document."""
    spots = places(doc)
    container, name = random_.choice(spots)
    match random_.randrange(4):
        case 0:
            container[name] = copy.deepcopy(random_.choice(JUNK))
        case 1:
            del container[name]
        case 2:
            other, other_name = random_.choice(spots)
            container[name] = copy.deepcopy(other[other_name])
        case _:
            if isinstance(container, list):
                container.append(copy.deepcopy(container[name]))
            else:
                container[random_.choice(["type", "value", "op", "name", "id"])] = copy.deepcopy(
                    container[name]
                )


def outcome(text: str) -> str:
    """ "loaded", or the kind of error; any other exception fails the test."""
    try:
        verify.check(load_text(text, "mutant.json"))
    except (ArtifactError, VerifyError) as error:
        kind, sentence = type(error).__name__, str(error)
    else:
        return "loaded"
    assert "\n" not in sentence
    assert len(sentence) > 10
    return kind


def documents() -> list[Any]:
    return [json.loads(path.read_text()) for path in ARTIFACTS]


@pytest.mark.parametrize("seed", range(6))
def test_mutations_of_real_documents(seed: int) -> None:
    random_ = random.Random(seed)
    originals = [json.dumps(doc) for doc in documents()]
    outcomes = set()
    for _ in range(20):
        doc = json.loads(random_.choice(originals))
        for _ in range(random_.choice([1, 1, 2, 5])):
            mutate(doc, random_)
        outcomes.add(outcome(json.dumps(doc)))
    assert {"loaded", "ArtifactError"} <= outcomes


@pytest.mark.parametrize("seed", range(10))
def test_mutations_of_a_document_with_everything(seed: int) -> None:
    random_ = random.Random(1000 + seed)
    original = json.dumps(rich())
    assert outcome(original) == "loaded"
    outcomes = set()
    for _ in range(80):
        doc = json.loads(original)
        for _ in range(random_.choice([1, 1, 2, 4])):
            mutate(doc, random_)
        outcomes.add(outcome(json.dumps(doc)))
    assert {"loaded", "ArtifactError"} <= outcomes


def test_every_truncation_is_told() -> None:
    text = json.dumps(rich())
    for end in range(0, len(text) - 1, 97):
        assert outcome(text[:end]) == "ArtifactError"
