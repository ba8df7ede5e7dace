"""Random choices, values that meet each other often, and the edges of every width.

In: a seed. Called by every file that makes something random here.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar, final

from p4nic.bits import mask

T = TypeVar("T")
WIDTHS = (
    1,
    2,
    3,
    4,
    7,
    8,
    8,
    8,
    9,
    12,
    13,
    16,
    16,
    16,
    20,
    24,
    31,
    32,
    32,
    32,
    33,
    40,
    48,
    63,
    64,
    65,
    96,
    128,
)
WIDE = (129, 144, 160, 191, 192, 200, 256, 320)
"""Beyond what C has; drawn in programs that are to have such."""
MEETING = 6
"""Most values are below this, so that keys of entries and fields of packets are the same now and then."""


@final
class Draw:
    """One stream of choices."""

    def __init__(self, seed: int | str) -> None:
        self.random = random.Random(seed)
        self.widest = 128

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def below(self, count: int) -> int:
        return self.random.randrange(count)

    def between(self, low: int, high: int) -> int:
        """Both ends included."""
        return self.random.randint(low, high)

    def pick(self, among: Sequence[T]) -> T:
        return self.random.choice(among)

    def weighted(self, among: Sequence[tuple[float, T]]) -> T:
        """One of (weight, value)."""
        return self.random.choices([v for _, v in among], [w for w, _ in among])[0]

    def some(self, among: Sequence[T], most: int) -> list[T]:
        """Up to `most` different ones, in random order."""
        return self.random.sample(list(among), min(self.below(most + 1), len(among)))

    def width(self, most: int = 0) -> int:
        """Up to `most` bits; 0: whatever the program may have."""
        if not most and self.widest > 128 and self.chance(0.2):
            return self.pick([w for w in WIDE if w <= self.widest])
        return self.pick([w for w in WIDTHS if w <= (most or 128)])

    def value(self, width: int) -> int:
        """An unsigned value: small ones mostly, edges, any."""
        kind = self.random.random()
        if kind < 0.7:
            return self.below(MEETING) & mask(width)
        if kind < 0.88:
            edges = (mask(width), mask(width) - 1, 1 << (width - 1), mask(width - 1), mask(width) // 3)
            return self.pick(edges) & mask(width)
        return self.random.getrandbits(width)

    def signed(self, width: int) -> int:
        """A signed value that fits."""
        value = self.value(width)
        return value - (1 << width) if value >> (width - 1) else value
