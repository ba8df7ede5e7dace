"""How fast DPDK's pipeline is in memory: one thread, no network, no Python per packet.

In: a SwxPipeline that has its entries, frames. Out: packets and processor cycles. Called by benchmarks.

    from p4nic.backend.swx import SwxBackend
    from p4nic.backend.swx.measure import measure

    backend = SwxBackend(inputs=4)                    # DPDK polls all its input ports: as few as are used
    backend = SwxBackend(inputs=4, source=Path("dpdk-stable-22.11.11"))     # the second route, see `compiled`
    with Switch(backend.build(program, Options()), ManualClock()) as switch:
        switch.tables.insert(...)
        result = measure(switch.pipeline, [(1, frame), ...], seconds=0.5)
        print(result.packets / result.cpu_seconds, result.cycles_per_packet)

Flows learned before belong to the switch's clock and count as expired here, where learners go by the
processor's: `laps` through all frames teach them again before the measurement. After it, the switch knows
nothing of what was learned: close it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from p4nic.backend.swx.pipeline import SwxPipeline
from p4nic.backend.swx.wire import Operation
from p4nic.errors import InputError, TargetError

LONGEST = 9216
_NO_LIMIT = (1 << 64) - 1


@final
@dataclass(frozen=True, slots=True)
class Measured:
    """`cycles` are of the time-stamp counter, which runs while the thread does not: on a busy machine
    `cpu_seconds` is the better measure."""

    sent: int
    dropped: int
    cycles: int
    cpu_seconds: float
    wall_seconds: float
    cycles_per_second: int

    @property
    def packets(self) -> int:
        """All that came to an end."""
        return self.sent + self.dropped

    @property
    def cycles_per_packet(self) -> float:
        """Of processor time, at the rate of the time-stamp counter."""
        return self.cpu_seconds * self.cycles_per_second / max(self.packets, 1)


def measure(
    pipeline: SwxPipeline,
    frames: Sequence[tuple[int, bytes]],
    seconds: float,
    laps: int = 1,
    packets: int | None = None,
) -> Measured:
    """Send `frames`, (input port, bytes), over and over, for `seconds` or until `packets` are done.

    Ports are polled in turn, each has its frames in order. `laps` through all of them come first and are not
    measured; `laps=0, packets=len(frames)` measures the first packets of flows. InputError for a frame that
    cannot be used, TargetError if DPDK dies or hangs.
    """
    if not frames:
        raise InputError("a measurement needs frames")
    for port, frame in frames:
        if port >= pipeline.inputs or len(frame) > LONGEST:
            raise InputError(
                f"a frame of {len(frame)} bytes for port {port}: measurements take ports 0 to "
                f"{pipeline.inputs - 1} and up to {LONGEST} bytes"
            )
    pipeline.commit()  # which begins afresh after a crash
    head = struct.pack("<IQQI", laps, packets or _NO_LIMIT, int(seconds * 1e9), len(frames))
    body = b"".join(struct.pack("<II", port, len(frame)) + frame for port, frame in frames)
    status, answer = pipeline.target.ask(Operation.MEASURE, head + body)
    if status:
        pipeline.close()
        raise TargetError(f"DPDK does not come to an end with one of {len(frames)} frames (error {status})")
    sent, dropped, cycles, cpu_ns, wall_ns, rate = (answer.u64() for _ in range(6))
    return Measured(sent, dropped, cycles, cpu_ns / 1e9, wall_ns / 1e9, rate)
