"""The two clocks a switch can run by. Nothing below `target` ever reads one: time is passed in, in
nanoseconds."""

from __future__ import annotations

import time
from typing import Protocol, final


class Clock(Protocol):
    """Monotonic nanoseconds since the switch started."""

    def now_ns(self) -> int: ...


@final
class RealClock:
    """Follows the machine's monotonic clock, starting at 0."""

    def __init__(self) -> None:
        self._start = time.monotonic_ns()

    def now_ns(self) -> int:
        return time.monotonic_ns() - self._start


@final
class ManualClock:
    """Stands still until told: twelve idle hours pass in one call, deterministically."""

    def __init__(self) -> None:
        self._now = 0

    def now_ns(self) -> int:
        return self._now

    def advance(self, nanoseconds: int) -> int:
        """Move forward and return the new time; raises ValueError on a negative step."""
        if nanoseconds < 0:
            raise ValueError(f"the clock cannot go back by {-nanoseconds} ns")
        self._now += nanoseconds
        return self._now
