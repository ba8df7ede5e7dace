"""How long packets wait while RECONCILE_AND_COMMIT changes the program under learned flows.

In: nothing, or --flows and --backend. Out: one line an engine: the upgrade's time, how long the change itself
keeps packets out, and the longest wait between two bursts of a thread that does nothing but send them (which
is the scheduler's doing too). Run: python benchmarks/upgrade_gap.py
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable

from p4nic.backend.api import Backend, Entry, Options, Pipeline
from p4nic.backend.interp import InterpreterBackend
from p4nic.backend.native import NativeBackend
from p4nic.clock import ManualClock
from p4nic.ir.program import ActionCall, Exact
from p4nic.load.artifact import load_program
from p4nic.load.p4info import load_p4info
from p4nic.load.shipped import shipped
from p4nic.server.pipeline_config import PipelineConfigs
from p4nic.target.switch import Switch
from p4nic.target.tables import Tables
from p4rt import p4r

FLOWS = "Lb.flow_table"
REQUEST = p4r.SetForwardingPipelineConfigRequest


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--flows", type=int, default=60_000, help="learned flows (60000; at most 65536)")
    parser.add_argument("--backend", choices=("interp", "native"), help="one of them only")
    args = parser.parse_args()
    for backend in (InterpreterBackend(), NativeBackend()):
        if args.backend in (None, backend.name):
            print(measured(backend, args.flows))


class TimedSwitch(Switch):
    """Keeps the time of the last change of pipelines, during which no packet is processed."""

    held = 0.0

    def replace_pipeline(self, pipeline: Pipeline, fill: Callable[[Tables], None] | None = None) -> None:
        start = time.perf_counter()
        super().replace_pipeline(pipeline, fill)
        self.held = time.perf_counter() - start


def measured(backend: Backend, flows: int) -> str:
    """One upgrade under packets; the first, untimed, compiles what there is to compile."""
    files = shipped()
    info = load_p4info(files.p4info)
    switch = TimedSwitch(backend.build(load_program([]), Options()), ManualClock())
    with switch:
        configs = PipelineConfigs(switch, lambda program: backend.build(program, Options()), info)
        request = REQUEST(action=REQUEST.RECONCILE_AND_COMMIT)
        request.config.p4info.CopyFrom(info.message)
        request.config.p4_device_config = files.paths[0].read_bytes()
        configs.set(request)
        call = ActionCall("Lb.flow_hit", (1, 2, 3, 4, 5, 6))
        with switch.lock:
            for number in range(flows):
                key = tuple(Exact(v) for v in (number, 7, 6, 9, 9))
                entry = Entry(FLOWS, key, call, idle_timeout_ns=30 * 10**9, origin="learned")
                switch.pipeline.insert(entry, 0)
        done, gaps = threading.Event(), [0.0]

        def packets() -> None:
            last = time.perf_counter()
            while not done.is_set():
                switch.burst([(1, bytes(60))] * 8)
                now = time.perf_counter()
                gaps.append(now - last)
                last = now

        sender = threading.Thread(target=packets)
        sender.start()
        time.sleep(0.3)
        before = max(gaps)
        start = time.perf_counter()
        configs.set(request)
        took = time.perf_counter() - start
        done.set()
        sender.join()
        assert switch.tables.entry_count(FLOWS) == flows
    return (
        f"{backend.name}: {flows} flows kept in {took * 1e3:.0f} ms; packets kept out for "
        f"{switch.held * 1e3:.1f} ms; longest wait between two bursts "
        f"{max(gaps) * 1e3:.1f} ms ({before * 1e3:.1f} ms without an upgrade)"
    )


if __name__ == "__main__":
    main()
