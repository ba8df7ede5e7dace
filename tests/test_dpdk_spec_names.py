"""A `.spec` with its P4Info: everything gets its P4 name, and counters become counters."""

from __future__ import annotations

import json

import pytest
from dpdk_spec_samples import NAT_P4INFO, NAT_SPEC, nat_p4info

from p4nic.errors import ArtifactError, UnsupportedError
from p4nic.ir.ops import Apply, Const, Count, CountDirect, EntryId, Learn, Param, Ref
from p4nic.ir.program import ActionCall, ActionParam, Counter, Key, Program
from p4nic.load.dpdk_spec import load_text
from p4nic.load.p4info import check
from p4nic.load.spec.bind import fit
from p4nic.load.spec.context import read_context


@pytest.fixture(scope="module")
def nat() -> Program:
    return load_text(NAT_SPEC, "nat.spec", nat_p4info())


def test_program_passes_the_check_against_its_p4info(nat: Program) -> None:
    check(nat, nat_p4info())


def test_tables_keys_and_sizes_are_the_p4_ones(nat: Program) -> None:
    assert set(nat.tables) == {"Main.nat", "Main.route", "Main.acl"}
    assert nat.tables["Main.route"].size == 1024
    assert nat.tables["Main.acl"].keys == (
        Key("vlan", "exact", Ref("m", "vlan"), 5),
        Key("remote", "ternary", Ref("m", "k_src"), 32),
    )


@pytest.mark.parametrize(("p4_kind", "kind"), [("RANGE", "range"), ("OPTIONAL", "optional"), ("LPM", "lpm")])
def test_wildcard_key_is_what_the_p4info_says(p4_kind: str, kind: str) -> None:
    info = nat_p4info(NAT_P4INFO.replace("TERNARY", p4_kind))
    assert load_text(NAT_SPEC, "nat.spec", info).tables["Main.acl"].keys[1].kind == kind


def test_copies_of_one_action_become_one(nat: Program) -> None:
    """p4c gives each table its own `to_port`; the control plane knows one."""
    assert set(nat.actions) == {"NoAction", "Main.nat_hit", "Main.nat_miss", "Main.to_port"}
    assert nat.actions["Main.to_port"].params == (ActionParam("port", 9),)
    assert nat.tables["Main.acl"].default == ActionCall("Main.to_port", (7,))


def test_copies_that_differ_are_refused() -> None:
    text = NAT_SPEC.replace("mov m.out_port m.Main_tmp_2", "mov m.k_dst m.Main_tmp_2")
    with pytest.raises(
        UnsupportedError, match=r"to_port and to_port_1 are copies of Main\.to_port for different tables"
    ):
        load_text(text, "nat.spec", nat_p4info())


def test_parameters_and_learn_carry_p4_names(nat: Program) -> None:
    hit, miss = nat.actions["Main.nat_hit"], nat.actions["Main.nat_miss"]
    assert [p.name for p in hit.params] == ["new_ip", "new_port"]
    assert any(Param("new_ip") == getattr(op, "src", None) for op in hit.code)
    learn = next(op for op in miss.code if isinstance(op, Learn))
    assert (learn.action, learn.args) == ("Main.nat_hit", (Ref("m", "Main_tmp"), Ref("m", "Main_tmp_0")))
    assert [op.table for op in nat.blocks["pipeline"].code if isinstance(op, Apply)] == list(nat.tables)


def test_direct_counter_is_one_instruction_without_an_index(nat: Program) -> None:
    code = nat.actions["Main.nat_hit"].code
    counts = [op for op in code if isinstance(op, CountDirect)]
    assert [(c.counter, c.packets, c.bytes) for c in counts] == [
        ("Main.flow_counter", Const(1, 64), Const(100, 64))
    ]
    assert not any(isinstance(op, EntryId) for op in code)
    assert nat.counters["Main.flow_counter"] == Counter("Main.flow_counter", "both", 0, "Main.nat")
    assert nat.tables["Main.nat"].counter == "Main.flow_counter"
    assert not nat.tables["Main.nat"].counts_on_hit


def test_entry_id_stays_where_the_program_uses_it() -> None:
    text = NAT_SPEC.replace("mov h.ipv4.dst t.ip", "mov m.hash m.table_entry_index")
    program = load_text(text, "nat.spec", nat_p4info())
    assert any(isinstance(op, EntryId) for op in program.actions["Main.nat_hit"].code)


def test_indexed_counter_of_packets(nat: Program) -> None:
    count = next(op for op in nat.blocks["pipeline"].code if isinstance(op, Count))
    assert (count.counter, count.index, count.packets, count.bytes) == (
        "Main.drops",
        Const(1, 8),
        Const(1, 64),
        None,
    )
    assert nat.counters["Main.drops"] == Counter("Main.drops", "packets", 256)


def test_registers_of_the_compiler_keep_their_name(nat: Program) -> None:
    assert set(nat.registers) == {"direction"}


@pytest.mark.parametrize(
    ("spec", "p4", "score"),
    [
        ("nat", "Main.nat", 3),
        ("a_b_nat", "a.b.nat", 3),
        ("seg_0", "Main.seg[0]", 3),
        ("nat_3", "Main.nat", 2),
        ("x" * 55 + "7", "Main." + "x" * 70, 1),
        ("nat", "Main.nat2", 0),
        ("at", "Main.nat", 0),
    ],
)
def test_how_names_fit(spec: str, p4: str, score: int) -> None:
    assert fit(spec, p4) == score


def test_ambiguous_table_is_an_error_that_names_the_choices() -> None:
    other = NAT_P4INFO.replace("tables {", "tables {\n", 1)
    extra = other.split("tables {\n", 1)[1].split("}\ntables", 1)[0].replace("33554433", "33554440")
    info = nat_p4info(NAT_P4INFO + "tables {" + extra.replace("Main.nat", "Other.nat") + "}\n")
    with pytest.raises(
        ArtifactError, match=r"nat\.spec:\d+: table nat could be Main\.nat or Other\.nat of the P4Info"
    ):
        load_text(NAT_SPEC, "nat.spec", info)


def test_context_json_decides_an_ambiguous_name() -> None:
    extra = NAT_P4INFO.split("tables {\n", 1)[1].split("}\ntables", 1)[0].replace("33554433", "33554440")
    info = nat_p4info(NAT_P4INFO + "tables {" + extra.replace("Main.nat", "Other.nat") + "}\n")
    document = {"target": "DPDK", "tables": [{"name": "Main.nat", "target_name": "nat"}], "externs": []}
    context = read_context(json.dumps(document), "context.json")
    assert "Main.nat" in load_text(NAT_SPEC, "nat.spec", info, context).tables


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'name: "src" bitwidth: 32',
            'name: "src" bitwidth: 48',
            "key m.k_src has 32 bits, but src of Main.nat in the P4Info has 48",
        ),
        (
            'name: "new_ip" bitwidth: 32',
            'name: "new_ip" bitwidth: 33',
            "parameter ip has 32 bits, but new_ip of Main.nat_hit",
        ),
        (
            '  params { id: 2 name: "new_port" bitwidth: 16 }\n',
            "",
            "action nat_hit has 2 parameters, but Main.nat_hit of the P4Info has 1",
        ),
        (
            "match_type: LPM",
            "match_type: EXACT",
            "key h.ipv4.dst is lpm, but hdr.ipv4.dst of Main.route in the P4Info is exact",
        ),
    ],
)
def test_p4info_of_another_program(old: str, new: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        load_text(NAT_SPEC, "nat.spec", nat_p4info(NAT_P4INFO.replace(old, new)))


def test_entries_of_the_p4_program_are_not_lost_silently() -> None:
    """p4c-dpdk writes a table's entries into a file of their own; a const table would stay empty for ever."""
    info = nat_p4info(NAT_P4INFO.replace("size: 1024", "size: 1024 is_const_table: true"))
    with pytest.raises(UnsupportedError, match=r"Main\.route has entries in the P4 program"):
        load_text(NAT_SPEC, "nat.spec", info)
