"""The report of a run: what every test became, and every skip's reason. And the port that hears itself."""

from __future__ import annotations

import unittest
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness import results
from harness.unix_port import UnixPort, port_class


class _Passes(unittest.TestCase):
    __test__ = False

    def runTest(self) -> None:
        pass


class _Fails(unittest.TestCase):
    __test__ = False

    def runTest(self) -> None:
        self.fail("port 2: nothing, expected | a frame")


class _Skips(unittest.TestCase):
    __test__ = False

    def runTest(self) -> None:
        raise unittest.SkipTest("virtual_time: it has a clock of its own")


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[results.Result]:
    path = tmp_path / "results.jsonl"
    monkeypatch.setenv(results.VARIABLE, str(path))
    outcome = unittest.TestResult()
    for case in (_Skips, _Passes, _Fails):
        with results.recorded(f"smoke.{case.__name__}", outcome):
            case("runTest").run(outcome)
    return results.read(path)


def test_outcomes_and_reasons(found: list[results.Result]) -> None:
    assert [(one.test, one.outcome) for one in found] == [
        ("smoke._Fails", "failed"),
        ("smoke._Passes", "passed"),
        ("smoke._Skips", "skipped"),
    ]
    assert results.counts(found) == "1 passed, 1 failed, 1 skipped"
    assert results.summary(found) == [
        "  FAILED   smoke._Fails",
        "  skipped  1: virtual_time: it has a clock of its own",
        "           smoke._Skips",
    ]


def test_junit(found: list[results.Result], tmp_path: Path) -> None:
    results.write_junit(tmp_path / "junit.xml", "nic", found)
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    skipped = suite.find("./testcase[@name='_Skips']/skipped")
    assert skipped is not None
    assert skipped.get("message") == "virtual_time: it has a clock of its own"


def test_markdown(found: list[results.Result], tmp_path: Path) -> None:
    results.write_markdown(tmp_path / "report.md", "nic", "Today.", found)
    page = (tmp_path / "report.md").read_text()
    assert "1 passed, 1 failed, 1 skipped. Today." in page
    assert "| smoke._Fails | AssertionError: port 2: nothing, expected \\| a frame |" in page
    assert "| virtual_time: it has a clock of its own | smoke._Skips |" in page


def test_a_looped_port_forgets_one_copy_of_what_it_sent(tmp_path: Path) -> None:
    port = port_class(loopback=True)(f"unix:{tmp_path}/p", 0, 3)
    far = UnixPort(f"unix:{tmp_path}/p.peer", 0, 0)  # it sends to p.peer, where the port listens
    Path(f"{tmp_path}/p").symlink_to(f"{tmp_path}/p.peer.peer")  # and receives what the port sends to p
    try:
        port.send(b"question")
        for frame in (b"question", b"answer", b"question"):
            far.send(frame)
        seen = [port.get_packet_source().recv() for _ in range(3)]
        assert [one and one[2] for one in seen] == [None, b"answer", b"question"]
    finally:
        port.close()
        far.close()
