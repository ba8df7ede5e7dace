"""One case in a process of its own, so that a crash or an endless loop is a verdict and not the end.

In: a Case. Out: a Report. Called by `campaign` and `shrink`.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import tempfile
import time
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
SECONDS = 180
"""Processor time that one case may take, its engines and everything else."""
ASLEEP = 60
"""Looks in a row, a second apart, at a process that sleeps, has used no processor time since the look
before and runs no compiler: it waits for what will not come. One that is starved or stopped is not asleep."""
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
    """A case under way; `make` draws it, in the child. `seconds` of processor time."""

    def __init__(self, make: Callable[[], Case], seconds: int = SECONDS) -> None:
        self._stderr = Path(tempfile.mkstemp(prefix="p4nic-trial-")[1])
        self.pipe, theirs = _FORK.Pipe(duplex=False)
        self._process = _FORK.Process(target=_child, args=(make, theirs, str(self._stderr), seconds))
        self._process.start()
        theirs.close()
        self.pid = self._process.pid or 0
        self._looked = time.monotonic()
        self._seen = ""
        self._asleep = 0

    def is_over(self) -> bool:
        """Whether it has answered, has ended, or waits for what will not come."""
        if self.pipe.poll():
            return True
        if time.monotonic() - self._looked < 1.0:
            return False
        self._looked = time.monotonic()
        seen = _sleeper(self.pid)
        self._asleep = self._asleep + 1 if seen and seen == self._seen else 0
        self._seen = seen
        return self._asleep >= ASLEEP

    def report(self) -> Report:
        """What it found, if it is over."""
        try:
            if not self.pipe.poll():
                return Report("hung", "it sleeps and nothing will wake it")
            found: Report = self.pipe.recv()
        except EOFError:
            self._process.join()
            if self._process.exitcode == -signal.SIGXCPU:
                return Report("hung", "no answer in the processor time it has")
            return Report("crashed", self._crash())
        else:
            return found
        finally:
            self.end()

    def end(self) -> None:
        """Nobody wants to know any more."""
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


def run(case: Case, seconds: int = SECONDS) -> Report:
    """One case, in a process of its own, with so much processor time."""
    trial = Trial(lambda: case, seconds)
    try:
        while not trial.pipe.poll(1.0) and not trial.is_over():
            pass
    except KeyboardInterrupt:
        trial.end()
        raise
    return trial.report()


def _sleeper(pid: int) -> str:
    """The processor time used by a process that sleeps and has no children; "" if it does anything."""
    with contextlib.suppress(OSError):
        if Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").strip():
            return ""
        told = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return f"{told[11]} {told[12]}" if told[0] == "S" else ""
    return ""


def _child(make: Callable[[], Case], answer: Connection, stderr: str, seconds: int) -> None:
    os.dup2(os.open(stderr, os.O_WRONLY), 2)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the campaign's, which ends its trials itself
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
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
