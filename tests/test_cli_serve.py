"""`p4nic serve` as a process: it says when it is ready, forwards between its ports, and ends cleanly."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any as Json

import pytest
from cli_samples import ENTRIES, syn

from p4nic.__main__ import main

PATIENCE = 60


@contextmanager
def serving(tmp_path: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Json]]]:
    """The process and what its ready file says."""
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "p4nic", "serve", "--ready-file", str(ready), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            until = time.monotonic() + PATIENCE
            while not ready.exists():
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < until, "not ready"
                time.sleep(0.02)
            yield process, json.loads(ready.read_text())
        finally:
            process.kill()


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, out, errors


def test_frames_go_from_port_to_port(tmp_path: Path) -> None:
    entries = tmp_path / "lb.yaml"
    entries.write_text(ENTRIES)
    one, two = tmp_path / "p1", tmp_path / "p2"
    words = (
        "--grpc",
        "127.0.0.1:0",
        "--port",
        f"1@unix:{one}",
        "--port",
        f"2@unix:{two}",
        "--entries",
        str(entries),
    )
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as pod,
        serving(tmp_path, *words) as (process, ready),
    ):
        pod.bind(f"{two}.peer")
        pod.settimeout(PATIENCE)
        assert ready["ports"] == {"1": f"unix:{one}", "2": f"unix:{two}"}
        assert ready["grpc"].startswith("127.0.0.1:")
        assert ready["pid"] == process.pid
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(syn(), str(one))
        assert pod.recv(2000)[30:34] == bytes([10, 0, 1, 6])
        code, out, errors = end(process)
    assert code == 0
    assert out == f"p4nic: k8s_lb, P4Runtime on {ready['grpc']}, ports 2, clock real\n"
    assert errors == ""
    assert not one.exists()


def test_an_empty_switch_waits_for_a_program(tmp_path: Path) -> None:
    words = ("--empty", "--grpc", f"unix:{tmp_path}/grpc", "--clock", "manual")
    with serving(tmp_path, *words) as (process, ready):
        assert ready["grpc"] == f"unix:{tmp_path}/grpc"
        code, out, _ = end(process)
    assert code == 0
    assert out == f"p4nic: no program yet, P4Runtime on {ready['grpc']}, ports 0, clock manual\n"


def test_every_drop_can_be_read_while_it_serves(tmp_path: Path) -> None:
    """A runt is the target's drop on the PNA artifact: the program never saw it, so P4Runtime cannot tell."""
    one = tmp_path / "p1"
    words = ("--grpc", "127.0.0.1:0", "--metrics", "127.0.0.1:0", "--clock", "manual")
    with serving(tmp_path, *words, "--port", f"1@unix:{one}") as (process, ready):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.sendto(b"\x02\x00", str(one))
        page = ""
        for _ in range(500):  # until the frame has been dealt with
            with urllib.request.urlopen(f"http://{ready['metrics']}/metrics", timeout=10) as answer:
                page = answer.read().decode()
            if 'p4nic_port_rx_packets_total{port="1"} 1' in page:
                break
            time.sleep(0.02)
        assert 'p4nic_drops_total{reason="packet too short"} 1' in page
        assert 'p4nic_engine_events_total{event="learn_failed"} 0' in page
        with pytest.raises(urllib.error.HTTPError, match="404: the counters are at /metrics"):
            urllib.request.urlopen(f"http://{ready['metrics']}/", timeout=10)
        assert end(process)[0] == 0


REFUSED = [
    (["--grpc", "192.0.2.1:9", "--insecure"],
     "the P4Runtime server cannot listen on 192.0.2.1:9; is it in use, or not of this machine?"),
    (["--port", "1@veth:p4nicnone"], "there is no interface p4nicnone; make one with: "
     "ip link add p4nicnone type veth peer name p4nicnone-peer"),
    (["--grpc", "127.0.0.1:99999"],
     "--grpc 127.0.0.1:99999 is neither HOST:PORT nor unix:PATH, for example 127.0.0.1:9559"),
    (["--grpc", "nope"], "--grpc nope is neither HOST:PORT nor unix:PATH, for example 127.0.0.1:9559"),
    (["--device-id", "-4"], "--device-id -4 is negative; P4Runtime's device ids begin at 0"),
    (["--grpc", "127.0.0.1:0", "--metrics", "9100"],
     "--metrics 9100 is not HOST:PORT, for example 127.0.0.1:9100"),
    (["--grpc", "127.0.0.1:0", "--metrics", "192.0.2.1:9100"],
     "the metrics cannot listen on 192.0.2.1:9100: Cannot assign requested address"),
    (["--port", "510@memory"], "port 510 is the CPU port; give memory another number"),
    (["--port", "1@memory", "--port", "1@memory"], "port 1 is already memory; it cannot be memory too"),
    (["--port", "1@pcap:/nonexistent"], "cannot read /nonexistent: No such file or directory"),
    (["--grpc", "127.0.0.1:0", "--ready-file", "/nonexistent/ready"],
     "cannot write the ready file /nonexistent/ready: No such file or directory"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "sentence"), REFUSED, ids=[row[1][:40] for row in REFUSED])
def test_refusals(words: list[str], sentence: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", *words]) == 2
    assert capfd.readouterr().err.splitlines()[-1] == f"p4nic: {sentence}"


def test_an_artifact_without_p4info(capsys: pytest.CaptureFixture[str]) -> None:
    artifact = Path(__file__).parents[1] / "pipeline" / "build" / "k8s_lb.json"
    assert main(["serve", str(artifact)]) == 2
    sentence = "serve needs the artifact's P4Info to speak P4Runtime; give it with --p4info F"
    assert capsys.readouterr().err == f"p4nic: {sentence}\n"
