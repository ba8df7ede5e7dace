"""Counters of the target itself: frames and bytes per port, and every drop by its reason (I9).

In: what `switch` saw happen. Out: snapshots for `observe.metrics`, the server, the command line. Guarded by
the switch's lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class PortStatistics:
    """One port's totals. Bytes are frame bytes without preamble and FCS.

    `rx_dropped`: received, but refused before the pipeline. `tx_dropped`: sent by the pipeline, but not by
    the port. What the pipeline itself drops is in the drop statistics only.
    """

    rx_packets: int = 0
    rx_bytes: int = 0
    tx_packets: int = 0
    tx_bytes: int = 0
    rx_dropped: int = 0
    tx_dropped: int = 0


@dataclass(slots=True)
class _Counts:
    rx_packets: int = 0
    rx_bytes: int = 0
    tx_packets: int = 0
    tx_bytes: int = 0
    rx_dropped: int = 0
    tx_dropped: int = 0


class Statistics:
    """All ports' counters and the drops by reason."""

    def __init__(self) -> None:
        self._ports: dict[int, _Counts] = {}
        self._drops: Counter[str] = Counter()

    def received(self, port: int, size: int) -> None:
        counts = self._port(port)
        counts.rx_packets += 1
        counts.rx_bytes += size

    def sent(self, port: int, size: int) -> None:
        counts = self._port(port)
        counts.tx_packets += 1
        counts.tx_bytes += size

    def dropped(self, reason: str) -> None:
        """The pipeline dropped a packet."""
        self._drops[reason] += 1

    def not_received(self, port: int, reason: str) -> None:
        """A frame came in and was refused before the pipeline."""
        self._port(port).rx_dropped += 1
        self._drops[reason] += 1

    def not_sent(self, port: int, reason: str) -> None:
        """The pipeline sent a frame that the port could not."""
        self._port(port).tx_dropped += 1
        self._drops[reason] += 1

    def add(self, port: int, counted: Sequence[int]) -> None:
        """What was counted elsewhere: the six figures of PortStatistics, in their order."""
        counts = self._port(port)
        counts.rx_packets += counted[0]
        counts.rx_bytes += counted[1]
        counts.tx_packets += counted[2]
        counts.tx_bytes += counted[3]
        counts.rx_dropped += counted[4]
        counts.tx_dropped += counted[5]

    def lost(self, reason: str, frames: int) -> None:
        """Drops counted elsewhere."""
        if frames:
            self._drops[reason] += frames

    def ports(self) -> dict[int, PortStatistics]:
        """Every port that saw a frame or was attached, by number."""
        return {
            number: PortStatistics(
                c.rx_packets, c.rx_bytes, c.tx_packets, c.tx_bytes, c.rx_dropped, c.tx_dropped
            )
            for number, c in sorted(self._ports.items())
        }

    def drops(self) -> dict[str, int]:
        """Drops by reason, the reasons in alphabetical order."""
        return dict(sorted(self._drops.items()))

    def know(self, port: int) -> None:
        """Let a port appear with zeros."""
        self._port(port)

    def _port(self, number: int) -> _Counts:
        counts = self._ports.get(number)
        if counts is None:
            counts = self._ports[number] = _Counts()
        return counts
