"""The switch's random numbers: SplitMix64, small enough to be the same in every backend and seeded by
`Options.seed`.
"""

from __future__ import annotations

from typing import final

_M64 = (1 << 64) - 1


@final
class SplitMix64:
    """Sequence of 64-bit numbers; the state after n draws is seed + n * 0x9E3779B97F4A7C15."""

    __slots__ = ("state",)

    def __init__(self, seed: int) -> None:
        self.state = seed & _M64

    def next(self) -> int:
        """The next 64 bits."""
        self.state = self.state + 0x9E3779B97F4A7C15 & _M64
        z = self.state
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & _M64
        z = (z ^ z >> 27) * 0x94D049BB133111EB & _M64
        return z ^ z >> 31

    def between(self, low: int, high: int) -> int:
        """A number in [low, high], as low + next() mod (high - low + 1); low, without a draw, if they
        are the wrong way round.
        """
        if low > high:
            return low
        return low + self.next() % (high - low + 1)
