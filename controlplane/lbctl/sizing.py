"""How many Maglev slots each service gets.

In: the Backends, the sizes installed now, the capacity of the target's bucket table. Out: a size per Backend
(0: no endpoints) and warnings. Called by `plan`.

A new service gets the smallest power of two with 100 slots per endpoint (imbalance below 1 %, since max/avg
is at most 1 + (N-1)/M). It keeps its size until fewer than 50 slots per endpoint are left: changing the size
moves almost every unpinned flow, which is worse than 2 % imbalance. When the sum exceeds the target's table,
the tables with the most slots per endpoint are halved first, never below one slot per unit of weight.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from lbctl.backends import Backend
from lbctl.errors import PlanError
from lbctl.maglev import MAX_SLOTS, SLOTS_PER_BACKEND, table_size

KEEP_SLOTS_PER_BACKEND = SLOTS_PER_BACKEND // 2
DEFAULT_BUCKET_ENTRIES = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What the target can hold, as its P4Info says."""

    bucket_entries: int = DEFAULT_BUCKET_ENTRIES
    largest_table: int = MAX_SLOTS


def table_sizes(found: list[Backend], before: list[int], limits: Limits) -> tuple[list[int], list[str]]:
    """Sizes in the order of `found`. Raises PlanError when even the smallest tables do not fit."""
    weights = [sum(d.weight for d in backend.destinations) for backend in found]
    counts = [len(backend.destinations) for backend in found]
    sizes = [
        _size(count, weight, kept, limits)
        for count, weight, kept in zip(counts, weights, before, strict=True)
    ]
    total = sum(sizes)
    if total <= limits.bucket_entries:
        return sizes, []
    shrunk: set[int] = set()
    heap = [
        (-size / count, index) for index, (size, count) in enumerate(zip(sizes, counts, strict=True)) if count
    ]
    heapq.heapify(heap)
    while total > limits.bucket_entries and heap:
        _, index = heapq.heappop(heap)
        half = sizes[index] // 2
        if half < weights[index]:
            continue
        total -= half
        sizes[index] = half
        shrunk.add(index)
        heapq.heappush(heap, (-half / counts[index], index))
    if total > limits.bucket_entries:
        raise PlanError(
            f"{len(found)} service ports need at least {total} Maglev buckets and the target holds "
            f"{limits.bucket_entries}; remove services, or load a pipeline with a larger maglev_bucket table"
        )
    worst = min(sizes[index] / counts[index] for index in shrunk)
    return sizes, [
        f"the target holds {limits.bucket_entries} Maglev buckets: {len(shrunk)} service ports got smaller "
        f"tables (at least {worst:.0f} slots per endpoint instead of {SLOTS_PER_BACKEND})"
    ]


def _size(count: int, weight: int, kept: int, limits: Limits) -> int:
    if not count:
        return 0
    # With weights the smallest share decides, hence slots per unit of weight rather than per endpoint.
    if kept and kept <= limits.largest_table and kept >= KEEP_SLOTS_PER_BACKEND * weight:
        return kept
    return table_size(weight, largest=limits.largest_table)
