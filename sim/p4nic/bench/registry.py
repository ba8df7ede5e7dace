"""The workloads by name: the modules of `workloads/`, in the order of the report.

Called by `cli.bench` and `benchmarks/run.py`. A new workload is a module there and its name here.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import cast

from p4nic.bench.api import Workload
from p4nic.errors import InputError

MODULES = (
    "forward", "l2_exact", "lb_swx_like", "lb_established", "lb_first_packet", "policy", "lpm", "lpm_ipv6",
    "vxlan",
    "latency", "expiry", "table_writes", "p4rt_writes", "memory", "start", "veth", "ndr",
)  # fmt: skip


def workloads() -> dict[str, Workload]:
    """All of them by NAME."""
    found = [cast(Workload, import_module(f"p4nic.bench.workloads.{module}")) for module in MODULES]
    return {workload.NAME: workload for workload in found}


def workload(name: str) -> Workload:
    """The one of that name; InputError names those there are."""
    known = workloads()
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        raise InputError(f'there is no benchmark "{name}"; did you mean "{close[0]}"?')
    raise InputError(f'there is no benchmark "{name}"; there are {", ".join(known)}')
