"""`p4nic explain`: a packet through the shipped load balancer as text, JSON and a page."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cli_samples import ENTRIES, NOBODY, syn, write_pcap

from p4nic.__main__ import main

BUILD = Path(__file__).parents[1] / "pipeline" / "build"


@pytest.fixture
def entries(tmp_path: Path) -> list[str]:
    path = tmp_path / "lb.yaml"
    path.write_text(ENTRIES)
    return ["--entries", str(path), "--port", "1"]


@pytest.mark.parametrize("artifact", [[], [str(BUILD / "k8s_lb.json")]], ids=["spec", "json"])
def test_a_syn_to_a_service(
    artifact: list[str], entries: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """What a person looks for: where it was parsed, which entries it met, what became of it."""
    assert main(["explain", *artifact, *entries, "--hex", syn().hex(" ")]) == 0
    shown = capsys.readouterr().out
    lines = [line[:96].rstrip() for line in shown.splitlines()]
    wanted = [
        "packet 1 on port 1, 54 bytes, at 0.000000 s",
        "  IPv4 192.0.2.9:1025 → 10.96.0.10:80 TCP SYN ttl 64",
        "  table Lb.port_role  in_port=1",
        "    hit   in_port=1",
        "  action Lb.uplink()",
        "  table Lb.flow_table  k_src=192.0.2.9 k_dst=10.96.0.10 k_proto=6 k_sport=1025 k_dport=80",
        "    miss",
        "  table Lb.service_vip  ip_dst=10.96.0.10 proto=6 dport=80",
        "    hit   ip_dst=10.96.0.10 proto=6 dport=80",
        "  action Lb.set_service(service_id=7, bucket_mask=0, affinity=0)",
        "  action Lb.set_destination(ip=10.0.1.6, port=8080)",
        "  table Lb.route  ip_dst=10.0.1.6",
        "    hit   ip_dst=10.0.1.6/32",
        "  write ipv4.dst = 10.96.0.10 → 10.0.1.6",
        "  write ipv4.ttl = 64 → 63",
        "  ⇒ sent to port 2, 54 bytes: IPv4 192.0.2.9:1025 → 10.0.1.6:8080 TCP SYN ttl 63",
        "      byte 22: 40 → 3f",
    ]
    position = 0
    for line in wanted:
        assert line in lines[position:], line
        position = lines.index(line, position)


def test_the_source_line_is_told(entries: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", str(BUILD / "k8s_lb.json"), *entries, "--hex", syn().hex()]) == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("  table Lb.service_vip ")]
    assert line.split()[-1].startswith("stages/06_service.p4:")


def test_a_miss_names_what_nearly_matched(entries: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *entries, "--hex", syn(NOBODY).hex()]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert (
        "    near  ip_dst=10.96.0.10 proto=6 dport=80: ip_dst is 10.96.0.11, the entry wants 10.96.0.10"
        in lines
    )
    assert lines[-1] == "  ⇒ dropped: drop action"


def test_the_packets_before_leave_their_state(
    entries: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_pcap(tmp_path / "in.pcap", [syn(), syn()])
    assert main(["explain", *entries, "--pcap", str(source), "--packet", "2"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("packet 2 on port 1, 54 bytes, at 1.000000 s\n")
    assert "(learned)" in shown
    assert "table Lb.service_vip" not in shown


def test_json_tells_everything(
    entries: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_pcap(tmp_path / "in.pcap", [syn(), syn(NOBODY)])
    assert main(["explain", *entries, "--pcap", str(source), "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["verdict"], second["verdict"]) == ("sent to port 2", "dropped: drop action")
    assert first["frame"] == syn().hex()
    assert first["sent"][0]["port"] == 2
    (vip,) = [e for e in first["events"] if e["kind"] == "apply" and e["table"] == "Lb.service_vip"]
    assert (vip["hit"], vip["key"]["dport"], vip["entry"]["args"]["service_id"]) == (True, 80, 7)
    assert {"state", "extract", "apply", "action", "write", "send"} <= {e["kind"] for e in first["events"]}


def test_all_tells_what_the_short_text_leaves_out(
    entries: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    texts = []
    for more in ([], ["--all"]):
        assert main(["explain", *entries, "--hex", syn().hex(), *more]) == 0
        texts.append(capsys.readouterr().out)
    short, full = texts
    assert "write m.local_metadata" not in short
    assert "write m.local_metadata" in full
    assert set(short.splitlines()) <= set(full.splitlines())


class Page(HTMLParser):
    """Keeps the text, and checks that every tag is closed and nothing is loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not {"src", "href"} & {name for name, _ in attrs}
        if tag not in ("meta", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_self_contained(
    entries: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = write_pcap(tmp_path / "in.pcap", [syn(), syn(NOBODY)]), tmp_path / "page.html"
    assert main(["explain", *entries, "--pcap", str(source), "--html", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"page written to {out}"
    page = Page()
    page.feed(out.read_text())
    assert page.open == []
    for text in (
        "Packet 1 on port 1",
        "sent to port 2",
        "dropped: drop action",
        "Lb.service_vip",
        "bytes 36..37",
    ):
        assert text in page.text


def test_refusals(entries: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_pcap(tmp_path / "in.pcap", [syn()])
    assert main(["explain", *entries, "--pcap", str(source), "--packet", "5"]) == 2
    assert capsys.readouterr().err == f"p4nic: --packet 5: {source} has 1 packets\n"
    assert main(["explain", *entries, "--hex", "00", "--html", str(tmp_path / "no" / "x.html")]) == 2
    assert capsys.readouterr().err.endswith("No such file or directory\n")
    source.write_bytes(source.read_bytes() + b"\0")
    assert main(["explain", *entries, "--pcap", str(source)]) == 2
    shown = capsys.readouterr()
    assert shown.out.startswith("packet 1 on port 1")
    assert shown.err == f"p4nic: {source} is truncated: it ends within the header of packet 2\n"


def test_bytes_that_are_no_frame(
    entries: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_pcap(tmp_path / "in.pcap", [syn()[:length] for length in range(54)])
    assert main(["explain", *entries, "--pcap", str(source)]) == 0
    assert capsys.readouterr().out.count("  ⇒ dropped: ") == 54
