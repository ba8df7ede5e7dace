"""Targets between virtual interfaces: ours in a process of its own, BMv2 in its; same JSON, entries, frames.

In: flows. Out: for each target a function that sends at a rate and tells what came out. Root. Called by the
workloads veth and ndr.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import final

from p4nic.backend.api import Backend
from p4nic.backend.native import NativePipeline
from p4nic.backend.native.measuring import in_c
from p4nic.bench import csource, lb
from p4nic.bench.api import BenchError, Options, Progress
from p4nic.bench.traffic import Traffic
from p4nic.clock import RealClock
from p4nic.differential.bmv2 import bmv2_on_interfaces
from p4nic.differential.scenario import Update
from p4nic.errors import P4nicError, TargetError
from p4nic.load.shipped import shipped

_serial = count()
_CHILD = """from p4nic.bench.wired import child
from p4nic.cli.common import backend
child(backend({!r}), {!r}, {!r}, {}, {})"""
_TICKS = os.sysconf("SC_CLK_TCK")


@final
@dataclass(frozen=True, slots=True)
class Sent:
    """One trial over a wire: frames in, frames out, seconds, CPU seconds of the target's process."""

    offered: int
    received: int
    seconds: float
    cpu: float


@final
@dataclass(frozen=True, slots=True)
class Wired:
    """One target between two interfaces, whose other ends are ours."""

    pid: int
    near: str
    far: str
    traffic: Traffic

    def trial(self, seconds: float, per_s: float = 0.0) -> Sent:
        """Send for so long, at a rate or as fast as it goes (0); then count until nothing comes any more."""
        ffi, lib = csource.library()
        descriptor = lib.wire_open(socket.if_nametoindex(self.near))
        if descriptor < 0:
            raise BenchError(f"{self.near} cannot be sent to: packet sockets need root")
        frames, kept = in_c(self.traffic, ffi)
        out = ffi.new("p4_timing_t *")
        before, used = _received(self.far), _cpu_seconds(self.pid)
        lib.wire_send(descriptor, frames, 0, per_s / 1e9, int(seconds * 1e9), out)
        at_once = _received(self.far) - before
        cpu = _cpu_seconds(self.pid) - used
        lib.wire_close(descriptor)
        del kept
        _settled(self.far)
        # As fast as it goes, only what came out meanwhile counts; at a rate, queues may empty.
        received = _received(self.far) - before if per_s else at_once
        return Sent(int(out.packets), received, out.wall_ns / 1e9, cpu)


def _received(interface: str) -> int:
    return int(Path(f"/sys/class/net/{interface}/statistics/rx_packets").read_text())


def _settled(interface: str) -> None:
    seen = -1
    while (now := _received(interface)) != seen:
        seen = now
        time.sleep(0.05)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


Found = tuple[dict[str, Wired], dict[str, str]]
"""Targets by name, and for absent peers the reason."""


@contextmanager
def targets(options: Options, flows: int, progress: Progress) -> Iterator[Found]:
    """Our engine and, where it is, BMv2; and why a peer is absent. BenchError without root."""
    if os.geteuid() != 0:
        raise BenchError("veth pairs need root: run this workload as root")
    order = lb.flow_order(flows)
    traffic = lb.flow_frames(order, lb.to_vip(lb.ACK), options.frame_size)
    absent = {peer: "it takes frames from memory here" for peer in options.peers if peer != "bmv2"}
    made: dict[str, Wired] = {}
    with ExitStack() as stack:
        for name in (options.backend, *(peer for peer in options.peers if peer == "bmv2")):
            start: Callable[[dict[int, str], int], int]
            start = _bmv2(stack) if name == "bmv2" else _ours(stack, options)
            try:
                pairs = stack.enter_context(_pairs())
                progress(f"starting {name}")
                pid = start({port: theirs for port, (_, theirs) in pairs.items()}, flows)
            except P4nicError as error:
                if name == options.backend:
                    raise
                absent[name] = str(error)
                continue
            made[name] = Wired(pid, pairs[lb.UPLINK][0], pairs[lb.POD_PORT][0], traffic)
        yield made, absent


@contextmanager
def _pairs() -> Iterator[dict[int, tuple[str, str]]]:
    """(our end, the target's end) for each port; IPv6 off, so that the kernel sends nothing by itself."""
    tag = f"pb{os.getpid() % 100_000}{next(_serial)}"
    pairs = {port: (f"{tag}n{port}", f"{tag}t{port}") for port in (lb.UPLINK, lb.POD_PORT)}
    try:
        for near, far in pairs.values():
            _ip("link", "add", near, "type", "veth", "peer", "name", far)
            for end in (near, far):
                quiet = Path(f"/proc/sys/net/ipv6/conf/{end}/disable_ipv6")
                if quiet.exists():
                    quiet.write_text("1")
                _ip("link", "set", end, "up")
        yield pairs
    finally:
        for near, _ in pairs.values():
            subprocess.run(["ip", "link", "del", near], capture_output=True, check=False)


def _ip(*words: str) -> None:
    try:
        done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    except OSError:
        raise BenchError("veth pairs are made with `ip`: install iproute2") from None
    if done.returncode:
        raise BenchError(f"ip {' '.join(words)}: {done.stderr.strip()}")


def _bmv2(stack: ExitStack) -> Callable[[dict[int, str], int], int]:
    def start(interfaces: dict[int, str], flows: int) -> int:
        files = shipped("json")
        program = lb.program("json")
        updates: list[Update] = [("insert", entry) for entry in lb.configuration(program)]
        updates += [("insert", e) for flow in range(flows) for e in lb.flow_entries(program, flow)]
        switch = bmv2_on_interfaces(program, files.paths[0], files.p4info, updates, interfaces)
        stack.callback(switch.stop)
        return switch.pid

    return start


def _ours(stack: ExitStack, options: Options) -> Callable[[dict[int, str], int], int]:
    def start(interfaces: dict[int, str], flows: int) -> int:
        near, far = interfaces[lb.UPLINK], interfaces[lb.POD_PORT]
        words = _CHILD.format(options.backend, near, far, flows, options.workers)
        process = subprocess.Popen(
            [sys.executable, "-c", words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        stack.callback(process.wait)
        assert process.stdin is not None
        assert process.stdout is not None
        stack.callback(process.stdin.close)
        stack.callback(process.stdout.close)
        said = process.stdout.readline()
        if not said:
            raise TargetError("our own target did not start; its message is above")
        return int(json.loads(said))

    return start


def child(backend: Backend, uplink: str, pod: str, flows: int, workers: int) -> None:
    """Our target in its process: forwards until its stdin ends."""
    from p4nic.backend.api import Options as PipelineOptions
    from p4nic.target.ports.spec import open_port, parse_port
    from p4nic.target.ports.wire import open_wire
    from p4nic.target.switch import Switch

    program = lb.program("json")
    sizes = {name: size for name, size in lb.table_sizes(flows).items() if name in program.tables}
    pipeline = backend.build(program, PipelineOptions(table_sizes=sizes))
    with Switch(pipeline, RealClock()) as switch:
        compiled = isinstance(pipeline, NativePipeline)
        if compiled:
            switch.workers = workers
        for entry in lb.configuration(program):
            switch.tables.insert(entry)
        for flow in range(flows):
            for entry in lb.flow_entries(program, flow):
                switch.tables.insert(entry)
        for number, interface in ((lb.UPLINK, uplink), (lb.POD_PORT, pod)):
            spec = parse_port(f"{number}@veth:{interface}")
            port = open_wire(spec, workers) if compiled else open_port(spec)
            switch.attach(number, port)
        switch.start()
        print(json.dumps(os.getpid()), flush=True)
        sys.stdin.read()
        switch.stop()
