"""The runs of one `p4nic diff`: plays, counts, shrinks what differs and writes it down.

In: targets, entries, packets or a seed. Out: lines on stdout, reproducers in a folder. Called by `cli.diff`.
"""

from __future__ import annotations

import argparse
import random
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import final

from p4nic.backend.api import Options, Semantics
from p4nic.cli.common import backend
from p4nic.differential.compare import Difference, Run, compare, play
from p4nic.differential.engines import Engine, Refused, Target
from p4nic.differential.explained import explained
from p4nic.differential.generate import next_packet, random_updates
from p4nic.differential.reproducer import write
from p4nic.differential.scenario import Packet, Scenario, Update
from p4nic.differential.shrink import shrink
from p4nic.differential.values import Values
from p4nic.errors import P4nicError
from p4nic.ir.program import Program


@final
@dataclass(frozen=True, slots=True)
class Counts:
    """What was run. `answered`: random packets that were forwarded."""

    packets: int = 0
    answered: int = 0
    runs: int = 0
    comparable: int = 0
    different: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.packets + other.packets,
            self.answered + other.answered,
            self.runs + other.runs,
            self.comparable + other.comparable,
            self.different + other.different,
        )


@final
class Differ:
    """Runs, counts, and makes reproducers."""

    def __init__(self, args: argparse.Namespace, program: Program, targets: Sequence[Target]) -> None:
        self._args = args
        self._program = program
        self._targets = targets
        self._runs = self._comparable = self._packets = self._answered = self._different = 0
        self._refusals: dict[str, int] = {}
        self._ended: dict[str, int] = {}

    def replay(self, updates: tuple[Update, ...], packets: list[Packet]) -> None:
        """One run of what is given."""

        scenario = Scenario(updates, tuple(packets))
        self._runs = 1
        try:
            verdict = play(self._targets, scenario, self._args.order)
        except Refused as refusal:
            self._refusals[str(refusal)] = 1
            return
        self._comparable, self._packets = 1, verdict.packets
        if verdict.ended is not None:
            self._ended[verdict.ended] = 1
        if verdict.difference is not None:
            self._report(scenario, verdict.difference)

    def randomly(self, given: tuple[Update, ...] | None) -> None:
        """Runs of random packets, on random entries where none are given."""

        left = self._args.random
        while left > 0:
            rng = random.Random(f"{self._args.seed}/{self._runs}")
            values = Values(rng, given or (), self._program)
            wanted = min(left, self._args.run_length)
            left -= wanted
            self._runs += 1
            try:
                scenario, found = self._random_run(given, values, rng, wanted)
            except Refused as refusal:
                self._refusals[str(refusal)] = self._refusals.get(str(refusal), 0) + 1
                continue
            self._comparable += 1
            if found is not None:
                self._report(scenario, found)
                if not self._args.keep_going:
                    return

    def _random_run(
        self, given: tuple[Update, ...] | None, values: Values, rng: random.Random, wanted: int
    ) -> tuple[Scenario, Difference | None]:

        updates = given if given is not None else tuple(random_updates(self._program, values, rng))
        if given is None:
            values.learn(updates, self._program)
        scenario = Scenario(updates, ())
        run = Run(self._targets, scenario, self._args.order)
        packets: list[Packet] = []
        answers: list[tuple[int, bytes]] = []
        try:
            for position in range(wanted):
                packets.append(next_packet(packets[-1].time_ns if packets else 0, answers, values, rng))
                self._packets += 1
                found = run.packet(packets[-1])
                if found is not None:
                    return replace(scenario, packets=tuple(packets)), Difference(position, *found)
                if run.ended is not None:
                    self._ended[run.ended] = self._ended.get(run.ended, 0) + 1
                    return replace(scenario, packets=tuple(packets)), None
                if run.reference is not None:
                    answers += run.reference.sent
                    self._answered += bool(run.reference.sent)
            found = run.state()
            difference = Difference(None, *found) if found is not None else None
            return replace(scenario, packets=tuple(packets)), difference
        finally:
            run.close()

    def _report(self, scenario: Scenario, found: Difference) -> None:

        def differs(smaller: Scenario) -> bool:
            try:
                return compare(self._targets, smaller, self._args.order) is not None
            except P4nicError:
                return False

        self._different += 1
        small = shrink(scenario, found.position, differs)
        again = compare(self._targets, small, self._args.order)
        shown = again or found
        folder = self._args.out / str(self._different) if self._args.keep_going else self._args.out
        write(folder, self._program, small, shown, self._command())
        self._explain(folder, small, shown)
        where = "after the last packet" if shown.position is None else f"at packet {shown.position + 1}"
        print(f"run {self._runs}: {shown.what} differs {where} (of {len(small.packets)} left, ", end="")
        print(f"{len(small.updates)} entries); see {folder / 'difference.txt'} and explain.txt beside it")
        for name, answer in shown.answers.items():
            print(f"  {name}: {answer}")
        if again is None:
            print("  it does not show a second time: the engines are not deterministic here")

    def _explain(self, folder: Path, scenario: Scenario, shown: Difference) -> None:
        """What the packet meets in our interpreter, in a file beside the rest."""
        ours = next((t for t in self._targets if isinstance(t, Engine) and t.backend.name == "interp"), None)
        if ours is None:
            semantics = Semantics.DPDK if "swx" in self._args.targets.split(",") else Semantics.SPEC
            ours = Engine(backend("interp"), self._program, Options(semantics=semantics))
        try:
            text = explained(ours, scenario, shown.position)
        except P4nicError as error:
            text = f"the interpreter cannot explain it: {error}\n"
        (folder / "explain.txt").write_text(text, encoding="utf-8")

    def _command(self) -> str:
        words = ["p4nic", "diff", *(str(path) for path in self._args.artifact)]
        if self._args.p4info is not None:
            words += ["--p4info", str(self._args.p4info)]
        words += ["--targets", self._args.targets, "--order", self._args.order]
        if self._args.clear_metadata:
            words.append("--clear-metadata")
        if self._args.semantics is not None:
            words += ["--semantics", self._args.semantics]
        return shlex.join(words)

    @property
    def counts(self) -> Counts:
        """Of all runs so far."""
        return Counts(self._packets, self._answered, self._runs, self._comparable, self._different)

    @property
    def reasons(self) -> list[str]:
        """Why runs were not comparable or ended early, the most frequent first."""
        told = [(count, f"not comparable: {reason}") for reason, count in self._refusals.items()]
        told += [(count, f"ended at a known difference: {reason}") for reason, count in self._ended.items()]
        return [f"{count} runs {what}" for count, what in sorted(told, key=lambda item: -item[0])]

    def summary(self) -> int:
        """Print it; the exit code."""
        names = ", ".join(target.name for target in self._targets)
        forwarded = "" if self._args.captures else f" ({self._answered} forwarded)"
        print(
            f"{self._program.name} on {names}: {self._packets} packets{forwarded} in "
            f"{self._runs} runs, {self._comparable} comparable, {self._different} different"
        )
        for reason, count in sorted(self._refusals.items(), key=lambda item: -item[1])[:5]:
            print(f"  {count} runs not comparable: {reason}")
        for reason, count in sorted(self._ended.items()):
            print(f"  {count} runs ended at a known difference (docs/target-differences.md): {reason}")
        return 1 if self._different else 0
