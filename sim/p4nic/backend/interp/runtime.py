"""What generated code works with while a packet passes: the packet, the ways it can end, and small helpers.

In: calls from generated code and from the architectures. Nothing here knows a program.
"""

from __future__ import annotations

from typing import Any as Json
from typing import final

from p4nic.backend.api import TraceEvent
from p4nic.backend.interp.tables.entry import ActionCode, LookupKey, TableEntry
from p4nic.backend.interp.tables.learner import Learner

FUEL = 65_536
"""Backward jumps one pass of a packet may take: only a loop that does not end uses them up."""


UNDECIDED, DROPPED = -2, -1
"""`Packet.transmit` before SWX `tx` or `drop` ran, and after `drop`; otherwise it is the port."""


class ParserError(Exception):
    """The parser stops with an error of the program, at a position of the P4 program if that is known."""

    def __init__(self, name: str, source: str = "") -> None:
        self.name = name
        self.source = source


@final
class PacketTooShort(ParserError):
    """The packet ends before what was to be extracted."""

    def __init__(self) -> None:
        super().__init__("PacketTooShort")


@final
class ExitBlock(Exception):
    """`exit` inside an action: the block that called it ends."""


@final
class EndOfPacket(Exception):
    """SWX `tx` or `drop` inside an action: nothing more runs for this packet."""


@final
class OutOfFuel(Exception):
    """A loop that does not end (no compiler writes one; a damaged artifact may)."""


@final
class Packet:
    """One pass of one packet through the blocks; the header fields are in a list beside it.

    `data` is the frame as this pass received it, `position` and `end` are bits. `out` collects emitted
    headers. `hit` is the entry of the last lookup (None: miss), `ran` its action, `direct` the entry whose
    counter and meter that action uses; `learner…` belong to the last lookup of a learner. Requests of the
    program (`clone`, `resubmit`, …) wait here until the architecture acts on them.
    """

    __slots__ = (
        "clone", "data", "direct", "end", "entry", "fuel", "hit", "learner", "learner_entry", "learner_key",
        "length", "limit", "mirrors", "now_ns", "out", "passes", "port", "position", "ran", "recirculate",
        "resubmit", "shortfall", "trace", "transmit",
    )  # fmt: skip

    def __init__(self, port: int, data: bytes, now_ns: int, trace: list[TraceEvent] | None) -> None:
        self.port = port
        self.data = data
        self.length = len(data)
        self.end = len(data) * 8
        self.position = 0
        self.shortfall = 0
        self.now_ns = now_ns
        self.trace = trace
        self.out: list[bytes] = []
        self.hit: TableEntry | None = None
        self.entry: TableEntry | None = None
        self.direct: TableEntry | None = None
        self.ran: ActionCode | None = None
        self.learner: Learner | None = None
        self.learner_key: LookupKey = 0
        self.learner_entry: TableEntry | None = None
        self.fuel = FUEL
        self.passes = 0
        self.clone: tuple[int, tuple[int, ...]] | None = None
        self.resubmit: tuple[int, ...] | None = None
        self.recirculate: tuple[int, ...] | None = None
        self.limit: int | None = None
        self.mirrors: dict[int, int] | None = None
        self.transmit = UNDECIDED

    def payload(self) -> bytes:
        """The bytes no header was extracted from."""
        return self.data[(self.position + 7) >> 3 :]


def tell(packet: Packet, kind: str, source: str, data: dict[str, Json]) -> None:
    """Record one step, if the packet is traced. (Generated code appends by itself: it knows.)"""
    if packet.trace is not None:
        packet.trace.append(TraceEvent(kind, source, data))


def learn(packet: Packet, action: ActionCode, args: tuple[int, ...], profile: int) -> bool:
    """Learn under the key a learner was last looked up with; nothing if none was."""
    if packet.learner is None:
        return False
    return packet.learner.learn(packet.learner_key, action, args, profile, packet.now_ns)


def burn(packet: Packet) -> None:
    """A backward jump is taken."""
    packet.fuel -= 1
    if packet.fuel < 0:
        raise OutOfFuel


def take(packet: Packet, width: int) -> int:
    """The next `width` bits as a number, the cursor behind them; PacketTooShort if they are not there."""
    start = packet.position
    stop = start + width
    if stop > packet.end:
        raise PacketTooShort
    packet.position = stop
    if not (start | width) & 7:
        return int.from_bytes(packet.data[start >> 3 : stop >> 3], "big")
    return _bits(packet.data, start, stop)


def take_padded(packet: Packet, width: int) -> int:
    """Like `take`, but missing bits are zeros and are remembered: DPDK does not look at the length while
    parsing.
    """
    start = packet.position
    stop = start + width
    packet.position = stop
    if stop > packet.end:
        packet.shortfall = (stop - packet.end) >> 3
    return _bits(packet.data, start, stop)


def peek(packet: Packet, offset: int, width: int) -> int:
    """`width` bits found `offset` bits after the cursor, which stays; PacketTooShort if they are not
    there.
    """
    start = packet.position + offset
    if start + width > packet.end:
        raise PacketTooShort
    return _bits(packet.data, start, start + width)


def peek_padded(packet: Packet, offset: int, width: int) -> int:
    """Like `peek`, missing bits being zeros."""
    start = packet.position + offset
    return _bits(packet.data, start, start + width)


def _bits(data: bytes, start: int, stop: int) -> int:
    """Bits [start, stop) of the data, followed by as many zeros as it is too short."""
    last = (stop + 7) >> 3
    value = int.from_bytes(data[start >> 3 : last].ljust(last - (start >> 3), b"\0"), "big")
    return value >> (last * 8 - stop) & ((1 << (stop - start)) - 1)


def advance(packet: Packet, bits: int) -> None:
    """Skip bits; as in BMv2, whole bytes only, and not beyond the end."""
    if bits & 7 or bits < 0:
        raise ParserError("ParserInvalidArgument")
    if packet.position + bits > packet.end:
        raise PacketTooShort
    packet.position += bits


def advance_padded(packet: Packet, bits: int) -> None:
    """Like `advance` without a test of the length."""
    packet.position += bits
    packet.shortfall = max((packet.position - packet.end) >> 3, 0)


def varbit_bits(bits: int, limit: int, room: int) -> int:
    """Check the length of a varbit: whole bytes, present (`room`), within the field; BMv2's errors, in
    its order.
    """
    if bits & 7 or bits < 0:
        raise ParserError("ParserInvalidArgument")
    if bits > room:
        raise PacketTooShort
    if bits > limit:
        raise ParserError("HeaderTooShort")
    return bits


def divide(a: int, b: int) -> int:
    """Quotient rounded towards zero, as in C; 0 for a divisor of 0."""
    if not b:
        return 0
    return a // b if (a < 0) == (b < 0) else -(-a // b)


def remainder(a: int, b: int) -> int:
    """What `divide` leaves, with the sign of the dividend; 0 for a divisor of 0."""
    return a - b * divide(a, b) if b else 0


def stack_get(fields: list[int], start: int, stride: int, size: int, index: int, offset: int) -> int:
    """A slot of the stack element at a run-time index; 0 beyond the stack."""
    return fields[start + index * stride + offset] if 0 <= index < size else 0


def stack_put(
    fields: list[int], start: int, stride: int, size: int, index: int, offset: int, value: int
) -> None:
    """Write a field of the stack element at a run-time index, if there is such an element and it is valid."""
    if 0 <= index < size and fields[start + index * stride]:
        fields[start + index * stride + offset] = value


def stack_set(fields: list[int], start: int, stride: int, size: int, index: int, valid: int) -> None:
    """Make the stack element at a run-time index valid (fields 0 if it was not) or invalid."""
    if 0 <= index < size:
        base = start + index * stride
        if fields[base] != valid:
            fields[base : base + stride] = [valid] + [0] * (stride - 1)


def stack_shift(fields: list[int], start: int, stride: int, size: int, next_slot: int, by: int) -> None:
    """push_front(by), or pop_front(-by): elements move, the vacated ones become invalid, `next` moves
    along.
    """
    moved = min(abs(by), size) * stride
    stop = start + size * stride
    empty = [0] * moved
    if by >= 0:
        fields[start:stop] = empty + fields[start : stop - moved]
    else:
        fields[start:stop] = fields[start + moved : stop] + empty
    fields[next_slot] = min(max(fields[next_slot] + by, 0), size)


def join_bits(pieces: tuple[tuple[int, int], ...]) -> bytes:
    """Values of given widths laid end to end, big-endian, zero bits at the end up to a whole byte."""
    number = width = 0
    for value, bits in pieces:
        number = number << bits | value
        width += bits
    return (number << -width % 8).to_bytes((width + 7) >> 3, "big")


def room(packet: Packet, fixed: int) -> int:
    """Bits left for a varbit behind `fixed` bits that are still to be extracted."""
    return packet.end - packet.position - fixed


def room_padded(packet: Packet, fixed: int) -> int:
    """Where a short packet reads as zeros there is always room."""
    return 1 << 32
