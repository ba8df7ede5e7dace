"""Connections per second: a SYN each through the whole load balancer, both directions learned.

Each trial is one SYN of each flow into tables that are empty, in memory never touched before.
"""

from __future__ import annotations

from p4nic.backend.native import NativePipeline
from p4nic.bench import lb
from p4nic.bench.api import BenchError, Measured, Options, Progress, Result, Sample
from p4nic.bench.floor import Floor
from p4nic.bench.peers import Engines, engines
from p4nic.errors import InputError

NAME = "lb-first-packet"
ABOUT = "connections/s: a SYN each, both directions learned (--flows: connections of one trial)"
UNIT = "million connections/s"


def run(options: Options, progress: Progress) -> Result:
    """Connections of each engine; `--seconds` does not count here."""
    if options.workers > 1:
        raise InputError(
            f"--workers {options.workers}: {NAME} measures one worker; lb-established takes more"
        )
    flows = lb.flow_count(options)
    progress(f"{flows} connections a trial: making frames")
    traffic = lb.flow_frames(lb.flow_order(flows), lb.to_vip(lb.SYN), options.frame_size)
    program = lb.program()
    samples: dict[str, list[Sample]] = {}
    found = Engines(options.backend)
    for trial in range(options.trials):
        told = []
        found = engines(
            options, program, lb.configuration(program), flows, lb.table_sizes(flows), lambda _: None
        )
        with found:
            for name, loop in found.loops(traffic).items():
                samples.setdefault(name, []).append(loop.once())
                _all_learned(found.made[name], flows)
                told.append(f"{name} {samples[name][-1].million_per_s:.3g}")
        progress(f"trial {trial + 1} of {options.trials}: {', '.join(told)} {UNIT}")
    measured = {name: Measured.of(taken, UNIT) for name, taken in samples.items()}
    parameters = {"flows": flows, "frame_size": options.frame_size, "workers": options.workers}
    return Result.of(NAME, found, measured, parameters)


def _all_learned(engine: object, flows: int) -> None:
    """Both directions of every connection are there, where the engine can say so."""
    if isinstance(engine, Floor):
        learned = engine.flows()
    elif isinstance(engine, NativePipeline):
        learned = engine.statistics()["learned"]
    else:
        return
    if learned != 2 * flows:
        raise BenchError(f"{learned} entries were learned for {flows} connections, not {2 * flows}")
