"""Action profiles and selectors, which p4c-dpdk takes apart into tables, become one table with an
implementation again."""

from __future__ import annotations

import pytest

from p4nic.errors import UnsupportedError
from p4nic.ir.ops import Apply, Branch, BranchHit, Const, Label, Op, Ref
from p4nic.ir.program import ActionProfile, ActionRef, Program
from p4nic.load.dpdk_spec import load_text
from p4nic.load.p4info import check, decode_p4info, parse_p4info

PARTS = """\
struct eth_t {
	bit<48> dst
	bit<48> src
}
struct to_arg_t {
	bit<32> port
}
struct pick_set_group_id_arg_t {
	bit<32> group_id
}
struct pick_set_member_id_arg_t {
	bit<32> member_id
}
struct meta_t {
	bit<32> in_port
	bit<32> out_port
	bit<32> Main_as_group_id
	bit<32> Main_as_member_id
	bit<32> a
	bit<16> gap
	bit<32> b
}
metadata instanceof meta_t
header eth instanceof eth_t
action NoAction args none {
	return
}
action to args instanceof to_arg_t {
	mov m.out_port t.port
	return
}
action pick_set_group_id args instanceof pick_set_group_id_arg_t {
	mov m.Main_as_group_id t.group_id
	return
}
action pick_set_member_id args instanceof pick_set_member_id_arg_t {
	mov m.Main_as_member_id t.member_id
	return
}
table pick {
	key {
		h.eth.src exact
	}
	actions {
		%sNoAction
	}
	default_action NoAction args none
	size 0x40
}
table as {
	key {
		m.Main_as_member_id exact
	}
	actions {
		NoAction
		to
	}
	default_action NoAction args none
	size 0x100
}
"""
SELECTOR = """\
selector as_sel {
	group_id m.Main_as_group_id
	selector {
		m.b
		m.a
	}
	member_id m.Main_as_member_id
	n_groups_max 0x100
	n_members_per_group_max 0x10
}
"""
SELECTOR_SPEC = (
    PARTS % "pick_set_group_id\n\t\tpick_set_member_id\n\t\t"
    + SELECTOR
    + """\
apply {
	rx m.in_port
	extract h.eth
	mov m.Main_as_member_id 0x0
	mov m.Main_as_group_id 0xFFFFFFFF
	table pick
	jmpnh LABEL_END
	jmpeq LABEL_END_0 m.Main_as_group_id 0xFFFFFFFF
	table as_sel
	LABEL_END_0 :	table as
	LABEL_END :	emit h.eth
	tx m.out_port
}
"""
)
PROFILE_SPEC = (
    PARTS % "pick_set_member_id\n\t\t"
    + """\
apply {
	rx m.in_port
	extract h.eth
	mov m.Main_as_member_id 0x0
	table pick
	jmpnh LABEL_END
	table as
	LABEL_END :	emit h.eth
	tx m.out_port
}
"""
)
P4INFO = """\
pkg_info { arch: "psa" }
tables {
  preamble { id: 33554433 name: "Main.pick" }
  match_fields { id: 1 name: "hdr.eth.src" bitwidth: 48 match_type: EXACT }
  action_refs { id: 16777217 }
  action_refs { id: 16777218 }
  implementation_id: 285212673
  size: 64
}
actions { preamble { id: 16777217 name: "NoAction" } }
actions { preamble { id: 16777218 name: "Main.to" } params { id: 1 name: "port" bitwidth: 32 } }
action_profiles {
  preamble { id: 285212673 name: "Main.as" } table_ids: 33554433 with_selector: true size: 128
  max_group_size: 8
}
"""


def applied(program: Program) -> list[Op]:
    kinds = (Apply, Branch, BranchHit, Label)
    return [op for op in program.blocks["pipeline"].code if isinstance(op, kinds)]


def test_selector_becomes_the_implementation_of_its_table() -> None:
    program = load_text(SELECTOR_SPEC, "sel.spec")
    assert list(program.tables) == ["pick"]
    assert set(program.actions) == {"NoAction", "to"}
    assert program.tables["pick"].implementation == "as"
    assert program.tables["pick"].actions == (ActionRef("NoAction"), ActionRef("to"))


def test_selector_hashes_its_fields_as_they_lie_in_metadata() -> None:
    """DPDK hashes from the first to the last field in memory, the bytes between as zeros, whatever order is
    declared."""
    profile = load_text(SELECTOR_SPEC, "sel.spec").action_profiles["as"]
    assert profile == ActionProfile(
        "as",
        0x100,
        0x10,
        "swx_selector",
        (Ref("m", "a"), Const(0, 16), Ref("m", "b")),
        True,
        selector_slots=0x10,
    )


def test_only_the_base_table_is_applied() -> None:
    code = applied(load_text(SELECTOR_SPEC, "sel.spec"))
    assert [op.table for op in code if isinstance(op, Apply)] == ["pick"]
    assert not [op for op in code if isinstance(op, Branch)]
    assert [op.name for op in code if isinstance(op, Label)] == ["start", "LABEL_END_0", "LABEL_END"]


def test_action_profile_without_selector() -> None:
    program = load_text(PROFILE_SPEC, "profile.spec")
    assert list(program.tables) == ["pick"]
    assert program.action_profiles == {"as": ActionProfile("as", 0x100)}


def test_p4info_names_the_profile_and_its_sizes() -> None:
    info = decode_p4info(parse_p4info(P4INFO.encode(), "sel.p4info.txtpb"))
    program = load_text(SELECTOR_SPEC, "sel.spec", info)
    check(program, info)
    assert program.tables["Main.pick"].implementation == "Main.as"
    assert (program.action_profiles["Main.as"].size, program.action_profiles["Main.as"].max_group_size) == (
        128,
        8,
    )


def test_hit_branches_inside_the_parts_still_follow() -> None:
    """`if (pick.apply().hit)` makes p4c ask for a hit after every part; only the base table's answer is
    left."""
    text = SELECTOR_SPEC.replace(
        "	table as_sel\n	LABEL_END_0 :	table as\n",
        "	table as_sel\n	jmpnh LABEL_END\n	table as\n	jmpnh LABEL_END\n	jmp LABEL_END\n"
        "	LABEL_END_0 :	table as\n	jmpnh LABEL_END\n",
    )
    assert [op.table for op in applied(load_text(text, "sel.spec")) if isinstance(op, Apply)] == ["pick"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "table pick\n",
            "table pick\n\tmov m.a 0x1\n",
            "between a hit in pick and its action profile as stands another instruction",
        ),
        (
            "LABEL_END :	emit",
            "LABEL_END :	table as\n\temit",
            "this part of action profile as is applied elsewhere",
        ),
    ],
)
def test_parts_in_another_order_are_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        load_text(SELECTOR_SPEC.replace(old, new), "sel.spec")


def test_selector_that_belongs_to_no_table_is_refused_by_name() -> None:
    text = SELECTOR_SPEC.replace("Main_as_member_id exact", "a exact")
    with pytest.raises(
        UnsupportedError, match="selector as_sel is not part of a table with an ActionSelector"
    ):
        load_text(text, "sel.spec")
