"""`python -m conformance.engine_fuzz`: random programs on the engines, until enough packets are compared.

Out: progress on stderr, the counts on stdout, a folder for each failure; exit code 1 if there is one.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from conformance.engine_fuzz.campaign import Campaign, Counts, Wanted, resumed
from conformance.engine_fuzz.engines import NAMES, engine
from conformance.engine_fuzz.keep import load
from conformance.engine_fuzz.sanitizers import environment, preloaded
from conformance.engine_fuzz.trial import run
from p4nic.errors import P4nicError


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="conformance.engine_fuzz", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000, help="packets to compare (1000000)")
    parser.add_argument("--packets", type=int, default=3_000, help="packets per life (3000)")
    parser.add_argument(
        "--lives",
        type=int,
        default=4,
        help="lives of each program, which is compiled once (4)",
    )
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
    parser.add_argument(
        "--resume", action="store_true", help="go on where the run that wrote to --out stopped"
    )
    parser.add_argument("--replay", type=Path, help="run a kept case instead")
    return parser


def main() -> int:
    asked = options().parse_args()
    try:
        for name in asked.engines.split(","):
            engine(name)
        if "sanitized" in asked.engines and not preloaded():
            os.execve(
                sys.executable,
                [sys.executable, "-m", "conformance.engine_fuzz", *sys.argv[1:]],
                environment(),
            )
        if asked.replay is not None:
            return _replay(asked.replay)
        counts = resumed(asked.out, asked.seed) if asked.resume else Counts(asked.seed)
        wanted = Wanted(
            asked.count, asked.packets, asked.lives, asked.jobs, tuple(asked.engines.split(",")), asked.out,
            asked.most, asked.tries,
        )  # fmt: skip
        with tempfile.TemporaryDirectory(prefix="p4nic-fuzz-") as compiled:
            os.environ["XDG_CACHE_HOME"] = compiled
            finished = Campaign(wanted, counts).run()
    except P4nicError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(file=sys.stderr)
    print("\n".join(counts.told()))
    if not finished:
        print("stopped; the same command with --resume goes on", file=sys.stderr)
        return 1
    return 1 if counts.failures else 0


def _replay(folder: Path) -> int:
    report = run(load(folder))
    print(f"{report.kind} {report.text}".strip())
    if report.difference is not None:
        print(f"step {report.difference.step}, packet {report.difference.packet}")
        for name, answer in report.difference.answers.items():
            print(f"  {name}: {answer}")
    return 1 if report.failed else 0


sys.exit(main())
