"""How long lbctl takes to plan 1,000 services with 10 endpoints each, and to see that nothing changed.

In: nothing, or the two numbers. Out: a few lines with seconds and counts. Run: python
benchmarks/plan_scale.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

from lbctl.diff import apply_updates, diff
from lbctl.entries import Installed
from lbctl.model import (
    Cluster,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Name,
    NodeConfig,
    Protocol,
    Service,
    ServicePort,
)
from lbctl.plan import make_plan

_T = TypeVar("_T")


def cluster_of(services: int, endpoints: int) -> Cluster:
    """ClusterIP services of one port; every endpoint has an address of its own."""
    made, slices = [], []
    for number in range(services):
        name = Name("default", f"service-{number:05}")
        port = ServicePort("http", Protocol.TCP, 80, 8080)
        made.append(Service(name, "ClusterIP", (0x0A600000 + number,), (port,)))
        hosts = tuple(Endpoint(0x0B000000 + number * endpoints + host) for host in range(endpoints))
        slices.append(EndpointSlice(name, name, (EndpointPort("http", Protocol.TCP, 8080),), hosts))
    return Cluster(services=tuple(made), slices=tuple(slices))


def node() -> NodeConfig:
    """A node without pods: only the services count here."""
    return NodeConfig(
        name="node-a",
        vtep_ip=0xC0A80001,
        vtep_mac=2,
        vni=1,
        uplink_port=0,
        host_port=15,
        host_mac=4,
        gateway_mac=6,
        gateways=(),
        node_ips=(0xC0A80001,),
    )


def timed(call: Callable[[], _T]) -> tuple[float, _T]:
    """Seconds and result of `call`."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--endpoints", type=int, default=10)
    options = parser.parse_args()
    cluster = cluster_of(options.services, options.endpoints)
    seconds, plan = timed(lambda: make_plan(cluster, node()))
    buckets = sum(len(slots) for slots in plan.buckets.values())
    print(f"plan   {options.services} services x {options.endpoints} endpoints: {seconds:.2f} s")
    print(f"       {len(plan.entries)} entries and {buckets} Maglev buckets")
    seconds, updates = timed(lambda: diff(plan, Installed()))
    print(f"diff   against an empty switch: {seconds:.2f} s, {len(updates)} updates")
    installed = apply_updates(Installed(), updates)
    seconds, again = timed(lambda: diff(make_plan(cluster, node(), installed), installed))
    print(f"replan and diff against the switch in step: {seconds:.2f} s, {len(again)} updates")


if __name__ == "__main__":
    main()
