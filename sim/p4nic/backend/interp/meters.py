"""Token buckets: RFC 2698 (two rates), RFC 2697 (one rate, three colours) and one rate with two colours.

Time is an argument. Buckets are exact: tokens are counted in thousand-millionths, because `rate` units
per second are `rate` thousand-millionths per nanosecond; so the colours depend on nothing but the
packets, their times and the configuration. Called by generated code (op Meter) and by the pipeline
(configuration).
"""

from __future__ import annotations

from typing import Literal, final

from p4nic.backend.api import Marks, MeterConfig

GREEN, YELLOW, RED = 0, 1, 2
_SCALE = 1_000_000_000


@final
class TokenMeter:
    """One meter cell; an unconfigured one colours everything green (P4Runtime: default meters are green).
    `counts` are packets and bytes of each colour."""

    __slots__ = ("committed", "config", "counts", "peak", "since")

    def __init__(self) -> None:
        self.config: MeterConfig | None = None
        self.counts = [[0, 0], [0, 0], [0, 0]]
        self.committed = 0
        self.peak = 0
        self.since = 0

    def configure(self, config: MeterConfig | None) -> None:
        """Take a configuration and fill both buckets; None goes back to "always green"."""
        self.config = config
        if config is not None:
            self.committed = config.cburst * _SCALE
            self.peak = config.pburst * _SCALE
            self.since = 0

    @property
    def marks(self) -> Marks:
        """What it has coloured."""
        return Marks(*((packets, bytes_) for packets, bytes_ in self.counts))

    @marks.setter
    def marks(self, marks: Marks) -> None:
        self.counts = [list(marks.green), list(marks.yellow), list(marks.red)]

    def mark(self, amount: int, length: int, now_ns: int, before: int) -> int:
        """Colour a packet of `length` bytes, and count it."""
        colour = self.colour(amount, now_ns, before)
        if 0 <= colour <= RED:
            self.counts[colour][0] += 1
            self.counts[colour][1] += length
        return colour

    def colour(self, amount: int, now_ns: int, before: int) -> int:
        """Colour a packet of `amount` units that came in with colour `before` (0 where colour-blind)."""
        config = self.config
        if config is None:
            return before
        # Buckets are full until the first packet, so its own time may stand for the time of configuration.
        elapsed, self.since = now_ns - self.since, now_ns
        need = amount * _SCALE
        if config.kind == "two_rate_three_color":
            return self._two_rates(config, elapsed, need, before)
        return self._one_rate(config, elapsed, need, before)

    def _two_rates(self, config: MeterConfig, elapsed: int, need: int, before: int) -> int:
        committed = self.committed = min(self.committed + elapsed * config.cir, config.cburst * _SCALE)
        peak = self.peak = min(self.peak + elapsed * config.pir, config.pburst * _SCALE)
        if before == RED or peak < need:
            return RED
        self.peak = peak - need
        if before == YELLOW or committed < need:
            return YELLOW
        self.committed = committed - need
        return GREEN

    def _one_rate(self, config: MeterConfig, elapsed: int, need: int, before: int) -> int:
        filled = self.committed + elapsed * config.cir
        committed = self.committed = min(filled, config.cburst * _SCALE)
        # RFC 2697: what the committed bucket cannot hold runs over into the excess bucket.
        excess = self.peak = min(self.peak + filled - committed, config.pburst * _SCALE)
        if before == GREEN and committed >= need:
            self.committed = committed - need
            return GREEN
        if before != RED and excess >= need and config.kind == "single_rate_three_color":
            self.peak = excess - need
            return YELLOW
        return RED


@final
class MeterCells:
    """An indexed meter array; cells come into being when first touched."""

    __slots__ = ("cells", "size", "unit")

    def __init__(self, unit: Literal["packets", "bytes"], size: int) -> None:
        self.unit = unit
        self.size = size
        self.cells: dict[int, TokenMeter] = {}

    def cell(self, index: int) -> TokenMeter:
        """The cell, made on demand; the index is within the size."""
        found = self.cells.get(index)
        if found is None:
            found = self.cells[index] = TokenMeter()
        return found

    def colour(self, index: int, length: int, now_ns: int, before: int) -> int:
        """Colour a packet of `length` bytes; an index beyond the size leaves the colour as it was."""
        if not 0 <= index < self.size:
            return before
        return self.cell(index).mark(1 if self.unit == "packets" else length, length, now_ns, before)
