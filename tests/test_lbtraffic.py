"""lbtraffic: flows are seeded, frames say what they were told, checksums are judged, bad input is told."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from scapy.utils import wrpcap

from lbtraffic.__main__ import main
from lbtraffic.errors import TrafficError
from lbtraffic.flows import Flow, Service, flows, parse_service
from lbtraffic.frames import Frame, build, differences, read, wrong_checksums
from lbtraffic.wires import open_wire

WEB = Service("10.96.10.1", 80, "TCP")


def test_the_same_seed_gives_the_same_different_flows() -> None:
    first = list(flows("198.51.100.0/24", WEB, 500, seed=7))
    assert first == list(flows("198.51.100.0/24", WEB, 500, seed=7))
    assert len(set(first)) == 500
    assert first != list(flows("198.51.100.0/24", WEB, 500, seed=8))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("10.96.10.1", "has no IPv4 address; write ADDRESS:PORT/PROTO"),
        ("10.96.10.1:0/TCP", "has no port between 1 and 65535"),
        ("10.96.10.1:80/SCTP", "names the protocol 'SCTP'; write TCP or UDP"),
    ],
)
def test_a_service_that_cannot_be_read_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(TrafficError, match=sentence):
        parse_service(text)


def test_more_flows_than_there_are_is_refused() -> None:
    with pytest.raises(TrafficError, match="has not 70000 different flows"):
        list(flows("10.0.0.1", WEB, 70_000, seed=0))


@pytest.mark.parametrize(
    "frame",
    [
        Frame(src="10.0.0.1", dst="10.0.0.2", protocol="TCP", sport=4000, dport=80, flags="SA", ttl=9),
        Frame(src="10.0.0.1", dst="10.0.0.2", protocol="UDP", sport=4000, dport=53, vlan=12),
        Frame(src="10.0.0.1", dst="10.0.0.2", protocol="ICMP", sport=77),
        Frame(smac="02:00:00:00:00:01", arp="who-has", src="10.0.0.1", dst="10.0.0.2"),
        Frame(
            src="10.0.0.1", dst="10.0.0.2", protocol="TCP", sport=1, dport=2, vni=4096, tunnel_dst="192.0.2.9"
        ),
    ],
)
def test_a_frame_built_says_what_it_was_told_and_is_right(frame: Frame) -> None:
    sent = build(frame)
    assert len(sent) >= 60
    assert differences(frame, read(sent)) == []
    assert wrong_checksums(sent) == []


def test_unset_fields_do_not_matter_and_set_ones_do() -> None:
    seen = read(build(Frame(src="10.0.0.1", dst="10.0.0.2", protocol="TCP", sport=4000, dport=80)))
    assert differences(Frame(dst="10.0.0.2"), seen) == []
    assert differences(Frame(dst="10.0.0.3", dport=81), seen) == [
        "dst is 10.0.0.2, not 10.0.0.3",
        "dport is 80, not 81",
    ]


@pytest.mark.parametrize(("offset", "layer"), [(22, "IPv4"), (47, "TCP")])
def test_a_flipped_bit_is_found_in_the_checksum_that_covers_it(offset: int, layer: str) -> None:
    frame = bytearray(build(Frame(src="10.0.0.1", dst="10.0.0.2", protocol="TCP", sport=4000, dport=80)))
    frame[offset] ^= 1
    assert wrong_checksums(bytes(frame)) == [layer]


def test_a_udp_checksum_of_zero_is_none() -> None:
    frame = build(Frame(src="10.0.0.1", dst="10.0.0.2", protocol="UDP", sport=1, dport=2, udp_checksum=0))
    assert wrong_checksums(frame) == []


def test_send_drives_a_unix_port(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The test is the target here: it answers with the frame it got."""
    path = str(tmp_path / "p0.sock")
    target = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    target.bind(path)
    wire = open_wire(f"unix:{path}")
    wire.send(b"x" * 60)
    assert target.recv(100) == b"x" * 60
    other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    other.sendto(b"y" * 60, path + ".peer")  # a target may send from another socket than it receives on
    other.close()
    assert wire.receive_all() == [b"y" * 60]
    wire.close()
    words = ["--from", "10.244.1.16", "--to", "10.96.10.1:80/TCP", "--flows", "3", "--wait", "0.01"]
    assert main(["send", "--wire", f"unix:{path}", *words]) == 0
    assert "3 sent" in capsys.readouterr().out
    wanted = list(flows("10.244.1.16", WEB, 3, seed=0))
    seen = [read(target.recv(2000)) for _ in wanted]
    assert [Flow(s.src or "", s.sport or 0, WEB) for s in seen] == wanted
    target.close()


def test_check_tells_good_captures_from_bad_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = build(Frame(src="10.0.0.1", dst="10.0.0.2", protocol="TCP", sport=4000, dport=80))
    bad = good[:47] + bytes([good[47] ^ 1]) + good[48:]
    capture = tmp_path / "c.pcap"
    wrpcap(str(capture), [good, bad])
    assert main(["check", str(capture)]) == 1
    assert capsys.readouterr().out == "frame 2: wrong checksum in TCP\n2 frames, 1 with a wrong checksum\n"


def test_a_truncated_capture_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capture = tmp_path / "c.pcap"
    wrpcap(str(capture), [build(Frame(src="10.0.0.1", dst="10.0.0.2", protocol="TCP"))] * 2)
    capture.write_bytes(capture.read_bytes()[:-20])
    assert main(["check", str(capture)]) == 2
    assert capsys.readouterr().err == (
        f"lbtraffic: {capture} is truncated: frame 2 has 40 of its 60 bytes; capture it again\n"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["check", "absent.pcap"], "absent.pcap does not exist"),
        (["replay", "absent.pcap", "--wire", "unix:/nowhere"], "absent.pcap does not exist"),
        (["send", "--wire", "tcp:1", "--from", "10.0.0.1", "--to", "10.0.0.2:1"], "'tcp:1' is not a port"),
        (
            ["send", "--wire", "unix:/nowhere/p", "--from", "10.0.0.1", "--to", "10.0.0.2:1"],
            "cannot be opened",
        ),
    ],
)
def test_bad_input_ends_in_one_sentence_and_code_2(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("lbtraffic: ")
    assert sentence in said
    assert said.count("\n") == 1
