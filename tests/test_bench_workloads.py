"""Every workload does, on every engine it measures, what the interpreter does: tiny runs whose frames are
kept and compared. What is fast is not asked here."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace

import pytest

from p4nic.backend.native.measuring import Timing, ticks_of_step
from p4nic.bench import api, csource
from p4nic.bench.engines import Loop
from p4nic.bench.floor import Floor
from p4nic.bench.registry import workloads
from p4nic.cli.common import backend

FEW = api.Options(backend, flows=64, rules=20, trials=1, seconds=0.001, peers=("floor",))
IN_MEMORY = (
    "forward", "l2-exact", "lb-swx-like", "lb-established", "lb-first-packet", "policy", "lpm", "lpm-ipv6",
    "vxlan",
)  # fmt: skip
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="veth pairs need root")
Frames = list[tuple[tuple[int, bytes], ...]]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Frames]:
    """What left, packet by packet, under the class name of each engine, in place of timing."""
    kept: dict[str, Frames] = {}

    def run(self: Loop, rounds: int, seconds: float) -> Timing:
        packets = list(self.traffic.packets())
        engine = self.engine
        if isinstance(engine, Floor):
            sent = [engine.one(*packet) for packet in packets]
        else:
            assert hasattr(engine, "process")
            sent = [outcome.sent for outcome in engine.process(packets, api.NOW_NS)]
        kept.setdefault(type(engine).__name__, []).extend(sent)
        return Timing(len(packets), sum(map(len, sent)), 0, 1, 1, 1, 0)

    monkeypatch.setattr(Loop, "_run", run)
    return kept


@pytest.mark.skipif(not csource.has_compiler(), reason="there is no C compiler")
@pytest.mark.parametrize("name", IN_MEMORY)
def test_engines_send_what_the_interpreter_sends(name: str, answers: dict[str, Frames]) -> None:
    run: Callable[[api.Options, api.Progress], api.Result] = workloads()[name].run
    results = [run(replace(FEW, backend=engine), lambda _: None) for engine in ("interp", "native")]
    assert [result.backend for result in results] == ["interp", "native"]
    expected = answers["InterpreterPipeline"]
    assert all(len(sent) == 1 for sent in expected)
    assert answers["NativePipeline"] == expected
    if "floor" in results[0].peers:
        assert answers["Floor"] == expected * 2  # it ran beside both


@pytest.mark.parametrize("name", IN_MEMORY)
def test_json_has_the_keys_of_the_interface(name: str) -> None:
    result = workloads()[name].run(replace(FEW, trials=2), lambda _: None)
    told = result.as_json()
    for one in (told, *told["peers"].values()):
        assert len(one["samples"]) == 2
        assert min(one["samples"]) <= one["mpps"] <= max(one["samples"])
        assert one["mpps"] > 0
        assert {"unit", "cycles_unit", "cycles_per_packet", "wall_samples"} <= set(one)
    assert set(told["peers"]) | set(told["absent"]) == {"floor"}
    assert told["name"] == name


def test_writes_are_all_made_with_traffic_beside_them() -> None:
    told = workloads()["table-writes"].run(replace(FEW, flows=10_000, seconds=0.01), lambda _: None).as_json()
    assert told["entries"] == 10_000
    assert len(told["samples"]) == 10
    assert {"flatness", "traffic_kept", "million_writes_per_cpu_s"} <= set(told)


def test_latency_and_memory_and_start_have_their_figures() -> None:
    latency = workloads()["latency"].run(FEW, lambda _: None).as_json()
    for load in (10, 50, 90):
        assert latency[f"p50_us_at_{load}_percent"] <= latency[f"p99_us_at_{load}_percent"]
    memory = workloads()["memory"].run(FEW, lambda _: None).as_json()
    assert memory["connections"] == 64
    start = workloads()["start"].run(replace(FEW, backend="interp"), lambda _: None).as_json()
    assert start["cold_s"] > 0
    assert start["samples"] == [start["cached_s"]]


@pytest.mark.parametrize("engine", ["interp", "native"])
def test_all_that_expires_is_counted(engine: str) -> None:
    expiry = workloads()["expiry"].run(replace(FEW, backend=engine), lambda _: None).as_json()
    assert expiry["entries"] == 128
    assert ("untold_million_per_s" in expiry) == (engine == "native")


def test_two_workers_are_measured_next_to_one() -> None:
    options = replace(FEW, workers=2, seconds=0.02, peers=())
    told = workloads()["lb-established"].run(options, lambda _: None).as_json()
    assert told["parameters"]["workers"] == 2
    assert told["mpps_1_worker"] > 0
    assert told["ratio_to_1_worker"] > 0
    assert told["ratio_of_engines_apart"] > 0
    assert told["ratio_to_engines_apart"] > 0


def test_a_step_of_the_histogram_ends_where_the_next_begins() -> None:
    def step(ticks: int) -> int:  # as latency_step() in p4nic_bench.h
        top = ticks.bit_length() - 1
        return ticks if ticks < 16 else (top - 3) * 16 + (ticks >> (top - 4) & 15)

    for place in range(400):
        assert step(ticks_of_step(place)) == place
        assert step(ticks_of_step(place) + 1) == place + 1


@needs_root
@pytest.mark.parametrize("name", ["veth", "ndr"])
def test_frames_over_veth_pairs_come_out_and_nothing_stays_behind(name: str) -> None:
    if name == "ndr":
        pytest.importorskip("MLRsearch", exc_type=ImportError)
    options = replace(FEW, seconds=0.05, peers=("swx",))
    told = workloads()[name].run(options, lambda _: None).as_json()
    assert told["mpps"] > 0
    assert told["absent"] == {"swx": "it takes frames from memory here"}
    assert not [
        link for link in os.listdir("/sys/class/net") if link.startswith(f"pb{os.getpid() % 100_000}")
    ]
