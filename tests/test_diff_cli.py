"""The command `p4nic diff`: what it says, what it leaves behind, its exit codes; with real DPDK."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from cli_samples import ENTRIES, syn, write_pcap
from swx_samples import needs_dpdk

from p4nic.__main__ import main


@needs_dpdk
def test_the_load_balancer_is_the_same_on_dpdk(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    argv = ["diff", "--targets", "interp,swx", "--random", "150", "--seed", "7", "--out", str(tmp_path / "d")]
    assert main(argv) == 0
    out = capsys.readouterr().out
    assert out.startswith("k8s_lb on interp, swx: 150 packets (")
    assert out.endswith("in 3 runs, 3 comparable, 0 different\n")
    assert not (tmp_path / "d").exists()


@needs_dpdk
def test_captures_go_through_both(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "lb.yaml").write_text(ENTRIES, encoding="utf-8")
    capture = write_pcap(tmp_path / "a.pcap", [syn(), syn(sport=9), syn()], step_ns=1000)
    argv = [
        "diff",
        "--targets",
        "interp,swx",
        "--entries",
        str(tmp_path / "lb.yaml"),
        "--pcap",
        f"1={capture}",
    ]
    assert main(argv) == 0
    assert "3 packets" in capsys.readouterr().out


@needs_dpdk
def test_a_difference_leaves_a_command_that_shows_it_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Short frames: DPDK reads on behind them, the PNA specification drops them."""
    argv = ["diff", "--targets", "interp,swx", "--semantics", "spec", "--random", "300", "--seed", "1"]
    assert main([*argv, "--out", str(tmp_path / "d")]) == 1
    out = capsys.readouterr().out
    assert "1 different" in out
    assert "explain.txt beside it" in out
    assert "dropped: packet too short" in (tmp_path / "d" / "explain.txt").read_text(encoding="utf-8")
    command = (tmp_path / "d" / "difference.txt").read_text(encoding="utf-8").splitlines()[-1]
    assert "--semantics spec" in command
    again = shlex.split(command)
    assert again[:2] == ["p4nic", "diff"]
    assert main([*again[1:], "--out", str(tmp_path / "e")]) == 1
    assert "of 1 left" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "diff needs packets: give either --pcap F or --random N"),
        (["--random", "5", "--pcap", "a"], "diff needs packets"),
        (["--random", "-5"], "are numbers above 0"),
        (["--random", "5", "--run-length", "0"], "are numbers above 0"),
        (["--random", "5", "--targets", "interp"], "names one engine; a comparison needs two"),
        (["--corpus", "x", "--random", "5", "--entries", "e"], "--corpus takes its programs from a folder"),
        (["--random", "5", "--targets", "interp,tofino"], '--targets has "tofino"; engines are interp'),
    ],
)
def test_wrong_use_is_one_sentence(capsys: pytest.CaptureFixture[str], argv: list[str], words: str) -> None:
    assert main(["diff", *argv]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
