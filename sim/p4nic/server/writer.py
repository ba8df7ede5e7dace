"""A batch of updates: decode, judge, apply, one result each (P4Runtime 1.5 §12).

In: updates and their atomicity. Out: one result per update, in order. Called by the service under the lock
that makes Writes one after another, so that the processing of requests is strictly serial (§12.1).

All three atomicities are real: `Tables.batch` works under the switch's lock, so no packet sees half a batch
in any of them, and undoes everything at the first error in the two that are all-or-nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from p4nic.errors import ErrorKind, StateError
from p4nic.server.change import Change
from p4nic.server.forwarding import Forwarding
from p4nic.target.checks import spell_key
from p4nic.target.entities import Atomicity, Entity, Operation
from p4rt import p4r

Result = StateError | None
Decoded = Change | StateError
Allowed = Callable[[p4r.Entity], Result]
"""Whether the client's role may write this entity."""

ATOMICITIES: dict[int, Atomicity] = {
    p4r.WriteRequest.CONTINUE_ON_ERROR: "continue",
    p4r.WriteRequest.ROLLBACK_ON_ERROR: "rollback",
    p4r.WriteRequest.DATAPLANE_ATOMIC: "dataplane",
}


def write(
    forwarding: Forwarding, updates: Sequence[p4r.Update], atomicity: Atomicity, allowed: Allowed
) -> list[Result]:
    """Apply the batch; None where an update was applied."""
    decoded = [_decode(forwarding, update, allowed) for update in updates]
    results = [one if isinstance(one, StateError) else _judge(forwarding, one) for one in decoded]
    _judge_digests(forwarding, decoded, results)
    if atomicity != "continue" and any(results):
        return _all_or_nothing(results)
    _apply(forwarding, decoded, results, atomicity)
    if atomicity != "continue" and any(results):
        return _all_or_nothing(results)
    for one, result in zip(decoded, results, strict=True):
        if result is None and isinstance(one, Change):
            _settle(forwarding, one)
    return results


def _decode(forwarding: Forwarding, update: p4r.Update, allowed: Allowed) -> Decoded:
    try:
        return allowed(update.entity) or forwarding.codec.change(update)
    except StateError as error:
        return error


def _judge(forwarding: Forwarding, change: Change) -> Result:
    """An update that changes nothing is put in front of the batch: that is one of the orders §12.1 allows."""
    if change.must_exist is None:
        return None
    try:
        found = forwarding.tables().find(change.must_exist)
    except StateError as error:
        return error
    if found is None:
        key = change.must_exist
        spelled = spell_key(forwarding.program.tables[key.table].keys, key.key, key.priority)
        return StateError(ErrorKind.NOT_FOUND, f"table {key.table}: there is no entry {spelled} to modify")
    return None


def _judge_digests(forwarding: Forwarding, decoded: Sequence[Decoded], results: list[Result]) -> None:
    places = [i for i, one in enumerate(decoded) if isinstance(one, Change) and one.digest is not None]
    changes = [one.digest for one in decoded if isinstance(one, Change) and one.digest is not None]
    for place, result in zip(places, forwarding.digests.check(changes), strict=True):
        results[place] = result


def _apply(
    forwarding: Forwarding, decoded: Sequence[Decoded], results: list[Result], atomicity: Atomicity
) -> None:
    """Run the steps of all good updates as one batch; an update fails with its first failing step."""
    steps: list[tuple[Operation, Entity]] = []
    places: list[int] = []
    for place, one in enumerate(decoded):
        if isinstance(one, Change) and results[place] is None:
            steps += one.steps
            places += [place] * len(one.steps)
    if not steps:
        return
    for place, result in zip(places, forwarding.tables().batch(steps, atomicity), strict=True):
        before = results[place]
        if before is None or (result is not None and before.kind is ErrorKind.ABORTED):
            results[place] = result


def _settle(forwarding: Forwarding, change: Change) -> None:
    """The update is in: what else it means."""
    if change.digest is not None:
        forwarding.digests.apply(change.digest)
    if change.note is not None:
        forwarding.keep(change.note)
    if forwarding.replay is not None:
        forwarding.replay += change.steps


def _all_or_nothing(results: Sequence[Result]) -> list[Result]:
    """The culprits keep their errors, the others say whose fault it is."""
    culprit = next(i for i, r in enumerate(results) if r is not None and r.kind is not ErrorKind.ABORTED)
    aborted = StateError(ErrorKind.ABORTED, f"not applied, because update {culprit + 1} of the batch failed")
    return [r if r is not None and r.kind is not ErrorKind.ABORTED else aborted for r in results]
