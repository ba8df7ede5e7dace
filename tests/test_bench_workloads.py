"""Every workload does, on every engine it measures, what the interpreter does: tiny runs whose frames are
kept and compared. What is fast is not asked here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from p4nic.backend.native.measuring import Timing
from p4nic.bench import api, csource
from p4nic.bench.engines import Loop
from p4nic.bench.floor import Floor
from p4nic.bench.registry import workloads
from p4nic.cli.common import backend

FEW = api.Options(backend, flows=64, rules=20, trials=1, seconds=0.001, peers=("floor",))
IN_MEMORY = ("forward", "l2-exact", "lb-swx-like", "lb-established", "lb-first-packet", "policy", "vxlan")
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
