"""How long a frame waits and is worked on, when frames arrive at 10, 50 and 90 % of what the engine can do:
established connections through the whole load balancer, frames in memory, up to 32 of them taken together.

From the moment a frame arrives until its burst has left. Whatever else takes the processor meanwhile counts.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from p4nic.backend.native import NativePipeline
from p4nic.backend.native.measuring import ticks_of_step
from p4nic.bench import lb
from p4nic.bench.api import NOW_NS, BenchError, Measured, Options, Progress, Result, round_to
from p4nic.bench.engines import Loop
from p4nic.bench.peers import engines
from p4nic.bench.traffic import Traffic

NAME = "latency"
ABOUT = "p50 and p99 of a frame's time at 10, 50 and 90 % load, whole load balancer (--flows)"
LOADS = (10, 50, 90)
NOT_ASKED = {
    "floor": "its loop takes frames as fast as it can only",
    "swx": "its loop takes frames as fast as it can only",
}


def run(options: Options, progress: Progress) -> Result:
    """`samples` are the p99 at 50 % load, microseconds, of each trial; `figures` has the medians of all."""
    if options.backend != "native":
        raise BenchError("latency is measured on the native backend only: leave --backend out")
    flows = lb.flow_count(options)
    order = lb.flow_order(flows)
    program = lb.program()
    with engines(
        options, program, lb.configuration(program), flows, lb.table_sizes(flows), progress, NOT_ASKED
    ) as found:
        progress("opening the connections")
        found.once(lb.flow_frames(order, lb.to_vip(lb.SYN)))
        traffic = lb.flow_frames(order, lb.to_vip(lb.ACK), options.frame_size)
        pipeline = found.made[found.own]
        assert isinstance(pipeline, NativePipeline)
        figures: dict[str, list[float]] = {}
        samples = []
        for trial in range(options.trials):
            best = Loop(pipeline, traffic).timed(options.seconds)
            rate = best.cycles / best.cpu_ns  # ticks per nanosecond
            figures.setdefault("most_mpps", []).append(best.million_per_s)
            for percent in LOADS:
                interval = round(best.cycles_each * 100 / percent * 65536)
                for name, value in _percentiles(pipeline, traffic, interval, options.seconds, rate).items():
                    figures.setdefault(f"{name}_us_at_{percent}_percent", []).append(value)
            samples.append(figures["p99_us_at_50_percent"][-1])
            progress(f"trial {trial + 1} of {options.trials}: p99 at 50 % load {samples[-1]:.3g} µs")
    medians = {name: round_to(statistics.median(values)) for name, values in figures.items()}
    own = Measured(statistics.median(samples), tuple(samples), "µs (p99 at 50 % load)", None, (), medians)
    return Result.of(NAME, found, {found.own: own}, {"flows": flows, "frame_size": options.frame_size})


def _percentiles(
    pipeline: NativePipeline, traffic: Traffic, interval: int, seconds: float, rate: float
) -> dict[str, float]:
    _, steps = pipeline.latencies(traffic, interval, seconds, NOW_NS)
    return {name: ticks_of_step(_place(steps, part)) / rate / 1e3 for name, part in PARTS.items()}


PARTS = {"p50": 0.50, "p99": 0.99}


def _place(steps: Sequence[int], part: float) -> int:
    """The first place that has this part of all behind it."""
    wanted, seen = part * sum(steps), 0
    for place, count in enumerate(steps):
        seen += count
        if seen >= wanted:
            return place
    return len(steps) - 1
