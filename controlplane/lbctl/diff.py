"""Desired against installed: the updates, in an order in which nothing ever points at something that is not
there.

In: a Plan and what is Installed. Out: ordered Updates, and batches of them. Called by `reconcile` and `lbctl
diff`.

Make before break: inserts and modifies run from the referred-to tables (policy, endpoint, bucket) to the
referring ones (service_vip, port_role), deletes run the other way and after all of them. A service therefore
always has a member: new endpoints and buckets exist before the VIP's mask grows, old ones go after it shrank.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Sequence

from lbctl.entries import BUCKETS, TABLES, Entry, Installed, Key, Update, UpdateKind, bucket_entry
from lbctl.plan import Plan


def diff(plan: Plan, installed: Installed) -> list[Update]:
    """All updates that turn `installed` into `plan`; empty when nothing differs; other tables stay."""
    with _collector_paused():
        return _diff(plan, installed)


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    # A million updates are three million tuples without a cycle among them; the cyclic garbage collector
    # walks them again and again all the same: 5.0 s with it, 2.0 s without (benchmarks/plan_scale.py).
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _diff(plan: Plan, installed: Installed) -> list[Update]:
    wanted: dict[str, dict[Key, Entry]] = {table: {} for table in TABLES}
    for entry in plan.entries:
        wanted[entry.key.table][entry.key] = entry
    present: dict[str, dict[Key, Entry]] = {table: {} for table in TABLES}
    for key, entry in installed.entries.items():
        if key.table in present:
            present[key.table][key] = entry
    made: list[Update] = []
    broken: list[Update] = []
    for table in TABLES:
        if table == BUCKETS:
            made += _made_buckets(plan, installed)
            broken += _broken_buckets(plan, installed)
            continue
        made += _made(wanted[table], present[table])
        broken += (
            Update(UpdateKind.DELETE, entry, entry)
            for key, entry in present[table].items()
            if key not in wanted[table]
        )
    return made + broken[::-1]


def _made(wanted: dict[Key, Entry], present: dict[Key, Entry]) -> Iterator[Update]:
    for key, entry in wanted.items():
        old = present.get(key)
        if old is None:
            yield Update(UpdateKind.INSERT, entry)
        elif old != entry:
            yield Update(UpdateKind.MODIFY, entry, old)


def _made_buckets(plan: Plan, installed: Installed) -> Iterator[Update]:
    for service_id, slots in plan.buckets.items():
        present = installed.buckets.get(service_id, {})
        for bucket, endpoint_id in enumerate(slots):
            old = present.get(bucket)
            if old == endpoint_id:
                continue
            entry = bucket_entry(service_id, bucket, endpoint_id)
            if old is None:
                yield Update(UpdateKind.INSERT, entry)
            else:
                yield Update(UpdateKind.MODIFY, entry, bucket_entry(service_id, bucket, old))


def _broken_buckets(plan: Plan, installed: Installed) -> Iterator[Update]:
    for service_id, present in installed.buckets.items():
        size = len(plan.buckets.get(service_id, ()))
        for bucket, endpoint_id in present.items():
            if bucket >= size:
                entry = bucket_entry(service_id, bucket, endpoint_id)
                yield Update(UpdateKind.DELETE, entry, entry)


def batches(updates: Sequence[Update], largest: int = 500) -> Iterator[list[Update]]:
    """Cut into batches of one table and one direction (make or break), at most `largest` updates each.

    A P4Runtime server may execute one batch in any order, so what must follow goes into a later batch.
    """
    batch: list[Update] = []
    group: tuple[str, bool] | None = None
    for update in updates:
        here = (update.entry.key.table, update.kind is UpdateKind.DELETE)
        if batch and (here != group or len(batch) >= largest):
            yield batch
            batch = []
        group = here
        batch.append(update)
    if batch:
        yield batch


def apply_updates(installed: Installed, updates: Sequence[Update]) -> Installed:
    """What is installed after `updates`, when all of them succeed."""
    entries = dict(installed.entries)
    buckets = {service_id: dict(slots) for service_id, slots in installed.buckets.items()}
    for kind, entry, _ in updates:
        if entry.key.table == BUCKETS:
            service_id, bucket = _bucket_key(entry.key)
            slots = buckets.setdefault(service_id, {})
            if kind is UpdateKind.DELETE:
                slots.pop(bucket, None)
                if not slots:
                    del buckets[service_id]
            else:
                slots[bucket] = entry.params[0]
        elif kind is UpdateKind.DELETE:
            entries.pop(entry.key, None)
        else:
            entries[entry.key] = entry
    return Installed(entries, buckets, installed.flow_service_ids)


def from_entries(found: Sequence[Entry], flow_service_ids: frozenset[int] = frozenset()) -> Installed:
    """Installed state from the entries a read returned."""
    inserts = [Update(UpdateKind.INSERT, entry) for entry in found]
    return apply_updates(Installed(flow_service_ids=flow_service_ids), inserts)


def _bucket_key(key: Key) -> tuple[int, int]:
    service_id, bucket = key.match
    assert isinstance(service_id, int)
    assert isinstance(bucket, int)
    return service_id, bucket
