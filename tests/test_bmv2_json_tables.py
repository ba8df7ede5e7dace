"""Tables: keys, entries, defaults, direct resources, profiles; and the control graph around them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bmv2_json_samples import (
    Json,
    action,
    document,
    field,
    key,
    loaded,
    number,
    op,
    pipeline,
    primitive,
    state,
    table,
)

from p4nic.errors import ArtifactError
from p4nic.ir.ops import Const, Ref, Valid
from p4nic.ir.program import (
    Action,
    ActionCall,
    ActionRef,
    Exact,
    Key,
    Lpm,
    Program,
    Range,
    Table,
    Ternary,
)
from p4nic.ir.program import (
    Any as AnyMatch,
)
from p4nic.ir.text import code_lines
from p4nic.load.bmv2.layout import load_layout
from p4nic.load.bmv2.scope import leaves_out
from p4nic.load.bmv2.tree import parse_text
from p4nic.load.bmv2_json import load_text

ACTIONS = [action("none", id=0), action("set", id=1, params={"v": 12, "w": 8})]


def with_table(*keys: Json, **more: Any) -> Json:
    t = table("t", *keys, actions={0: "none", 1: "set"}, **more)
    return document(actions=ACTIONS, pipelines=[pipeline("ingress", "t", tables=[t]), pipeline("egress")])


def loaded_table(*keys: Json, **more: Any) -> Table:
    program: Program = loaded(with_table(*keys, **more))
    return program.tables["t"]


def test_keys_have_kind_width_mask_and_the_control_planes_name() -> None:
    keys = loaded_table(
        key("exact", "h", "a"), key("lpm", "h", "c", name="hdr.h.c", mask="0x0ff0"), key("range", "h", "b")
    ).keys
    assert keys == (
        Key("a", "exact", Ref("h", "a"), 8),
        Key("hdr.h.c", "lpm", Ref("h", "c"), 16, 0x0FF0),
        Key("b", "range", Ref("h", "b"), 8),
    )


def test_validity_is_a_key_of_one_bit() -> None:
    keys = loaded_table(
        key("exact", "h", "$valid$"), {"match_type": "valid", "target": "g", "mask": None}
    ).keys
    assert [(k.operand, k.width, k.kind) for k in keys] == [
        (Valid("h"), 1, "exact"),
        (Valid("g"), 1, "exact"),
    ]


def test_a_key_without_a_name_is_called_after_its_field() -> None:
    unnamed = key("exact", "h", "a")
    del unnamed["name"]
    assert loaded_table(unnamed).keys[0].name == "h.a"


def test_size_ageing_and_default() -> None:
    default = {"action_id": 1, "action_const": True, "action_data": ["0xabc", "0x1"]}
    t = loaded_table(key("exact", "h", "a"), max_size=7, support_timeout=True, default_entry=default)
    assert (t.size, t.idle_timeout, t.default, t.default_is_const) == (
        7,
        True,
        ActionCall("set", (0xABC, 1)),
        True,
    )


def entry(priority: int, *matches: Json, action_id: int = 0, data: tuple[str, ...] = ()) -> Json:
    call = {"action_id": action_id, "action_data": list(data)}
    return {"match_key": list(matches), "action_entry": call, "priority": priority}


def test_a_slice_written_as_a_mask_is_a_key_of_its_own_width() -> None:
    """h.c[7:0]: the P4Info says 8 bits. A mask of other bits is a mask."""
    keys = (key("exact", "h", "c", mask="0x00ff"), key("exact", "g", "c", name="g.c", mask="0xff00"))
    assert [(k.width, k.mask) for k in loaded_table(*keys).keys] == [(8, 0xFF), (16, 0xFF00)]
    (written,) = loaded_table(key("exact", "h", "c", name="hdr.h.c & 0xf", mask="0x000f")).keys
    assert (written.width, written.mask) == (16, 0xF)


def ternary(value: str, mask: str) -> Json:
    return {"match_type": "ternary", "key": value, "mask": mask}


def test_entries_of_every_kind_are_canonical() -> None:
    matches: list[Json] = [
        {"match_type": "exact", "key": "0x05"},
        {"match_type": "lpm", "key": "0x1234", "prefix_length": 8},
        ternary("0xff", "0x0f"),
        {"match_type": "range", "start": "0x02", "end": "0x09"},
    ]
    anything: list[Json] = [
        {"match_type": "exact", "key": "0x06"},
        {"match_type": "lpm", "key": "0x0000", "prefix_length": 0},
        ternary("0x00", "0x00"),
        {"match_type": "range", "start": "0x00", "end": "0xff"},
    ]
    t = loaded_table(
        key("exact", "h", "a"), key("lpm", "h", "c"), key("ternary", "h", "b"),
        key("range", "g", "a", name="r"),
        entries=[entry(1, *matches, action_id=1, data=("0x0ab", "0x02")), entry(2, *anything)],
    )  # fmt: skip
    assert t.const_entries[0].key == (Exact(5), Lpm(0x1200, 8), Ternary(0x0F, 0x0F), Range(2, 9))
    assert t.const_entries[0].call == ActionCall("set", (0xAB, 2))
    assert t.const_entries[1].key == (Exact(6), AnyMatch(), AnyMatch(), AnyMatch())
    assert t.entries_are_const


def test_the_lowest_bmv2_priority_becomes_the_highest() -> None:
    rows = [
        entry(3, ternary("0x01", "0x01")),
        entry(1, ternary("0x02", "0x02")),
        entry(10, ternary("0x04", "0x04")),
    ]
    t = loaded_table(key("ternary", "h", "a"), entries=rows)
    assert [e.priority for e in t.const_entries] == [8, 10, 1]


def test_exact_entries_have_no_priority() -> None:
    t = loaded_table(key("exact", "h", "a"), entries=[entry(1, {"match_type": "exact", "key": "0x01"})])
    assert [e.priority for e in t.const_entries] == [0]


def test_optional_keys_are_ternary_until_p4info_says_otherwise() -> None:
    rows = [entry(1, ternary("0x01", "0xff")), entry(2, ternary("0x00", "0x00"))]
    doc = with_table(key("ternary", "h", "a"), entries=rows)
    assert loaded(doc).tables["t"].keys[0].kind == "ternary"
    program = load_text(json.dumps(doc), optional_keys={("t", "a")})
    assert program.tables["t"].keys[0].kind == "optional"
    assert [e.key for e in program.tables["t"].const_entries] == [(Exact(1),), (AnyMatch(),)]


def test_direct_counter_and_meter_work_on_every_hit() -> None:
    doc = with_table(key("exact", "h", "a"), with_counters=True, direct_meters="m")
    doc["counter_arrays"] = [{"name": "c", "id": 0, "is_direct": True, "binding": "t"}]
    doc["meter_arrays"] = [
        {
            "name": "m", "id": 0, "is_direct": True, "rate_count": 2, "type": "packets", "size": 64,
            "binding": "t", "result_target": ["scalars", "x"],
        }
    ]  # fmt: skip
    t = loaded(doc).tables["t"]
    assert (t.counter, t.counts_on_hit, t.meter, t.meter_result) == ("c", True, "m", Ref("scalars", "x"))


def test_an_action_selector_and_the_default_p4c_leaves_out() -> None:
    selector = {"algo": "crc16", "input": [field("h", "c"), field("h", "a")]}
    profile = {"name": "ap", "id": 0, "max_size": 32, "selector": selector}
    t = table("t", key("exact", "h", "a"), actions={1: "set"}, type="indirect_ws", action_profile="ap")
    del t["default_entry"]
    ingress = pipeline("ingress", "t", tables=[t], action_profiles=[profile])
    program = loaded(document(actions=ACTIONS, pipelines=[ingress, pipeline("egress")]))
    found = program.action_profiles["ap"]
    assert (found.size, found.selector_algorithm, found.selector_inputs) == (
        32, "crc16", (Ref("h", "c"), Ref("h", "a")),
    )  # fmt: skip
    assert program.tables["t"].implementation == "ap"
    assert program.tables["t"].default == ActionCall("NoAction")
    assert program.tables["t"].actions == (ActionRef("set"), ActionRef("NoAction", "default_only"))
    assert program.actions["NoAction"] == Action("NoAction", (), ())


# --- control flow ----------------------------------------


def ingress_lines(init: str | None, **sections: Any) -> list[str]:
    doc = document(actions=ACTIONS, pipelines=[pipeline("ingress", init, **sections), pipeline("egress")])
    program: Program = loaded(doc)
    return [line.strip() for line in code_lines(program.blocks["ingress"].code)]


def conditional(name: str, expression: Json, yes: str | None, no: str | None) -> Json:
    return {"name": name, "id": 0, "expression": expression, "true_next": yes, "false_next": no}


def test_an_empty_pipeline_is_an_empty_block() -> None:
    assert ingress_lines(None) == []


def test_the_next_table_depends_on_hit_and_miss() -> None:
    t = table(
        "t", key("exact", "h", "a"), actions={0: "none"}, next_tables={"__HIT__": "u", "__MISS__": None}
    )
    u = table("u", actions={0: "none"})
    lines = ["node t:", "apply t", "if miss goto $end", "node u:", "apply u", "$end:"]
    assert ingress_lines("t", tables=[t, u]) == lines


def test_the_next_table_depends_on_the_action() -> None:
    t = table(
        "t", key("exact", "h", "a"), actions={0: "none", 1: "set"}, next_tables={"none": "u", "set": "v"}
    )
    u, v = table("u", actions={0: "none"}), table("v", actions={0: "none"})
    lines = ingress_lines("t", tables=[t, u, v])
    assert lines == [
        "node t:", "apply t", "if ran set goto v", "node u:", "apply u", "return", "node v:", "apply v",
    ]  # fmt: skip


def test_conditions_short_cut() -> None:
    a, b = op("==", field("h", "a"), number(1)), op("d2b", None, field("scalars", "flag"))
    c = op("d2b", None, field("h", "$valid$"))
    t = table("t", actions={0: "none"})
    lines = ingress_lines(
        "n", tables=[t], conditionals=[conditional("n", op("and", op("or", a, b), c), "t", None)]
    )
    assert lines == [
        "node n:",
        "if h.a == 1w0x1 goto $skip1",
        "if scalars.flag == 1w0x0 goto $end",
        "$skip1:",
        "if valid(h) == 1w0x0 goto $end",
        "node t:",
        "apply t",
        "$end:",
    ]


def test_two_paths_meet_again() -> None:
    first = conditional("n1", op("d2b", None, field("scalars", "flag")), "t", "u")
    t = table("t", actions={0: "none"}, next_tables={"none": "v"})
    u = table("u", actions={0: "none"}, next_tables={"none": "v"})
    v = table("v", actions={0: "none"})
    assert ingress_lines("n1", tables=[t, u, v], conditionals=[first]) == [
        "node n1:", "if scalars.flag == 1w0x0 goto u", "node t:", "apply t", "node v:", "apply v", "return",
        "node u:", "apply u", "goto v",
    ]  # fmt: skip


def test_p4cs_wrappers_of_statements_become_calls() -> None:
    constant = {"action_id": 1, "action_const": True, "action_data": ["0x3", "0x4"]}
    hidden = table("tbl_set", actions={1: "set"}, default_entry=constant)
    assert ingress_lines("tbl_set", tables=[hidden]) == ["node tbl_set:", "call set(12w0x3, 8w0x4)"]


def test_a_table_without_keys_that_the_program_declares_stays_a_table() -> None:
    constant = {"action_id": 0, "action_const": True, "action_data": []}
    t = table("Lb.tbl_of_mine", actions={0: "none"}, default_entry=constant)
    assert ingress_lines("Lb.tbl_of_mine", tables=[t])[1] == "apply Lb.tbl_of_mine"


def test_an_action_call_node() -> None:
    call = {"name": "call_none", "id": 0, "action_id": 0, "next_node": None}
    assert ingress_lines("call_none", action_calls=[call]) == ["node call_none:", "call none()"]


# --- checksums and the deparser ----------------------------------------


def checksums(**more: Any) -> Program:
    calculation = {"name": "calc", "id": 0, "algo": "csum16", "input": [field("h", "a"), field("h", "b")]}
    if more.pop("payload", False):
        calculation["input"] += [{"type": "payload", "value": None}]  # type: ignore[operator]
    checksum = {
        "name": "ck", "id": 0, "target": ["h", "c"], "type": "generic", "calculation": "calc",
        "if_cond": None, **more,
    }  # fmt: skip
    return loaded(document(calculations=[calculation], checksums=[checksum], parsers=[parser()]))


def parser() -> Json:
    return {"name": "parser", "id": 0, "init_state": "start", "parse_states": [state("start")]}


def block_lines(program: Program, name: str) -> list[str]:
    return [line.strip() for line in code_lines(program.blocks[name].code)]


def test_an_update_happens_under_its_condition() -> None:
    program = checksums(
        verify=False, update=True, if_cond=op("d2b", None, field("h", "$valid$")), payload=True
    )
    assert block_lines(program, "verify_checksum") == []
    assert block_lines(program, "compute_checksum") == [
        "if valid(h) == 1w0x0 goto $skip1", "h.c = csum16(h.a, h.b, payload)", "$skip1:",
    ]  # fmt: skip


def test_zeros_of_an_invalid_header_do_not_count_in_a_sum_of_whole_words() -> None:
    layout = load_layout(parse_text(json.dumps(document()), "sample.json"))
    a, b, c, g = Ref("h", "a"), Ref("h", "b"), Ref("h", "c"), Ref("g", "c")
    wide, x = Ref("scalars", "wide"), Ref("scalars", "x")
    whole: list[tuple[Ref, ...]] = [(a, b, c), (wide, a, b, g), (x, x, c), (wide,), ()]
    for inputs in whole:
        assert not leaves_out("csum16", inputs, layout), inputs
    odd: list[tuple[Ref, ...]] = [(a,), (x, a, b), (a, b, x, c), (Ref("opt", "len"), Ref("opt", "data"))]
    for inputs in odd:
        assert leaves_out("csum16", inputs, layout), inputs
    assert leaves_out("crc16", (a, b), layout)
    assert not leaves_out("crc16", (wide, x, Const(1, 8)), layout)


def test_a_wrong_checksum_sets_the_error_flag() -> None:
    program = checksums(verify=True, update=False, if_cond={"type": "bool", "value": True})
    assert block_lines(program, "compute_checksum") == []
    assert block_lines(program, "verify_checksum") == [
        "if valid(h) == 1w0x0 goto $skip1",
        "t1:bit<16> = csum16(h.a, h.b)",
        "if t1 == h.c goto $skip1",
        "standard_metadata.checksum_error = 1w0x1",
        "$skip1:",
    ]


def test_without_an_error_flag_there_is_nothing_to_verify() -> None:
    doc = document()
    fields = doc["header_types"][1]["fields"]
    doc["header_types"][1]["fields"] = [f for f in fields if f[0] != "checksum_error"]
    doc["calculations"] = [{"name": "calc", "id": 0, "algo": "csum16", "input": [field("h", "a")]}]
    checksum = {"name": "ck", "id": 0, "target": ["h", "c"], "type": "generic", "calculation": "calc"}
    doc["checksums"] = [{**checksum, "verify": True, "update": False}]
    assert block_lines(loaded(doc), "verify_checksum") == []


def test_the_deparser_emits_in_order() -> None:
    deparser = {"name": "deparser", "id": 0, "order": ["g", "seg[0]", "seg[1]", "h"]}
    assert block_lines(loaded(document(deparsers=[deparser])), "deparser") == [
        "emit g", "emit seg[0]", "emit seg[1]", "emit h",
    ]  # fmt: skip


def test_a_primitive_with_a_position_names_its_source() -> None:
    t = table("t", actions={0: "none"}, source_info={"filename": "a.p4", "line": 3, "column": 1})
    doc = document(actions=ACTIONS, pipelines=[pipeline("ingress", "t", tables=[t]), pipeline("egress")])
    assert str(loaded(doc).tables["t"].source) == "a.p4:3"
    assert primitive("exit")["op"] == "exit"


def test_two_keys_of_one_name_are_refused() -> None:
    twice = table("t", key("exact", "h", "a"), key("exact", "h", "a"), actions={0: "act"})
    with pytest.raises(ArtifactError, match=r"two keys are named 'a'"):
        loaded(
            document(
                actions=[action("act")],
                pipelines=[pipeline("ingress", "t", tables=[twice]), pipeline("egress")],
            )
        )
