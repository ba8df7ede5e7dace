"""A port over Unix datagram sockets: one frame per datagram, no root.

The switch binds PATH, the peer binds PATH.peer; each sends to the other's. Frame boundaries are the kernel's
business, order is kept, and nothing is lost as long as the peer reads. Used by `N@unix:PATH` (PTF, lbtraffic
without root).
"""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
from typing import final

from p4nic.errors import PortError
from p4nic.target.ports import BURST, MAX_FRAME, NO_PEER, QUEUE_FULL, TOO_LONG

_PATIENCE_MS = 250
"""How long a send waits for a slow peer. The kernel queues as few as 10 datagrams."""


@final
class UnixPort:
    """Raises PortError where PATH cannot be bound."""

    def __init__(self, path: str) -> None:
        self.name = f"unix:{path}"
        self._path = path
        self._peer = f"{path}.peer"
        self._receiver = _bind(path)
        self._sender = _sender()
        self._connected = False
        self._patient = True
        self._open = True

    def fileno(self) -> int | None:
        return self._receiver.fileno()

    def receive(self, limit: int = BURST) -> list[bytes]:
        frames: list[bytes] = []
        while len(frames) < limit:
            try:
                frames.append(self._receiver.recv(MAX_FRAME + 1))
            except BlockingIOError:
                break
        return frames

    def send(self, frame: bytes) -> str:
        if not self._connected and not self._connect():
            return NO_PEER
        try:
            self._sender.send(frame)
        except BlockingIOError:
            return self._send_patiently(frame)
        except OSError as error:
            return self._lost(error, frame)
        self._patient = True
        return ""

    def _send_patiently(self, frame: bytes) -> str:
        """The peer's queue is full: wait for it, but only once for a peer that does not read at all."""
        if self._patient:
            poll = select.poll()
            poll.register(self._sender, select.POLLOUT)
            if poll.poll(_PATIENCE_MS):
                try:
                    self._sender.send(frame)
                    return ""
                except OSError:
                    pass
        self._patient = False
        return QUEUE_FULL

    def _lost(self, error: OSError, frame: bytes) -> str:
        """The peer went away; if another took its place, it gets the frame."""
        if error.errno == errno.EMSGSIZE:
            return TOO_LONG
        self._sender.close()
        self._sender = _sender()
        if not self._connect():
            return NO_PEER
        try:
            self._sender.send(frame)
        except OSError:
            return QUEUE_FULL
        return ""

    def _connect(self) -> bool:
        try:
            self._sender.connect(self._peer)
            self._connected = True
        except OSError:
            self._connected = False
        return self._connected

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        if self._open:
            self._open = False
            self._receiver.close()
            self._sender.close()
            if os.path.exists(self._path):
                os.unlink(self._path)


def _sender() -> socket.socket:
    sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sender.setblocking(False)
    return sender


def _bind(path: str) -> socket.socket:
    _remove_stale(path)
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.setblocking(False)
    try:
        receiver.bind(path)
    except OSError as error:
        receiver.close()
        why = (
            "the path is longer than the 107 bytes a socket may have"
            if "too long" in str(error)
            else error.strerror
        )
        raise PortError(f"cannot bind the port socket {path}: {why}") from None
    return receiver


def _remove_stale(path: str) -> None:
    """A socket nobody is bound to any more is in the way; anything else is not ours to remove."""
    if not os.path.exists(path):
        return
    if not stat.S_ISSOCK(os.stat(path).st_mode):
        raise PortError(f"cannot bind the port socket {path}: a file of that name exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise PortError(f"cannot bind the port socket {path}: another process is using it")
