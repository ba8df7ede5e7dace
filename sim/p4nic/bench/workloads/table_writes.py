"""Writes through the target API by columns, 1,000 a batch, until an exact table has `--flows` entries;
traffic runs on a worker meanwhile.

`samples`: the rate of each tenth, so that a table that slows down as it fills shows. Rates are by the wall
clock, since what matters is when an entry works. `figures`: flatness (the last fifth's rate to the first's)
and what traffic lost: its rate during writes to its rate before and after them.
"""

from __future__ import annotations

import statistics
import time
from array import array
from collections.abc import Callable

from p4nic.backend.api import Options as PipelineOptions
from p4nic.backend.api import Pipeline
from p4nic.backend.native import NativePipeline
from p4nic.backend.swx import SwxBackend
from p4nic.bench import programs
from p4nic.bench.api import Measured, Options, Progress, Result, round_to
from p4nic.bench.engines import wait_for_packets
from p4nic.bench.lb import ACK, tcp_frame
from p4nic.bench.traffic import Traffic
from p4nic.bench.workloads.l2_exact import STATION
from p4nic.clock import ManualClock
from p4nic.errors import P4nicError
from p4nic.ir.program import Program
from p4nic.target.switch import Switch

NAME = "table-writes"
ABOUT = "writes/s through the target API, and what traffic loses meanwhile (--flows: entries, 1,000,000)"
BATCH = 1000
WITH_TRAFFIC = 10_000
SWX_ENTRIES = 10_000
UNIT = "million writes/s (wall clock)"


def run(options: Options, progress: Progress) -> Result:
    """Rates of our engine; of DPDK with few entries: it searches its pending writes one by one."""
    count = max((options.flows or 1_000_000) // (10 * BATCH), 1) * 10 * BATCH
    program = programs.load("l2_exact")
    sizes = {"Main.stations": 2 * count + WITH_TRAFFIC}
    pipeline = options.make_backend(options.backend).build(program, PipelineOptions(table_sizes=sizes))
    own = _fill(program, pipeline, count, options, progress)
    peers, absent = {}, {}
    for peer in options.peers:
        if peer != "swx" or options.backend == "swx":
            absent[peer] = "its tables are not written through the target API"
            continue
        try:
            dpdk = SwxBackend(inputs=2).build(program, PipelineOptions())
            peers[peer] = _fill(program, dpdk, SWX_ENTRIES, options, progress)
        except P4nicError as error:
            absent[peer] = str(error)
    return Result(NAME, options.backend, own, peers, absent, {"entries": count, "batch": BATCH})


def _fill(program: Program, pipeline: Pipeline, count: int, options: Options, progress: Progress) -> Measured:
    table, action = "Main.stations", "Main.to_port"

    def columns(first: int, entries: int) -> tuple[array[int], array[int]]:
        """Key and argument of so many stations."""
        return array("Q", range(STATION + first, STATION + first + entries)), array("I", [1]) * entries

    def insert(switch: Switch, key: array[int], port: array[int]) -> None:
        refused = [error for error in switch.tables.insert_columns(table, action, [key], [port]) if error]
        if refused:
            raise refused[0]
        if isinstance(pipeline, NativePipeline):
            pipeline.resume()

    rates, cpu = [], []
    with Switch(pipeline, ManualClock()) as switch:
        first = min(WITH_TRAFFIC, count // 10)
        insert(switch, *columns(0, first))
        meter = _Traffic(pipeline, first, options.seconds) if isinstance(pipeline, NativePipeline) else None
        tenth = count // 10
        for part in range(10):
            batches = [
                columns(first + at, min(BATCH, tenth))
                for at in range(part * tenth, (part + 1) * tenth, BATCH)
            ]

            def write(batches: list[tuple[array[int], array[int]]] = batches) -> None:
                for batch in batches:
                    insert(switch, *batch)

            wall, used = time.perf_counter(), time.thread_time()
            meter.during(write) if meter else write()
            rates.append(tenth / (time.perf_counter() - wall) / 1e6)
            cpu.append(tenth / (time.thread_time() - used) / 1e6)
            progress(f"{first + (part + 1) * tenth} entries: {rates[-1]:.3g} {UNIT}")
    flatness = statistics.mean(rates[-2:]) / statistics.mean(rates[:2])
    figures = {"entries": count, "flatness": round_to(flatness)}
    figures["million_writes_per_cpu_s"] = round_to(statistics.median(cpu))
    if meter:
        figures.update(meter.figures())
    return Measured(statistics.median(rates), tuple(rates), UNIT, None, (), figures)


class _Traffic:
    """Frames through one worker in a thread of its own, with and without somebody writing."""

    def __init__(self, pipeline: NativePipeline, stations: int, seconds: float) -> None:
        self._pipeline = pipeline
        self._seconds = min(seconds, 0.3)
        self._alone: list[float] = []
        self._during: list[float] = []
        self._traffic = Traffic.of(
            (0, (STATION + i).to_bytes(6, "big") + tcp_frame(1, 2, 3, 4, ACK)[6:]) for i in range(stations)
        )

    def _rate(self, work: Callable[[], None]) -> float:
        workers = self._pipeline.workers
        workers.replay(self._traffic, 1, time.monotonic_ns())
        wait_for_packets(workers, 1)
        work()
        workers.stop()
        timing = workers.replayed(0)
        return timing.packets * 1e3 / max(timing.wall_ns, 1)

    def during(self, work: Callable[[], None]) -> None:
        """Run `work` with traffic; then as long, at most, traffic alone."""
        self._during.append(self._rate(work))
        self._alone.append(self._rate(lambda: time.sleep(self._seconds)))

    def figures(self) -> dict[str, float]:
        ratios = [a / b for a, b in zip(self._during, self._alone, strict=True)]
        return {
            "traffic_alone_mpps": round_to(statistics.median(self._alone)),
            "traffic_during_writes_mpps": round_to(statistics.median(self._during)),
            "traffic_kept": round_to(statistics.median(ratios)),
        }
