"""DPDK dies of a packet: the packet and the entries it needs are kept, and one command shows it again."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_samples import write_pcap
from swx_samples import SPEC, entry, frame, needs_dpdk, ports

from p4nic.__main__ import main
from p4nic.backend.api import Options
from p4nic.backend.swx import SwxBackend
from p4nic.clock import ManualClock
from p4nic.differential.crash import reporter
from p4nic.errors import TargetError
from p4nic.ir.program import Exact
from p4nic.load.dpdk_spec import load_text
from p4nic.target.ports.pcap import read_packets
from p4nic.target.switch import Switch

pytestmark = needs_dpdk
AWAY = 0xFFFFFFF0
"""A port beyond DPDK's array of ports: `tx` reads whatever lies there."""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "small.spec"
    path.write_text(SPEC, encoding="utf-8")
    return path


@pytest.fixture
def switch(spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Switch]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    backend = SwxBackend(report=reporter(SwxBackend, [spec], None))
    with Switch(backend.build(load_text(SPEC, "small.spec"), Options()), ManualClock()) as made:
        yield made


def kept(error: TargetError) -> Path:
    (folder,) = re.findall(r"are in (\S+)$", str(error))
    return Path(folder)


def test_the_packet_and_the_entry_it_needs_are_kept_and_the_command_shows_it_again(
    switch: Switch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(20):
        switch.tables.insert(entry("same", Exact(number), number))
    switch.tables.insert(entry("same", Exact(99), AWAY))
    with pytest.raises(
        TargetError, match="crashed with SIG.*; 1 packets and 1 entries that show it"
    ) as caught:
        switch.burst([(0, frame(1, 3)), (1, frame(1, 99)), (2, frame(1, 4))])
    folder = kept(caught.value)
    (packet,) = read_packets(folder / "port-1.pcap")
    assert packet.data == frame(1, 99)
    (left,) = json.loads((folder / "entries.json").read_text())["entries"]
    assert left["args"] == {"port": AWAY}
    command = shlex.split((folder / "crash.txt").read_text())
    assert main(command[1:]) == 2
    assert "DPDK crashed with SIG" in capsys.readouterr().err


def test_the_next_packet_finds_a_fresh_dpdk_with_all_entries(switch: Switch) -> None:
    switch.tables.insert(entry("same", Exact(1), 3))
    switch.tables.insert(entry("same", Exact(99), AWAY))
    for _ in range(3):
        with pytest.raises(TargetError, match="crashed with SIG"):
            switch.inject(0, frame(1, 99))
        assert ports(switch, frame(1, 1)) == [3]


def test_the_command_line_says_where(
    spec: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    capture = write_pcap(tmp_path / "a.pcap", [frame(0), frame(5)])
    argv = ["run", str(spec), "--backend", "swx", "--in", f"2={capture}", "--out", str(tmp_path / "out")]
    assert main(argv) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "port 2" in said
    assert "1 packets and 0 entries that show it again are in" in said
