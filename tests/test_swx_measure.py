"""DPDK's pipeline measured in memory: what it counts is what it did. No test here asks how fast."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from swx_samples import SPEC, entry, frame, needs_dpdk

from p4nic.backend.api import Options
from p4nic.backend.swx import SwxBackend, SwxPipeline
from p4nic.backend.swx.measure import LONGEST, measure
from p4nic.clock import ManualClock
from p4nic.errors import InputError, TargetError
from p4nic.ir.program import Exact
from p4nic.load.dpdk_spec import load_text
from p4nic.target.switch import Switch

pytestmark = needs_dpdk
SOURCE = os.environ.get("P4NIC_DPDK_SOURCE", "")
A_WHILE = 30.0
"""Seconds: longer than any of these takes."""

routes = pytest.mark.parametrize(
    "source",
    [
        None,
        pytest.param(
            SOURCE, marks=pytest.mark.skipif(not SOURCE, reason="$P4NIC_DPDK_SOURCE names no sources of DPDK")
        ),
    ],
)


def build(source: str | None, text: str = SPEC) -> tuple[Switch, SwxPipeline]:
    backend = SwxBackend(inputs=3, source=Path(source) if source else None)
    pipeline = backend.build(load_text(text, "small.spec"), Options())
    return Switch(pipeline, ManualClock()), pipeline


@pytest.fixture
def made() -> Iterator[tuple[Switch, SwxPipeline]]:
    switch, pipeline = build(None)
    with switch:
        yield switch, pipeline


@routes
def test_every_frame_is_counted_by_what_became_of_it(source: str | None) -> None:
    """The program counts what arrives at each port, and drops type 4."""
    switch, pipeline = build(source, SPEC.replace("MIRROR : mov", "MIRROR : drop\n\tmov"))
    with switch:
        switch.tables.insert(entry("same", Exact(1), 4))
        frames = [(0, frame(1, 1)), (0, frame(4)), (0, frame(1, 2)), (0, frame(9))]
        found = measure(pipeline, frames, A_WHILE, laps=2, packets=3000)
        assert found.packets >= 3000
        assert found.sent == pytest.approx(3 * found.dropped, abs=20)  # 16 packets are inside at once
        received = [pipeline.register("seen", port) - 7 for port in range(4)]
        assert sum(received) >= 3000 + 2 * len(frames)
        assert received[1:] == [0, 0, 0]
        assert found.cycles > 0
        assert found.cycles_per_packet > 0
        hits = pipeline.statistics()
        assert abs(hits["table.same.hit"] - hits["table.same.miss"]) <= 16


def test_after_a_measurement_packets_go_as_before(made: tuple[Switch, SwxPipeline]) -> None:
    switch, pipeline = made
    switch.tables.insert(entry("same", Exact(9), 3))
    before = switch.inject(1, frame(1, 9))
    measure(pipeline, [(1, frame(1, 9))], A_WHILE, packets=100)
    measure(pipeline, [(0, frame(4)), (1, frame(1, 9))], A_WHILE, packets=100)
    assert switch.inject(1, frame(1, 9)) == before
    assert before.sent == ((3, frame(1, 9)),)


def test_a_measurement_ends_with_its_time(made: tuple[Switch, SwxPipeline]) -> None:
    found = measure(made[1], [(0, frame(0))], 0.01)
    assert found.packets > 0
    assert found.wall_seconds >= 0.01


@pytest.mark.parametrize("frames", [[], [(4, frame(0))], [(0, bytes(LONGEST + 1))]])
def test_frames_that_cannot_be_used(
    frames: list[tuple[int, bytes]], made: tuple[Switch, SwxPipeline]
) -> None:
    with pytest.raises(InputError, match="measurement"):
        measure(made[1], frames, 0.01)


def test_a_frame_dpdk_dies_of(made: tuple[Switch, SwxPipeline]) -> None:
    with pytest.raises(TargetError, match="DPDK crashed with SIG.* while it handled measure"):
        measure(made[1], [(0, frame(5))], 1)


def test_a_folder_without_dpdk_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="apt-get source dpdk"):
        build(str(tmp_path))


@pytest.mark.skipif(not SOURCE, reason="$P4NIC_DPDK_SOURCE names no sources of DPDK")
def test_sources_of_another_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "lib").symlink_to(Path(SOURCE) / "lib")
    (tmp_path / "VERSION").write_text("26.07\n")
    with pytest.raises(InputError, match=r"is DPDK 26\.07"):
        build(str(tmp_path))


def test_a_dead_target_is_a_target_error() -> None:
    endless = SPEC.replace("mov m.out_port 0xFFFFFFF0\n\tjmp OUT", "mov m.out_port 0x1\n\tjmp AWAY")
    switch, pipeline = build(None, endless)
    with switch, pytest.raises(TargetError, match="does not come to an end"):
        measure(pipeline, [(0, frame(5))], 60, laps=0, packets=1)
