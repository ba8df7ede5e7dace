"""The engine fuzzer itself: what is a hang and what is not, and a run that was stopped goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest
from conformance.engine_fuzz import trial
from conformance.engine_fuzz.campaign import case_of, order
from conformance.engine_fuzz.engines import MIX, drawn
from conformance.engine_fuzz.trial import Case, Trial, run

ROOT = Path(__file__).parent.parent
NOBODY = ("interp",)


def test_a_loop_without_end_is_a_hang_by_its_processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(trial, "judge", endless)
    report = run(case_of(1, 10, NOBODY), 1)
    assert (report.kind, report.text) == ("hung", "no answer in the processor time it has")


def test_waiting_for_what_never_comes_is_a_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "judge", lambda *_: signal.pause())
    monkeypatch.setattr(trial, "ASLEEP", 2)
    report = run(case_of(1, 10, NOBODY))
    assert (report.kind, report.text) == ("hung", "it sleeps and nothing will wake it")


def test_a_stopped_engine_is_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "ASLEEP", 1)

    def made() -> Case:
        os.kill(os.getpid(), signal.SIGSTOP)
        return case_of(1, 10, NOBODY)

    stopped = Trial(made)
    for _ in range(4):
        time.sleep(1.0)
        assert not stopped.is_over()
    os.kill(stopped.pid, signal.SIGCONT)
    while not stopped.pipe.poll(1.0):
        pass
    assert stopped.report().kind == "agree"


def test_a_run_that_was_stopped_goes_on_with_its_counts(tmp_path: Path) -> None:
    asked = [sys.executable, "-m", "conformance.engine_fuzz", "--engines", "interp", "--packets", "50"]
    asked += ["--out", str(tmp_path), "--jobs", "2"]
    with subprocess.Popen(
        [*asked, "--count", "100000000"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as first:
        assert first.stderr is not None
        while "packets/s" not in (seen := first.stderr.read(40)):
            assert seen, "it ended by itself"
        first.send_signal(signal.SIGTERM)
        told = first.communicate()[1]
    assert first.returncode == 1
    assert "the same command with --resume goes on" in told
    before = json.loads((tmp_path / "progress.json").read_text())
    more = str(before["packets"] + 300)
    done = subprocess.run(
        [*asked, "--count", more, "--resume"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    after = json.loads((tmp_path / "progress.json").read_text())
    programs = sum(after["verdicts"].values())
    assert programs > sum(before["verdicts"].values()) > 0
    assert after["next"] + len(after["ahead"]) == programs, "each seed once"
    assert after["packets"] >= before["packets"] + 300


def test_native_is_another_variant_for_other_seeds_and_the_same_for_the_same() -> None:
    names = {drawn(("interp", "native"), seed) for seed in range(300)}
    assert {native.removesuffix("+dpdk") for _, native in names} == {name for _, name in MIX}
    assert ("interp+dpdk", "native-O0-far+dpdk") in names
    assert drawn(("interp", "native-O3"), 5) == ("interp", "native-O3")


def test_a_program_is_given_several_lives() -> None:
    cases = [case_of(seed, 20, ("interp", "native"), 3) for seed in (6, 7, 8, 9)]
    assert cases[0].program == cases[1].program == cases[2].program != cases[3].program
    assert cases[0].engines == cases[2].engines
    assert len({repr(case.steps) for case in cases}) == 4


def test_two_jobs_take_every_seed_once_and_do_not_begin_the_same_program_together() -> None:
    seeds = list(islice(order(5, 2, 3), 25))
    assert sorted(seeds) == list(range(5, 30))
    assert list(islice(order(6, 2, 3), 6)) == [6, 9, 7, 10, 8, 11]
    assert list(islice(order(7, 1, 1), 3)) == [7, 8, 9]
