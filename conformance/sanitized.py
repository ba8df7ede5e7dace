"""`python -m conformance.sanitized`: the native engine under AddressSanitizer and UndefinedBehaviorSanitizer.

First the STF tests of tests/programs, each program compiled anew with the sanitizers, then random programs
(`conformance.engine_fuzz`). Out: one line per failure, the counts; exit code 1 if there is a failure.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from conformance.engine_fuzz.engines import SANITIZE
from conformance.engine_fuzz.sanitizers import environment, libraries, preloaded
from p4nic.__main__ import main as p4nic
from p4nic.backend.native import compiler

PROGRAMS = Path(__file__).parent.parent / "tests" / "programs"


def scripts(every: int) -> list[Path]:
    """The STF scripts, one in `every`."""
    return sorted(PROGRAMS.glob("*.stf"))[::every]


def run_script(script: Path) -> int:
    """Run one STF script on the sanitized native engine; what p4nic's exit code is."""
    build = PROGRAMS / "build"
    program = next(p for p in (build / f"{script.stem}.json", build / f"{script.stem}.spec") if p.exists())
    info = build / f"{script.stem}.p4info.txtpb"
    return p4nic(["stf", str(program), str(info), str(script), "--backend", "native"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="conformance.sanitized", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="take one STF script in so many (1)")
    parser.add_argument("--count", type=int, default=200_000, help="random packets (200000; 0: none)")
    parser.add_argument("--packets", type=int, default=2_000, help="random packets per program (2000)")
    parser.add_argument("--seed", type=int, default=0, help="of the first random program (0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    parser.add_argument("--script", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if not libraries():
        print("error: the C compiler has no AddressSanitizer and UndefinedBehaviorSanitizer", file=sys.stderr)
        return 2
    if not preloaded():
        os.execve(
            sys.executable, [sys.executable, "-m", "conformance.sanitized", *sys.argv[1:]], environment()
        )
    if asked.script is not None:
        compiler.OPTIMISE = ("-O0", *SANITIZE)
        return run_script(asked.script)
    failed = _scripts(asked.every, asked.jobs)
    if asked.count:
        options = {"count": asked.count, "packets": asked.packets, "seed": asked.seed, "jobs": asked.jobs}
        command = [sys.executable, "-m", "conformance.engine_fuzz", "--engines", "interp,sanitized"]
        command += ["--lives", "1"]
        command += [part for name, value in options.items() for part in (f"--{name}", str(value))]
        failed += subprocess.run(command, check=False).returncode
    return 1 if failed else 0


def _scripts(every: int, jobs: int) -> int:
    """Run them, each in a process of its own; how many failed."""

    def run(script: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "conformance.sanitized", "--script", str(script)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    passed = refused = failed = 0
    chosen = scripts(every)
    with ThreadPoolExecutor(jobs) as pool:
        for number, (script, done) in enumerate(zip(chosen, pool.map(run, chosen), strict=True), 1):
            if done.returncode == 0:
                passed += 1
            elif "use --backend interp" in done.stderr:
                refused += 1
            else:
                failed += 1
                print(f"failed: {script.stem}: {(done.stdout + done.stderr)[-2000:]}")
            print(f"{number} of {len(chosen)} STF scripts, {failed} failed", file=sys.stderr)
    print(f"STF under the sanitizers: {passed} passed, {refused} refused, {failed} failed")
    return failed


if __name__ == "__main__":
    sys.exit(main())
