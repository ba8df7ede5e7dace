"""The suites under the real ptf command, testbed by testbed: `make ptf TESTBED=testbeds/swx.yaml`.

    run_ptf.py testbeds/swx.yaml             all suites on a testbed (more files: one after the other)
    run_ptf.py testbeds/swx.yaml smoke arp   some suites; what is no .yaml file is one of ptf's test specs
    run_ptf.py --veth                        the two default testbeds, over veth pairs (root)

In: arguments. Out: ptf's output, then for each testbed its counts, every failure, and every skip with its
reason; reports/ptf/NAME/ has the same as report.md and junit.xml, and after a failure the target's log. Exit
code 1 if anything failed, 2 for bad usage. A target this machine does not have is skipped, with the reason.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from harness import results, start  # noqa: E402  the path must be set first
from harness.results import Result  # noqa: E402
from harness.target_process import TargetAbsent, TargetError  # noqa: E402
from harness.testbed import DEFAULT, Testbed, load_testbed  # noqa: E402
from harness.topology import PORTS  # noqa: E402
from harness.veth_pairs import veth_pairs  # noqa: E402

REPORTS = Path("reports") / "ptf"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a testbed's run came to; `lines` are for the summary."""

    failed: bool
    line: str
    lines: tuple[str, ...] = ()


def main() -> int:
    parser = argparse.ArgumentParser(prog="run_ptf.py", description="the PTF suites under the ptf command")
    parser.add_argument("--veth", action="store_true", help="veth pairs in place of Unix sockets (root)")
    parser.add_argument("--report", type=Path, default=REPORTS, help="folder of the reports (%(default)s)")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="TESTBED.yaml | SUITE",
        help="testbed files, and ptf's test specs: modules, module.Class, groups, ^negated",
    )
    arguments = parser.parse_args()
    files = [Path(word) for word in arguments.words if word.endswith((".yaml", ".yml"))] or list(DEFAULT)
    specs = [word for word in arguments.words if not word.endswith((".yaml", ".yml"))]
    verdicts = {}
    try:
        for path, testbed in [(path, load_testbed(path)) for path in files]:
            if arguments.veth:
                testbed = _over_veth(testbed)
            verdicts[testbed.name] = run_on(path, testbed, specs, arguments.veth, arguments.report)
    except (ValueError, TargetError, RuntimeError) as error:
        print(f"run_ptf.py: {error}", file=sys.stderr)
        return 2
    print()
    for name, verdict in verdicts.items():
        print(f"{name:12} {verdict.line}", *verdict.lines, sep="\n")
    return 1 if any(verdict.failed for verdict in verdicts.values()) else 0


def run_on(path: Path, testbed: Testbed, specs: list[str], veth: bool, reports: Path) -> Verdict:
    """Start the target, run ptf against it, write the reports."""
    folder = reports / testbed.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        pairs = stack.enter_context(veth_pairs(PORTS)) if veth else {}
        try:
            running = start.start(testbed, veths={number: ours for number, (ours, _) in pairs.items()})
        except TargetAbsent as error:
            return Verdict(False, f"skipped: {error}")
        keep = False
        if running.process is not None:
            stack.callback(lambda: running.process and running.process.stop(keep_log=keep))
        ends = {number: theirs for number, (_, theirs) in pairs.items()} or running.interfaces
        environment = {"P4NIC_TESTBED": str(path.resolve()), results.VARIABLE: str(folder / "results.jsonl")}
        if running.process is not None:
            environment[start.VARIABLE] = start.to_text(running, ends)
        if veth:
            environment[start.VETH_VARIABLE] = "1"
        code = _ptf(environment, folder, specs)
        found = results.read(folder / "results.jsonl")
        if code and running.process is not None:
            shutil.copy(running.process.log, folder / "target.log")
    return _verdict(testbed, found, code, folder)


def _verdict(testbed: Testbed, found: list[Result], code: int, folder: Path) -> Verdict:
    about = f"Kind {testbed.kind}, {time.strftime('%Y-%m-%d %H:%M')} (local time)."
    results.write_junit(folder / "junit.xml", testbed.name, found)
    results.write_markdown(folder / "report.md", testbed.name, about, found)
    failed = bool(code) or not found or any(result.outcome == results.FAILED for result in found)
    told = [*results.summary(found), f"  report   {folder / 'report.md'}, {folder / 'junit.xml'}"]
    if failed:
        told.append(f"  logs     {folder}")
    line = f"{'FAILED' if failed else 'passed'}: {results.counts(found)}"
    return Verdict(failed, line if found else "FAILED: no test ran", tuple(told))


def _over_veth(testbed: Testbed) -> Testbed:
    if testbed.kind not in ("builtin", "swx"):
        raise ValueError(f"--veth is for targets p4nic serves; {testbed.name} is of kind {testbed.kind}")
    return replace(testbed, name=f"{testbed.name}-veth")


def _ptf(more: dict[str, str], folder: Path, specs: list[str]) -> int:
    command = [sys.executable, str(Path(sys.executable).with_name("ptf")), *specs]
    command += ["--test-dir", str(HERE / "suites"), "--pypath", str(HERE)]
    command += ["--platform", "p4nic_platform", "--platform-dir", str(HERE / "harness")]
    command += ["--log-file", str(folder / "ptf.log"), "--allow-user", "--qlen", "10000"]
    command += ["--socket-recv-size", "65536", "--debug", "warning"]
    return subprocess.run(command, env={**os.environ, **more}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
