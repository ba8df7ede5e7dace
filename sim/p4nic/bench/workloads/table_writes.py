"""Writes through the target API by columns, 1,000 a batch, until an exact table has `--flows` entries;
traffic runs on a worker meanwhile.

`samples`: the rate of each tenth, so that a table that slows down as it fills shows. Rates are by the wall
clock, since what matters is when an entry works. `figures`: flatness (the last fifth's rate to the first's),
how long a batch shuts packets out (median and 99th percentile, to a power of two), and what traffic keeps of
its rate: against the same time with nobody writing, and against a control, the same writes into an engine of
its own that no traffic goes through. The control costs the other processor and the shared caches as much, so
what it leaves is the machine's, and the rest is what writes do to traffic.
"""

from __future__ import annotations

import statistics
import time
from array import array
from collections.abc import Callable
from functools import partial

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
    backend = options.make_backend(options.backend)
    pipeline, elsewhere = (backend.build(program, PipelineOptions(table_sizes=sizes)) for _ in range(2))
    own = _fill(program, pipeline, count, options, progress, elsewhere)
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


def _fill(
    program: Program, pipeline: Pipeline, count: int, options: Options, progress: Progress,
    elsewhere: Pipeline | None = None,
) -> Measured:  # fmt: skip
    table, action = "Main.stations", "Main.to_port"

    def columns(first: int, entries: int) -> tuple[array[int], array[int]]:
        """Key and argument of so many stations."""
        return array("Q", range(STATION + first, STATION + first + entries)), array("I", [1]) * entries

    def insert(switch: Switch, key: array[int], port: array[int]) -> None:
        refused = [error for error in switch.tables.insert_columns(table, action, [key], [port]) if error]
        if refused:
            raise refused[0]

    rates, cpu = [], []
    with Switch(pipeline, ManualClock()) as switch, Switch(elsewhere, ManualClock()) as other:
        first = min(WITH_TRAFFIC, count // 10)
        insert(switch, *columns(0, first))
        meter = _Traffic(pipeline, first, options.seconds) if isinstance(pipeline, NativePipeline) else None
        tenth = count // 10
        for part in range(10):
            batches = [
                columns(first + at, min(BATCH, tenth))
                for at in range(part * tenth, (part + 1) * tenth, BATCH)
            ]

            def write(to: Switch = switch, batches: list[tuple[array[int], array[int]]] = batches) -> None:
                for batch in batches:
                    insert(to, *batch)

            def measured(write: Callable[[], None] = write) -> None:
                wall, used = time.perf_counter(), time.thread_time()
                write()
                rates.append(tenth / (time.perf_counter() - wall) / 1e6)
                cpu.append(tenth / (time.thread_time() - used) / 1e6)

            meter.during(measured, partial(write, other)) if meter else measured()
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
        self._beside: list[float] = []
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

    def during(self, work: Callable[[], None], elsewhere: Callable[[], None]) -> None:
        """Traffic with `work`, with the same work elsewhere, and for a moment alone."""
        self._during.append(self._rate(work))
        self._beside.append(self._rate(elsewhere))
        self._alone.append(self._rate(lambda: time.sleep(self._seconds)))

    def figures(self) -> dict[str, float]:
        def kept(of: list[float]) -> float:
            return round_to(statistics.median(a / b for a, b in zip(self._during, of, strict=True)))

        lasted = self._pipeline.workers.gate_lasted()
        return {
            "traffic_alone_mpps": round_to(statistics.median(self._alone)),
            "traffic_during_writes_mpps": round_to(statistics.median(self._during)),
            "traffic_kept": kept(self._alone),
            "traffic_kept_against_control": kept(self._beside),
            "shut_out_us_per_batch": _below(lasted, 0.5),
            "shut_out_us_per_batch_p99": _below(lasted, 0.99),
        }


def _below(lasted: list[int], part: float) -> float:
    """Microseconds that so large a part of the times did not reach."""
    wanted = sum(lasted) * part
    for power, _ in enumerate(lasted):
        if sum(lasted[: power + 1]) >= wanted:
            return round_to((2 << power) / 1e3)
    raise AssertionError(lasted)
