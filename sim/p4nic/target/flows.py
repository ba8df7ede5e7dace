"""Which expiries the control plane hears of: the ageing notification policy.

In: what `Pipeline.expire` returned. Out: what goes to the subscribers. Called by `target.switch`, under its
lock.

p4c-dpdk drops PNA's NOTIFY_CONTROL, so the artifact cannot say that the control plane wants to know when a
learned flow ages out. The target says it instead, per table (`notify`). Entries the control plane wrote
itself always notify, as P4Runtime has it. The pipeline reports each expiry once; nothing here may repeat one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from p4nic.backend.api import Expired
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.program import Program
from p4nic.target.checks import choices


class AgeingPolicy:
    """Learned entries of `notify` tables are told about when they expire; others vanish silently, counted."""

    def __init__(self, notify: Collection[str] = ()) -> None:
        self.notify = frozenset(notify)
        self.silent = 0
        """Learned entries that expired untold."""

    def check(self, program: Program) -> None:
        """StateError if a table of `notify` is unknown or learns nothing."""
        learners = [t.name for t in program.tables.values() if t.is_learner]
        for name in sorted(self.notify):
            if name not in learners:
                way_out = choices(name, learners) if learners else "the program has no learner"
                what = "is no learner" if name in program.tables else "does not exist"
                raise StateError(
                    ErrorKind.NOT_FOUND, f"table {name}, to be notified about, {what}; {way_out}"
                )

    def told(self, expired: Iterable[Expired]) -> list[Expired]:
        """Those of `expired` that the control plane is told about, in their order."""
        out = []
        for one in expired:
            if one.removed and one.state.entry.table not in self.notify:
                self.silent += 1
            else:
                out.append(one)
        return out
