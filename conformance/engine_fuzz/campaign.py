"""Many seeds, some at a time, until enough packets are compared; what is found is written down at once.

In: Wanted. Out: counts, progress on stderr, a folder for each failure, and `progress.json`, from which a run
that was stopped goes on. Called by `__main__`.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import count
from multiprocessing.connection import wait
from pathlib import Path
from typing import final

from conformance.engine_fuzz.engines import drawn
from conformance.engine_fuzz.keep import again, keep
from conformance.engine_fuzz.life import LifeMaker
from conformance.engine_fuzz.program import random_program
from conformance.engine_fuzz.shrink import Shrinker
from conformance.engine_fuzz.trial import Case, Report, Trial
from p4nic.errors import InputError
from p4nic.ir import verify


@final
@dataclass(frozen=True, slots=True)
class Wanted:
    """`count` packets, `packets` of each life, `lives` of each program; up to `most` failures, each with
    `tries` runs to make it small."""

    count: int
    packets: int
    lives: int
    jobs: int
    engines: tuple[str, ...]
    out: Path
    most: int
    tries: int


@final
@dataclass(slots=True)
class Counts:
    """What is done so far. `next`: the first seed that is not done; `ahead`: those beyond it that are."""

    next: int
    packets: int = 0
    sent: int = 0
    trapped: int = 0
    out_of_fuel: int = 0
    seconds: float = 0.0
    verdicts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    ahead: list[int] = field(default_factory=list)

    def add(self, seed: int, report: Report) -> None:
        self.ahead.append(seed)
        while self.next in self.ahead:
            self.ahead.remove(self.next)
            self.next += 1
        self.verdicts[report.kind] += 1
        self.packets += report.packets
        self.sent += report.sent
        self.trapped += report.trapped
        self.out_of_fuel += report.out_of_fuel

    def told(self) -> list[str]:
        """For people."""
        v = self.verdicts
        failed = v["differ"] + v["error"] + v["crashed"]
        return [
            f"lives: {sum(v.values())} drawn, {v['agree']} valid and agreeing, {v['refused']} refused, "
            f"{failed} failed ({v['differ']} differ, {v['error']} errors, {v['crashed']} crashed), "
            f"{v['hung']} timed out",
            f"packets: {self.packets} compared, {self.sent} sent, {self.trapped} trapped (parser error, pass "
            f"limit), {self.out_of_fuel} out of fuel",
            *self.failures,
        ]


def case_of(seed: int, packets: int, engines: tuple[str, ...], lives: int = 1) -> Case:
    """The case of a seed; so many seeds in a row are lives of one program, compiled once. A program that does
    not verify is the generator's mistake, and an error."""
    made = random_program(seed // lives)
    verify.check(made.program)
    return Case(made.program, tuple(LifeMaker(made, seed).steps(packets)), drawn(engines, seed // lives))


def order(first: int, jobs: int, lives: int) -> Iterator[int]:
    """All seeds from `first` on. Neighbours are of different programs: no two jobs compile the same."""
    block = jobs * lives
    for start in count(first - first % block, block):
        for life in range(lives):
            yield from (s for job in range(jobs) if (s := start + job * lives + life) >= first)


def resumed(out: Path, seed: int) -> Counts:
    """The counts of the run that writes to this folder; from `seed` on if there is none."""
    path = out / "progress.json"
    if not path.exists():
        return Counts(seed)
    try:
        found = json.loads(path.read_text("utf-8"))
        return Counts(**{**found, "verdicts": Counter(found["verdicts"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} does not say how far a run got ({error}); remove it") from None


@final
class Campaign:
    """`jobs` trials at a time."""

    def __init__(self, wanted: Wanted, counts: Counts) -> None:
        self.wanted = wanted
        self.counts = counts
        self._seeds = order(counts.next, wanted.jobs, wanted.lives)
        self._running: dict[int, Trial] = {}
        self._already = counts.packets
        self._before = counts.seconds
        self._started = time.monotonic()

    def run(self) -> bool:
        """Whether it came to its end, and was not told to stop."""
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            while self._running or self._goes_on():
                self._step()
        except KeyboardInterrupt:
            for trial in self._running.values():
                trial.end()
            self._write()
            return False
        self._write()
        return True

    def _case(self, seed: int) -> Case:
        return case_of(seed, self.wanted.packets, self.wanted.engines, self.wanted.lives)

    def _step(self) -> None:
        wanted = self.wanted
        while self._goes_on() and len(self._running) < wanted.jobs:
            seed = next(self._seeds)
            if seed not in self.counts.ahead:
                self._running[seed] = Trial(partial(self._case, seed))
        wait([trial.pipe for trial in self._running.values()], timeout=1.0)
        for seed, trial in list(self._running.items()):
            if trial.is_over():
                del self._running[seed]
                self._take(seed, trial.report())

    def _goes_on(self) -> bool:
        under_way = len(self._running) * self.wanted.packets
        return (
            self.counts.packets + under_way < self.wanted.count
            and len(self.counts.failures) < self.wanted.most
        )

    def _take(self, seed: int, report: Report) -> None:
        self.counts.add(seed, report)
        if report.failed:
            self._fail(seed, report)
        self._write()
        self._progress()

    def _fail(self, seed: int, report: Report) -> None:
        wanted = self.wanted
        folder = wanted.out / f"seed-{seed}"
        case = self._case(seed)
        origin = f"seed {seed}, {wanted.packets} packets, {wanted.lives} lives, {' and '.join(case.engines)}"
        print(f"\n{origin}: {report.kind} {report.text}", file=sys.stderr)
        keep(folder, case, report, origin)  # as it is: making it small may be interrupted
        self.counts.failures.append(f"{report.kind}: {folder}/verdict.txt, again with: {again(folder)}")
        if wanted.tries and report.kind != "hung":
            keep(folder, *Shrinker(case, report, wanted.tries).shrink(), origin)

    def _write(self) -> None:
        self.counts.seconds = self._before + time.monotonic() - self._started
        self.wanted.out.mkdir(parents=True, exist_ok=True)
        part = self.wanted.out / "progress.part"
        part.write_text(json.dumps({f.name: getattr(self.counts, f.name) for f in fields(Counts)}), "utf-8")
        part.replace(self.wanted.out / "progress.json")

    def _progress(self) -> None:
        counts = self.counts
        taken = time.monotonic() - self._started
        pace = max(counts.packets - self._already, 1) / max(taken, 0.001)
        left = max(self.wanted.count - counts.packets, 0) / pace
        print(
            f"\r{counts.packets} of {self.wanted.count} packets, {sum(counts.verdicts.values())} lives, "
            f"{len(counts.failures)} failures, {pace:.0f} packets/s, {_minutes(left)} left   ",
            end="", file=sys.stderr, flush=True,
        )  # fmt: skip


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
