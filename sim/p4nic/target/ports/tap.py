"""A port on a TAP interface, whose peer is the host's network stack. Needs CAP_NET_ADMIN.

Used by `N@tap:IFACE`. The interface goes away with the port unless it was there before.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct
from typing import final

from p4nic.errors import PortError
from p4nic.target.ports import BURST, MAX_FRAME, PORT_DOWN, QUEUE_FULL, TOO_LONG

_DEVICE = "/dev/net/tun"
_TUNSETIFF = 0x400454CA
_IFF_TAP = 0x0002
_IFF_NO_PI = 0x1000
_IFF_MULTI_QUEUE = 0x0100
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1


@final
class TapPort:
    """Raises PortError where the interface cannot be made or opened."""

    def __init__(self, interface: str) -> None:
        self.name = f"tap:{interface}"
        self._interface = interface
        self._descriptor = _open(interface)

    def fileno(self) -> int | None:
        return self._descriptor

    def receive(self, limit: int = BURST) -> list[bytes]:
        frames: list[bytes] = []
        while len(frames) < limit:
            try:
                frames.append(os.read(self._descriptor, MAX_FRAME + 1))
            except BlockingIOError:
                break
            except OSError as error:
                self._require_present(error)
                break
        return frames

    def send(self, frame: bytes) -> str:
        try:
            os.write(self._descriptor, frame)
        except BlockingIOError:
            return QUEUE_FULL
        except OSError as error:
            if error.errno == errno.EINVAL:
                return "frame shorter than an Ethernet header"
            if error.errno == errno.EMSGSIZE:
                return TOO_LONG
            self._require_present(error)
            return PORT_DOWN
        return ""

    def _require_present(self, error: OSError) -> None:
        try:
            socket.if_nametoindex(self._interface)
        except OSError:
            raise PortError(f"interface {self._interface} no longer exists ({error.strerror})") from None

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _check(interface: str) -> None:
    if not 0 < len(interface.encode()) <= 15:
        raise PortError(f'"{interface}" cannot be an interface: names have 1 to 15 bytes')


def open_queues(interface: str, count: int) -> tuple[int, ...]:
    """Descriptors of so many queues of one TAP interface, the caller's to close; the kernel keeps a flow in
    one of them."""
    queues: list[int] = []
    try:
        for _ in range(count):
            queues.append(_open(interface, _IFF_MULTI_QUEUE if count > 1 else 0))
    except PortError:
        for queue in queues:
            os.close(queue)
        raise
    return tuple(queues)


def _open(interface: str, flags: int = 0) -> int:
    _check(interface)
    try:
        descriptor = os.open(_DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise PortError(f"cannot make TAP interface {interface}: this machine has no {_DEVICE}") from None
    except OSError as error:
        raise PortError(f"cannot make TAP interface {interface}: {_DEVICE}: {error.strerror}") from None
    try:
        wanted = _IFF_TAP | _IFF_NO_PI | flags
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", interface.encode(), wanted))
        _bring_up(interface)
    except OSError as error:
        os.close(descriptor)
        way_out = {
            errno.EPERM: "it needs root or CAP_NET_ADMIN; without them use ports of kind unix",
            errno.EBUSY: "another process is using it",
            errno.EINVAL: "an interface of that name exists and is no TAP interface",
        }.get(error.errno or 0, error.strerror)
        raise PortError(f"cannot open TAP interface {interface}: {way_out}") from None
    return descriptor


def _bring_up(interface: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16sH14x", interface.encode(), 0))
        (flags,) = struct.unpack_from("16xH", request)
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", interface.encode(), flags | _IFF_UP))
