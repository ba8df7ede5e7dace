"""All data-plane state of one pipeline, shared by its fast and its traced code.

In: Program and Options. Written by the control plane (through `pipeline`) and by generated code.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from itertools import count
from typing import final

from p4nic.backend.api import Alike, CloneSession, DigestMessage, Options, Replica
from p4nic.backend.interp.ageing import Ageing
from p4nic.backend.interp.cells import CounterCells, RegisterCells
from p4nic.backend.interp.hashes import HashFunction, hash_function
from p4nic.backend.interp.meters import MeterCells, TokenMeter
from p4nic.backend.interp.rng import SplitMix64
from p4nic.backend.interp.tables.entry import ActionCode, TableEntry
from p4nic.backend.interp.tables.learner import Learner
from p4nic.backend.interp.tables.profiles import Profile, ValueSetMembers
from p4nic.backend.interp.tables.table import MatchTable
from p4nic.errors import UnsupportedError
from p4nic.ir.program import ActionProfile, Program
from p4nic.ir.program import Table as TableSpec

DIGEST_QUEUE = 65_536
"""Digest messages kept until the switch fetches them; more are dropped and counted."""

STATISTICS = (
    "learned", "learn_failed", "rearmed", "forgotten", "expired", "digest_dropped", "assert_failed",
    "copy_dropped",
)  # fmt: skip
"""Counters of the engine. copy_dropped: copies that were dropped while another copy of the packet was
sent.
"""

_log = logging.getLogger(__name__)


def _option(mapping: Mapping[str, int] | None, name: str, default: int) -> int:
    return default if mapping is None else mapping.get(name, default)


@final
class State:
    """Tables, profiles, counters, meters, registers, value sets, replication, timers, digests, random
    numbers.
    """

    def __init__(self, program: Program, options: Options) -> None:
        self.program = program
        self.options = options
        self.statistics = dict.fromkeys(STATISTICS, 0)
        self.has_direct = any(t.counter or t.meter for t in program.tables.values())
        self.ageing = Ageing()
        self.random = SplitMix64(options.seed)
        self.actions = {name: ActionCode(a) for name, a in program.actions.items()}
        numbers = count()
        self.tables = {
            t.name: MatchTable(
                t, _option(options.table_sizes, t.name, t.size), self.actions, self.ageing, numbers
            )
            for t in program.tables.values()
        }
        self.learners = {t.name: self._learner(t) for t in program.tables.values() if t.is_learner}
        self.profiles = {
            name: Profile(spec, self.actions, self.random) for name, spec in program.action_profiles.items()
        }
        self.counters = {c.name: CounterCells(c.size) for c in program.counters.values()}
        self.meters = {m.name: MeterCells(m.unit, m.size) for m in program.meters.values()}
        self.registers = {
            r.name: RegisterCells(r.width, r.signed, r.size, r.initial) for r in program.registers.values()
        }
        self.value_sets = {v.name: ValueSetMembers(v.widths) for v in program.value_sets.values()}
        self.multicast_groups: dict[int, tuple[Replica, ...]] = {}
        self.clone_sessions: dict[int, CloneSession] = {}
        self.digests: list[DigestMessage] = []
        self._hashes: dict[str, HashFunction] = {}

    def _learner(self, table: TableSpec) -> Learner:
        timeouts = (self.options.learner_timeouts or {}).get(table.name, table.learner_timeouts)
        return Learner(self.tables[table.name], timeouts, self.ageing, self.statistics)

    def hash_at(self, site: str, algorithm: str) -> HashFunction:
        """The hash function of one place in the program: both builds share it, because round_robin counts."""
        if site not in self._hashes:
            function = hash_function(algorithm)
            if function is None:
                raise UnsupportedError(
                    f"the interpreter does not know the hash algorithm {algorithm} used in {site}"
                )
            self._hashes[site] = function
        return self._hashes[site]

    def selector_hash(self, profile: ActionProfile) -> HashFunction:
        """The hash function of an action selector."""
        return self.hash_at(f"selector {profile.name}", profile.selector_algorithm or "")

    def adopt(self, old: State, what: Alike) -> None:
        """Take over what the program before this one held in tables and arrays that are alike."""
        self.ageing.adopt(old.ageing, what.tables)
        for name in what.tables:
            self.tables[name].adopt(old.tables[name])
        for counter in what.counters:
            self.counters[counter].cells.update(old.counters[counter].cells)
        for meter in what.meters:
            self.meters[meter].cells.update(old.meters[meter].cells)
        for register in what.registers:
            self.registers[register].cells.update(old.registers[register].cells)

    # --- called by generated code ---

    def send_digest(self, digest: str, values: tuple[int, ...]) -> None:
        """Queue a message for the control plane."""
        if len(self.digests) >= DIGEST_QUEUE:
            self.statistics["digest_dropped"] += 1
        else:
            self.digests.append(DigestMessage(digest, values))

    def assert_failed(self, text: str, source: str) -> None:
        """Count and report a false assertion; the packet goes on."""
        self.statistics["assert_failed"] += 1
        _log.warning("assertion failed at %s: %s", source or "unknown position", text)

    def colour_direct(
        self, entry: TableEntry | None, amount: int, length: int, now_ns: int, before: int
    ) -> int:
        """Colour by an entry's direct meter; None, or a meter without a configuration, keeps the colour."""
        if entry is None:
            return before
        if entry.meter is None:
            entry.meter = TokenMeter()
        return entry.meter.mark(amount, length, now_ns, before)

    def log_message(self, text: str, values: tuple[int, ...], source: str) -> None:
        """The program's log_msg."""
        _log.info("%s (%s)", fill(text, values), source or "unknown position")


def fill(text: str, values: tuple[int, ...]) -> str:
    """`text` with each {} replaced by the next value; what has no value stays."""
    for value in values:
        text = text.replace("{}", str(value), 1)
    return text
