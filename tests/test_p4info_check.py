"""Does this P4Info belong to this program? The first difference is named, with both sides."""

from __future__ import annotations

from dataclasses import replace

import pytest
from dpdk_spec_samples import NAT_SPEC, nat_p4info

from p4nic.errors import ArtifactError
from p4nic.ir.program import Program
from p4nic.load.dpdk_spec import load_text
from p4nic.load.p4info import check

INFO = nat_p4info()


@pytest.fixture(scope="module")
def nat() -> Program:
    return load_text(NAT_SPEC, "nat.spec", INFO)


def refusal(program: Program) -> str:
    with pytest.raises(ArtifactError) as error:
        check(program, INFO)
    text = str(error.value)
    assert text.startswith("the P4Info does not match nat: ")
    assert text.endswith(". Give the P4Info of the same p4c run")
    return text.removeprefix("the P4Info does not match nat: ").removesuffix(
        ". Give the P4Info of the same p4c run"
    )


def test_matching_program_passes(nat: Program) -> None:
    check(nat, INFO)


def test_missing_table_names_the_nearest(nat: Program) -> None:
    tables = {("Main.rout" if n == "Main.route" else n): t for n, t in nat.tables.items()}
    assert (
        refusal(replace(nat, tables=tables))
        == "its table Main.route is not in the artifact; the artifact has Main.rout, Main.nat, Main.acl"
    )


def with_table(program: Program, name: str, **changes: object) -> Program:
    table = replace(program.tables[name], **changes)  # type: ignore[arg-type]
    return replace(program, tables={**program.tables, name: table})


def test_number_of_keys(nat: Program) -> None:
    assert (
        refusal(with_table(nat, "Main.acl", keys=()))
        == "table Main.acl has 0 keys in the artifact and 2 in the P4Info"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "id"}, "key vlan of table Main.acl is called id in the artifact"),
        ({"width": 8}, "key vlan of table Main.acl is 8 bits wide in the artifact and 5 in the P4Info"),
        (
            {"kind": "lpm"},
            "key vlan of table Main.acl is matched lpm in the artifact and exact in the P4Info",
        ),
    ],
)
def test_keys(nat: Program, change: dict[str, object], message: str) -> None:
    first, *rest = nat.tables["Main.acl"].keys
    keys = (replace(first, **change), *rest)  # type: ignore[arg-type]
    assert refusal(with_table(nat, "Main.acl", keys=keys)) == message


def test_action_a_table_cannot_use(nat: Program) -> None:
    actions = nat.tables["Main.acl"].actions[1:]
    assert (
        refusal(with_table(nat, "Main.acl", actions=actions))
        == "table Main.acl cannot use action Main.to_port in the artifact, only NoAction"
    )


def test_parameters(nat: Program) -> None:
    hit = nat.actions["Main.nat_hit"]
    wide = replace(hit, params=(replace(hit.params[0], width=33), hit.params[1]))
    other = replace(hit, params=(hit.params[1], hit.params[0]))
    assert refusal(replace(nat, actions={**nat.actions, hit.name: wide})) == (
        "parameter new_ip of action Main.nat_hit is 33 bits wide in the artifact and 32 in the P4Info"
    )
    assert refusal(replace(nat, actions={**nat.actions, hit.name: other})) == (
        "action Main.nat_hit has parameters (new_port, new_ip) in the artifact and (new_ip, "
        "new_port) in the P4Info"
    )


def test_missing_counter(nat: Program) -> None:
    assert refusal(replace(nat, counters={})) == "its counter Main.drops is not in the artifact"


def test_translated_types_have_a_width_of_their_own() -> None:
    """`@p4runtime_translation("…", 32) type bit<48> mac_t;`: 32 bits on the wire, 48 in the artifact."""
    from pathlib import Path

    from p4nic.load.artifact import load_program
    from p4nic.load.p4info import decode_p4info, parse_p4info

    build = Path(__file__).parent / "programs" / "build"
    program = load_program([build / "v1_arrays.json"])
    message = parse_p4info((build / "v1_arrays.p4info.txtpb").read_bytes(), "v1_arrays")
    field = message.tables[0].match_fields[0]
    field.bitwidth = 5
    with pytest.raises(ArtifactError, match="is 8 bits wide in the artifact and 5 in the P4Info"):
        check(program, decode_p4info(message))
    field.type_name.name = "wire_t"
    message.type_info.new_types["wire_t"].translated_type.sdn_bitwidth = 5
    message.type_info.new_types["wire_t"].translated_type.uri = "x"
    check(program, decode_p4info(message))
