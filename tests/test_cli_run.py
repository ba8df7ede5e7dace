"""`p4nic run`: captures through the shipped load balancer, on both artifacts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_samples import ENDPOINT, ENTRIES, NOBODY, syn, write_pcap

from p4nic.__main__ import main
from p4nic.target.ports.pcap import read_packets

BUILD = Path(__file__).parents[1] / "pipeline" / "build"
ARTIFACTS = {"spec": [], "json": [str(BUILD / "k8s_lb.json")]}


@pytest.fixture
def entries(tmp_path: Path) -> Path:
    path = tmp_path / "lb.yaml"
    path.write_text(ENTRIES)
    return path


@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_a_syn_reaches_the_endpoint(
    artifact: str, entries: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_pcap(tmp_path / "in.pcap", [syn(), syn(NOBODY), syn()], start_ns=5_000_000_000)
    out = tmp_path / "out"
    words = ["run", *ARTIFACTS[artifact], "--entries", str(entries), "--in", f"1={source}", "--out", str(out)]
    assert main(words) == 0
    sent = list(read_packets(out / "port-2.pcap"))
    assert [p.time_ns for p in sent] == [5_000_000_000, 7_000_000_000]
    assert [".".join(map(str, p.data[30:34])) for p in sent] == [ENDPOINT] * 2
    assert capsys.readouterr().out == (
        f"3 packets, results in {out}\n  port 1: 3 received, 0 sent\n  port 2: 0 received, 2 sent\n"
        "  dropped 1: drop action\n"
    )
    summary = json.loads((out / "summary.json").read_text())
    assert summary["packets"] == 3
    assert summary["duration_ns"] == 2_000_000_000
    assert summary["ports"]["2"]["tx_packets"] == 2
    assert summary["drops"] == {"drop action": 1}
    assert len(summary["digests"]) == (2 if artifact == "json" else 0)


def test_the_same_input_gives_the_same_bytes(entries: Path, tmp_path: Path) -> None:
    source = write_pcap(tmp_path / "in.pcap", [syn(sport=port) for port in range(2000, 2020)])
    for name in ("a", "b"):
        words = [
            "run",
            "--entries",
            str(entries),
            "--in",
            f"1={source}",
            "--out",
            str(tmp_path / name),
            "--explain",
        ]
        assert main(words) == 0
    names = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert names == ["explain.txt", "port-2.pcap", "summary.json"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_explain_says_each_packets_fate(
    entries: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_pcap(tmp_path / "in.pcap", [syn(), syn(NOBODY)])
    out = tmp_path / "out"
    assert (
        main(["run", "--entries", str(entries), "--in", f"1={source}", "--out", str(out), "--explain"]) == 0
    )
    assert capsys.readouterr().out.splitlines()[:2] == [
        "#1 port 1  IPv4 192.0.2.9:1025 → 10.96.0.10:80 TCP SYN ttl 64  ⇒ sent to port 2",
        "#2 port 1  IPv4 192.0.2.9:1025 → 10.96.0.11:80 TCP SYN ttl 64  ⇒ dropped: drop action",
    ]
    assert (out / "explain.txt").read_text().count("\npacket ") == 1


def test_captures_are_merged_by_time(
    entries: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = write_pcap(tmp_path / "1.pcap", [syn(sport=1), syn(sport=3)], step_ns=20)
    two = write_pcap(tmp_path / "2.pcap", [syn(sport=2)], start_ns=10)
    words = [
        "run",
        "--entries",
        str(entries),
        "--in",
        f"1={one}",
        "--in",
        f"2={two}",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main([*words, "--explain"]) == 0
    ports = [line.split()[2] for line in capsys.readouterr().out.splitlines() if line.startswith("#")]
    assert ports == ["1", "2", "1"]


def test_entries_age_as_the_packets_were_sent(entries: Path, tmp_path: Path) -> None:
    """A SYN is forgotten after 30 s: two SYNs a minute apart are learned twice."""
    learned = {}
    for gap in (1, 60):
        source = write_pcap(tmp_path / "in.pcap", [syn(), syn()], step_ns=gap * 1_000_000_000)
        out = tmp_path / str(gap)
        assert main(["run", "--entries", str(entries), "--in", f"1={source}", "--out", str(out)]) == 0
        summary = json.loads((out / "summary.json").read_text())
        learned[gap] = (summary["engine"]["learned"], summary["expired"])
    assert learned == {1: (2, 0), 60: (4, 2)}


def test_a_truncated_capture_is_processed_up_to_the_break(
    entries: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_pcap(tmp_path / "in.pcap", [syn(), syn(sport=2), syn(sport=3)])
    source.write_bytes(source.read_bytes()[:-7])
    out = tmp_path / "out"
    assert main(["run", "--entries", str(entries), "--in", f"1={source}", "--out", str(out)]) == 2
    assert capsys.readouterr().err == (
        f"p4nic: {source} is truncated: packet 3 has 47 of its 54 bytes; the 2 before it are whole\n"
    )
    assert len(list(read_packets(out / "port-2.pcap"))) == 2
    assert json.loads((out / "summary.json").read_text())["packets"] == 2


def test_frames_of_any_length_are_processed_or_counted(entries: Path, tmp_path: Path) -> None:
    frames = [syn()[:length] for length in range(55)] + [bytes(9000)]
    source = write_pcap(tmp_path / "in.pcap", frames)
    for artifact, words in ARTIFACTS.items():
        out = tmp_path / artifact
        assert main(["run", *words, "--entries", str(entries), "--in", f"1={source}", "--out", str(out)]) == 0
        summary = json.loads((out / "summary.json").read_text())
        sent = sum(port["tx_packets"] for port in summary["ports"].values())
        assert sum(summary["drops"].values()) + sent == 56
        assert sent == 1


def test_a_folder_that_cannot_be_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_pcap(tmp_path / "in.pcap", [syn()])
    assert main(["run", "--in", f"1={source}", "--out", str(source)]) == 2
    assert capsys.readouterr().err == (
        f"p4nic: cannot write to the folder {source}: File exists; give another --out\n"
    )


def test_results_of_an_earlier_run_do_not_stay(entries: Path, tmp_path: Path) -> None:
    heard = write_pcap(tmp_path / "heard.pcap", [syn()])
    lost = write_pcap(tmp_path / "lost.pcap", [syn(NOBODY)])
    out = tmp_path / "out"
    (tmp_path / "out").mkdir()
    (out / "notes.txt").write_text("mine")
    words = ["run", "--entries", str(entries), "--out", str(out)]
    assert main([*words, "--in", f"1={heard}", "--explain"]) == 0
    assert sorted(p.name for p in out.iterdir()) == [
        "explain.txt",
        "notes.txt",
        "port-2.pcap",
        "summary.json",
    ]
    assert main([*words, "--in", f"1={lost}"]) == 0
    assert sorted(p.name for p in out.iterdir()) == ["notes.txt", "summary.json"]


def test_results_are_not_written_over_what_is_read(
    entries: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_pcap(tmp_path / "port-2.pcap", [syn()])
    words = ["run", "--entries", str(entries), "--in", f"1={source}", "--out", str(tmp_path)]
    assert main(words) == 2
    assert capsys.readouterr().err == (
        f"p4nic: {source} is read, and results are written to {tmp_path}; give another --out\n"
    )
    assert len(list(read_packets(source))) == 1


def test_a_port_the_program_does_not_have(
    entries: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_pcap(tmp_path / "in.pcap", [syn()])
    words = ["run", *ARTIFACTS["json"], "--entries", str(entries), "--out", str(tmp_path / "out")]
    assert main([*words, "--in", f"513={source}"]) == 2  # nine bits of it are port 1
    assert capsys.readouterr().err == (
        f"p4nic: port 513 does not exist, the last one is 511; give {source} another number\n"
    )
