"""Established TCP connections through the whole shipped load balancer (`.spec`), client to service.

Per packet: port role, validity, flow table hit with refresh, policy, DNAT with checksums, route, counters.
"""

from __future__ import annotations

from p4nic.bench import lb
from p4nic.bench.api import Options, Progress, Result
from p4nic.bench.peers import engines
from p4nic.bench.trials import take_turns

NAME = "lb-established"
ABOUT = "established TCP connections through the whole load balancer (--flows, --frame-size)"


def run(options: Options, progress: Progress) -> Result:
    """Mpps of each engine."""
    flows = lb.flow_count(options)
    progress(f"{flows} flows: making frames")
    order = lb.flow_order(flows)
    program = lb.program()
    with engines(
        options, program, lb.configuration(program), flows, lb.table_sizes(flows), progress
    ) as found:
        progress("opening the connections")
        for loop in found.loops(lb.flow_frames(order, lb.to_vip(lb.SYN))).values():
            loop.once()
        loops = found.loops(lb.flow_frames(order, lb.to_vip(lb.ACK), options.frame_size))
        for loop in loops.values():
            loop.once()
        measured = take_turns({name: loop.timed for name, loop in loops.items()}, options, progress)
    parameters = {"flows": flows, "frame_size": options.frame_size, "workers": options.workers}
    return Result.of(NAME, found.own, measured, found.absent, parameters)
