"""What became of every test: kept while a run goes on, written down at its end.

In: tests as they finish (in the file P4NIC_PTF_RESULTS names, one JSON object a line, because the ptf command
is a process of its own). Out: a text summary, JUnit XML and a Markdown table, with the reason of every skip.
Called by `lb_base` (recording) and `run_ptf` (reports).
"""

from __future__ import annotations

import json
import os
import time
import unittest
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

VARIABLE = "P4NIC_PTF_RESULTS"
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """One test. `detail`: why it was skipped, or the end of its traceback."""

    test: str
    outcome: str
    seconds: float
    detail: str = ""


@contextmanager
def recorded(test: str, result: unittest.TestResult | None) -> Iterator[None]:
    """Note the outcome of what happens inside, if P4NIC_PTF_RESULTS names a file."""
    path = os.environ.get(VARIABLE)
    if path is None or result is None:
        yield
        return
    before = (len(result.failures), len(result.errors), len(result.skipped))
    started = time.monotonic()
    try:
        yield
    finally:
        seconds = round(time.monotonic() - started, 3)
        wrong = result.failures[before[0] :] + result.errors[before[1] :]
        skips = result.skipped[before[2] :]
        match (wrong, skips):
            case ([(_, text), *_], _):
                found = Result(test, FAILED, seconds, text)
            case (_, [(_, reason), *_]):
                found = Result(test, SKIPPED, seconds, reason)
            case _:
                found = Result(test, PASSED, seconds)
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(found)) + "\n")


def read(path: Path) -> list[Result]:
    """The results of a run, by test name."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return sorted((Result(**json.loads(line)) for line in lines), key=lambda result: result.test)


def counts(results: Sequence[Result]) -> str:
    """`93 passed, 2 failed, 14 skipped`."""
    seen = Counter(result.outcome for result in results)
    return ", ".join(f"{seen[outcome]} {outcome}" for outcome in (PASSED, FAILED, SKIPPED))


def summary(results: Sequence[Result]) -> list[str]:
    """Failures, and skips grouped by reason: lines for a terminal."""
    lines = [f"  FAILED   {result.test}" for result in results if result.outcome == FAILED]
    for reason, tests in _by_reason(results).items():
        lines.append(f"  skipped  {len(tests)}: {reason}")
        lines += [f"           {test}" for test in tests]
    return lines


def _by_reason(results: Sequence[Result]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for result in results:
        if result.outcome == SKIPPED:
            found.setdefault(result.detail, []).append(result.test)
    return found


def write_junit(path: Path, testbed: str, results: Sequence[Result]) -> None:
    """JUnit XML, as continuous integration reads it."""
    seen = Counter(result.outcome for result in results)
    suite = ElementTree.Element(
        "testsuite",
        name=f"ptf.{testbed}",
        tests=str(len(results)),
        failures=str(seen[FAILED]),
        skipped=str(seen[SKIPPED]),
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    for result in results:
        module, _, name = result.test.rpartition(".")
        case = ElementTree.SubElement(
            suite, "testcase", classname=f"{testbed}.{module}", name=name, time=f"{result.seconds:.3f}"
        )
        if result.outcome == FAILED:
            told = ElementTree.SubElement(case, "failure", message=_last_line(result.detail))
            told.text = result.detail
        elif result.outcome == SKIPPED:
            ElementTree.SubElement(case, "skipped", message=result.detail)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def write_markdown(path: Path, testbed: str, about: str, results: Sequence[Result]) -> None:
    """A page: the verdict, every failure and skip with its reason, every test."""
    lines = [f"# PTF suites on {testbed}", "", f"{counts(results)}. {about}", ""]
    if failed := [result for result in results if result.outcome == FAILED]:
        lines += ["## Failed", "", "| Test | What |", "|---|---|"]
        lines += [f"| {result.test} | {_cell(_last_line(result.detail))} |" for result in failed]
        lines.append("")
    if reasons := _by_reason(results):
        lines += ["## Skipped", "", "| Reason | Tests |", "|---|---|"]
        lines += [f"| {_cell(reason)} | {', '.join(tests)} |" for reason, tests in reasons.items()]
        lines.append("")
    lines += ["## All", "", "| Test | Outcome | Seconds |", "|---|---|---|"]
    lines += [f"| {result.test} | {result.outcome} | {result.seconds:.2f} |" for result in results]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _last_line(text: str) -> str:
    told = [line for line in text.splitlines() if line.startswith(("AssertionError", "harness", "grpc"))]
    return (told or text.strip().splitlines() or [""])[-1]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
