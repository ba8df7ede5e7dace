"""Learned entries that are all due at once: those the control plane is told of, and those that go untold.

Each trial learns both directions of so many connections anew and then lets all their time be up.
"""

from __future__ import annotations

import statistics
import time
from typing import cast

from p4nic.backend.api import Forgetting, Pipeline
from p4nic.bench import lb
from p4nic.bench.api import NOW_NS, BenchError, Measured, Options, Progress, Result, Sample, round_to
from p4nic.bench.peers import Engines, engines

NAME = "expiry"
ABOUT = "entries expired per CPU second, told and untold (--flows: connections of two entries)"
UNIT = "million told entries/s"
UNTOLD = "million untold entries/s"
TOLD_MOST = 500_000
"""Connections: what is told of one entry takes a kilobyte of Python's objects."""
FOR_EVER_NS = 10**18
NO_PEERS = dict.fromkeys(("floor", "swx"), "how entries leave is measured inside p4nic")


def run(options: Options, progress: Progress) -> Result:
    """`samples`: of those told of, and `figures` has the others; beyond TOLD_MOST, of those untold."""
    flows = lb.flow_count(options)
    progress(f"{flows} connections a trial: making frames")
    traffic = lb.flow_frames(lb.flow_order(flows), lb.to_vip(lb.SYN))
    program = lb.program()
    found = Engines(options.backend)
    samples: dict[str, list[Sample]] = {UNIT: [], UNTOLD: []} if flows <= TOLD_MOST else {UNTOLD: []}
    for trial in range(options.trials):
        for unit, taken in samples.items():
            entries, sizes = lb.configuration(program), lb.table_sizes(flows)
            found = engines(options, program, entries, flows, sizes, lambda _: None, NO_PEERS)
            with found:
                found.once(traffic)
                pipeline = cast(Pipeline, found.made[found.own])
                sample = _told(pipeline) if unit == UNIT else _untold(pipeline)
            if sample is None:
                continue
            if sample.count != 2 * flows:
                raise BenchError(f"{sample.count} entries expired of {flows} connections, not {2 * flows}")
            taken.append(sample)
            progress(f"trial {trial + 1} of {options.trials}: {sample.million_per_s:.3g} {unit}")
    unit = next((unit for unit, taken in samples.items() if taken), "")
    if not unit:
        raise BenchError(f"{options.backend} tells of every entry: give --flows up to {TOLD_MOST}")
    figures: dict[str, float] = {"entries": 2 * flows}
    if unit == UNIT and samples[UNTOLD]:
        rates = statistics.median(sample.million_per_s for sample in samples[UNTOLD])
        figures["untold_million_per_s"] = round_to(rates)
    measured = {found.own: Measured.of(samples[unit], unit, **figures)}
    return Result.of(NAME, found, measured, {"flows": flows})


def _told(pipeline: Pipeline) -> Sample:
    wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
    gone = sum(one.removed for one in pipeline.expire(NOW_NS + FOR_EVER_NS))
    return Sample(gone, time.thread_time_ns() - cpu, time.perf_counter_ns() - wall)


def _untold(pipeline: Pipeline) -> Sample | None:
    """None: this engine tells of all."""
    if not isinstance(pipeline, Forgetting):
        return None
    gone, done = 0, False
    wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
    while not done:
        more, done = pipeline.expire_untold(NOW_NS + FOR_EVER_NS, ())
        gone += more
    return Sample(gone, time.thread_time_ns() - cpu, time.perf_counter_ns() - wall)
