"""`make run` as a user runs it: every verdict holds, two runs give the same bytes, captures are explained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from scapy.utils import wrpcap

from lbtraffic.frames import Frame, build

SCRIPT = Path(__file__).resolve().parent.parent / "examples/run_shop.py"


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("artifact", ["spec", "json"])
def test_every_verdict_holds_and_two_runs_give_the_same_bytes(artifact: str, tmp_path: Path) -> None:
    first, second = (run("--artifact", artifact, "--out", str(tmp_path / name)) for name in ("a", "b"))
    assert first.returncode == 0, first.stdout + first.stderr
    assert ", 0 failed" in first.stdout
    for name in ("index.html", "verdicts.json", "explained.html"):
        one = (tmp_path / "a" / name).read_text().replace(str(tmp_path / "a"), "")
        assert one == (tmp_path / "b" / name).read_text().replace(str(tmp_path / "b"), "")
    assert second.returncode == 0


def capture(path: Path) -> bytes:
    """A client's SYN, and a packet with somebody else's address."""
    syn = Frame(
        smac="02:00:0a:f4:01:07", dmac="02:00:00:00:01:01", src="10.244.1.16", dst="10.96.10.3",
        protocol="TCP", sport=40_000, dport=80,
    )  # fmt: skip
    spoofed = Frame(src="10.244.1.99", dst="10.96.10.3", protocol="TCP", sport=1, dport=80)
    wrpcap(str(path), [build(syn), build(spoofed)])
    return path.read_bytes()


def test_a_capture_is_told_packet_by_packet(tmp_path: Path) -> None:
    capture(tmp_path / "c.pcap")
    done = run("--pcap", str(tmp_path / "c.pcap"))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "packet 1: IPv4 10.244.1.16:40000 → 10.96.10.3:80 TCP SYN ttl 64 ⇒ sent to port 3" in lines[-2]
    assert lines[-1].endswith("⇒ dropped: drop action (spoofed_source)")


def test_a_truncated_capture_is_told_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = capture(tmp_path / "c.pcap")
    (tmp_path / "c.pcap").write_bytes(whole[:-30])
    done = run("--pcap", str(tmp_path / "c.pcap"))
    assert done.returncode == 2
    assert "packet 1: IPv4 10.244.1.16:40000" in done.stdout
    assert done.stderr.startswith("run: ")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
