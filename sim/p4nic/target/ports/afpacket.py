"""A port on a network interface (veth, physical) through a raw packet socket. Needs CAP_NET_RAW.

Used by `N@veth:IFACE`. Frames come without FCS. The kernel strips an 802.1Q tag into the packet's metadata;
it is put back here. Frames this host sends itself on the interface are not received.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import socket
import struct
from typing import final

from p4nic.errors import PortError
from p4nic.target.ports import BURST, MAX_FRAME, PORT_DOWN, QUEUE_FULL, TOO_LONG

_ETH_P_ALL = 0x0003
_SOL_PACKET = 263
_PACKET_ADD_MEMBERSHIP = 1
_PACKET_AUXDATA = 8
_PACKET_IGNORE_OUTGOING = 23
_PACKET_MR_PROMISC = 1
_PACKET_OUTGOING = 4
_AUXDATA = struct.Struct("=IIIHHHH")
_VLAN_VALID = 1 << 4
_VLAN_TPID_VALID = 1 << 6
_SIOCGIFFLAGS = 0x8913
_IFF_UP = 1
_PACKET_FANOUT = 18
_FANOUT_HASH = 0
_FANOUT_UNIQUE_ID = 0x2000
_BUFFER_BYTES = 4 << 20
_AUXDATA_SPACE = socket.CMSG_SPACE(_AUXDATA.size)


@final
class AfPacketPort:
    """Raises PortError where the interface is missing, down, or may not be opened."""

    def __init__(self, interface: str) -> None:
        self.name = f"veth:{interface}"
        self._interface = interface
        self._index = _index(interface)
        self._socket = _open(interface, self._index)

    def fileno(self) -> int | None:
        return self._socket.fileno()

    def receive(self, limit: int = BURST) -> list[bytes]:
        frames: list[bytes] = []
        while len(frames) < limit:
            try:
                frame, ancillary, _, address = self._socket.recvmsg(MAX_FRAME + 1, _AUXDATA_SPACE)
            except BlockingIOError:
                break
            except OSError as error:
                self._require_present(error)
                break
            if address[2] != _PACKET_OUTGOING:
                frames.append(restore_tag(frame, ancillary))
        return frames

    def send(self, frame: bytes) -> str:
        try:
            self._socket.send(frame)
        except BlockingIOError:
            return QUEUE_FULL
        except OSError as error:
            match error.errno:
                case errno.ENOBUFS:
                    return QUEUE_FULL
                case errno.EMSGSIZE:
                    return TOO_LONG
                case errno.EINVAL:
                    return "frame shorter than an Ethernet header"
                case _:
                    self._require_present(error)
                    return PORT_DOWN
        return ""

    def _require_present(self, error: OSError) -> None:
        """An interface that is only down comes back to this socket; one that was deleted does not."""
        try:
            present = socket.if_nametoindex(self._interface) == self._index
        except OSError:
            present = False
        if not present:
            raise PortError(f"interface {self._interface} no longer exists ({error.strerror})") from None

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        self._socket.close()


def open_sockets(interface: str, count: int) -> tuple[int, ...]:
    """Descriptors of so many sockets on one interface, the caller's to close. All frames of one flow, both
    directions, come to the same one (PACKET_FANOUT by the kernel's symmetric flow hash).
    """
    index = _index(interface)
    sockets: list[socket.socket] = []
    try:
        for _ in range(count):
            sockets.append(_open(interface, index))
        if count > 1:
            _fan_out(sockets)
    except OSError as error:
        raise PortError(
            f"cannot share interface {interface} among {count} workers: {error.strerror}"
        ) from None
    except PortError:
        for made in sockets:
            made.close()
        raise
    return tuple(made.detach() for made in sockets)


def _fan_out(sockets: list[socket.socket]) -> None:
    """The kernel finds a group number that is free; the others join."""
    sockets[0].setsockopt(_SOL_PACKET, _PACKET_FANOUT, (_FANOUT_HASH | _FANOUT_UNIQUE_ID) << 16)
    group = sockets[0].getsockopt(_SOL_PACKET, _PACKET_FANOUT) & 0xFFFF
    for other in sockets[1:]:
        other.setsockopt(_SOL_PACKET, _PACKET_FANOUT, group | _FANOUT_HASH << 16)


def restore_tag(frame: bytes, ancillary: list[tuple[int, int, bytes]]) -> bytes:
    """The frame as it was on the wire, its 802.1Q tag put back behind the addresses."""
    for level, kind, data in ancillary:
        if level == _SOL_PACKET and kind == _PACKET_AUXDATA and len(data) >= _AUXDATA.size:
            status, _, _, _, _, tci, tpid = _AUXDATA.unpack_from(data)
            if status & _VLAN_VALID:
                ethertype = tpid if status & _VLAN_TPID_VALID else 0x8100
                return frame[:12] + struct.pack("!HH", ethertype, tci) + frame[12:]
    return frame


def _index(interface: str) -> int:
    try:
        return socket.if_nametoindex(interface)
    except OSError:
        raise PortError(
            f"there is no interface {interface}; make one with: "
            f"ip link add {interface} type veth peer name {interface}-peer"
        ) from None


def _open(interface: str, index: int) -> socket.socket:
    try:
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    except PermissionError:
        raise PortError(
            f"opening interface {interface} needs root or CAP_NET_RAW; without them use ports of kind unix"
        ) from None
    try:
        _require_up(raw, interface)
        raw.setblocking(False)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        raw.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
        _ignore_outgoing(raw)
        raw.bind((interface, _ETH_P_ALL))
        membership = struct.pack("=iHH8s", index, _PACKET_MR_PROMISC, 0, b"")
        raw.setsockopt(_SOL_PACKET, _PACKET_ADD_MEMBERSHIP, membership)
    except PortError:
        raw.close()
        raise
    except OSError as error:
        raw.close()
        raise PortError(f"cannot open interface {interface}: {error.strerror}") from None
    return raw


def _require_up(raw: socket.socket, interface: str) -> None:
    request = struct.pack("16sH14x", interface.encode(), 0)
    (flags,) = struct.unpack_from("16xH", fcntl.ioctl(raw, _SIOCGIFFLAGS, request))
    if not flags & _IFF_UP:
        raise PortError(f"interface {interface} is down; bring it up with: ip link set {interface} up")


def _ignore_outgoing(raw: socket.socket) -> None:
    with contextlib.suppress(OSError):  # kernels before 4.20: `receive` filters them
        raw.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
