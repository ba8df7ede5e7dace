"""pcap files in and out: both byte orders, both resolutions, and every way a file can be broken."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from fake_pipeline import FakePipeline

from p4nic.clock import ManualClock
from p4nic.errors import InputError
from p4nic.target.ports.pcap import Packet, PcapPort, PcapWriter, read_packets
from p4nic.target.switch import Switch


def header(order: str = "<", magic: int = 0xA1B2C3D4, link: int = 1) -> bytes:
    return struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)


def record(
    data: bytes, seconds: int = 1, fraction: int = 5, order: str = "<", wire: int | None = None
) -> bytes:
    return (
        struct.pack(order + "IIII", seconds, fraction, len(data), len(data) if wire is None else wire) + data
    )


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("magic", "unit"), [(0xA1B2C3D4, 1000), (0xA1B23C4D, 1)])
def test_reads_every_classic_kind(tmp_path: Path, order: str, magic: int, unit: int) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(header(order, magic) + record(b"abc", order=order) + record(b"", 2, 0, order, wire=1500))
    assert list(read_packets(path)) == [
        Packet(1_000_000_000 + 5 * unit, b"abc", 3),
        Packet(2_000_000_000, b"", 1500),
    ]


def test_what_is_written_is_read_back_and_the_bytes_are_the_same(tmp_path: Path) -> None:
    for name in ("a", "b"):
        writer = PcapWriter(tmp_path / name)
        writer.write(b"frame", 1_500_000_001)
        writer.close()
    assert list(read_packets(tmp_path / "a")) == [Packet(1_500_000_001, b"frame", 5)]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


BROKEN = [
    (b"", "PATH is not a pcap file: it begins with nothing"),
    (b"hello, world", "PATH is not a pcap file: it begins with 68656c6c"),
    (
        b"\x0a\x0d\x0d\x0a" + bytes(60),
        "PATH is pcapng; convert it with: editcap -F pcap a.pcap converted.pcap",
    ),
    (header()[:20], "PATH is truncated: its header has 20 of 24 bytes"),
    (header(link=101), "PATH holds link type 101, not Ethernet (1)"),
    (header() + record(b"whole") + b"\0\0\0", "PATH is truncated: it ends within the header of packet 2"),
    (
        header() + record(b"whole") + record(b"half")[:-2],
        "PATH is truncated: packet 2 has 2 of its 4 bytes; the 1 before it are whole",
    ),
    (
        header() + struct.pack("<IIII", 0, 0, 1 << 31, 4),
        "PATH is damaged: packet 1 claims to have 2147483648 bytes",
    ),
]


@pytest.mark.parametrize(("data", "sentence"), BROKEN, ids=[row[1][5:40] for row in BROKEN])
def test_a_broken_file_is_one_sentence(tmp_path: Path, data: bytes, sentence: str) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(data)
    got: list[bytes] = []
    with pytest.raises(InputError) as refusal:
        got.extend(packet.data for packet in read_packets(path))
    assert str(refusal.value).replace(str(path), "PATH") == sentence


def test_packets_before_the_break_are_given(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(header() + record(b"one") + record(b"two") + record(b"three")[:-1])
    packets = read_packets(path)
    assert [next(packets).data, next(packets).data] == [b"one", b"two"]
    with pytest.raises(InputError, match="packet 3 has 4 of its 5 bytes"):
        next(packets)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*nothing.pcap: No such file or directory"):
        list(read_packets(tmp_path / "nothing.pcap"))
    with pytest.raises(InputError, match=r"cannot write .*/no/out.pcap: No such file or directory"):
        PcapWriter(tmp_path / "no" / "out.pcap")


def test_as_a_port_of_a_switch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source, sink = tmp_path / "in.pcap", tmp_path / "out.pcap"
    frames = [b"\x01" + bytes([i]) for i in range(100)]
    source.write_bytes(header() + b"".join(map(record, frames)) + record(b"cut")[:-1])
    with Switch(FakePipeline(), ManualClock()) as switch:
        switch.attach(1, PcapPort(source, sink))
        assert switch.drain()
    assert [packet.data for packet in read_packets(sink)] == frames
    assert "port 1 (pcap:" in caplog.text
    assert "packet 101 has 2 of its 3 bytes" in caplog.text


def test_a_port_refuses_a_wrong_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(b"hello")
    with pytest.raises(InputError, match="is not a pcap file"):
        PcapPort(path)
