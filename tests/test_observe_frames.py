"""Frames in one line, and metrics: what people and Prometheus read."""

from __future__ import annotations

import struct

import pytest
from cli_samples import syn
from fake_pipeline import FakePipeline

from p4nic.clock import ManualClock
from p4nic.observe.frames import changes, dump, summary
from p4nic.observe.metrics import render
from p4nic.target.switch import Switch

ETHERNET = bytes(12)
IPV4 = bytes.fromhex("45000000 00000000 40110000 0a000001 0a000002")


def udp(sport: int, dport: int, payload: bytes = b"") -> bytes:
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (syn(), "IPv4 192.0.2.9:1025 → 10.96.0.10:80 TCP SYN ttl 64"),
        (
            syn()[:12] + bytes.fromhex("81002007") + syn()[12:],
            "VLAN 7 IPv4 192.0.2.9:1025 → 10.96.0.10:80 TCP SYN ttl 64",
        ),
        (ETHERNET + b"\x08\x00" + IPV4 + udp(5, 53), "IPv4 10.0.0.1:5 → 10.0.0.2:53 UDP ttl 64"),
        (
            ETHERNET + b"\x08\x00" + IPV4 + udp(5, 4789, bytes.fromhex("0800000000002a00") + syn()),
            "IPv4 10.0.0.1:5 → 10.0.0.2:4789 UDP ttl 64 | VXLAN vni 42 | "
            "IPv4 192.0.2.9:1025 → 10.96.0.10:80 TCP SYN ttl 64",
        ),
        (
            ETHERNET + b"\x08\x00" + IPV4[:9] + b"\x01" + IPV4[10:] + b"\x08\0",
            "IPv4 10.0.0.1 → 10.0.0.2 ICMP echo request ttl 64",
        ),
        (
            ETHERNET + b"\x08\x00" + IPV4[:6] + b"\x20\x05" + IPV4[8:],
            "IPv4 10.0.0.1 → 10.0.0.2 protocol 17, fragment at 40, ttl 64",
        ),
        (
            ETHERNET + bytes.fromhex("0806 0001080006040001 020000000001 0a000001 000000000000 0a000002"),
            "ARP who has 10.0.0.2? tell 10.0.0.1",
        ),
        (
            ETHERNET + bytes.fromhex("86dd 60000000 0000 3a 40") + bytes(15) + b"\1" + bytes(15) + b"\2",
            "IPv6 [::1] → [::2] protocol 58 hops 64",
        ),
        (ETHERNET + b"\x88\xcc" + bytes(9), "EtherType 0x88cc, 9 bytes"),
        (b"", "0 bytes, cut short"),
        (syn()[:20], "20 bytes, cut short"),
    ],
)  # fmt: skip
def test_summary(frame: bytes, text: str) -> None:
    assert summary(frame) == text


def test_summary_survives_any_cut() -> None:
    frame = ETHERNET + b"\x08\x00" + IPV4 + udp(5, 4789, bytes.fromhex("0800000000002a00") + syn())
    for length in range(len(frame)):
        assert summary(frame[:length])


def test_changes() -> None:
    assert changes(b"\0\1\2\3\4", b"\0\1\2\3\4") == []
    assert changes(b"\0\1\2\3\4", b"\0\xa1\xa2\3\xa4") == ["bytes 1..2: 0102 → a1a2", "byte 4: 04 → a4"]
    assert changes(b"abc", b"abcd") == ["3 bytes became 4"]


def test_dump() -> None:
    assert dump(bytes(range(18)))[1] == "0010  10 11"


def test_metrics() -> None:
    switch = Switch(FakePipeline(), ManualClock())
    switch.burst([(1, b"\x02ab"), (1, b"\xff"), (1, b"\xfd\x07")])
    text = render(switch)
    for line in (
        '# TYPE p4nic_port_rx_packets_total counter',
        'p4nic_port_rx_packets_total{port="1"} 3',
        'p4nic_port_tx_bytes_total{port="2"} 3',
        'p4nic_drops_total{reason="drop action"} 1',
        'p4nic_engine_events_total{event="learned"} 1',
        'p4nic_table_entries{table="learned"} 1',
    ):  # fmt: skip
        assert line in text.splitlines()
    assert render(switch) == text
    assert render(Switch(None, ManualClock())).endswith("\n")
