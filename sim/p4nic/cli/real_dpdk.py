"""`--backend swx` on the command line: what DPDK refuses is explained, what it dies of is kept.

In: arguments, a Program. Out: a Pipeline, ports that are DPDK's own. Called by `common.build`, `serve` and
`diff`.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
from typing import TYPE_CHECKING, final

from p4nic.errors import InputError, PortError, UnsupportedError

if TYPE_CHECKING:
    from p4nic.backend.api import Backend, Options, Pipeline
    from p4nic.ir.program import Program
    from p4nic.target.ports.spec import PortSpec
    from p4nic.target.switch import Switch

LOOK_MS = 5


def build_swx(args: argparse.Namespace, program: Program, options: Options) -> Pipeline:
    """The pipeline; UnsupportedError with the construct DPDK stumbles over, where we know it."""
    from p4nic.backend.swx import SwxBackend
    from p4nic.backend.swx.devices import parse_devices
    from p4nic.differential.crash import reporter

    report = reporter(SwxBackend, args.artifact, args.p4info)
    devices = parse_devices(getattr(args, "devices", {}))
    # DPDK polls all its input ports in turn: no more than there may be packets at.
    inputs = max(options.cpu_port, *(d.number for d in devices)) + 1 if devices else 0
    return explained(SwxBackend(inputs=inputs, report=report, devices=devices), program, options)


def open_device(switch: Switch, spec: PortSpec) -> DevicePort:
    """A port DPDK serves itself; InputError where there is no DPDK, or no real clock."""
    from p4nic.backend.swx import SwxPipeline
    from p4nic.clock import RealClock

    told = f"port {spec.number}@dpdk:{spec.name}"
    if not switch.has_pipeline or not isinstance(switch.pipeline, SwxPipeline):
        raise InputError(f"{told} is DPDK's own: it needs --backend swx and a program from the start")
    if not isinstance(switch.clock, RealClock):
        raise InputError(f"{told} is DPDK's own and runs on the machine's clock; leave --clock manual out")
    return DevicePort(switch, spec)


@final
class DevicePort:
    """What p4nic knows of a port that is DPDK's. It looks every few milliseconds for frames that packets from
    DPDK's ports have become elsewhere: at the CPU port, or at a port of another kind."""

    def __init__(self, switch: Switch, spec: PortSpec) -> None:
        self.name = f"dpdk:{spec.name}"
        self._switch = switch
        self._timer: int | None = _timer()
        try:
            self._look()
        except BaseException:
            self.close()
            raise

    def fileno(self) -> int | None:
        return self._timer

    def receive(self, limit: int = 0) -> list[bytes]:
        if self._timer is not None:
            with contextlib.suppress(BlockingIOError):
                os.read(self._timer, 8)
        return self._look()

    def _look(self) -> list[bytes]:
        from p4nic.backend.swx import SwxPipeline

        with self._switch.lock:
            pipeline = self._switch.pipeline
            if not isinstance(pipeline, SwxPipeline):
                return []
            return list(pipeline.frames_from_devices(self._switch.clock.now_ns()))

    def send(self, frame: bytes) -> str:
        """DPDK has sent it already."""
        return ""

    def flush(self) -> None:
        """Nothing is buffered here."""

    def close(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            os.close(timer)


def _timer() -> int:
    """A descriptor that becomes readable every LOOK milliseconds. Python has timerfd from 3.13 on."""
    libc = ctypes.CDLL(None, use_errno=True)
    timer = int(libc.timerfd_create(1, os.O_NONBLOCK | os.O_CLOEXEC))  # CLOCK_MONOTONIC
    if timer < 0:
        raise PortError(f"no timer for DPDK's ports: {os.strerror(ctypes.get_errno())}")
    period = (ctypes.c_long * 4)(0, LOOK_MS * 1_000_000, 0, LOOK_MS * 1_000_000)
    libc.timerfd_settime(timer, 0, period, None)
    return timer


def explained(backend: Backend, program: Program, options: Options) -> Pipeline:
    """`backend.build`, its refusal with what `p4nic lint` finds."""
    from p4nic.lint.targets import why_refused

    try:
        return backend.build(program, options)
    except UnsupportedError as error:
        image = program.image
        finding = why_refused(image.text, image.file) if image is not None else None
        if finding is None or "DPDK" not in str(error):
            raise
        what = str(error).partition("; it does not say")[0]
        raise UnsupportedError(
            f"{what}; p4nic lint says: {finding.where}: {finding.what}: {finding.effect}; {finding.instead}"
        ) from None
