"""How fast the native engine is: flows of the shipped load balancer (`.spec`), one core, frames in memory.

Prints millions of packets per second of CPU time, the median and the spread of several trials, for
established flows and for first packets (both directions learned), and what building and memory cost.
Run: `.venv/bin/python benchmarks/native_speed.py [--flows N ...] [--trials N] [--json]`.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from interp_speed import ACK, CLIENTS, SYN, UPLINK, Flow, configuration, number

from p4nic.backend.api import Options
from p4nic.backend.native import NativeBackend, NativePipeline
from p4nic.load.artifact import load_program

BURST = 32


def build(flows: int) -> tuple[NativePipeline, float]:
    """The configured load balancer with room for the flows, and the seconds from artifact to ready."""
    started = time.perf_counter()
    program = load_program([])
    room = max(65536, 3 * flows)
    sizes = {"Lb.flow_table": room, "Lb.closing": 65536}
    made = NativeBackend().build(program, Options(table_sizes=sizes))
    assert isinstance(made, NativePipeline)
    for entry in configuration(program):
        made.insert(entry, 0)
    return made, time.perf_counter() - started


def trials(
    pipeline: NativePipeline, frames: list[tuple[int, bytes]], count: int, packets: int
) -> list[float]:
    """Mpps of each trial."""
    found, first = [], 0
    bursts = max(packets // BURST, 1)
    pipeline.replay(frames, max(len(frames) // BURST, 1), 0, 1_000_000)  # every flow once
    for _ in range(count):
        started = time.process_time()
        sent = pipeline.replay(frames, bursts, first, 2_000_000)
        spent = time.process_time() - started
        assert sent == bursts * BURST, f"{bursts * BURST - sent} packets were lost"
        first = (first + bursts * BURST) % len(frames)
        found.append(sent / spent / 1e6)
    return found


def first_packets(pipeline: NativePipeline, frames: list[tuple[int, bytes]]) -> float:
    """Millions of connections per second: a SYN each, both directions learned."""
    bursts = len(frames) // BURST
    started = time.process_time()
    sent = pipeline.replay(frames, bursts, 0, 1_000_000)
    spent = time.process_time() - started
    learned = pipeline.statistics()["learned"]
    assert learned == 2 * sent, f"{learned} entries for {sent} packets"
    return sent / spent / 1e6


def memory() -> float:
    """Resident megabytes of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def measure(flows: int, count: int) -> dict[str, object]:
    """All numbers for one count of flows."""
    pipeline, ready = build(flows)
    made = [Flow(number(CLIENTS) + i // 50_000, 1024 + i % 50_000) for i in range(flows // BURST * BURST)]
    syn = [(UPLINK, flow.frame(SYN)) for flow in made]
    ack = [(UPLINK, flow.frame(ACK)) for flow in made]
    pipeline.replay(syn, 0, 0, 0)
    pipeline.replay(ack[:0] or ack, 0, 0, 0)
    pipeline.replay(syn, 0, 0, 0)
    before = memory()
    cps = first_packets(pipeline, syn)
    used = memory() - before
    found = trials(pipeline, ack, count, 4_000_000)
    return {
        "flows": len(made),
        "ready_s": round(ready, 2),
        "mpps": round(statistics.median(found), 2),
        "samples": [round(x, 2) for x in found],
        "million_connections_per_s": round(cps, 2),
        "memory_mb": round(used, 1),
    }


def main() -> None:
    """Measure the counts of flows asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--flows", type=int, nargs="+", default=[1000, 100_000, 1_000_000])
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    for flows in arguments.flows:
        found = measure(flows, arguments.trials)
        if arguments.json:
            print(json.dumps(found), flush=True)
        else:
            print(", ".join(f"{name} {value}" for name, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
