"""Established TCP connections through the whole shipped load balancer (`.spec`), client to service.

Per packet: port role, validity, flow table hit with refresh, policy, DNAT with checksums, route, counters.
"""

from __future__ import annotations

from p4nic.bench import lb
from p4nic.bench.api import Options, Progress, Result
from p4nic.bench.peers import engines

NAME = "lb-established"
ABOUT = "established TCP connections through the whole load balancer (--flows, --frame-size)"


def run(options: Options, progress: Progress) -> Result:
    """Mpps of each engine."""
    flows = lb.flow_count(options)
    progress(f"{flows} flows: making frames")
    order = lb.flow_order(flows)
    program = lb.program()
    entries, sizes = lb.configuration(program), lb.table_sizes(flows)
    with engines(options, program, entries, flows, sizes, progress) as found:
        progress("opening the connections")
        found.once(lb.flow_frames(order, lb.to_vip(lb.SYN)))
        traffic = lb.flow_frames(order, lb.to_vip(lb.ACK), options.frame_size)
        found.once(traffic)
        measured = found.measure(traffic, options, progress)
    parameters = {"flows": flows, "frame_size": options.frame_size, "workers": options.workers}
    return Result.of(NAME, found, measured, parameters)
