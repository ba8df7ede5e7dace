"""Processes that run DPDK: one that has started it, and a fork of that one per pipeline.

Out: `start()` gives a Child that answers requests. Called by `pipeline`. DPDK starts once per process and
takes a tenth of a second; a fork takes milliseconds, and dies alone.
"""

from __future__ import annotations

import atexit
import os
import signal
import socket
import struct
import subprocess
import tempfile
import threading
from typing import final

from p4nic.backend.swx.shim import executable
from p4nic.backend.swx.wire import Operation, Reader
from p4nic.errors import TargetError

MEMORY_VARIABLE = "P4NIC_SWX_MEMORY_MB"
_MEMORY = 2048
_PATIENCE = 120.0
"""Seconds to wait for an answer; a burst of 64 endless packets takes some of them."""


@final
class Died(Exception):
    """A Child is gone. `how` says why in words, `progress` which packet of the burst it was at."""

    def __init__(self, how: str, progress: int) -> None:
        super().__init__(how)
        self.how = how
        self.progress = progress


@final
class Child:
    """One process with one pipeline."""

    def __init__(self, server: _Server, connection: socket.socket, pid: int) -> None:
        self._server = server
        self._socket = connection
        self._pid = pid
        self._socket.settimeout(_PATIENCE)

    def request(self, operation: Operation, arguments: bytes = b"") -> tuple[int, Reader]:
        """(status, data) of the answer; Died if the process ends before it answers."""
        message = struct.pack("<IB", len(arguments) + 1, operation) + arguments
        try:
            self._socket.sendall(message)
            (length,) = struct.unpack("<I", self._receive(4))
            answer = self._receive(length)
        except TimeoutError:
            os.kill(self._pid, signal.SIGKILL)
            self.close()
            raise Died(f"did not answer within {_PATIENCE:.0f} s and was ended", 0) from None
        except (OSError, EOFError):
            raise self._died() from None
        return int.from_bytes(answer[:4], "little", signed=True), Reader(answer[4:])

    def _receive(self, count: int) -> bytes:
        parts = bytearray()
        while len(parts) < count:
            part = self._socket.recv(min(count - len(parts), 1 << 20))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)

    def _died(self) -> Died:
        self._socket.close()
        status, progress = self._server.wait(self._pid)
        if os.WIFSIGNALED(status):
            return Died(f"crashed with {signal.Signals(os.WTERMSIG(status)).name}", progress)
        return Died(f"ended with exit code {os.waitstatus_to_exitcode(status)}", progress)

    def last_line(self) -> str:
        """Of the log it shares with its server."""
        return self._server.last_line()

    def close(self) -> None:
        """End the process."""
        if self._socket.fileno() >= 0:
            self._socket.close()
            self._server.wait(self._pid)


@final
class _Server:
    """The process that has started DPDK and forks."""

    def __init__(self, megabytes: int) -> None:
        self._lock = threading.Lock()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (open as long as the process)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [str(executable()), str(megabytes), str(theirs.fileno())]
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,  # Ctrl-C is for us; the socket's end is for it
            )
        self._socket = ours
        self._socket.settimeout(_PATIENCE)
        if self._answer() != b"ready":
            self._process.wait()
            raise TargetError(
                f"DPDK does not start with {megabytes} MB of memory (${MEMORY_VARIABLE} changes that): "
                f"{self.last_line()}"
            )

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def fork(self) -> Child:
        """A fresh process."""
        ours, theirs = socket.socketpair()
        with self._lock, theirs:
            socket.send_fds(self._socket, [struct.pack("<cI", b"f", 0)], [theirs.fileno()])
            pid = int.from_bytes(self._answer(), "little")
        if not pid:
            ours.close()
            raise TargetError(f"the DPDK process cannot fork: {self.last_line()}")
        return Child(self, ours, pid)

    def wait(self, pid: int) -> tuple[int, int]:
        """(wait status, progress) of a Child that has ended or is about to."""
        with self._lock:
            try:
                self._socket.send(struct.pack("<cI", b"w", pid))
                status, progress = struct.unpack("<iI", self._answer())
            except (OSError, struct.error):
                return 0, 0
        return status, progress

    def _answer(self) -> bytes:
        try:
            return self._socket.recv(64)
        except OSError:
            return b""

    def last_line(self) -> str:
        """Of the log."""
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def close(self) -> None:
        """End the process, and with it its forks."""
        self._socket.close()
        self._process.wait()
        self._log.close()


_servers: dict[int, _Server] = {}
_starting = threading.Lock()


def memory() -> int:
    """Megabytes DPDK may use, from the environment; TargetError for nonsense."""
    text = os.environ.get(MEMORY_VARIABLE, str(_MEMORY))
    if not text.isdecimal() or int(text) < 1:
        raise TargetError(
            f'${MEMORY_VARIABLE} is "{text}", which is no number of megabytes; the default is {_MEMORY}'
        )
    return int(text)


def start(megabytes: int | None = None) -> Child:
    """A fresh process with DPDK started, with that much memory or what `memory` says; TargetError if that is
    not possible."""
    megabytes = megabytes or memory()
    # A fork of this Python (multiprocessing) has our descriptors, but must not share the conversation.
    key = (os.getpid() << 32) + megabytes
    with _starting:
        server = _servers.get(key)
        if server is None or not server.alive:
            server = _servers[key] = _Server(megabytes)
    return server.fork()


def stop() -> None:
    """End all processes that `start` left ready. For tests and for the end of the program."""
    with _starting:
        for server in _servers.values():
            server.close()
        _servers.clear()


atexit.register(stop)
