"""Entries of the P4 program, from the files p4c-dpdk writes beside the `.spec`."""

from __future__ import annotations

from pathlib import Path

import pytest
from dpdk_spec_samples import NAT_SPEC, nat_p4info

from p4nic.backend.api import Backend, Options
from p4nic.errors import ArtifactError, UnsupportedError
from p4nic.ir.program import ActionCall, Any, ConstEntry, Exact, Lpm, Ternary
from p4nic.load.artifact import load_program

ACL = """\
match 0x1 0xa000000/0xff000000 priority 0x2 action to_port_1 port 0x3
match 0x1 0x0/0x0 priority 0x1 action NoAction
"""
SPEC = """\
struct h_t {
	bit<8> e
	bit<16> t
}
struct a_arg_t {
	bit<32> port
}
struct m_t {
	bit<32> port
}
metadata instanceof m_t
header h instanceof h_t

action none args none {
	return
}
action a args instanceof a_arg_t {
	mov m.port t.port
	return
}
table choose {
	key {
		h.h.e exact
		h.h.t wildcard
	}
	actions {
		none
		a
	}
	default_action none args none
	size 0x100
}
apply {
	rx m.port
	extract h.h
	table choose
	emit h.h
	tx m.port
}
"""


def files(folder: Path, spec: str = NAT_SPEC, **entries: str) -> list[Path]:
    (folder / "nat.spec").write_text(spec)
    paths = [folder / "nat.spec"]
    for table, text in entries.items():
        paths.append(folder / f"{table}.txtpb")
        paths[-1].write_text(text)
    return paths


def test_entries_are_the_tables(tmp_path: Path) -> None:
    tables = load_program(
        files(tmp_path, acl=ACL, route="match 0xa010000/0xffff0000 action to_port port 5 # a pod")
    ).tables
    assert tables["acl"].const_entries == (
        ConstEntry((Exact(1), Ternary(0x0A000000, 0xFF000000)), ActionCall("to_port_1", (3,)), 2),
        ConstEntry((Exact(1), Any()), ActionCall("NoAction"), 1),
    )
    assert tables["route"].const_entries == (ConstEntry((Lpm(0x0A010000, 16),), ActionCall("to_port", (5,))),)


def test_the_first_entry_wins_as_in_p4(tmp_path: Path, backend: Backend) -> None:
    choose = (
        "match 0x1 0x1181/0xffff priority 0x3 action a port 0x2\n"
        "match 0x1 0x1000/0xf000 priority 0x2 action a port 0x3\n"
        "match 0x1 0x0/0x0 priority 0x1 action a port 0x4\n"
    )
    program = load_program(files(tmp_path, SPEC, choose=choose))
    pipeline = backend.build(program, Options())
    frames = [bytes.fromhex(text) for text in ("011181", "011182", "012000", "021181")]
    sent = [outcome.sent for outcome in pipeline.process([(1, frame) for frame in frames], 0)]
    assert [port for ((port, _),) in sent] == [2, 3, 4, 1]
    assert pipeline.entry_count("choose") == 3
    pipeline.close()


def test_entries_the_p4info_tells_of_must_be_given(tmp_path: Path) -> None:
    info = nat_p4info().message
    acl = next(t for t in info.tables if t.preamble.name.endswith("acl"))
    acl.is_const_table = True
    p4info = tmp_path / "nat.p4info.txtpb"
    p4info.write_text(str(info))
    with pytest.raises(UnsupportedError, match=r"writes to acl\.txtpb in the folder it runs in; give that"):
        load_program(files(tmp_path), p4info)
    program = load_program(files(tmp_path, acl=ACL), p4info)
    table = program.tables[acl.preamble.name]
    assert table.entries_are_const
    assert [entry.priority for entry in table.const_entries] == [2, 1]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("match 0x1 action to_port_1 port 3", "an entry of acl is `match` and 2 keys"),
        ("match 0x1 0x0/0x0 action fly", "acl has no action fly; it has NoAction, to_port_1"),
        ("match 0x1 0x0/0x0 action to_port_1", r"to_port_1 takes \(port\), found \(\)"),
        ("match 0x1 0x0/0x0 action to_port_1 port", "'port' stands alone"),
        ("match 0x1 0x0/0x0 action to_port_1 port 0x100000000", "does not fit 32 bits"),
        ("match 0x1/0x3 0x0/0x0 action NoAction", "0x1/0x3 cannot be matched by the exact key"),
        ("match one 0x0/0x0 action NoAction", "'one' is no number"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(ArtifactError, match=rf"acl\.txtpb:1: .*{sentence}"):
        load_program(files(tmp_path, acl=text))


def test_a_file_of_no_table_or_no_program(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="named after the table acls, which nat has not"):
        load_program(files(tmp_path, acls=ACL))
    with pytest.raises(ArtifactError, match=r"belongs to a \.spec of p4c-dpdk; give that too"):
        load_program(files(tmp_path, acl=ACL)[1:])
