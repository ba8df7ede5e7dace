"""From the artifact to the first packet that leaves, in fresh processes: with an empty cache, so that the C
compiler runs, and with what it left there. The peers too: of real DPDK the shim is compiled, of BMv2 nothing.
"""

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
from p4nic.load.shipped import shipped

NAME = "start"
ABOUT = "artifact to first packet, in fresh processes: cold, and from the cache"
_OURS = """from p4nic.bench.workloads.start import child
from p4nic.cli.common import backend
child(backend({!r}, hurry=True))"""
_CHILDREN = {"bmv2": "from p4nic.bench.workloads.start import bmv2_child\nbmv2_child()"}
"""Python of the fresh process, where it is not one of our backends'."""


def run(options: Options, progress: Progress) -> Result:
    """`samples`: seconds from the cache; `figures` has the cold start's and the whole process's."""
    own = _measured(options.backend, options.trials, progress)
    peers: dict[str, Measured] = {}
    absent: dict[str, str] = {}
    for peer in options.peers:
        if peer == "floor" or peer == options.backend:
            absent[peer] = "it reads no artifact" if peer == "floor" else "it is measured already"
            continue
        try:
            peers[peer] = _measured(peer, options.trials, progress)
        except BenchError as error:
            absent[peer] = str(error)
    return Result(NAME, options.backend, own, peers, absent, {})


def _measured(backend: str, trials: int, progress: Progress) -> Measured:
    kinds: dict[str, list[Start]] = {"cold": [], "cached": []}
    for trial in range(trials):
        with tempfile.TemporaryDirectory() as folder:
            for taken in kinds.values():
                taken.append(_fresh(backend, folder))
        told = ", ".join(f"{kind} {taken[-1].wall:.2f} s" for kind, taken in kinds.items())
        progress(f"{backend}, trial {trial + 1} of {trials}: {told}")
    figures: dict[str, object] = {}
    for kind, taken in kinds.items():
        figures[f"{kind}_s"] = round_to(statistics.median(start.wall for start in taken))
        figures[f"{kind}_cpu_s"] = round_to(statistics.median(start.cpu for start in taken))
        figures[f"{kind}_optimised_s"] = round_to(statistics.median(start.optimised for start in taken))
        figures[f"{kind}_process_s"] = round_to(statistics.median(start.process for start in taken))
    figures["cold_samples"] = [round_to(start.wall) for start in kinds["cold"]]
    cached_values = tuple(start.wall for start in kinds["cached"])
    return Measured(statistics.median(cached_values), cached_values, "s (from the cache)", None, (), figures)


class Start(NamedTuple):
    """Seconds from the artifact to the first packet, by the wall and of CPU; to packets in optimised code, if
    the first ones run in other code; and of the whole process."""

    wall: float
    cpu: float
    optimised: float
    process: float


def _fresh(backend: str, cache: str) -> Start:
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _CHILDREN.get(backend, _OURS).format(backend)],
        env={**os.environ, "XDG_CACHE_HOME": cache}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    whole = time.perf_counter() - started
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise BenchError(f"the fresh process failed: {said}")
    wall, cpu, optimised = json.loads(done.stdout)
    return Start(wall, cpu, optimised, whole)


def child(made: Backend) -> None:
    """In the fresh process: print the seconds, by the wall and of CPU (compilers too), until the first
    packet has left, and those until optimised code runs them."""
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
    wait = getattr(pipeline, "optimised", None)
    if wait is not None:
        wait()
    print(json.dumps((*seconds, time.perf_counter() - started)))
    pipeline.close()


def bmv2_child() -> None:
    """As `child`, for real BMv2 with the JSON of the same program: its process is started, too."""
    # Imported late: gRPC would count in the processes of the others.
    from p4nic.differential.bmv2 import bmv2_target
    from p4nic.differential.scenario import Packet, Scenario

    started, used = time.perf_counter(), sum(os.times()[:4])
    files = shipped("json")
    program = lb.program("json")
    target = bmv2_target(program, files.paths, files.p4info)
    session = target.begin(Scenario(tuple(("insert", entry) for entry in lb.configuration(program)), ()))
    frame = lb.tcp_frame(lb.CLIENTS, lb.VIP, 1024, 80, lb.SYN)
    outcome = session.send(Packet(0, lb.UPLINK, frame))
    seconds = time.perf_counter() - started, sum(os.times()[:4]) - used
    assert outcome.sent
    print(json.dumps((*seconds, seconds[0])))
