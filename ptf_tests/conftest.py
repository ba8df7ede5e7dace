"""Runs the suites under pytest: every class with `runTest`, on every testbed, as
`smoke.py::ServiceIsReachable[spec]`.

Targets are started when the first test needs them and stopped at the end; each xdist worker has its own.
After a failure the report names the frames (pcap) and the target's log.
"""

from __future__ import annotations

import importlib
import os
import random
import shutil
import sys
import tempfile
import traceback
import unittest
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import ptf
import pytest
from ptf import ptfutils, testutils

SUITES = Path(__file__).parent / "suites"
for _folder in (SUITES, SUITES.parent):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from harness import environment  # noqa: E402  the path must be set first
from harness.environment import Environment  # noqa: E402
from harness.target_process import TargetAbsent  # noqa: E402
from harness.testbed import Testbed, load_testbed, shipped_testbeds  # noqa: E402

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def pytest_configure(config: pytest.Config) -> None:
    """What the ptf command would have put into its global configuration."""
    ptf.config.update(
        platform="p4nic",
        relax=False,
        log_dir=None,
        log_file="/dev/null",
        qlen=10_000,
        minsize=0,
        socket_recv_size=1 << 16,
        disable_ipv6=False,
        test_params=None,
    )
    ptfutils.default_timeout, ptfutils.default_negative_timeout = 2.0, 0.1
    testutils.MINSIZE, testutils.TEST_PARAMS = 0, None
    # It would replace the root logger's handlers, pytest's among them.
    ptf.open_logfile = lambda name: None


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    # A file named on the command line is pytest's own to collect, as a module: see the next function.
    if file_path.parent == SUITES and file_path.suffix == ".py" and not parent.session.isinitpath(file_path):
        return SuiteFile.from_parent(parent, path=file_path)
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    return SuiteFile.from_parent(parent, path=module_path) if module_path.parent == SUITES else None


class SuiteFile(pytest.File):
    """One behaviour's file."""

    def collect(self) -> Iterator[pytest.Item]:
        module = importlib.import_module(self.path.stem)
        for name, found in vars(module).items():
            if (
                isinstance(found, type)
                and issubclass(found, unittest.TestCase)
                and hasattr(found, "runTest")
                and found.__module__ == module.__name__
            ):
                for testbed in _testbeds():
                    yield PtfItem.from_parent(
                        self, name=f"{name}[{testbed.name}]", case=found, testbed=testbed
                    )


def _testbeds() -> list[Testbed]:
    """The shipped ones, or the one P4NIC_TESTBED names."""
    chosen = os.environ.get("P4NIC_TESTBED")
    return [load_testbed(Path(chosen))] if chosen else shipped_testbeds()


class _Outcome(unittest.TestResult):
    """Keeps the first exception as it was; unittest keeps only its text."""

    def __init__(self) -> None:
        super().__init__()
        self.first: Any = None

    def addError(self, test: unittest.TestCase, err: Any) -> None:
        self.first = self.first or err

    addFailure = addError

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        pytest.skip(reason)


class PtfItem(pytest.Item):
    """One class on one testbed."""

    def __init__(self, *, case: type[unittest.TestCase], testbed: Testbed, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.case, self.testbed = case, testbed

    def runtest(self) -> None:
        try:
            made = _environment(self.config, self.testbed)
        except TargetAbsent as error:
            pytest.skip(str(error))
        environment.use(made)
        ptf.dataplane_instance = made.dataplane
        random.seed(0)
        folder = Path(tempfile.mkdtemp(prefix="p4nic-ptf-frames-"))
        made.dataplane.start_pcap(str(folder / f"{self.case.__name__}-{self.testbed.name}.pcap"))
        outcome = _Outcome()
        try:
            self.case("runTest").run(outcome)
        finally:
            made.dataplane.stop_pcap()
            if outcome.first is None:
                shutil.rmtree(folder, ignore_errors=True)
        if outcome.first is not None:
            self.add_report_section("call", "frames", str(next(folder.iterdir())))
            if made.process is not None:
                self.add_report_section("call", "target's log", _tail(made.process.log))
            raise outcome.first[1].with_traceback(outcome.first[2])

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        """The traceback from the suite on; what pytest and unittest did before it helps nobody."""
        stack = traceback.extract_tb(excinfo.tb)
        own = [frame for frame in stack if Path(frame.filename).is_relative_to(SUITES.parent)]
        own = [frame for frame in own if frame.filename != __file__] or list(stack)
        # The reason comes first: pytest's summary shows the first line.
        lines = [*traceback.format_exception_only(excinfo.value), *traceback.format_list(own)]
        return "".join(lines)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, f"{self.case.__name__}[{self.testbed.name}]"


def _tail(log: Path) -> str:
    return log.read_text()[-2000:] if log.exists() else "(no log)"


_running: dict[str, Environment] = {}


def _environment(config: pytest.Config, testbed: Testbed) -> Environment:
    """The environment of a testbed, started again if its target has died."""
    made = _running.get(testbed.name)
    if made is not None and made.process is not None and not made.process.running():
        _running.pop(testbed.name).close(keep_log=True)
        made = None
    if made is None:
        made = _running[testbed.name] = Environment(testbed)
    return made


def pytest_sessionfinish(session: pytest.Session) -> None:
    environment.use(None)
    while _running:
        _running.popitem()[1].close()
