"""A program in a hurry: packets run in code that was compiled quickly until the optimised code is there."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Event

import pytest
from cli_samples import write_pcap
from scapy.layers.inet import IP
from scapy.layers.l2 import Ether

from p4nic import ccompiler
from p4nic.backend.api import Options
from p4nic.backend.native import NativeBackend, NativePipeline, compiler
from p4nic.load.known import load_known

pytestmark = pytest.mark.skipif(not ccompiler.compiler(), reason="no C compiler")
PROGRAMS = Path(__file__).parent / "programs" / "build"
LEARNER = [PROGRAMS / "add_on_miss.spec", PROGRAMS / "add_on_miss.context.json"]


FROM_A = bytes(
    Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="10.0.0.1", dst="10.0.0.2") / bytes(40)
)
FROM_B = bytes(
    Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / IP(src="10.0.0.2", dst="10.0.0.1") / bytes(40)
)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one; and units are compiled in parts at the level of tests, as at the level of use."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(compiler, "AS_USED", compiler.OPTIMISE)
    return tmp_path / "cache" / "p4nic"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Event:
    """Optimised code takes over no earlier than this is set."""
    event, made = Event(), ccompiler.Later.made

    def held(later: ccompiler.Later) -> Path:
        assert event.wait(60)
        return made(later)

    monkeypatch.setattr(ccompiler.Later, "made", held)
    return event


def hurried() -> NativePipeline:
    made = NativeBackend(hurry=True).build(load_known(LEARNER), Options())
    assert isinstance(made, NativePipeline)
    return made


def test_state_stays_when_the_optimised_code_takes_over(
    gate: Event, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    pipeline = hurried()
    (table,) = (name for name, t in pipeline.program.tables.items() if t.is_learner)
    pipeline.process([(1, FROM_A)], 0)
    learned = list(pipeline.entries(table, 0))
    assert len(learned) == 1
    gate.set()
    pipeline.optimised()
    assert len(list(cache.glob("*.so"))) == 2
    assert "optimised code runs packets from now on" in caplog.text
    ((_, optimised),) = pipeline._others
    head = bytes(pipeline._ffi.buffer(pipeline._ffi.cast("char *", pipeline._engine), 64))
    assert optimised.p4_code().to_bytes(8, "little") in head, "struct engine: run_burst"
    assert pipeline._lib.p4_code().to_bytes(8, "little") not in head
    (reply,) = pipeline.process([(2, FROM_B)], 1)
    assert [port for port, _ in reply.sent] == [1], "found what the other code had learned"
    assert pipeline.statistics()["learned"] == 2
    pipeline.close()


def test_what_the_cache_has_is_not_hurried(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = hurried()
    pipeline.optimised()
    pipeline.close()
    monkeypatch.setattr(compiler, "Later", lambda *_: pytest.fail("it is there"))
    again = hurried()
    again.optimised()
    assert again.process([(1, FROM_A)], 0)
    again.close()
    assert len(list(cache.glob("*.so"))) == 2


def test_refused_optimised_code_is_told_and_packets_go_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    packets, rest = compiler.parts()
    monkeypatch.setattr(compiler, "parts", lambda: ((*packets, "-Drun_burst=("), rest))
    monkeypatch.setattr(compiler, "QUICK", ("-Urun_burst",))
    pipeline = hurried()
    pipeline.optimised()
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert record.message.startswith(
        "there is no optimised code, packets go on with what was compiled quickly: "
    )
    assert "refused the emitted C, which is kept in" in record.message
    assert pipeline.process([(1, FROM_A)], 0)
    pipeline.close()


def test_pipeline_closed_first_is_left_alone(gate: Event) -> None:
    pipeline = hurried()
    pipeline.close()
    gate.set()
    pipeline.optimised()  # and no crash: there is no engine any more


def test_cache_is_filled_by_a_command_that_ends_first(cache: Path, tmp_path: Path) -> None:
    source = write_pcap(tmp_path / "in.pcap", [FROM_A])
    words = ["run", str(PROGRAMS / "packet_io.json"), "--backend", "native"]
    told = subprocess.run(
        [sys.executable, "-m", "p4nic", *words, "--in", f"1={source}", "--out", str(tmp_path / "out")],
        env=dict(os.environ), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    assert "Traceback" not in told.stderr
    deadline = time.monotonic() + 60
    while len(list(cache.glob("*.so"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(list(cache.glob("*.so"))) == 2
