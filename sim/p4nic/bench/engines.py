"""Our own engines under the measuring loop: in C for the native one, in Python for any other.

In: a configured Pipeline, Traffic. Out: Samples. Called by the workloads.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import final

from p4nic.backend.api import Pipeline
from p4nic.backend.native import NativePipeline
from p4nic.backend.native.measuring import Timing
from p4nic.bench.api import NOW_NS, BenchError, Sample
from p4nic.bench.traffic import BURST, Traffic


@final
@dataclass(slots=True)
class Loop:
    """A Pipeline and the frames it is given in turn, round and round; remembers where it is. Every frame must
    leave as `copies` frames: a benchmark that loses packets measures something else."""

    pipeline: Pipeline
    traffic: Traffic
    copies: int = 1
    at: int = 0

    def timed(self, seconds: float) -> Sample:
        """Go on for about that long."""
        return self._checked(self._run(1 << 62, seconds))

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
        if isinstance(self.pipeline, NativePipeline):
            timing = self.pipeline.measure(self.traffic, self.at, NOW_NS, rounds, seconds)
        else:
            timing = self._in_python(rounds, seconds)
        self.at = timing.next
        return timing

    def _in_python(self, rounds: int, seconds: float) -> Timing:
        """The same loop, by process()."""
        packets = list(self.traffic.packets())
        done = sent = volume = 0
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        end = wall + int(seconds * 1e9)
        at = self.at
        while done < rounds and time.perf_counter_ns() < end:
            burst = [packets[(at + i) % len(packets)] for i in range(BURST)]
            at = (at + BURST) % len(packets)
            for outcome in self.pipeline.process(burst, NOW_NS):
                sent += len(outcome.sent)
                volume += sum(len(frame) for _, frame in outcome.sent)
            done += 1
        cpu, wall = time.thread_time_ns() - cpu, time.perf_counter_ns() - wall
        return Timing(done * BURST, sent, volume, wall, cpu, 0, at)
