"""`python -m conformance.engine_fuzz`: random programs on the engines, until enough packets are compared.

Out: progress on stderr, the counts on stdout, a folder for each failure; exit code 1 if there is one.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import wait
from pathlib import Path
from typing import final

from conformance.engine_fuzz.engines import NAMES, engine
from conformance.engine_fuzz.keep import again, keep, load
from conformance.engine_fuzz.life import LifeMaker
from conformance.engine_fuzz.program import random_program
from conformance.engine_fuzz.sanitizers import environment, preloaded
from conformance.engine_fuzz.shrink import Shrinker
from conformance.engine_fuzz.trial import Case, Report, Trial, run
from p4nic.errors import P4nicError
from p4nic.ir import verify

LIMIT = 600.0
"""Seconds one program may take with all its packets."""


def case_of(seed: int, packets: int, engines: tuple[str, ...]) -> Case:
    """The case of a seed. A program that does not verify is the generator's mistake, and an error."""
    made = random_program(seed)
    verify.check(made.program)
    return Case(made.program, tuple(LifeMaker(made, seed).steps(packets)), engines)


@final
class Campaign:
    """Many seeds, `jobs` at a time."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.engines = tuple(asked.engines.split(","))
        self.verdicts: Counter[str] = Counter()
        self.packets = self.sent = self.trapped = self.out_of_fuel = 0
        self.failures: list[str] = []
        self._next = asked.seed
        self._running: dict[int, tuple[Trial, float]] = {}

    def run(self) -> None:
        asked = self.asked
        while self._running or self._wanted():
            while self._wanted() and len(self._running) < asked.jobs:
                seed, self._next = self._next, self._next + 1
                trial = Trial(lambda: case_of(seed, asked.packets, self.engines))  # noqa: B023 - forked at once
                self._running[seed] = (trial, time.monotonic() + LIMIT)
            wait([trial.pipe for trial, _ in self._running.values()], timeout=1.0)
            for seed, (trial, until) in list(self._running.items()):
                if trial.pipe.poll() or time.monotonic() > until:
                    del self._running[seed]
                    self._take(seed, trial.report(0))

    def _wanted(self) -> bool:
        under_way = len(self._running) * self.asked.packets
        return bool(self.packets + under_way < self.asked.count and len(self.failures) < self.asked.most)

    def _take(self, seed: int, report: Report) -> None:
        self.verdicts[report.kind] += 1
        self.packets += report.packets
        self.sent += report.sent
        self.trapped += report.trapped
        self.out_of_fuel += report.out_of_fuel
        if report.failed:
            self._fail(seed, report)
        print(f"\r{self.packets} packets, {sum(self.verdicts.values())} programs", end="", file=sys.stderr)

    def _fail(self, seed: int, report: Report) -> None:
        folder = self.asked.out / f"seed-{seed}"
        origin = f"seed {seed}, {self.asked.packets} packets, {' and '.join(self.engines)}"
        print(f"\n{origin}: {report.kind} {report.text}", file=sys.stderr)
        case = case_of(seed, self.asked.packets, self.engines)
        if self.asked.tries and report.kind != "hung":
            case, report = Shrinker(case, report, self.asked.tries).shrink()
        keep(folder, case, report, origin)
        self.failures.append(f"{report.kind}: {folder}/verdict.txt, again with: {again(folder)}")

    def told(self) -> list[str]:
        v = self.verdicts
        failed = v["differ"] + v["error"] + v["crashed"]
        return [
            f"programs: {sum(v.values())} drawn, {v['agree']} valid and agreeing, {v['refused']} refused, "
            f"{failed} failed ({v['differ']} differ, {v['error']} errors, {v['crashed']} crashed), "
            f"{v['hung']} timed out",
            f"packets: {self.packets} compared, {self.sent} sent, {self.trapped} trapped (parser error, pass "
            f"limit), {self.out_of_fuel} out of fuel",
            *self.failures,
        ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="conformance.engine_fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="packets to compare (1000000)")
    parser.add_argument("--packets", type=int, default=10_000, help="packets per program (10000)")
    parser.add_argument("--seed", type=int, default=0, help="of the first program (0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument(
        "--engines", default="interp,native", help=f"of {', '.join(NAMES)}; the first defines"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("reports/engine-fuzz"), help="where failures are kept"
    )
    parser.add_argument("--most", type=int, default=5, help="failures after which to stop (5)")
    parser.add_argument(
        "--tries", type=int, default=300, help="runs to make a failure smaller (300; 0: as it is)"
    )
    parser.add_argument("--replay", type=Path, help="run a kept case instead")
    asked = parser.parse_args()
    try:
        for name in asked.engines.split(","):
            engine(name)
        if "native-sanitized" in asked.engines and not preloaded():
            os.execve(
                sys.executable,
                [sys.executable, "-m", "conformance.engine_fuzz", *sys.argv[1:]],
                environment(),
            )
        if asked.replay is not None:
            return _replay(asked.replay)
        with tempfile.TemporaryDirectory(prefix="p4nic-fuzz-") as compiled:
            os.environ["XDG_CACHE_HOME"] = compiled
            campaign = Campaign(asked)
            campaign.run()
    except P4nicError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(file=sys.stderr)
    print("\n".join(campaign.told()))
    return 1 if campaign.failures else 0


def _replay(folder: Path) -> int:
    report = run(load(folder))
    print(f"{report.kind} {report.text}".strip())
    if report.difference is not None:
        print(f"step {report.difference.step}, packet {report.difference.packet}")
        for name, answer in report.difference.answers.items():
            print(f"  {name}: {answer}")
    return 1 if report.failed else 0


sys.exit(main())
