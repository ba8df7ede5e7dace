"""`p4nic diff`: the same entries and the same packets through several engines; every difference is shown.

In: an artifact, engines, entries and captures or a seed. Out: a line per difference and a summary on stdout;
for each difference a small scenario that shows it, in a folder. Exit code 1 if engines differ.
"""

from __future__ import annotations

import argparse
import random
import shlex
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, final

from p4nic.cli.common import BACKENDS, add_artifact_arguments, backend, load, split_numbered
from p4nic.errors import InputError

if TYPE_CHECKING:
    from p4nic.backend.api import Backend
    from p4nic.differential.compare import Difference
    from p4nic.differential.engines import Engine
    from p4nic.differential.scenario import Packet, Scenario, Update
    from p4nic.ir.program import Program

EXAMPLES = """examples:
  p4nic diff --targets interp,swx --random 5000 --seed 1
  p4nic diff my.spec --p4info my.p4info.txtpb --targets interp,swx --entries my.yaml --random 1000
  p4nic diff --targets interp,native --entries lb.yaml --pcap 1=clients.pcap --pcap 2=pods.pcap

The first engine named is the reference. swx is real DPDK and runs a .spec only (make setup-dpdk). Compared
are the frames each packet makes, their ports and their order, then what was learned and what short arrays
hold. The reason of a drop is not: DPDK gives none. Random frames are those networks carry, with values the
entries have.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_artifact_arguments(parser)
    parser.add_argument(
        "--targets", metavar="A,B", default="interp,swx", help="engines: interp, native, swx (interp,swx)"
    )
    parser.add_argument(
        "--entries", metavar="F", type=Path, help="tables' entries, YAML or JSON (default: random ones)"
    )
    parser.add_argument(
        "--pcap", metavar="[N=]F", dest="captures", action="append", default=[],
        help="frames that arrive at port N (0); may be repeated, merged by time stamp",
    )  # fmt: skip
    parser.add_argument("--random", metavar="N", type=int, default=0, help="that many random frames")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="seed of everything random (0)")
    parser.add_argument(
        "--run-length", metavar="N", type=int, default=50, help="random frames between fresh starts (50)"
    )
    parser.add_argument(
        "--order", choices=("exact", "any"), default="exact", help="of the frames one packet makes (exact)"
    )
    parser.add_argument(
        "--clear-metadata",
        action="store_true",
        help="have swx begin every packet with metadata of zeros, which DPDK itself does not",
    )
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first run that differs")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("diff"), help="where reproducers go (diff)"
    )
    parser.add_argument(
        "--semantics",
        choices=("spec", "dpdk"),
        help="how interp and native take short frames of a .spec (default: dpdk next to swx)",
    )


def run(args: argparse.Namespace) -> int:
    _check(args)
    program = load(args)
    engines = _engines(args, program)
    updates = _updates(args, program)
    session = _Differ(args, program, engines)
    if args.captures:
        session.replay(updates or (), _packets(args.captures))
    else:
        session.randomly(updates)
    return session.summary()


def _check(args: argparse.Namespace) -> None:
    if bool(args.captures) == bool(args.random):
        raise InputError("diff needs packets: give either --pcap F or --random N")
    if args.random < 0 or args.run_length < 1:
        raise InputError("--random and --run-length are numbers above 0")


def _engines(args: argparse.Namespace, program: Program) -> list[Engine]:
    from p4nic.backend.api import Options, Semantics
    from p4nic.differential.engines import Engine

    names = args.targets.split(",")
    for name in names:
        if name not in BACKENDS:
            raise InputError(f'--targets has "{name}"; engines are {", ".join(BACKENDS)}')
    if len(set(names)) < 2:
        raise InputError(f"--targets {args.targets} names one engine; a comparison needs two")
    semantics = Semantics(args.semantics or ("dpdk" if "swx" in names else "spec"))
    engines = [
        Engine(_backend(name, args.clear_metadata), program, Options(semantics=semantics))
        for name in dict.fromkeys(names)
    ]
    for engine in engines:
        engine.backend.build(program, engine.options).close()  # what cannot work at all is said at once
    return engines


def _backend(name: str, clear_metadata: bool) -> Backend:
    if name == "swx" and clear_metadata:
        from p4nic.backend.swx import SwxBackend

        return SwxBackend(clear_metadata=True)
    return backend(name)


def _updates(args: argparse.Namespace, program: Program) -> tuple[Update, ...] | None:
    if args.entries is None:
        return None
    from p4nic.cli.entries_file import read_updates

    return tuple((operation, entity) for _, operation, entity in read_updates(args.entries, program))


def _packets(texts: list[str]) -> list[Packet]:
    from p4nic.cli.run import Capture
    from p4nic.differential.scenario import Packet

    inputs = []
    for text in texts:
        port, path = (0, text) if "=" not in text else split_numbered(text, "--pcap", "N=F or F")
        inputs.append((port, Path(path)))
    capture = Capture(inputs)
    found = list(capture)
    if capture.broken is not None:
        raise capture.broken
    start = found[0][0] if found else 0
    return [Packet(max(time_ns - start, 0), port, frame) for time_ns, port, frame in found]


@final
class _Differ:
    """Runs, counts, and makes reproducers."""

    def __init__(self, args: argparse.Namespace, program: Program, engines: list[Engine]) -> None:
        self._args = args
        self._program = program
        self._engines = engines
        self._runs = self._comparable = self._packets = self._answered = self._different = 0
        self._refusals: dict[str, int] = {}
        self._ended: dict[str, int] = {}

    def replay(self, updates: tuple[Update, ...], packets: list[Packet]) -> None:
        """One run of what is given."""
        from p4nic.differential.compare import play
        from p4nic.differential.engines import Refused
        from p4nic.differential.scenario import Scenario

        scenario = Scenario(updates, tuple(packets))
        self._runs = 1
        try:
            verdict = play(self._engines, scenario, self._args.order)
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
        from p4nic.differential.engines import Refused
        from p4nic.differential.values import Values

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
        self, given: tuple[Update, ...] | None, values: object, rng: random.Random, wanted: int
    ) -> tuple[Scenario, Difference | None]:
        from p4nic.differential.compare import Difference, Run
        from p4nic.differential.generate import next_packet, random_updates
        from p4nic.differential.scenario import Scenario
        from p4nic.differential.values import Values

        assert isinstance(values, Values)
        updates = given if given is not None else tuple(random_updates(self._program, values, rng))
        if given is None:
            values.learn(updates, self._program)
        scenario = Scenario(updates, ())
        run = Run(self._engines, scenario, self._args.order)
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
        from p4nic.differential.compare import compare
        from p4nic.differential.reproducer import write
        from p4nic.differential.shrink import shrink

        def differs(smaller: Scenario) -> bool:
            from p4nic.errors import P4nicError

            try:
                return compare(self._engines, smaller, self._args.order) is not None
            except P4nicError:
                return False

        self._different += 1
        small = shrink(scenario, found.position, differs)
        again = compare(self._engines, small, self._args.order)
        shown = again or found
        folder = self._args.out / str(self._different) if self._args.keep_going else self._args.out
        write(folder, self._program, small, shown, self._command())
        where = "after the last packet" if shown.position is None else f"at packet {shown.position + 1}"
        print(f"run {self._runs}: {shown.what} differs {where} (of {len(small.packets)} left, ", end="")
        print(f"{len(small.updates)} entries); see {folder / 'difference.txt'}")
        for name, answer in shown.answers.items():
            print(f"  {name}: {answer}")
        if again is None:
            print("  it does not show a second time: the engines are not deterministic here")

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

    def summary(self) -> int:
        """Print it; the exit code."""
        names = ", ".join(engine.name for engine in self._engines)
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
