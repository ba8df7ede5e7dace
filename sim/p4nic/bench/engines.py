"""Engines under the measuring loop: in C for the native one and the floor, in Python for the interpreter, in
DPDK's process for swx.

In: a configured engine, Traffic. Out: Samples. Called by `peers` and the workloads.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

from p4nic.backend.api import Pipeline
from p4nic.backend.native import NativePipeline
from p4nic.backend.native.measuring import MAX_ROUNDS, Timing
from p4nic.backend.native.workers import Workers
from p4nic.backend.swx import SwxPipeline
from p4nic.backend.swx.measure import Measured, measure
from p4nic.bench.api import NOW_NS, BenchError, Sample
from p4nic.bench.traffic import BURST, Traffic


@runtime_checkable
class Measurable(Protocol):
    """What has a loop of its own in C: NativePipeline, Floor."""

    def measure(
        self, traffic: Traffic, first: int, now_ns: int, rounds: int = MAX_ROUNDS, seconds: float = 3600.0
    ) -> Timing: ...


@final
@dataclass(slots=True)
class Loop:
    """An engine and the frames it is given in turn, round and round; remembers where it is. Every frame is to
    leave as `copies` frames: a benchmark that loses packets measures something else."""

    engine: Pipeline | Measurable
    traffic: Traffic
    copies: int = 1
    at: int = 0

    def timed(self, seconds: float) -> Sample:
        """Go on for about that long."""
        return self._checked(self._run(MAX_ROUNDS, seconds))

    def once(self) -> Sample:
        """Every frame once, but for what does not fill the last burst."""
        self.at = 0
        return self._checked(self._run(len(self.traffic) // BURST, 3600.0))

    def _checked(self, timing: Timing) -> Sample:
        if timing.sent != timing.packets * self.copies:
            raise BenchError(
                f"{timing.sent} frames came out for {timing.packets} that went in, where {self.copies} for "
                f"each are expected: the measurement would mean nothing"
            )
        return Sample(timing.packets, timing.cpu_ns, timing.wall_ns, timing.cycles)

    def _run(self, rounds: int, seconds: float) -> Timing:
        if isinstance(self.engine, Measurable):
            timing = self.engine.measure(self.traffic, self.at, NOW_NS, rounds, seconds)
        else:
            timing = self._in_python(self.engine, rounds, seconds)
        self.at = timing.next
        return timing

    def _in_python(self, pipeline: Pipeline, rounds: int, seconds: float) -> Timing:
        """The same loop, by process()."""
        packets = list(self.traffic.packets())
        done = sent = volume = 0
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        end = wall + int(seconds * 1e9)
        at = self.at
        while done < rounds and time.perf_counter_ns() < end:
            burst = [packets[(at + i) % len(packets)] for i in range(BURST)]
            at = (at + BURST) % len(packets)
            for outcome in pipeline.process(burst, NOW_NS):
                sent += len(outcome.sent)
                volume += sum(len(frame) for _, frame in outcome.sent)
            done += 1
        cpu, wall = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
        return Timing(done * BURST, sent, volume, wall, cpu, 0, at)


@final
@dataclass(frozen=True, slots=True)
class SwxLoop:
    """DPDK's pipeline and its frames. A lap that is not counted teaches the flows again before
    each trial."""

    pipeline: SwxPipeline
    packets: list[tuple[int, bytes]]
    laps: int = 1

    def timed(self, seconds: float) -> Sample:
        """Go on for about that long."""
        return self._sample(measure(self.pipeline, self.packets, seconds, self.laps))

    def once(self) -> Sample:
        """Every frame once, none before."""
        count = len(self.packets)
        return self._sample(measure(self.pipeline, self.packets, 60.0, laps=0, packets=count))

    def _sample(self, found: Measured) -> Sample:
        if found.dropped > found.packets // 1000:
            raise BenchError(f"DPDK dropped {found.dropped} of {found.packets} packets of the measurement")
        cycles = round(found.cpu_seconds * found.cycles_per_second)
        return Sample(found.packets, round(found.cpu_seconds * 1e9), round(found.wall_seconds * 1e9), cycles)


def _side_by_side(timings: list[Timing]) -> Sample:
    """What threads that ran at the same time did together: their rates add up."""
    packets = sum(t.packets for t in timings)
    if sum(t.sent for t in timings) != packets:
        raise BenchError(f"{len(timings)} workers lost frames: the measurement would mean nothing")
    rate = sum(t.packets / max(t.cpu_ns, 1) for t in timings)
    wall_rate = sum(t.packets / max(t.wall_ns, 1) for t in timings)
    cycles = sum(t.cycles for t in timings)
    return Sample(packets, round(packets / rate), round(packets / wall_rate), cycles)


@final
@dataclass(frozen=True, slots=True)
class WorkersLoop:
    """So many workers of the native engine on equal parts of the frames. The Sample's rate is the sum of the
    workers', each by its own CPU time."""

    pipeline: NativePipeline
    traffic: Traffic
    workers: int

    def timed(self, seconds: float) -> Sample:
        """All of them for about that long."""
        group = self.pipeline.workers
        group.replay(self.traffic, self.workers, time.monotonic_ns() - NOW_NS)
        time.sleep(seconds)
        wait_for_packets(group, self.workers)
        group.stop()
        timings = [group.replayed(worker) for worker in range(self.workers)]
        return _side_by_side(timings)

    def once(self) -> Sample:
        """Every frame once, by one of them."""
        return Loop(self.pipeline, self.traffic).once()


@final
@dataclass(frozen=True, slots=True)
class ApartLoop:
    """A control for WorkersLoop: as many engines that share nothing, one worker each, on the same parts of
    the frames. What they lose against one alone, the machine takes."""

    pipelines: tuple[NativePipeline, ...]
    traffic: Traffic

    def timed(self, seconds: float) -> Sample:
        """All of them for about that long."""
        count = len(self.pipelines)
        for number, pipeline in enumerate(self.pipelines):
            pipeline.workers.replay(self.traffic.part(number, count), 1, time.monotonic_ns() - NOW_NS)
        time.sleep(seconds)
        for pipeline in self.pipelines:
            wait_for_packets(pipeline.workers, 1)
        timings = []
        for pipeline in self.pipelines:
            pipeline.workers.stop()
            timings.append(pipeline.workers.replayed(0))
        return _side_by_side(timings)


def wait_for_packets(group: Workers, workers: int) -> None:
    """Until each worker has done something: on a busy machine a thread may begin late."""
    while any(group.replayed(worker).packets == 0 for worker in range(workers)):
        time.sleep(0.001)
