"""What several workers, gates and ports cost: frames in memory, then veth interfaces (as root).

Prints packets per second of each worker alone and of two at once (per second of CPU time, because the machine
may be shared), the same ratio for a loop that only waits for memory, what a gate takes, and what one packet
costs the switch over veth. Run: `.venv/bin/python benchmarks/workers.py [--flows N] [--trials N]`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from p4nic.backend.api import Entry, Options
from p4nic.backend.native import NativeBackend, NativePipeline
from p4nic.bench import lb
from p4nic.bench.engines import Loop
from p4nic.clock import RealClock
from p4nic.ir.program import ActionCall, Exact
from p4nic.load.artifact import load_program
from p4nic.target.ports.spec import parse_port
from p4nic.target.ports.wire import open_wire
from p4nic.target.switch import Switch

BUILT = Path(__file__).resolve().parents[1] / "tests" / "programs" / "build"
CHASE = r"""
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <pthread.h>
#include <time.h>
#define N (1u << 22)
static uint32_t *next;
static double cpu(void) { struct timespec t; clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9; }
static void *chase(void *from) { uint32_t at = (uint32_t)(uintptr_t)from; double start = cpu();
    for (int i = 0; i < 2000000; i++) at = next[at * 16u];
    double *spent = malloc(sizeof *spent); *spent = cpu() - start + (at == N ? 1 : 0); return spent; }
int main(void) {
    next = malloc((size_t)N * 64); uint32_t *order = malloc(N * sizeof *order);
    for (uint32_t i = 0; i < N; i++) order[i] = i;
    for (uint32_t i = N - 1; i; i--) {
        uint32_t k = (uint32_t)(((uint64_t)rand() << 31 | (uint64_t)rand()) % (i + 1)), x = order[i];
        order[i] = order[k]; order[k] = x; }
    for (uint32_t i = 0; i < N; i++) next[order[i] * 16u] = order[(i + 1) % N];
    double *alone = chase((void *)0), *both[2]; pthread_t t[2];
    for (int i = 0; i < 2; i++) pthread_create(&t[i], NULL, chase, (void *)(uintptr_t)(i * 1000));
    for (int i = 0; i < 2; i++) pthread_join(t[i], (void **)&both[i]);
    printf("%f\n", *alone * 2 / (*both[0] + *both[1])); }
"""


def chase_ratio() -> float:
    """How fast each of two threads waits for memory while the other does; 1.0: as fast as one alone."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "chase.c")
        source.write_text(CHASE)
        subprocess.run(["gcc", "-O2", "-pthread", "-o", f"{folder}/chase", source], check=True)
        return float(subprocess.run([f"{folder}/chase"], capture_output=True, text=True, check=True).stdout)


def in_memory(flows: int, trials: int) -> None:
    """One and two workers in turn on established flows, and gates meanwhile."""
    program = lb.program()
    pipeline = NativeBackend().build(program, Options(table_sizes=lb.table_sizes(flows)))
    assert isinstance(pipeline, NativePipeline)
    for entry in lb.configuration(program):
        pipeline.insert(entry, 0)
    order = lb.flow_order(flows)
    Loop(pipeline, lb.flow_frames(order, lb.to_vip(lb.SYN))).once()
    going_on = lb.flow_frames(order, lb.to_vip(lb.ACK))
    Loop(pipeline, going_on).once()
    speeds: dict[int, list[float]] = {1: [], 2: []}
    walls: dict[int, list[float]] = {1: [], 2: []}
    gates: list[float] = []
    for _ in range(trials):
        for workers in (1, 2):
            pipeline.workers.replay(going_on, workers, time.monotonic_ns() - 2_000_000)
            time.sleep(0.5)
            if workers == 2:
                for _ in range(50):
                    time.sleep(0.005)  # or the workers would still be parked
                    started = time.perf_counter_ns()
                    pipeline.workers.gate()
                    pipeline.resume()
                    gates.append((time.perf_counter_ns() - started) / 1e3)
            pipeline.workers.stop()
            told = [pipeline.workers.replayed(i) for i in range(workers)]
            assert all(t.packets == t.sent for t in told)
            speeds[workers].append(statistics.mean(t.packets / t.cpu_ns * 1e3 for t in told))
            walls[workers].append(sum(t.packets / t.wall_ns * 1e3 for t in told))
    one, two = statistics.median(speeds[1]), statistics.median(speeds[2])
    ratio = 2 * two / one
    print(f"{flows} flows: one worker {one:.2f} Mpps of its CPU time; two {2 * two:.2f}, ratio {ratio:.2f}")
    print(f"  by the wall: {statistics.median(walls[1]):.2f} and {statistics.median(walls[2]):.2f} Mpps")
    gates.sort()
    median, slow = gates[len(gates) // 2], gates[len(gates) * 9 // 10]
    print(f"  a gate, closed and opened: median {median:.1f} us, p90 {slow:.1f}", flush=True)
    pipeline.close()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _frame(flow: int) -> bytes:
    ipv4 = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 46, 0, 0, 64, 17, 0, b"\n\0\0\1", b"\n\0\0\2")
    ports = struct.pack(">HHHH", 1000 + flow, 53, 26, 0)
    return (bytes.fromhex("020000000002020000000001") + b"\x08\0" + ipv4 + ports).ljust(60, b"\0")


def over_veth(workers: int, in_c: bool, seconds: float) -> None:
    """A sender floods one side; frames the switch sent, by the wall and by the CPU time of its threads."""
    names = [f"p4b{os.getpid() % 100000}{letter}" for letter in "abcd"]
    for one, other in ((names[0], names[1]), (names[2], names[3])):
        _ip("link", "add", one, "type", "veth", "peer", "name", other)
        for name in (one, other):
            _ip("link", "set", name, "addrgenmode", "none")
            _ip("link", "set", name, "up")
    try:
        _flood(names, workers, in_c, seconds)
    finally:
        _ip("link", "del", names[0])
        _ip("link", "del", names[2])


def _flood(names: list[str], workers: int, in_c: bool, seconds: float) -> None:
    from p4nic.target.ports.spec import open_port

    program = load_program([BUILT / "packet_io.json", BUILT / "packet_io.p4info.txtpb"])
    with Switch(NativeBackend().build(program, Options()), RealClock()) as switch:
        switch.workers = workers
        for number, name in ((1, names[0]), (2, names[2])):
            spec = parse_port(f"{number}@veth:{name}")
            switch.attach(number, open_wire(spec, workers) if in_c else open_port(spec))
        call = ActionCall("Switch.forward", (2,))
        switch.tables.insert(Entry("Switch.l2", (Exact(0x020000000002),), call))
        switch.tables.insert(Entry("Switch.l2_source", (Exact(0x020000000001),), ActionCall("NoAction", ())))
        switch.start()
        sender = subprocess.Popen([sys.executable, __file__, "--send", names[1], str(seconds)])
        started, cpu = time.monotonic(), time.process_time()
        sender.wait()
        spent, wall = time.process_time() - cpu, time.monotonic() - started
        sent = switch.port_statistics()[2].tx_packets
        lost = switch.drop_statistics().get("receive ring full", 0)
        kind = f"{workers} worker{'s' if workers > 1 else ''} in C" if in_c else "the Python loop"
        each = spent / sent * 1e9
        print(
            f"veth, {kind}: {sent / wall / 1e6:.3f} Mpps, {each:.0f} ns of CPU a packet, {lost} lost",
            flush=True,
        )


def send(interface: str, seconds: float) -> None:
    """Frames of 64 flows as fast as Python sends them."""
    frames = [_frame(flow) for flow in range(64)]
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as out:
        out.bind((interface, 0))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for frame in frames:
                with contextlib.suppress(BlockingIOError):
                    out.send(frame)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "--send":
        send(sys.argv[2], float(sys.argv[3]))
        sys.exit()
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--flows", type=int, default=100_000)
    parser.add_argument("--trials", type=int, default=5)
    arguments = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f}")
    print(f"two threads chasing pointers: {chase_ratio():.2f} of one alone", flush=True)
    in_memory(arguments.flows, arguments.trials)
    if os.geteuid() == 0:
        for workers, in_c in ((1, False), (1, True), (2, True)):
            over_veth(workers, in_c, 3.0)
