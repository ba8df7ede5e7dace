"""`python -m conformance CHECKOUT`: compile p4c's corpora, run them on every engine, write the page.

Called by `make conformance P4C=…`. Exit code 0: nothing failed that is not known, 1: something did, 2: usage.
Programs run in parallel, each in a worker process: a crash of one is that program's result.
"""

from __future__ import annotations

import argparse
import datetime
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from conformance import corpora, report
from conformance.compilers import find, version
from conformance.corpora import Golden, Source
from conformance.engine_fuzz.sanitizers import environment, preloaded
from conformance.jobs import AGREE, SANITIZED, Settings, check
from conformance.results import Result
from p4nic.cli.common import backend
from p4nic.errors import InputError
from p4nic.stf.junit import Case, document

COMPILERS = ("p4c-bm2-ss", "p4c-bm2-psa", "p4c-bm2-pna")


def main(argv: Sequence[str] | None = None) -> int:
    """Run; the exit code."""
    args = _arguments().parse_args(argv)
    if args.optimise == SANITIZED and not preloaded():
        command = [sys.executable, "-m", "conformance", *(sys.argv[1:] if argv is None else argv)]
        os.execve(sys.executable, command, environment())
    checkout: Path = args.checkout
    if not (checkout / corpora.SAMPLES).is_dir():
        print(f"conformance: {checkout} is no checkout of p4c (no {corpora.SAMPLES} in it)", file=sys.stderr)
        return 2
    binaries = {name: path for name in COMPILERS if (path := find(checkout, name)) is not None}
    if "p4c-bm2-ss" not in binaries:
        print(
            "conformance: p4c-bm2-ss is neither in the checkout's build folder nor on PATH; build p4c first",
            file=sys.stderr,
        )
        return 2
    items: list[Source | Golden] = [*corpora.sources(checkout), *corpora.goldens(checkout)]
    if args.only:
        items = [item for item in items if args.only in item.name]
    with tempfile.TemporaryDirectory(prefix="conformance-") as scratch:
        work = args.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        settings = Settings(work, binaries, _engines(args.engines), args.packets, args.optimise)
        results = _run(items, settings, args.jobs)
    for line in report.lines(results):
        print(line)
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    compiler = version(binaries["p4c-bm2-ss"])
    facts = report.Facts(compiler, _commit(), date, settings.engines, args.packets, args.optimise)
    if args.out is not None:
        args.out.write_text(report.page(results, facts), encoding="utf-8")
    if args.junit is not None:
        args.junit.write_text(document([_case(result) for result in results]), encoding="utf-8")
    return 1 if any(result.verdict == "failed" for result in results) else 0


def _commit() -> str:
    """The commit this runs from, "with changes" if the files are not its."""
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty= with changes"]
    return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("conformance", description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("checkout", type=Path, help="a checkout of p4c; binaries in its build/ or on PATH")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="worker processes")
    parser.add_argument("--engines", default="interp,native", help="first the reference (interp,native)")
    parser.add_argument("--packets", type=int, default=60, help="random packets per program (60)")
    parser.add_argument(
        "--optimise",
        default="2",
        choices=("0", "1", "2", "3", SANITIZED),
        help="the C compiler's -O for the native engine: 0 takes a quarter of the time (2, as shipped); "
        "sanitized: -O0 under ASan and UBSan",
    )
    parser.add_argument("--only", default="", help="only programs with this in their name")
    parser.add_argument("--work", type=Path, help="keep what p4c writes here, and use it again")
    parser.add_argument("--out", type=Path, help="write the page here")
    parser.add_argument("--junit", type=Path, help="write JUnit XML here")
    return parser


def _engines(text: str) -> tuple[str, ...]:
    """The engines this installation has."""
    found = []
    for name in text.split(","):
        try:
            backend(name)
        except (InputError, KeyError) as error:
            print(f"conformance: engine {name} is left out: {error}", file=sys.stderr)
        else:
            found.append(name)
    return tuple(found)


def _run(items: list[Source | Golden], settings: Settings, jobs: int) -> list[Result]:
    results: dict[int, list[Result]] = {}
    left = list(enumerate(items))
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        _collect({pool.submit(check, item, settings): at for at, item in left}, results)
    # A worker that dies takes the pool with it: what has no result runs again, in a process of its own.
    for at, item in left:
        if at not in results:
            with ProcessPoolExecutor(1, mp_context=context) as single:
                _collect({single.submit(check, item, settings): at}, results)
        if at not in results:
            why = "the process that ran it died"
            results[at] = [Result(AGREE, item.name, "", "failed", why)]
    return [result for at, _ in left for result in results[at]]


def _collect(futures: dict[Future[list[Result]], int], results: dict[int, list[Result]]) -> None:
    for done, future in enumerate(as_completed(futures), 1):
        try:
            results[futures[future]] = future.result()
        except BrokenProcessPool:
            continue
        if sys.stderr.isatty():
            print(f"\r{done}/{len(futures)}", end="", file=sys.stderr)
        elif done % 50 == 0:
            print(f"{done}/{len(futures)} programs", file=sys.stderr, flush=True)


def _case(result: Result) -> Case:
    name = f"{result.name} on {result.engine}" if result.engine else result.name
    match result.verdict:
        case "passed" | "failed":
            return Case(result.suite, name, result.verdict, result.reason, result.seconds)
        case "known" | "not applicable":
            return Case(result.suite, name, "skipped", result.reason, result.seconds)


if __name__ == "__main__":
    sys.exit(main())
