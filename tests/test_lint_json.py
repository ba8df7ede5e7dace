"""p4nic lint of a BMv2 JSON: what simple_switch, psa_switch and pna_nic refuse, and what p4c left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from p4nic.errors import P4nicError
from p4nic.lint.finding import Finding
from p4nic.lint.targets import Target, lint

Json = dict[str, Any]
BUILD = Path(__file__).parent / "programs" / "build"
PIPELINES = {"v1model": "ingress", "psa": "ingress", "pna": "main_control"}
PARSERS = {"v1model": "parser", "psa": "ingress_parser", "pna": "main_parser"}
P4INFO = """\
pkg_info { arch: "v1model" }
tables {
  preamble { id: 33554433 name: "C.t" alias: "t" }
  match_fields { id: 1 name: "k" bitwidth: 8 match_type: EXACT }
  action_refs { id: 16777217 }
  size: 16
  %s
}
actions { preamble { id: 16777217 name: "C.a" alias: "a" } }
%s
"""


def document(architecture: str = "pna", *primitives: Json, **more: Any) -> Json:
    action = {
        "name": "C.a", "id": 0, "runtime_data": [], "primitives": list(primitives),
        "source_info": {"filename": "p.p4", "line": 7},
    }  # fmt: skip
    table = {
        "name": "C.t",
        "type": "simple",
        "support_timeout": False,
        "source_info": {"filename": "p.p4", "line": 9},
    }
    return {
        "header_types": [],
        "headers": [{"name": "h"}],
        "header_stacks": [],
        "parsers": [{"name": PARSERS[architecture]}],
        "pipelines": [{"name": PIPELINES[architecture], "tables": [table]}],
        "actions": [action],
        **more,
    }


def call(op: str, *parameters: Json) -> Json:
    return {"op": op, "parameters": list(parameters)}


def found(
    tmp_path: Path, value: Json, target: Target = "bmv2-1.15", p4info: str | None = None
) -> list[Finding]:
    path = tmp_path / "p.json"
    path.write_text(json.dumps(value))
    info = tmp_path / "p.p4info.txtpb"
    if p4info is not None:
        info.write_text(p4info)
    return lint([path], info if p4info is not None else None, target)


@pytest.mark.parametrize(
    "op", ["add_entry", "drop_packet", "restart_expire_timer", "set_entry_expire_time", "mirror_packet",
           "register_read", "modify_field_rng_uniform", "generate_digest"],
)  # fmt: skip
def test_what_pna_nic_does_not_register(op: str, tmp_path: Path) -> None:
    (finding,) = found(tmp_path, document("pna", call(op)))
    assert (finding.level, finding.rule, finding.where) == ("error", "unknown-primitive", "p.p4:7")
    assert finding.effect == f"pna_nic refuses the file (Unknown primitive action: {op})"
    assert found(tmp_path, document("v1model", call(op))) == []


def test_what_pna_nic_has(tmp_path: Path) -> None:
    assert (
        found(tmp_path, document("pna", call("send_to_port"), call("assign"), call("_Hash_get_hash"))) == []
    )


def test_a_meter_of_pna_without_its_result(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, document("pna", call("_Meter_execute", {}, {})))
    assert finding.effect == "pna_nic refuses the file (_Meter_execute: expected 3 parameters)"


@pytest.mark.parametrize(
    "parameter",
    [
        {"type": "header_stack", "value": "seg"},
        {"type": "field", "value": ["seg", "x"]},
        {"type": "header", "value": "seg"},
    ],
)
def test_headers_nobody_declared(parameter: Json, tmp_path: Path) -> None:
    (finding,) = found(tmp_path, document("psa", call("assign", parameter)))
    assert (finding.rule, finding.where) == ("undeclared-header", "p.p4:7")
    assert found(tmp_path, document("psa", call("assign", {"type": "field", "value": ["h", "x"]}))) == []


def test_an_algorithm_without_a_name(tmp_path: Path) -> None:
    instance = {"name": "h1", "attribute_values": [{"name": "algo", "value": "<null>"}]}
    (finding,) = found(tmp_path, document("psa", extern_instances=[instance]))
    assert finding.what == "h1 has an algorithm p4c has no name for"
    assert finding.effect == "psa_switch crashes at the first packet"


def test_a_random_hash(tmp_path: Path) -> None:
    calculation = {"name": "c", "algo": "random"}
    (finding,) = found(tmp_path, document("v1model", calculations=[calculation]))
    assert finding.effect == "simple_switch does not know it and refuses the file"
    assert found(tmp_path, document("v1model", calculations=[{"name": "c", "algo": "crc16"}])) == []


def test_what_p4c_left_out(tmp_path: Path) -> None:
    profile = (
        'action_profiles { preamble { id: 285212673 name: "C.p" alias: "p" } table_ids: 33554433 size: 4 }'
    )
    info = P4INFO % ("implementation_id: 285212673 idle_timeout_behavior: NOTIFY_CONTROL", profile)
    findings = found(tmp_path, document("psa"), p4info=info)
    assert [f.what for f in findings if f.rule == "left-out"] == [
        "table C.t has its implementation in the P4Info, and not in the JSON",
        "table C.t has its idle timeout in the P4Info, and not in the JSON",
    ]
    assert "no-p4runtime" in {f.rule for f in findings}


def test_what_simple_switch_grpc_cannot_do(tmp_path: Path) -> None:
    preamble = 'preamble { id: 369098753 name: "C.r" alias: "r" }'
    register = f"registers {{ {preamble} type_spec {{ bitstring {{ bit {{ bitwidth: 8 }} }} }} size: 4 }}"
    value = document("v1model")
    value["pipelines"][0]["tables"][0]["entries"] = [{}]
    findings = found(tmp_path, value, p4info=P4INFO % ("", register))
    assert [(f.level, f.rule) for f in findings] == [
        ("warning", "initial-entries"),
        ("warning", "unimplemented"),
    ]
    assert found(tmp_path, value, p4info=P4INFO % ("is_const_table: true", "")) == []


def test_a_learner_is_not_marked_in_the_json(tmp_path: Path) -> None:
    (finding,) = found(tmp_path, document("pna", call("add_entry")), "pna-spec")
    assert (finding.level, finding.rule, finding.where) == ("warning", "unmarked-learner", "p.p4:7")


@pytest.mark.parametrize("path", sorted(BUILD.glob("*.json")), ids=lambda path: path.stem)
def test_our_fixtures_have_no_errors(path: Path) -> None:
    if "context" in path.name or path.name == "fingerprint.json" or path.name.startswith("pna"):
        pytest.skip("no program for BMv2, or one that pna_nic cannot run")
    assert [f for f in lint([path], None, "bmv2-1.15") if f.level == "error"] == []


@pytest.mark.parametrize(
    ("value", "target", "sentence"),
    [
        (document("v1model"), "dpdk-22.11", "p.json is a JSON for BMv2; lint it for bmv2-1.15"),
        (document("psa"), "pna-spec", "p.json is of a psa program, not of PNA; lint it for bmv2-1.15"),
        ({"tables": []}, "bmv2-1.15", "p.json is JSON of another kind"),
    ],
)
def test_refused(value: Json, target: Target, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(P4nicError, match=sentence):
        found(tmp_path, value, target)
