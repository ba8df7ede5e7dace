"""The kind of load balancer DPDK's SWX is shown with: VIP, learned flow with refresh, endpoint, DNAT,
L3 and L4 checksums; `benchmarks/programs/lb_small.p4`."""

from __future__ import annotations

from collections.abc import Iterator

from p4nic.backend.api import Entry
from p4nic.bench import lb, programs
from p4nic.bench.api import Options, Progress, Result
from p4nic.bench.peers import NO_FLOOR, engines
from p4nic.ir.program import Exact, Program

NAME = "lb-swx-like"
ABOUT = "a small load balancer as SWX is shown with: VIP, flow, DNAT, checksums (--flows)"
ENDPOINTS = 64


def entries(program: Program) -> Iterator[Entry]:
    """One VIP, 64 endpoints."""
    vip = {"ip_dst": Exact(lb.VIP)}
    yield programs.entry(program, "Small.vip", "Small.set_service", 0, ENDPOINTS - 1, **vip)
    for i in range(ENDPOINTS):
        args = (lb.POD + i, 8080, lb.MAC_B, lb.MAC_A, 2)
        yield programs.entry(program, "Small.endpoint", "Small.set_endpoint", *args, endpoint_id=Exact(i))


def run(options: Options, progress: Progress) -> Result:
    """Mpps of each engine."""
    flows = lb.flow_count(options)
    progress(f"{flows} flows: making frames")
    traffic = lb.flow_frames(lb.flow_order(flows), lb.to_vip(lb.ACK), options.frame_size)
    program = programs.load("lb_small")
    sizes = {"Small.flows": max(65536, flows + flows // 8)}
    with engines(options, program, entries(program), flows, sizes, progress, unfit=NO_FLOOR) as found:
        found.once(traffic)
        measured = found.measure(traffic, options, progress)
    parameters = {"flows": flows, "frame_size": options.frame_size, "workers": options.workers}
    return Result.of(NAME, found, measured, parameters)
