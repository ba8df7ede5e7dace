"""Wires to a target's ports, as the target's own `--port` names them: `unix:PATH` and `veth:IFACE`.

In and out: whole frames as bytes. A Unix wire needs no root: the target binds PATH, we bind PATH.peer, one
frame is one datagram. Used by `__main__` and examples.
"""

from __future__ import annotations

import os
import socket
import stat
from typing import final

from lbtraffic.errors import TrafficError

LONGEST = 65_535
ETH_P_ALL = 3


@final
class Wire:
    """One open wire. `receive` never waits longer than it is told."""

    def __init__(self, name: str, raw: socket.socket, own: str = "", target: str = "") -> None:
        self.name = name
        self._socket = raw
        self._own = own
        self._target = target

    def send(self, frame: bytes) -> None:
        """Raises TrafficError when the target does not take it."""
        try:
            if self._target:
                self._socket.sendto(frame, self._target)
            else:
                self._socket.send(frame)
        except OSError as error:
            raise TrafficError(
                f"{self.name} does not take frames ({error.strerror}); is the target running?"
            ) from None

    def receive(self, timeout: float = 0.0) -> bytes | None:
        """The next frame, or None after `timeout` seconds; 0 takes only what is there."""
        self._socket.settimeout(timeout)
        try:
            return self._socket.recv(LONGEST)
        except (BlockingIOError, TimeoutError):
            return None

    def receive_all(self) -> list[bytes]:
        """Every frame that is waiting, oldest first."""
        found = []
        while (frame := self.receive()) is not None:
            found.append(frame)
        return found

    def close(self) -> None:
        self._socket.close()
        if self._own and os.path.exists(self._own):
            os.unlink(self._own)


def open_wire(name: str) -> Wire:
    """Open `unix:PATH` or `veth:IFACE` (root). Raises TrafficError with the way out."""
    kind, _, where = name.partition(":")
    try:
        if kind == "unix":
            return _open_unix(name, where)
        if kind in ("veth", "afpacket"):
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            return Wire(name, _bound(raw, (where, ETH_P_ALL)))
    except PermissionError:
        raise TrafficError(f"{name} needs root (CAP_NET_RAW); use a unix: port instead") from None
    except OSError as error:
        raise TrafficError(
            f"{name} cannot be opened ({error.strerror}); start the target with this port first"
        ) from None
    raise TrafficError(f"{name!r} is not a port; write unix:PATH or veth:INTERFACE")


def _open_unix(name: str, path: str) -> Wire:
    if not stat.S_ISSOCK(os.stat(path).st_mode):
        raise TrafficError(f"{name} is not a socket; start the target with this port first")
    own = f"{path}.peer"
    if os.path.exists(own):
        os.unlink(own)  # left by one that was killed; a live one would hold the target's only peer anyway
    raw = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    # Not connect(): Linux would then refuse frames that the target sends from another socket than PATH's.
    return Wire(name, _bound(raw, own), own, path)


def _bound(raw: socket.socket, address: str | tuple[str, int]) -> socket.socket:
    try:
        raw.bind(address)
    except OSError:
        raw.close()
        raise
    return raw
