"""The documents in this repository: what they contain, and that loading is deterministic."""

from __future__ import annotations

from pathlib import Path

import pytest

from p4nic.ir import verify
from p4nic.ir.ops import Apply, Learn
from p4nic.ir.program import Program
from p4nic.ir.text import dump
from p4nic.load.bmv2_json import is_bmv2_json, load

ROOT = Path(__file__).parents[1]
LOAD_BALANCER = ROOT / "pipeline" / "build" / "k8s_lb.json"
PACKET_IO = ROOT / "tests" / "programs" / "build" / "packet_io.json"


@pytest.fixture(scope="module")
def balancer() -> Program:
    return load(LOAD_BALANCER)


@pytest.mark.parametrize("path", [LOAD_BALANCER, PACKET_IO], ids=lambda p: p.stem)
def test_it_loads_and_verifies_the_same_way_every_time(path: Path) -> None:
    program = load(path)
    assert verify.problems(program) == []
    assert dump(program) == dump(load(path))
    assert is_bmv2_json(path.read_text())


def test_the_load_balancers_tables_are_those_of_its_contract(balancer: Program) -> None:
    assert {name.removeprefix("Lb.") for name in balancer.tables} == {
        "port_role", "arp_responder", "local_vtep", "known_vni", "tunnel_peer", "flow_table", "service_vip",
        "maglev_bucket", "endpoint", "reply_service", "policy_egress", "policy_ingress", "route",
    }  # fmt: skip


def test_the_flow_table_ages_and_counts(balancer: Program) -> None:
    table = balancer.tables["Lb.flow_table"]
    assert [(k.name, k.kind, k.width) for k in table.keys] == [
        ("k_src", "exact", 32), ("k_dst", "exact", 32), ("k_proto", "exact", 8), ("k_sport", "exact", 16),
        ("k_dport", "exact", 16),
    ]  # fmt: skip
    assert (table.idle_timeout, table.counter, table.counts_on_hit) == (True, "Lb.flow_counter", True)
    assert [p.name for p in balancer.actions["Lb.flow_hit"].params] == [
        "kind", "new_src", "new_dst", "new_sport", "new_dport", "service_id",
    ]  # fmt: skip


def test_every_table_is_applied_in_ingress(balancer: Program) -> None:
    applied = {op.table for op in balancer.blocks["ingress"].code if isinstance(op, Apply)}
    assert applied == set(balancer.tables)


def test_nothing_learns_in_the_data_plane(balancer: Program) -> None:
    assert not any(isinstance(op, Learn) for action in balancer.actions.values() for op in action.code)


def test_instructions_know_their_p4_line(balancer: Program) -> None:
    code = balancer.blocks["ingress"].code
    assert all(op.source.line for op in code)
    assert {Path(op.source.file).suffix for op in code} == {".p4"}
