"""Bring a switch to the planned state: read, diff, write, and roll back or complete when something fails.

In: a Transport and a function from what is installed to a Plan. Out: what changed. Called by `controller`,
which also retries after UNAVAILABLE; the next attempt reads the switch first, so an unknown outcome is never
guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lbctl.diff import apply_updates, batches, diff, from_entries
from lbctl.entries import Flow, Installed, Update, UpdateKind, key_text
from lbctl.errors import SwitchError, SwitchErrorKind
from lbctl.plan import Plan
from lbctl.transport import Refusal, RefusalKind, Transport

Planner = Callable[[Installed], Plan]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One reconciliation: the plan now in force and how many updates it took."""

    plan: Plan
    inserted: int = 0
    modified: int = 0
    deleted: int = 0

    @property
    def changes(self) -> int:
        return self.inserted + self.modified + self.deleted


class Reconciler:
    """Owns the picture of what the switch holds; `installed` is None while that is in doubt."""

    def __init__(self, transport: Transport, batch_size: int = 500) -> None:
        self._transport = transport
        self._batch_size = batch_size
        self.installed: Installed | None = None

    def doubt(self) -> None:
        """Forget what is installed: the next reconciliation reads the switch."""
        self.installed = None

    async def read(self) -> Installed:
        """Read the switch: the only source of truth after a start, a reconnect or a failure."""
        self.installed = from_entries(await self._transport.read_entries())
        return self.installed

    async def reconcile(self, planner: Planner, flows: Sequence[Flow]) -> Outcome:
        """Plan against what is installed, then write the difference.

        Raises SwitchError REJECTED when an update is refused for good; by then everything this call wrote is
        undone, so the switch serves what it served before. Raises SwitchError UNAVAILABLE when the
        connection broke.
        """
        installed = self.installed or await self.read()
        carried = frozenset(flow.service_id for flow in flows if flow.service_id)
        plan = planner(replace(installed, flow_service_ids=carried))
        updates = diff(plan, installed)
        await self._write(installed, updates)
        self.installed = apply_updates(installed, updates)
        return Outcome(plan, *(sum(1 for u in updates if u.kind is kind) for kind in UpdateKind))

    async def _write(self, installed: Installed, updates: list[Update]) -> None:
        done: list[Update] = []
        for batch in batches(updates, self._batch_size):
            # Until the batch is known to be in, what is installed is in doubt: an exception must not leave a
            # lie.
            self.installed = None
            refusals = await self._transport.write(batch)
            refused = {refusal.position for refusal in refusals}
            done += (update for index, update in enumerate(batch) if index not in refused)
            refusals = await self._retry_differently(batch, refusals, done)
            if refusals:
                await self._roll_back(installed, done, batch[refusals[0].position], refusals[0])

    async def _retry_differently(
        self, batch: list[Update], refusals: list[Refusal], done: list[Update]
    ) -> list[Refusal]:
        """What exists already is modified, what is gone is inserted or needs no deletion; the rest is
        returned.
        """
        again: list[tuple[int, Update]] = []
        left: list[Refusal] = []
        for refusal in refusals:
            update = batch[refusal.position]
            match update.kind, refusal.kind:
                case UpdateKind.INSERT, RefusalKind.ALREADY_EXISTS:
                    again.append((refusal.position, update._replace(kind=UpdateKind.MODIFY)))
                case UpdateKind.MODIFY, RefusalKind.NOT_FOUND:
                    again.append((refusal.position, update._replace(kind=UpdateKind.INSERT, old=None)))
                case UpdateKind.DELETE, RefusalKind.NOT_FOUND:
                    pass
                case _:
                    left.append(refusal)
        if not again or left:
            return left
        second = await self._transport.write([update for _, update in again])
        failed = {refusal.position for refusal in second}
        done += (update for index, (_, update) in enumerate(again) if index not in failed)
        return [refusal._replace(position=again[refusal.position][0]) for refusal in second]

    async def _roll_back(
        self, installed: Installed, done: list[Update], culprit: Update, refusal: Refusal
    ) -> None:
        undo = [_inverse(update) for update in reversed(done)]
        left = 0
        for batch in batches(undo, self._batch_size):
            refusals = await self._transport.write(batch)
            left += sum(1 for refused in refusals if not _harmless(batch[refused.position], refused))
        what = f"the switch refused to {culprit.kind.value} {key_text(culprit.entry.key)} ({refusal.message})"
        if left:
            raise SwitchError(
                SwitchErrorKind.REJECTED,
                f"{what}, and {left} of {len(undo)} updates could not be undone; the next sync "
                "reads the switch",
            )
        self.installed = installed
        raise SwitchError(
            SwitchErrorKind.REJECTED,
            f"{what}; all {len(undo)} updates before it were undone and the switch serves what it "
            "served before",
        )


def _inverse(update: Update) -> Update:
    match update.kind:
        case UpdateKind.INSERT:
            return Update(UpdateKind.DELETE, update.entry, update.entry)
        case UpdateKind.DELETE:
            return Update(UpdateKind.INSERT, update.entry)
        case UpdateKind.MODIFY:
            # Without `old` (an INSERT that met an entry we did not know of) the former action is lost; keep
            # ours.
            return Update(UpdateKind.MODIFY, update.old or update.entry, update.entry)


def _harmless(update: Update, refusal: Refusal) -> bool:
    return (update.kind, refusal.kind) in (
        (UpdateKind.DELETE, RefusalKind.NOT_FOUND),
        (UpdateKind.INSERT, RefusalKind.ALREADY_EXISTS),
    )
