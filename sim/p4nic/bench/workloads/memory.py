"""What connections cost in memory: resident bytes of the process before and after so many were opened, both
directions learned."""

from __future__ import annotations

import resource
from pathlib import Path

from p4nic.bench import lb
from p4nic.bench.api import Measured, Options, Progress, Result, round_to
from p4nic.bench.peers import engines

NAME = "memory"
ABOUT = "bytes per connection, both directions learned (--flows: 1,000,000)"
IN_ANOTHER_PROCESS = {"swx": "DPDK's heap is another process's, and reserved whole at its start"}


def run(options: Options, progress: Progress) -> Result:
    """`samples`: bytes per connection, one trial, since memory is given back late."""
    flows = lb.flow_count(options) if options.flows else 1_000_000
    progress(f"{flows} flows: making frames")
    traffic = lb.flow_frames(lb.flow_order(flows), lb.to_vip(lb.SYN))
    program = lb.program()
    measured = {}
    with engines(
        options, program, lb.configuration(program), flows, lb.table_sizes(flows), progress,
        IN_ANOTHER_PROCESS,
    ) as found:  # fmt: skip
        for name, loop in found.loops(traffic).items():
            before = resident()
            loop.once()
            each = (resident() - before) / flows
            figures = {"megabytes": round_to(each * flows / 1e6), "connections": flows}
            measured[name] = Measured(each, (each,), "bytes per connection", None, (), figures)
            progress(f"{name}: {each:.0f} bytes per connection")
    return Result.of(NAME, found, measured, {"flows": flows})


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
