"""`p4nic` itself: help, exit codes, and one sentence for whatever goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from p4nic.__main__ import COMMANDS, main


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for command, about in COMMANDS.items():
        assert f"{command} " in shown
        assert about.split(",")[0] in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_helps_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"examples:\n  p4nic {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [[], ["nonsense"], ["run"], ["dump", "--nonsense"], ["explain", "--port", "x"]]
)
def test_wrong_usage_is_exit_code_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    shown = capsys.readouterr()
    assert "usage: p4nic" in shown.out + shown.err


REFUSED = [
    (
        ["dump", "/nonexistent.json"],
        "/nonexistent.json does not exist; give the artifact (BMv2 JSON or .spec) file that p4c wrote",
    ),
    (["explain", "--port", "1", "--hex", "zz"], '--hex cannot be read as bytes: "z" is no hex digit'),
    (
        ["explain", "--port", "1", "--hex", "012"],
        "--hex cannot be read as bytes: 3 digits make no whole bytes",
    ),
    (["explain", "--port", "1", "--hex", "00", "--packet", "2"], "--packet 2 needs --pcap and counts from 1"),
    (
        ["serve", "--table-size", "Lb.route"],
        '--table-size "Lb.route" is not TABLE=N with N above 0, for example Lb.flow_table=1000000',
    ),
    (["serve", "--table-size", "rout=5"], 'there is no table "rout"; did you mean "route"?'),
    (["serve", "--notify", "Lb.flow"], 'there is no learner "Lb.flow"; did you mean "Lb.flow_table"?'),
    (
        ["serve", "--port", "eth0"],
        'port "eth0" is not N@KIND:NAME, for example 1@veth:veth0 or 2@unix:/tmp/p2',
    ),
    (
        ["serve", "--empty", "x.json"],
        "--empty starts without a program, but x.json is given; leave one of them out",
    ),
    (["run", "--in", "1", "--out", "/tmp/x"], '--in "1" is not N=PCAP, for example 1=clients.pcap'),
    (["run", "--in", "1=a", "--in", "1=b", "--out", "x"], "port 1 has two captures; merge them first"),
]


@pytest.mark.parametrize(("words", "sentence"), REFUSED, ids=[" ".join(row[0]) for row in REFUSED])
def test_bad_input_is_one_sentence_and_exit_code_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err == f"p4nic: {sentence}\n"


def test_a_backend_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "p4nic.backend.native", None)
    assert main(["explain", "--port", "1", "--hex", "00", "--backend", "native"]) == 2
    sentence = "--backend native is not part of this installation; use --backend interp"
    assert capsys.readouterr().err == f"p4nic: {sentence}\n"


def test_help_imports_nothing_heavy() -> None:
    """`--help` is instant because it loads neither protobuf nor YAML nor a loader."""
    script = (
        "import sys; from p4nic.__main__ import main; main(['--help'])\n"
        "heavy = {'google', 'grpc', 'finsy', 'yaml', 'scapy', 'json', 'p4nic.ir', 'p4nic.load'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "HEAVY []"


def test_a_reader_that_leaves_is_no_error() -> None:
    """`p4nic dump | head -1`: no traceback, exit code 0."""
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run(
        [sys.executable, "-m", "p4nic", "dump"], stdout=write, stderr=subprocess.PIPE, text=True
    )
    os.close(write)
    assert (result.returncode, result.stderr) == (0, "")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("p4nic ")


def test_dump_prints_the_shipped_program_the_same_twice(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dump"]) == 0
    first = capsys.readouterr().out
    assert main(["dump"]) == 0
    assert capsys.readouterr().out == first
    assert first.startswith("program k8s_lb (swx)\n")
    assert "Lb.flow_table" in first


def test_dump_of_a_given_artifact(capsys: pytest.CaptureFixture[str]) -> None:
    build = Path(__file__).parents[1] / "pipeline" / "build"
    assert main(["dump", str(build / "k8s_lb.json")]) == 0
    assert "(v1model)" in capsys.readouterr().out.splitlines()[0]


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    findings = {f["name"]: f for f in json.loads(capsys.readouterr().out)}
    assert findings["Python"]["present"]
    assert findings["backend interp"] == {
        "name": "backend interp", "present": True, "detail": "works", "purpose": "the definition"
    }  # fmt: skip
    assert main(["doctor"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(findings)
