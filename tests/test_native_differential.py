"""The native engine against the interpreter, on both shipped artifacts: random entries, packets, times."""

from __future__ import annotations

from typing import Literal

import pytest
from native_fuzz import Pair

from p4nic.backend.api import Entry, Options
from p4nic.backend.interp import InterpreterBackend
from p4nic.backend.native import NativeBackend, compiler
from p4nic.ir.program import ActionCall, Exact, Lpm, Program
from p4nic.load.artifact import load_program
from p4nic.load.shipped import shipped

pytestmark = pytest.mark.skipif(not compiler.compiler(), reason="there is no C compiler on this machine")

SIZES = {"Lb.flow_table": 60, "Lb.closing": 10, "Lb.route": 5}
"""Small, so that tables are full now and then."""


@pytest.fixture(scope="module", params=["spec", "json"])
def program(request: pytest.FixtureRequest) -> Program:
    kind: Literal["spec", "json"] = request.param
    files = shipped(kind)
    return load_program(files.paths, files.p4info)


def pair(program: Program, seed: int, sizes: dict[str, int] | None) -> Pair:
    options = Options(table_sizes=sizes, learner_timeouts={"Lb.closing": (2, 1, 30)} if sizes else None)
    made = Pair(
        program, NativeBackend().build(program, options), InterpreterBackend().build(program, options), seed
    )
    roles = program.tables["Lb.port_role"]
    vip = (Exact(0x0A600001), Exact(6), Exact(80))
    for entry in (
        Entry(roles.name, (Exact(1),), ActionCall("Lb.uplink")),
        Entry(roles.name, (Exact(2),), ActionCall("Lb.pod_port", (0x0A010005, 1))),
        Entry("Lb.service_vip", vip, ActionCall("Lb.set_service", (1, 0, 0))),
        Entry("Lb.maglev_bucket", (Exact(1), Exact(0)), ActionCall("Lb.set_endpoint", (7,))),
        Entry("Lb.endpoint", (Exact(7),), ActionCall("Lb.set_destination", (0x0A010005, 8080))),
        Entry("Lb.route", (Lpm(0x0A010005, 32),), ActionCall("Lb.to_pod", (2, 1, 2, 0))),
        Entry("Lb.route", (Lpm(0, 0),), ActionCall("Lb.to_next_hop", (1, 1, 2))),
    ):
        made.native.insert(entry, 0)
        made.interp.insert(entry, 0)
    return made


@pytest.mark.parametrize("seed", range(4))
def test_a_random_life_is_the_same(program: Program, seed: int) -> None:
    pair(program, seed, SIZES if seed % 2 else None).run(250)


def test_packets_that_wait_for_a_large_table_end_as_if_they_had_not(program: Program) -> None:
    """Beyond the near caches a burst is cut at the lookup; with 10 000 flows that is the case."""
    made = pair(program, 99, None)
    for i in range(10_000):
        key = (Exact(0x0A600001), Exact(0xC0A90000 + i), Exact(6), Exact(80), Exact(1024))
        flow = Entry("Lb.flow_table", key, ActionCall("Lb.flow_hit", (1, 1, 2, 3, 4, 0)))
        made.native.insert(flow, 0)
        made.interp.insert(flow, 0)
    made.run(150)
    statistics = made.native.statistics()
    assert statistics["table.Lb.flow_table.hit"] + statistics["table.Lb.flow_table.miss"] > 500
