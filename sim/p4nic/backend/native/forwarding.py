"""Ports that the native engine receives from and sends to by itself: `backend.wires.Forwarding`.

In: Wires (descriptors that the target has opened), a number of workers. Out: packets processed in C,
counters, messages for the control plane. Called by `target.wires`, under the switch's lock; workers run
meanwhile.
"""

from __future__ import annotations

import logging
import struct
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, final

from p4nic.backend.api import DigestMessage
from p4nic.backend.native.measuring import in_c
from p4nic.backend.native.messages import DIGEST, decode, digest_message, log_message
from p4nic.backend.native.workers import Workers
from p4nic.backend.wires import ForwardingMessage, SentFrame, Wire, WireCounters, WireGone
from p4nic.errors import ErrorKind, PortError, StateError
from p4nic.ir.program import DigestList

KINDS = {"packet": 0, "tap": 1, "pcap": 2, "memory": 3}
LOST = (
    "port queue full", "port is down", "frame longer than the port's MTU",
    "frame shorter than an Ethernet header",
    "receive ring full", "frame longer than 65535 bytes", "empty frame",
)  # fmt: skip
"""Why frames are lost at a port, as runtime/p4nic_lanes.h has them; the words are those of target.ports."""
MESSAGES_FULL, NO_SUCH_PORT = "packet-in queue full", "no such port"
_EVENT, _FRAME, _GONE = range(3)
_HEAD = struct.Struct("=IIII")
_TAKEN = 4 << 20
_log = logging.getLogger(__name__)


@final
class _Frames:
    """Frames as C takes them, each at a multiple of 64 bytes."""

    def __init__(self, frames: Sequence[bytes], port: int) -> None:
        self.offsets, self.ports, self.lengths = array("Q"), array("I"), array("I")
        self.data = bytearray()
        for frame in frames:
            self.offsets.append(len(self.data))
            self.ports.append(port)
            self.lengths.append(len(frame))
            self.data += frame + bytes(-len(frame) % 64)
        if not frames:
            self.data = bytearray(64)


@final
class NativeForwarding:
    """The ports of one engine. `digests`: by number; `texts`: log messages; `reasons`: of drops."""

    def __init__(
        self, library: tuple[Any, Any, Any], workers: Workers, digests: Sequence[DigestList],
        texts: Sequence[str], reasons: Sequence[str],
    ) -> None:  # fmt: skip
        self._ffi, self._lib, self._engine = library
        self._workers = workers
        self._digest_lists, self._texts, self._reasons = digests, texts, reasons
        self._kept: dict[int, Any] = {}

    def notify_fileno(self) -> int:
        descriptor = int(self._lib.p4_notify_fd(self._engine))
        if descriptor < 0:
            raise PortError("the native engine got no descriptor to tell its messages by: too many are open")
        return descriptor

    def add_wire(self, number: int, wire: Wire) -> None:
        self._workers.gate()
        source = self._ffi.NULL
        if wire.frames:
            frames = _Frames(wire.frames, number)
            source, kept = in_c(frames, self._ffi)
            self._kept[number] = (frames, source, kept)
        name = wire.name.encode()[:15]
        made = self._lib.p4_wire_add(
            self._engine, number, KINDS[wire.kind], name, wire.descriptors, len(wire.descriptors), source
        )
        if made == 0:
            raise PortError(f"there is no room for port {number} ({wire.kind}:{wire.name}) in the engine")
        if made < 0:
            raise PortError(f"the kernel gives no receive ring for interface {wire.name}")

    def remove_wire(self, number: int) -> None:
        self._workers.gate()
        self._lib.p4_wire_remove(self._engine, number)
        self._kept.pop(number, None)

    def shut_wire(self, number: int, shut: bool) -> None:
        self._workers.gate()
        self._lib.p4_wire_shut(self._engine, number, shut)

    def tell_others(self, told: bool) -> None:
        self._workers.gate()
        self._lib.p4_tell_others(self._engine, told)

    def take_wires(self, old: object) -> None:
        """`old` is another engine's; its workers are stopped."""
        assert isinstance(old, NativeForwarding), "wires are handed on between native engines only"
        while number := int(old._lib.p4_wire_first(old._engine)) + 1:
            wire = old._lib.p4_wire_give(old._engine, number - 1)
            self._lib.p4_wire_adopt(
                self._engine, self._ffi.cast("void *", int(old._ffi.cast("uintptr_t", wire)))
            )
        self._kept |= old._kept

    def start_workers(self, workers: int, clock_start_ns: int) -> None:
        self._workers.check_count(workers)
        if not self._lib.p4_wires_start(self._engine, workers, clock_start_ns):
            raise StateError(ErrorKind.RESOURCE_EXHAUSTED, f"{workers} workers could not be started")
        self._workers.running = workers

    def stop_workers(self) -> None:
        self._workers.stop()

    def is_quiet(self) -> bool:
        return bool(self._lib.p4_quiet(self._engine))

    def messages(self) -> list[ForwardingMessage]:
        size = self._ffi.new("uint64_t *")
        data = self._lib.p4_messages(self._engine, size)
        text = bytes(self._ffi.buffer(data, size[0])) if size[0] else b""
        found: list[ForwardingMessage] = []
        at = 0
        while at < len(text):
            kind, number, length, padded = _HEAD.unpack_from(text, at)
            at += _HEAD.size
            match kind:
                case 0:
                    found += self._events(text[at : at + length])
                case 1:
                    found.append(SentFrame(number, text[at : at + length]))
                case _:
                    found.append(WireGone(number))
            at += padded
        return found

    def _events(self, data: bytes) -> list[DigestMessage]:
        found = []
        for kind, number, values in decode(array("Q", data)):
            if kind == DIGEST:
                found.append(digest_message(self._digest_lists[number], values))
            else:
                log_message(_log, kind, self._texts[number], values)
        return found

    def wire_counters(self, number: int) -> WireCounters:
        out = self._ffi.new("uint64_t[]", 6 + len(LOST))
        self._lib.p4_wire_counters(self._engine, number, out)
        a, b, c, d, e, f, *lost = [int(x) for x in out]
        return WireCounters(a, b, c, d, e, f, dict(zip(LOST, lost, strict=True)))

    def drops(self) -> Mapping[str, int]:
        out, messages = self._ffi.new("uint64_t[]", len(self._reasons)), self._ffi.new("uint64_t[2]")
        self._lib.p4_drops(self._engine, out, messages)
        found = {reason: int(n) for reason, n in zip(self._reasons, out, strict=True) if n and reason}
        for reason, count in zip((MESSAGES_FULL, NO_SUCH_PORT), messages, strict=True):
            if count:
                found[reason] = int(count)
        return found

    def send_wire(self, number: int, frame: bytes) -> bool:
        self._workers.gate()
        return bool(self._lib.p4_wire_send(self._engine, number, frame, len(frame)))

    def put(self, number: int, frame: bytes) -> bool:
        return bool(self._lib.p4_wire_put(self._engine, number, frame, len(frame)))

    def take(self, number: int) -> list[bytes]:
        out = self._ffi.new("uint8_t[]", _TAKEN)
        text = bytes(self._ffi.buffer(out, self._lib.p4_wire_take(self._engine, number, out)))
        found, at = [], 0
        while at < len(text):
            length = int.from_bytes(text[at : at + 4], "little")
            found.append(text[at + 4 : at + 4 + length])
            at += 4 + length
        return found
