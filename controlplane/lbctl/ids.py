"""Numbers for things the data plane refers to, given so that an old reference can never mean a new thing.

In: the numbers in use now (installed, or carried by live flows). Out: free ones. Called by `plan`.
"""

from __future__ import annotations

from lbctl.errors import PlanError


class IdAllocator:
    """Gives 1..largest, starting above the highest in use and wrapping around; 0 means "none" in the
    pipeline.
    """

    def __init__(self, what: str, largest: int, used: set[int]) -> None:
        self._what = what
        self._largest = largest
        self._used = set(used)
        self._last = max(used, default=0)

    def next(self) -> int:
        """A number not in use. Raises PlanError when every one is."""
        if len(self._used - {0}) >= self._largest:
            raise PlanError(
                f"all {self._largest} values of {self._what} are in use; "
                "remove objects, or wait for old flows to end"
            )
        candidate = self._last
        while True:
            candidate = candidate % self._largest + 1
            if candidate not in self._used:
                break
        self._last = candidate
        self._used.add(candidate)
        return candidate
