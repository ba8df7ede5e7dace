"""The workers' shared state under ThreadSanitizer: three threads forward, learn and forget while the control
plane inserts, reads and deletes, and a fourth has memory ready ("keeper"), without a race.

In a process of its own, because the sanitizer must be there before Python is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_native_sanitized import library_of

_LIFE = """
import os, sys, threading, time
from p4nic.backend.api import Entry, Options
from p4nic.backend.native import NativePipeline, compiler, emit
from p4nic.bench import lb
from p4nic.bench.traffic import Traffic

program = lb.program("json" if sys.argv[1] == "json" else "spec")
keeper = sys.argv[1] == "keeper"
options = Options(
    table_sizes={"Lb.flow_table": 65536 if keeper else 4096},
    learner_timeouts={"Lb.flow_table": (1,) * 8, "Lb.closing": (1,)},
)
workers = 1 if sys.argv[1] == "alone" else 3
unit = emit(program, options)
compiler.OPTIMISE = ("-O1", "-g")
flags = ("-fsanitize=thread", *(("-DREADY_ENTRIES=2048", "-DREADY_STEP=512") if keeper else ()))
pipeline = NativePipeline(
    program, options, unit, compiler.load(compiler.shared_object(unit.text, flags))
)
first = threading.Thread(target=int)  # with which the sanitizer starts a thread of its own
first.start()
first.join()
while (threads := len(os.listdir("/proc/self/task"))) > 2:  # joined, but not yet gone
    time.sleep(0.01)
entries = list(lb.configuration(program))
for entry in entries:
    pipeline.insert(entry, 0)
flows = 6000 if keeper else 600
opened = lb.flow_frames(lb.flow_order(flows), lb.to_vip(lb.SYN))
going_on = lb.flow_frames(lb.flow_order(flows), lb.to_vip(lb.ACK))
both = Traffic.of([p for pair in zip(opened.packets(), going_on.packets()) for p in pair] * 3)
changing = [e for e in entries if e.priority or e.table != entries[0].table][-1]
start = time.monotonic_ns() - 1_000_000
pipeline.workers.replay(both, workers, start)
seen = rounds = expired = 0
deadline = time.monotonic() + float(sys.argv[2])
while time.monotonic() < deadline:
    seen = max(seen, sum(1 for _ in pipeline.entries("Lb.flow_table", 10**9)))
    pipeline.delete(changing)
    pipeline.insert(changing, 0)
    pipeline.resume()
    pipeline.next_expiry_ns()
    pipeline.statistics()
    pipeline.resume()
    rounds += 1
    now = time.monotonic_ns() - start
    pipeline.expire_untold(now, ())
    if rounds % 7 == 0:  # all flows age: they are learned again
        pipeline.expire_untold(now + 1_050_000_000, ())
    if rounds % 10 == 5:
        told = pipeline.expire(time.monotonic_ns() - start + 1_050_000_000)  # not further: learning goes on
        expired += len(told)
        pipeline.resume()
pipeline.workers.stop()
told = [pipeline.workers.replayed(i) for i in range(workers)]
left = len(os.listdir("/proc/self/task")) - threads
assert left == keeper, f"{left} threads are left, the keeper should be if there is one: {seen} entries"
assert all(t.packets for t in told), told
assert pipeline.statistics()["learned"] > 0 or sys.argv[1] == "json"  # v1model learns nothing itself
pipeline.close()
print("lived", rounds, seen, expired)
"""

_ROWS = """
import sys, time
from array import array
from p4nic.backend.api import Options
from p4nic.backend.native import NativePipeline, compiler, emit
from p4nic.bench import programs
from p4nic.bench.traffic import Traffic
from p4nic.clock import ManualClock
from p4nic.ir.program import Exact
from p4nic.target.entities import EntryKey
from p4nic.target.switch import Switch

program = programs.load("l2_exact")
options = Options(table_sizes={"Main.stations": 200_000})
unit = emit(program, options)
compiler.OPTIMISE = ("-O1", "-g")
flags = ("-fsanitize=thread",)
codes = [compiler.load(compiler.shared_object(unit.text, (*flags, level))) for level in ("-O1", "-Og")]
pipeline = NativePipeline(program, options, unit, codes[0])
frames = [(0, (i * 37).to_bytes(6, "big") + bytes(54)) for i in range(2000)]
rounds = 0
with Switch(pipeline, ManualClock()) as switch:
    pipeline.workers.replay(Traffic.of(frames), 3, time.monotonic_ns())
    deadline = time.monotonic() + float(sys.argv[2])
    while time.monotonic() < deadline and rounds < 40:
        keys = array("Q", range(rounds * 1000, rounds * 1000 + 1000))
        assert not any(switch.tables.insert_columns("Main.stations", "Main.to_port", [keys], [[1] * 1000]))
        switch.tables.delete(EntryKey("Main.stations", (Exact(rounds * 1000 + 500),)))
        pipeline.take_over(codes[rounds % 2])
        rounds += 1
    pipeline.workers.stop()
    assert pipeline.statistics()["table.Main.stations.hit"] > 0
print("lived", rounds)
"""


@pytest.mark.skipif(not library_of("libtsan.so"), reason="this compiler has no ThreadSanitizer")
@pytest.mark.parametrize("kind", ["spec", "alone", "json", "rows", "keeper"])
def test_workers_and_the_control_plane_do_not_race(kind: str) -> None:
    here = Path(__file__).parent
    environment = {
        **os.environ,
        "LD_PRELOAD": library_of("libtsan.so"),
        "TSAN_OPTIONS": "exitcode=66 report_signal_unsafe=0",
        "PYTHONPATH": os.pathsep.join([str(here), *sys.path]),
    }
    done = subprocess.run(
        [sys.executable, "-c", _ROWS if kind == "rows" else _LIFE, kind, "2"], env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("ThreadSanitizer does not run under this kernel's address space layout")
    assert done.returncode == 0, done.stderr[-6000:]
    assert done.stdout.startswith("lived")
