"""A `p4nic serve` process of our own, with its ports as Unix sockets in a folder of its own.

In: a testbed's `launch` arguments and more options. Out: its P4Runtime address and its ports. Called by
`start`. The log stays in the folder; `stop` removes the folder unless it is to be kept.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.testbed import REPOSITORY


class TargetError(RuntimeError):
    """The target did not start; the message has the end of its log."""


class TargetAbsent(TargetError):
    """This machine has no such target, or may not start it; the message says what is missing."""


class TargetProcess:
    """Started by the constructor. `address`: of P4Runtime; `ports`: number -> interface name of our end."""

    def __init__(
        self,
        launch: Sequence[str],
        numbers: Sequence[int],
        veths: Mapping[int, str] | None = None,
        patience_s: float = 60.0,
    ) -> None:
        """`veths`: port number -> network interface of the target, in place of Unix sockets."""
        self.folder = Path(tempfile.mkdtemp(prefix="p4nic-ptf-"))
        self.log = self.folder / "target.log"
        self._ready = self.folder / "ready.json"
        self.ports = {number: f"unix:{self.folder}/{number}" for number in numbers}
        command = [sys.executable, "-m", "p4nic", "serve", *launch]
        command += ["--grpc", "127.0.0.1:0", "--clock", "manual", "--ready-file", str(self._ready)]
        for number in numbers:
            where = f"veth:{veths[number]}" if veths else self.ports[number]
            command += ["--port", f"{number}@{where}"]
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                command, cwd=REPOSITORY, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )
        self.address = self._wait(patience_s)

    def _wait(self, patience_s: float) -> str:
        deadline = time.monotonic() + patience_s
        while not self._ready.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self.log.read_text()[-2000:]
                self.stop()
                if "make setup-dpdk" in said:
                    raise TargetAbsent(said.strip().removeprefix("p4nic: "))
                raise TargetError(f"the target did not start: {said}")
            time.sleep(0.02)
        return str(json.loads(self._ready.read_text())["grpc"])

    def running(self) -> bool:
        """False when the process ended by itself."""
        return self._process.poll() is None

    def stop(self, keep_log: bool = False) -> None:
        """End the process; harmless when it has ended."""
        if self.running():
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if not keep_log and os.path.isdir(self.folder):
            shutil.rmtree(self.folder)
