"""Table writes: over P4Runtime in batches and one by one, reading back, idle-timeout notifications, and
through the target's own API.

Everything is by the wall clock: client and server are two processes, and a request is over when its answer is
there. The client's requests are made beforehand. On a machine that others use too, compare figures of one
run.
"""

from __future__ import annotations

import shutil
import time
from array import array
from contextlib import AbstractContextManager
from itertools import pairwise
from typing import Any

import grpc

from p4nic.backend.api import Options as PipelineOptions
from p4nic.bench import programs
from p4nic.bench.api import BenchError, Measured, Options, Progress, Result, round_to
from p4nic.bench.p4rt_client import Client, Requests, bmv2_server, flow, p4nic_server
from p4nic.clock import RealClock
from p4nic.load.artifact import load_program
from p4nic.server import wire
from p4nic.target.switch import Switch
from p4rt import p4r

NAME = "p4rt-writes"
ABOUT = "writes and reads over P4Runtime, idle notifications, the target's API (--flows: entries)"
BATCH = 1000
END = 100
"""Batches at either end that are compared."""
SINGLES = 2000
AGEING = 10_000
TIMEOUT_NS = 4_000_000_000
BMV2_ENTRIES = 200_000


def run(options: Options, progress: Progress) -> Result:
    """Entries per second; `samples` are those of ten parts of the run, in their order."""
    count = max(options.flows or 1_000_000, 2 * BATCH) // BATCH * BATCH
    requests = Requests()
    wire.library.wait()  # into the compiler's cache: a server serves without it for as long as it compiles
    with p4nic_server(options.backend) as client:
        figures = _over_p4runtime(client, requests, count, progress)
        figures |= _idle(client, requests, progress)
    if options.backend == "native":
        figures |= _target(options, count, progress)
    peers: dict[str, Measured] = {}
    absent: dict[str, str] = {}
    if "bmv2" in options.peers and shutil.which("simple_switch_grpc"):
        try:
            peers["bmv2"] = _measured(_bmv2(requests, min(count, BMV2_ENTRIES), progress))
        except BenchError as error:
            absent["bmv2"] = str(error)
    elif "bmv2" in options.peers:
        absent["bmv2"] = "simple_switch_grpc is not on PATH"
    parameters = {"entries": count, "batch": BATCH, "singles": SINGLES, "ageing": AGEING}
    return Result(NAME, options.backend, _measured(figures), peers, absent, parameters)


def _measured(figures: dict[str, Any]) -> Measured:
    parts = tuple(rate / 1e6 for rate in figures.pop("parts"))
    return Measured(figures["entries_per_s"] / 1e6, parts, "million entries/s", figures=figures)


def _over_p4runtime(client: Client, requests: Requests, count: int, progress: Progress) -> dict[str, Any]:
    progress(f"{count} inserts in batches of {BATCH}")
    took = []
    cpu = [client.server_cpu()]
    for first in range(0, count, 100 * BATCH):
        made = [requests.inserts(i, BATCH) for i in range(first, min(first + 100 * BATCH, count), BATCH)]
        for request in made:
            start = time.perf_counter()
            client.write(request)
            took.append(time.perf_counter() - start)
    figures = rates(took)
    cpu.append(client.server_cpu())
    progress(f"{SINGLES} inserts one by one")
    singles = [requests.inserts(count + i, 1) for i in range(SINGLES)]
    waits = []
    for request in singles:
        start = time.perf_counter()
        client.write(request)
        waits.append(time.perf_counter() - start)
    waits.sort()
    cpu.append(client.server_cpu())
    progress("reading back")
    start, size, answer = time.perf_counter(), 0, b""
    for answer in client.read(requests.read()):
        size += len(answer)
    read = time.perf_counter() - start
    cpu.append(client.server_cpu())
    batched, single, reading = (after - before for before, after in pairwise(cpu))
    if size < 60 * (count + SINGLES) or not p4r.ReadResponse.FromString(answer).entities:
        raise BenchError(f"only {size} bytes were read back for {count + SINGLES} entries")
    return figures | {
        "single_per_s": round(SINGLES / sum(waits)),
        "single_p50_us": round(waits[SINGLES // 2] * 1e6),
        "single_p99_us": round(waits[SINGLES * 99 // 100] * 1e6),
        "read_per_s": round((count + SINGLES) / read),
        "server_cpu_us_per_entry": round_to(batched / count * 1e6, 3),
        "server_cpu_us_per_single": round_to(single / SINGLES * 1e6, 3),
        "server_cpu_us_per_entry_read": round_to(reading / (count + SINGLES) * 1e6, 3),
    }


def rates(took: list[float]) -> dict[str, Any]:
    """Entries per second over all batches, at either end, and of ten parts."""
    ends = min(END, len(took) // 2)
    size = max(len(took) // 10, 1)
    return {
        "entries_per_s": round(len(took) * BATCH / sum(took)),
        "first_100k": round(ends * BATCH / sum(took[:ends])),
        "last_100k": round(ends * BATCH / sum(took[-ends:])),
        "batch_p99_ms": round_to(sorted(took)[len(took) * 99 // 100] * 1e3, 3),
        "parts": [
            len(part) * BATCH / sum(part)
            for part in (took[i : i + size] for i in range(0, len(took) // size * size, size))
        ],
    }


def _idle(client: Client, requests: Requests, progress: Progress) -> dict[str, Any]:
    """Entries that age out at nearly one time: from the first notification to that about the last of them."""
    progress(f"{AGEING} entries age")
    batches = [requests.ageing(i, BATCH, TIMEOUT_NS, p4r.Update.INSERT) for i in range(0, AGEING, BATCH)]
    for request in batches:
        client.write(request)
    seen: set[bytes] = set()
    start, cpu = 0.0, client.server_cpu()
    for message in client.told:
        start = start or time.perf_counter()
        notice = p4r.StreamMessageResponse.FromString(message).idle_timeout_notification
        seen.update(entry.match[0].exact.value for entry in notice.table_entry)
        if len(seen) == AGEING:
            break
    took, cpu = time.perf_counter() - start, client.server_cpu() - cpu
    for i in range(0, AGEING, BATCH):
        client.write(requests.ageing(i, BATCH, 0, p4r.Update.DELETE))
    return {
        "idle_notifications_per_s": round(AGEING / took),
        "server_cpu_us_per_notification": round_to(cpu / AGEING * 1e6, 3),
    }


def _bmv2(requests: Requests, count: int, progress: Progress) -> dict[str, Any]:
    progress("the same on simple_switch_grpc")
    server: AbstractContextManager[Client] = bmv2_server()
    try:
        with server as client:
            return _over_p4runtime(client, requests, count, progress)
    except grpc.RpcError as error:
        raise BenchError(f"simple_switch_grpc refused a request: {error}") from None


# --- without gRPC -------------------------------------------------------------------------------------------


def _target(options: Options, count: int, progress: Progress) -> dict[str, Any]:
    """`Tables.insert_columns`; the workload `table-writes` does it while packets run."""
    progress("through the target's API")
    found = _insert_all(_switch(options), count)
    return {
        f"target_{key}": found[key]
        for key in ("entries_per_s", "first_100k", "last_100k", "cpu_us_per_entry")
    }


def _switch(options: Options) -> Switch:
    artifact, info = programs.files("writes", "json")
    program = load_program([artifact], info)
    return Switch(options.make_backend("native").build(program, PipelineOptions()), RealClock())


def _columns(first: int) -> list[array[int]]:
    values = zip(*(flow(first + i) for i in range(BATCH)), strict=True)
    return [array(code, column) for code, column in zip("IIBHHIH", values, strict=True)]


def _insert(switch: Switch, columns: list[array[int]]) -> None:
    if any(switch.tables.insert_columns("Main.flows", "Main.send", columns[:5], columns[5:])):
        raise BenchError("an insert through the target's API was refused")


def _insert_all(switch: Switch, count: int) -> dict[str, Any]:
    took, cpu = [], 0.0
    for first in range(0, count, BATCH):
        columns = _columns(first)
        start, used = time.perf_counter(), time.thread_time()
        _insert(switch, columns)
        took.append(time.perf_counter() - start)
        cpu += time.thread_time() - used
    return {**rates(took), "cpu_us_per_entry": round_to(cpu / count * 1e6, 3)}
