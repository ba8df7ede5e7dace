"""What goes into the measuring loop (runtime/p4nic_bench.h) and what comes out of it.

Used by `pipeline.measure` and by the benchmarks, whose own C answers in the same struct.
"""

from __future__ import annotations

from array import array
from typing import Any, NamedTuple, Protocol, final

MAX_ROUNDS = 1 << 62
LATENCY_STEPS = 64 * 16


class Frames(Protocol):
    """Frames one behind the other: frame i is `lengths[i]` bytes at `offsets[i]`, arriving at `ports[i]`."""

    @property
    def data(self) -> bytes | bytearray: ...
    @property
    def offsets(self) -> array[int]: ...
    @property
    def ports(self) -> array[int]: ...
    @property
    def lengths(self) -> array[int]: ...


@final
class Timing(NamedTuple):
    """struct p4_timing: packets taken, frames and bytes sent, how long, and where the next call goes on."""

    packets: int
    sent: int
    bytes: int
    wall_ns: int
    cpu_ns: int
    cycles: int
    next: int


def in_c(frames: Frames, ffi: Any) -> tuple[Any, Any]:
    """(`p4_traffic_t *`, what must live as long as C looks at it)."""
    made = ffi.new("p4_traffic_t *")
    kept = (
        ffi.from_buffer("uint8_t[]", frames.data),
        ffi.from_buffer("uint64_t[]", frames.offsets),
        ffi.from_buffer("uint32_t[]", frames.ports),
        ffi.from_buffer("uint32_t[]", frames.lengths),
    )
    made.data, made.offsets, made.ports, made.lengths = kept
    made.count = len(frames.offsets)
    return made, kept


def timing(out: Any) -> Timing:
    """From a `p4_timing_t *`."""
    return Timing(out.packets, out.sent, out.bytes, out.wall_ns, out.cpu_ns, out.cycles, int(out.next))


def ticks_of_step(step: int) -> int:
    """The largest number of ticks that p4_latency counts at this place of its histogram."""
    if step < 32:
        return step
    top, part = step // 16 + 3, step % 16
    return ((17 + part) << (top - 4)) - 1
