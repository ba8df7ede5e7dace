"""From the artifact to the first packet that leaves, in fresh processes: with an empty cache, so that the C
compiler runs, and with what it left there."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

from p4nic.backend.api import Backend
from p4nic.bench import lb
from p4nic.bench.api import NOW_NS, BenchError, Measured, Options, Progress, Result, round_to

NAME = "start"
ABOUT = "artifact to first packet, in fresh processes: cold, and from the cache"
_CHILD = """from p4nic.bench.workloads.start import child
from p4nic.cli.common import backend
child(backend({!r}))"""


def run(options: Options, progress: Progress) -> Result:
    """`samples`: seconds from the cache; `figures` has the cold start's and the whole process's."""
    kinds: dict[str, list[Start]] = {"cold": [], "cached": []}
    for trial in range(options.trials):
        with tempfile.TemporaryDirectory() as folder:
            for taken in kinds.values():
                taken.append(_fresh(options.backend, folder))
        told = ", ".join(f"{kind} {taken[-1].wall:.2f} s" for kind, taken in kinds.items())
        progress(f"trial {trial + 1} of {options.trials}: {told}")
    figures: dict[str, object] = {}
    for kind, taken in kinds.items():
        figures[f"{kind}_s"] = round_to(statistics.median(start.wall for start in taken))
        figures[f"{kind}_cpu_s"] = round_to(statistics.median(start.cpu for start in taken))
        figures[f"{kind}_process_s"] = round_to(statistics.median(start.process for start in taken))
    figures["cold_samples"] = [round_to(start.wall) for start in kinds["cold"]]
    cached_values = tuple(start.wall for start in kinds["cached"])
    own = Measured(statistics.median(cached_values), cached_values, "s (from the cache)", None, (), figures)
    absent = dict.fromkeys(options.peers, "it has no cache of what it compiled")
    return Result(NAME, options.backend, own, {}, absent, {})


class Start(NamedTuple):
    """Seconds from the artifact to the first packet by the wall and of CPU, and of the whole process."""

    wall: float
    cpu: float
    process: float


def _fresh(backend: str, cache: str) -> Start:
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _CHILD.format(backend)],
        env={**os.environ, "XDG_CACHE_HOME": cache}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    whole = time.perf_counter() - started
    if done.returncode:
        raise BenchError(f"the fresh process failed: {done.stderr.strip().splitlines()[-1:]}")
    wall, cpu = json.loads(done.stdout)
    return Start(wall, cpu, whole)


def child(made: Backend) -> None:
    """In the fresh process: print the seconds, by the wall and of CPU (compilers too), until the first
    packet has left."""
    from p4nic.backend.api import Options as PipelineOptions

    started, used = time.perf_counter(), sum(os.times()[:4])
    program = lb.program()
    pipeline = made.build(program, PipelineOptions())
    for entry in lb.configuration(program):
        pipeline.insert(entry, 0)
    frame = lb.tcp_frame(lb.CLIENTS, lb.VIP, 1024, 80, lb.SYN)
    (outcome,) = pipeline.process([(lb.UPLINK, frame)], NOW_NS)
    seconds = time.perf_counter() - started, sum(os.times()[:4]) - used
    assert outcome.sent
    print(json.dumps(seconds))
    pipeline.close()
