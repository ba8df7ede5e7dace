"""A `simple_switch_grpc` process of our own on veth pairs, with nothing loaded: the control plane brings the
program. `p4runtime` listens on a Unix socket in the process's folder.

In: more arguments for the switch. Out: its address and the suites' ends of its ports. Called by `start`.
The log stays in the folder; `stop` removes the folder unless it is to be kept.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import grpc

from harness.target_process import TargetAbsent, TargetError
from harness.veth_pairs import veth_pairs

PROGRAM = "simple_switch_grpc"


class Bmv2Process:
    """Started by the constructor. `address`: of P4Runtime; `ports`: number -> interface of our end."""

    def __init__(self, options: Sequence[str], numbers: Sequence[int], patience_s: float = 60.0) -> None:
        """Raises TargetAbsent where BMv2 or the right to make veth pairs is missing."""
        program = shutil.which(PROGRAM)
        if program is None:
            raise TargetAbsent(f"{PROGRAM} is not on PATH; docs/testbeds.md says where BMv2 comes from")
        if os.geteuid() != 0:
            raise TargetAbsent(f"{PROGRAM} runs on veth pairs, which need root")
        self.folder = Path(tempfile.mkdtemp(prefix="p4nic-bmv2-"))
        self.log = self.folder / "target.log"
        self.address = f"unix:{self.folder}/p4runtime"
        self._links = contextlib.ExitStack()
        try:
            pairs = self._links.enter_context(veth_pairs(numbers))
        except RuntimeError as error:
            shutil.rmtree(self.folder)
            raise TargetAbsent(str(error)) from None
        self.ports = {number: theirs for number, (_, theirs) in pairs.items()}
        command = [program, "--device-id", "1", "--no-p4", "--log-console"]
        for number, (ours, _) in pairs.items():
            command += ["-i", f"{number}@{ours}"]
        command += [*options, "--", "--grpc-server-addr", self.address]
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )
        self._wait(patience_s)

    def _wait(self, patience_s: float) -> None:
        with grpc.insecure_channel(self.address) as channel:
            ready = grpc.channel_ready_future(channel)
            waited = 0.0
            while waited < patience_s and self.running():
                with contextlib.suppress(grpc.FutureTimeoutError):
                    return ready.result(timeout=0.5)  # type: ignore[no-any-return]
                waited += 0.5
            ready.cancel()
        said = self.log.read_text(errors="replace")[-2000:]
        self.stop()
        raise TargetError(f"{PROGRAM} did not start: {said}")

    def running(self) -> bool:
        """False when the process ended by itself."""
        return self._process.poll() is None

    def stop(self, keep_log: bool = False) -> None:
        """End the process and remove its links; harmless when it has ended."""
        if self.running():
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._links.close()
        if not keep_log and self.folder.is_dir():
            shutil.rmtree(self.folder)
