"""A bridge: the destination address names the port, one exact lookup per frame."""

from __future__ import annotations

import random

from p4nic.bench import programs
from p4nic.bench.api import Options, Progress, Result
from p4nic.bench.lb import ACK, frame_lengths, tcp_frame
from p4nic.bench.peers import NO_FLOOR, engines
from p4nic.bench.traffic import BURST, Traffic
from p4nic.ir.program import Exact

NAME = "l2-exact"
ABOUT = "one exact lookup by destination address (--flows: entries, 10,000; --frame-size)"
STATION = 0x020000100000


def run(options: Options, progress: Progress) -> Result:
    """Mpps of each engine."""
    entries = min(max(options.flows or 10_000, BURST) // BURST * BURST, 16384)
    program = programs.load("l2_exact")
    lengths = frame_lengths(options.frame_size)
    order = list(range(entries))
    random.Random(1).shuffle(order)

    def frame(at: int, station: int) -> bytes:
        made = tcp_frame(1, 2, 3, 4, ACK, lengths[at % len(lengths)])
        return (STATION + station).to_bytes(6, "big") + made[6:]

    progress(f"{entries} entries")
    traffic = Traffic.of((0, frame(at, station)) for at, station in enumerate(order))
    table, action = "Main.stations", "Main.to_port"
    made = [programs.entry(program, table, action, 1, dst=Exact(STATION + i)) for i in range(entries)]
    with engines(options, program, made, 0, {}, progress, unfit=NO_FLOOR) as found:
        measured = found.measure(traffic, options, progress)
    parameters = {"entries": entries, "frame_size": options.frame_size, "workers": options.workers}
    return Result.of(NAME, found, measured, parameters)
