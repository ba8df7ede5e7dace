"""A whole `.spec` without a P4Info: blocks, labels, tables and learners under p4c-dpdk's own names."""

from __future__ import annotations

import pytest
from dpdk_spec_samples import NAT_SPEC

from p4nic.ir.ops import Label, Receive, Ref
from p4nic.ir.program import ActionCall, ActionRef, Key, Program
from p4nic.load.dpdk_spec import load_text


@pytest.fixture(scope="module")
def nat() -> Program:
    return load_text(NAT_SPEC, "nat.spec")


def test_program_has_one_pipeline_block_for_swx(nat: Program) -> None:
    assert (nat.name, nat.architecture) == ("nat", "swx")
    assert [b.kind for b in nat.blocks.values()] == ["pipeline"]


def test_metadata_and_headers_are_instances(nat: Program) -> None:
    assert {name: h.metadata for name, h in nat.headers.items()} == {
        "m": True,
        "ethernet": False,
        "ipv4": False,
    }
    assert nat.header_types["ipv4_t"].width == 160
    assert "nat_hit_arg_t" not in nat.header_types


def test_parser_states_are_told_from_other_labels(nat: Program) -> None:
    labels = {op.name: op.kind for op in nat.blocks["pipeline"].code if isinstance(op, Label)}
    assert labels == {
        "start": "state",
        "MAINPARSERIMPL_PARSE_IPV4": "state",
        "MAINPARSERIMPL_ACCEPT": "state",
        "LABEL_END": "plain",
        "LABEL_DROP": "plain",
    }
    first, second, *_ = nat.blocks["pipeline"].code
    assert isinstance(first, Receive)
    assert isinstance(second, Label)
    assert second.name == "start"


def test_learner_has_its_timeouts_and_scopes(nat: Program) -> None:
    table = nat.tables["nat"]
    assert table.learner_timeouts == (10, 30, 60, 120, 300, 43200, 120, 120)
    assert table.actions == (ActionRef("nat_hit", "table_only"), ActionRef("nat_miss", "default_only"))
    assert (table.default, table.default_is_const, table.size) == (ActionCall("nat_miss"), True, 0x1000)


def test_wildcard_is_ternary_without_a_p4info(nat: Program) -> None:
    assert nat.tables["acl"].keys == (
        Key("m.vlan", "exact", Ref("m", "vlan"), 8),
        Key("m.k_src", "ternary", Ref("m", "k_src"), 32),
    )
    assert nat.tables["route"].keys[0].kind == "lpm"


def test_default_action_arguments(nat: Program) -> None:
    assert nat.tables["acl"].default == ActionCall("to_port_1", (7,))


def test_counters_stay_registers_without_a_p4info(nat: Program) -> None:
    assert set(nat.registers) == {"flow_counter_0_packets", "flow_counter_0_bytes", "drops_0", "direction"}
    assert not nat.counters


def test_comments_and_blank_lines_are_no_tokens() -> None:
    commented = "# a\n// b\n; c\n\n" + NAT_SPEC.replace(
        "rx m.in_port", "rx m.in_port // the port\n\t# nothing"
    )
    assert set(load_text(commented, "nat.spec").tables) == {"nat", "route", "acl"}


def test_octal_decimal_and_hexadecimal_sizes() -> None:
    text = NAT_SPEC.replace("size 0x1000\n", "size 010000\n").replace("size 0x40\n", "size 64\n")
    program = load_text(text, "nat.spec")
    assert (program.tables["nat"].size, program.tables["acl"].size) == (4096, 64)


def test_header_that_never_gets_valid_is_work_space() -> None:
    """p4c-dpdk computes checksums in the header `cksum_state`, which it never makes valid: in a Program that
    is metadata."""
    text = NAT_SPEC.replace(
        "header ipv4 instanceof ipv4_t",
        "header ipv4 instanceof ipv4_t\nheader cksum_state instanceof ethernet_t",
    ).replace("mov m.k_src h.ipv4.src", "mov h.cksum_state.type h.ipv4.checksum")
    headers = load_text(text, "nat.spec").headers
    assert headers["cksum_state"].metadata
    assert not headers["ipv4"].metadata
