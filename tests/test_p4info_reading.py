"""P4Info files of all three encodings, and the names, ids and widths read from them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from dpdk_spec_samples import NAT_P4INFO, nat_p4info
from google.protobuf import json_format

from p4nic.errors import ArtifactError, UnsupportedError
from p4nic.load.p4info import P4Info, load_p4info
from p4nic.load.p4info_model import (
    ActionRefInfo,
    CounterInfo,
    FieldInfo,
    MatchFieldInfo,
    MeterInfo,
    ProfileInfo,
    RegisterInfo,
    Translation,
)

REST = """\
registers {
  preamble { id: 369098753 name: "Main.seen" } type_spec { bitstring { bit { bitwidth: 48 } } } size: 16
}
meters {
  preamble { id: 335544321 name: "Main.police" } spec { unit: BYTES type: SINGLE_RATE_TWO_COLOR } size: 8
}
direct_meters {
  preamble { id: 352321537 name: "Main.nat_meter" } spec { unit: PACKETS } direct_table_id: 33554433
}
action_profiles {
  preamble { id: 285212673 name: "Main.ecmp" } table_ids: 33554434 with_selector: true size: 128
  max_group_size: 16
}
digests { preamble { id: 385875969 name: "flow_t" } type_spec { struct { name: "flow_t" } } }
digests { preamble { id: 385875970 name: "pair" } type_spec { tuple {
  members { bitstring { bit { bitwidth: 8 } } } members { bool { } } } } }
value_sets {
  preamble { id: 50331649 name: "Parser.ports" } size: 4
  match { id: 1 name: "port" bitwidth: 16 match_type: EXACT }
}
controller_packet_metadata {
  preamble { id: 67132047 name: "packet_in" }
  metadata { id: 1 name: "port" bitwidth: 9 type_name { name: "port_id_t" } } metadata { id: 2 name: "pad"
  bitwidth: 7 }
}
type_info {
  structs { key: "flow_t" value { members { name: "src" type_spec { bitstring { bit { bitwidth: 32 } } } }
                                  members { name: "port" type_spec { new_type { name: "port_id_t" } } } } }
  new_types { key: "port_id_t" value { translated_type { uri: "p4.org/port" sdn_bitwidth: 32 } } }
  new_types { key: "vrf_t" value { translated_type { uri: "" sdn_string { } } } }
}
"""


@pytest.fixture(scope="module")
def info() -> P4Info:
    return nat_p4info(NAT_P4INFO + REST)


def test_tables_with_their_keys_scopes_and_direct_resources(info: P4Info) -> None:
    table = info.tables["Main.nat"]
    assert (table.id, table.alias, table.size, table.const_default) == (
        33554433,
        "nat",
        4096,
        "Main.nat_miss",
    )
    assert table.match_fields[0] == MatchFieldInfo(1, "src", 32, "exact")
    assert table.actions == (
        ActionRefInfo("Main.nat_hit", "table_only"),
        ActionRefInfo("Main.nat_miss", "default_only"),
    )
    assert table.counter == "Main.flow_counter"
    assert [f.kind for f in info.tables["Main.acl"].match_fields] == ["exact", "ternary"]


def test_actions_and_parameters(info: P4Info) -> None:
    assert info.actions["Main.nat_hit"].params == (FieldInfo(1, "new_ip", 32), FieldInfo(2, "new_port", 16))


def test_names_and_ids_go_both_ways(info: P4Info) -> None:
    assert info.tables.by_id[33554434].name == "Main.route"
    assert (info.name_of(301989889), info.id_of("Main.drops")) == ("Main.drops", 301989889)
    assert (info.name_of(7), info.id_of("Main.none")) == (None, None)


def test_indexed_and_direct_counters_and_meters(info: P4Info) -> None:
    assert info.counters["Main.drops"] == CounterInfo(301989889, "Main.drops", "drops", "packets", 256)
    assert info.counters["Main.flow_counter"].table == "Main.nat"
    assert info.meters["Main.police"] == MeterInfo(
        335544321, "Main.police", "", "bytes", "single_rate_two_color", 8
    )
    assert info.meters["Main.nat_meter"].table == "Main.nat"


def test_registers_profiles_and_value_sets(info: P4Info) -> None:
    assert info.registers["Main.seen"] == RegisterInfo(369098753, "Main.seen", "", 48, 16)
    assert info.profiles["Main.ecmp"] == ProfileInfo(
        285212673, "Main.ecmp", "", ("Main.route",), True, 128, 16
    )
    assert info.value_sets["Parser.ports"].match_fields[0].width == 16


def test_digests_of_structs_and_tuples(info: P4Info) -> None:
    flow = info.digests["flow_t"]
    assert flow.shape == "struct"
    assert [(f.name, f.width) for f in flow.fields] == [("src", 32), ("port", 32)]
    assert [(f.name, f.width) for f in info.digests["pair"].fields] == [("f0", 8), ("f1", 1)]


def test_translations_reach_the_fields_that_have_the_type(info: P4Info) -> None:
    port = Translation("port_id_t", "p4.org/port", "sdn_bitwidth", 32)
    assert info.translations == {"port_id_t": port, "vrf_t": Translation("vrf_t", "", "sdn_string")}
    assert [f.translation for f in info.packet_headers["packet_in"].fields] == [port, None]


def test_the_three_encodings_read_alike(tmp_path: Path, info: P4Info) -> None:
    contents = {
        "a.txtpb": (NAT_P4INFO + REST).encode(),
        "a.bin": info.message.SerializeToString(),
        "a.json": json_format.MessageToJson(info.message).encode(),
    }
    for name, data in contents.items():
        path = tmp_path / name
        path.write_bytes(data)
        assert load_p4info(path).message == info.message, name


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("id: 16777218 scope", "id: 7 scope", "Main.nat refers to action id 7, which is not in the P4Info"),
        ("direct_table_id: 33554433", "direct_table_id: 7", "Main.flow_counter refers to table id 7"),
        ('name: "Main.route"', 'name: "Main.nat"', r"table Main.nat \(id 33554434\) occurs twice"),
        ('id: 33554434 name: "Main.route"', 'id: 33554434 name: ""', "a table has no name"),
        ("pkg_info {", "pkg_info {{", "is not a P4Info: line 1: Expected identifier or number, got {"),
        ("arch:", "arkh:", "has no field named"),
    ],
)
def test_wrong_content_is_one_sentence(old: str, new: str, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        nat_p4info(NAT_P4INFO.replace(old, new, 1))


def test_unknown_match_kind_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match=r"key src of Main\.nat has match kind valid"):
        nat_p4info(NAT_P4INFO.replace("match_type: EXACT", 'other_match_type: "valid"', 1))


def test_missing_directory_and_empty_file(tmp_path: Path) -> None:
    with pytest.raises(
        ArtifactError, match=r"none\.txtpb does not exist; give the P4Info file that p4c wrote"
    ):
        load_p4info(tmp_path / "none.txtpb")
    with pytest.raises(ArtifactError, match="is a directory; give the P4Info file inside it"):
        load_p4info(tmp_path)
    empty = tmp_path / "empty.txtpb"
    empty.write_bytes(b"\n")
    with pytest.raises(ArtifactError, match=r"empty\.txtpb is empty"):
        load_p4info(empty)


def test_no_damage_to_the_bytes_gets_past_the_error_tree(tmp_path: Path, info: P4Info) -> None:
    """Cut or flipped bytes of either encoding load or are an ArtifactError."""
    path = tmp_path / "damaged"
    refused = 0
    for seed in range(200):
        chance = random.Random(seed)
        data = bytearray(info.message.SerializeToString() if seed % 2 else NAT_P4INFO.encode())
        if chance.random() < 0.3:
            del data[chance.randrange(1, len(data)) :]
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            load_p4info(path)
        except ArtifactError:
            refused += 1
    assert 20 < refused < 200
