"""One case in a process of its own, so that a crash or an endless loop is a verdict and not the end.

In: a Case. Out: a Report. Called by `__main__` and `shrink`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Literal, final

from conformance.engine_fuzz.engines import engines
from conformance.engine_fuzz.judge import Difference, judge
from conformance.engine_fuzz.life import Step
from p4nic.ir.program import Program

Kind = Literal["agree", "differ", "refused", "error", "crashed", "hung"]
FAILURES: tuple[Kind, ...] = ("differ", "error", "crashed", "hung")
_FORK = multiprocessing.get_context("fork")


@final
@dataclass(frozen=True, slots=True)
class Case:
    """A program, what happens to it, and the engines by name (see `engines`)."""

    program: Program
    steps: tuple[Step, ...]
    engines: tuple[str, ...]


@final
@dataclass(slots=True)
class Report:
    """`text`: of a refusal, an exception, or the first lines of a crash."""

    kind: Kind
    text: str = ""
    difference: Difference | None = None
    packets: int = 0
    sent: int = 0
    trapped: int = 0
    out_of_fuel: int = 0
    case: Case | None = field(default=None, repr=False)

    @property
    def failed(self) -> bool:
        return self.kind in FAILURES


@final
class Trial:
    """A case under way; `make` draws it, in the child."""

    def __init__(self, make: Callable[[], Case]) -> None:
        self.make = make
        self._stderr = Path(tempfile.mkstemp(prefix="p4nic-trial-")[1])
        self.pipe, theirs = _FORK.Pipe(duplex=False)
        self._process = _FORK.Process(target=_child, args=(make, theirs, str(self._stderr)))
        self._process.start()
        theirs.close()

    def report(self, seconds: float) -> Report:
        """Wait for the end; "hung" if that takes longer than `seconds`."""
        try:
            if not self.pipe.poll(seconds):
                return Report("hung", "no answer in time")
            found: Report = self.pipe.recv()
        except EOFError:
            self._process.join()
            return Report("crashed", self._crash())
        else:
            return found
        finally:
            self._process.kill()
            self._process.join()
            self._process.close()
            self.pipe.close()
            self._stderr.unlink()

    def _crash(self) -> str:
        code = self._process.exitcode or 0
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        told = [x.strip() for x in self._stderr.read_text("utf-8", "replace").splitlines() if x.strip()]
        told = [x for x in told if "runtime error" in x or "ERROR" in x or "SUMMARY" in x] or told
        return "; ".join([how, *told[:4]])


def run(case: Case, seconds: float = 300) -> Report:
    """One case, in a process of its own."""
    return Trial(lambda: case).report(seconds)


def _child(make: Callable[[], Case], answer: Connection, stderr: str) -> None:
    os.dup2(os.open(stderr, os.O_WRONLY), 2)
    try:
        report = _judged(make())
    except Exception as error:  # noqa: BLE001 - what no program may cause is a verdict of the run
        report = Report("error", f"{type(error).__name__}: {error}")
    answer.send(report)
    answer.close()


def _judged(case: Case) -> Report:
    verdict = judge(case.program, engines(case.engines), case.steps)
    if verdict.refused:
        return Report("refused", verdict.refused)
    return Report(
        "differ" if verdict.difference else "agree", "", verdict.difference, verdict.packets,
        verdict.reasons[""], verdict.trapped, verdict.out_of_fuel,
    )  # fmt: skip
