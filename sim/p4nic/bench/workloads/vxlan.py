"""The service's endpoint is on another node: packets of established connections leave in VXLAN, their replies
come back in VXLAN; one of each in turn, through the whole load balancer."""

from __future__ import annotations

from p4nic.bench import lb
from p4nic.bench.api import Options, Progress, Result
from p4nic.bench.peers import engines

NAME = "vxlan"
ABOUT = "out in VXLAN and back, one of each in turn, through the whole load balancer (--flows)"


def run(options: Options, progress: Progress) -> Result:
    """Mpps of each engine."""
    flows = lb.flow_count(options)
    progress(f"{flows} flows: making frames")
    order = lb.flow_order(flows)
    program = lb.program()
    with engines(options, program, lb.tunnelled(program), flows, lb.table_sizes(flows), progress) as found:
        progress("opening the connections")
        found.once(lb.flow_frames(order, lb.to_vip(lb.SYN)))
        out = lb.flow_frames(order, lb.to_vip(lb.ACK), options.frame_size)
        traffic = out.in_turn(lb.flow_frames(order, lb.BACK, options.frame_size))
        found.once(traffic)
        measured = found.measure(traffic, options, progress)
    parameters = {"flows": flows, "frame_size": options.frame_size, "workers": options.workers}
    return Result.of(NAME, found, measured, parameters)
