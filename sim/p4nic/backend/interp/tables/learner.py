"""Add-on-miss: what Learn, Rearm and Forget do to a table with timeout profiles.

Called by generated code. A new entry is visible to the next packet, and to a later lookup of the same packet.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import final

from p4nic.backend.interp.ageing import Ageing
from p4nic.backend.interp.tables.entry import ActionCode, LookupKey, TableEntry
from p4nic.backend.interp.tables.table import MatchTable

_NS_PER_S = 1_000_000_000


@final
class Learner:
    """The data plane's side of a learner table. `timeouts` are seconds by profile index."""

    def __init__(
        self,
        table: MatchTable,
        timeouts: tuple[int, ...],
        ageing: Ageing,
        statistics: MutableMapping[str, int],
    ) -> None:
        self.table = table
        self._timeouts_ns = tuple(t * _NS_PER_S for t in timeouts)
        self._ageing = ageing
        self._statistics = statistics

    def _timeout(self, profile: int) -> int:
        # DPDK masks the index with the (power of two) number of profiles; the remainder says the same.
        return self._timeouts_ns[profile % len(self._timeouts_ns)]

    def learn(
        self, key: LookupKey, action: ActionCode, args: tuple[int, ...], profile: int, now_ns: int
    ) -> bool:
        """Add the entry, or replace the action and timer of the one that is there; False if the table is
        full.
        """
        entry = self.table.entries.get(key)
        if entry is None:
            if len(self.table.entries) >= self.table.size:
                self._statistics["learn_failed"] += 1
                return False
            entry = TableEntry(self.table.spec.name, key, None, 0, "learned")
            self._set(entry, action, args, profile, now_ns)
            self.table.add(entry)
        else:
            entry.origin = "learned"
            self._set(entry, action, args, profile, now_ns)
            self._ageing.arm(entry)
        self._statistics["learned"] += 1
        return True

    def _set(
        self, entry: TableEntry, action: ActionCode, args: tuple[int, ...], profile: int, now_ns: int
    ) -> None:
        entry.action, entry.args, entry.ref = action, args, None
        entry.timeout_ns = self._timeout(profile)
        entry.last_ns = now_ns

    def rearm(self, entry: TableEntry | None, profile: int | None, now_ns: int) -> None:
        """Restart the timer; a profile changes the timeout of learned entries only: the control plane's
        keep theirs.
        """
        if entry is None:
            return
        entry.last_ns = now_ns
        if profile is not None and entry.origin == "learned":
            entry.timeout_ns = self._timeout(profile)
        self._ageing.arm(entry)
        self._statistics["rearmed"] += 1

    def forget(self, entry: TableEntry | None) -> None:
        """Delete the hit entry, without a notice."""
        if entry is None:
            return
        self.table.remove(entry)
        self._statistics["forgotten"] += 1
