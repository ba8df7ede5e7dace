"""PTF's end of a port over Unix datagram sockets: one frame per datagram, no root.

The target binds PATH; this binds PATH.peer and sends to PATH. `open_port` is the port class for
`config["dataplane"]["portclass"]`: "unix:PATH" gives a UnixPort, anything else is a network interface and
PTF's own AF_PACKET port.
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from ptf.dataplane import DataPlanePortIface, DataPlanePortLinux

MAX_FRAME = 1 << 16


class UnixPort(DataPlanePortIface):
    """A bound socket; PTF calls `recv` when it is readable.

    It is not connected: a connected datagram socket takes frames from its peer's socket only, and the target
    sends from another one than it receives on.
    """

    def __init__(self, interface_name: str, device_number: int, port_number: int, config: Any = None) -> None:
        self._path = interface_name.removeprefix("unix:")
        self._peer = f"{self._path}.peer"
        self._id = (device_number, port_number)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        if os.path.exists(self._peer):
            os.unlink(self._peer)
        self._socket.bind(self._peer)

    def fileno(self) -> int:
        return self._socket.fileno()

    def get_packet_source(self) -> UnixPort:
        return self

    def recv(self) -> tuple[int, int, bytes, float]:
        frame = self._socket.recv(MAX_FRAME)
        return (*self._id, frame, time.time())

    def send(self, packet: bytes) -> int:
        return self._socket.sendto(packet, self._path)

    def close(self) -> None:
        self._socket.close()
        if os.path.exists(self._peer):
            os.unlink(self._peer)

    def up(self) -> None:
        """A socket has no link."""

    def down(self) -> None:
        """A socket has no link."""

    def mac(self) -> None:
        """A socket has no address."""


class EchoedPort:
    """A port whose other end echoes every frame it is sent (loopback): one copy of each is not received.

    It looks like the port inside, so that PTF selects on that one's socket.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._echoes: Counter[bytes] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def get_packet_source(self) -> EchoedPort:
        return self

    def send(self, packet: bytes) -> int:
        # Counted first: the echo may be there before `send` returns.
        self._echoes[packet] += 1
        return int(self._inner.send(packet))

    def recv(self) -> Any:
        """As the port inside; None (PTF goes on waiting) for a frame of our own that came back."""
        received = self._inner.get_packet_source().recv()
        if received is None or not self._echoes[received[2]]:
            return received
        self._echoes[received[2]] -= 1
        return None


def port_class(loopback: bool) -> Callable[..., Any]:
    """What PTF calls to open a port; `loopback`: its other end echoes."""
    return (lambda *arguments, **more: EchoedPort(open_port(*arguments, **more))) if loopback else open_port


def open_port(interface_name: str, device_number: int, port_number: int, config: Any = None) -> Any:
    """The port class that fits the interface's name."""
    kind = UnixPort if interface_name.startswith("unix:") else DataPlanePortLinux
    return kind(interface_name, device_number, port_number, config or {})
