"""Established TCP connections through the whole shipped load balancer (`.spec`), client to service.

Per packet: port role, validity, flow table hit with refresh, policy, DNAT with checksums, route, counters.
"""

from __future__ import annotations

from p4nic.bench import lb
from p4nic.bench.api import Options, Progress, Result
from p4nic.bench.engines import Loop
from p4nic.bench.trials import take_turns

NAME = "lb-established"
ABOUT = "established TCP connections through the whole load balancer (--flows, --frame-size)"


def run(options: Options, progress: Progress) -> Result:
    """Mpps of `options.backend`."""
    flows = options.flows or (100_000 if options.backend == "native" else 1000)
    flows = max(flows // 32 * 32, 32)
    progress(f"{flows} flows: making frames")
    order = lb.flow_order(flows)
    pipeline = lb.build(options.make_backend(options.backend), lb.program(), flows)
    progress("opening the connections")
    Loop(pipeline, lb.flow_frames(order, lb.SYN)).once()
    loop = Loop(pipeline, lb.flow_frames(order, lb.ACK, options.frame_size))
    loop.once()
    measured = take_turns({options.backend: loop.timed}, options, progress)
    pipeline.close()
    parameters = {"flows": flows, "frame_size": options.frame_size, "workers": options.workers}
    return Result(NAME, options.backend, measured[options.backend], parameters=parameters)
