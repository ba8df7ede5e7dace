"""The floor is compared with generated code only because it does the same work: its frames are the
interpreter's, byte for byte, and it remembers as many flows."""

from __future__ import annotations

import random
import struct
from array import array
from collections.abc import Iterator

import pytest

from p4nic.backend.api import Options, Pipeline
from p4nic.backend.interp import InterpreterBackend
from p4nic.bench import csource, lb
from p4nic.bench.api import FRAME_SIZES, NOW_NS, FrameSize
from p4nic.bench.floor import Floor

pytestmark = pytest.mark.skipif(not csource.has_compiler(), reason="there is no C compiler")

SYN, ACK, FIN, RST = 0x02, 0x10, 0x11, 0x04
CLIENT = lb.number("192.168.0.9")
PACKET = tuple[int, bytes]


def udp(src: int, dst: int, sport: int, dport: int, sum_it: bool = True) -> bytes:
    segment = struct.pack(">HHHH", sport, dport, 26, 0) + bytes(range(18))
    pseudo = struct.pack(">IIBBH", src, dst, 0, 17, len(segment))
    value = lb.checksum(pseudo + segment) if sum_it else 0
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(segment), 7, 0, 64, 17, 0, src, dst)
    ip = ip[:10] + struct.pack(">H", lb.checksum(ip)) + ip[12:]
    head = lb.MAC_B.to_bytes(6, "big") + lb.MAC_A.to_bytes(6, "big") + b"\x08\x00"
    return head + ip + segment[:6] + struct.pack(">H", value) + segment[8:]


def changed(frame: bytes, at: int, value: int, sum_again: bool = True) -> bytes:
    """One byte changed, the IPv4 checksum made right again."""
    frame = frame[:at] + bytes([value]) + frame[at + 1 :]
    if not sum_again:
        return frame
    ip = frame[14:24] + b"\0\0" + frame[26:34]
    return frame[:24] + struct.pack(">H", lb.checksum(ip)) + frame[26:]


def conversation(port: int, client: int, sport: int, flags: tuple[int, ...]) -> Iterator[PACKET]:
    """Client and endpoint in turn: SYN, SYN-ACK and what follows."""
    for flag in flags:
        yield port, lb.tcp_frame(client, lb.VIP, sport, 80, flag)
        yield lb.POD_PORT, lb.tcp_frame(lb.POD, client, 8080, sport, flag | ACK, 70)


def local_packets() -> Iterator[PACKET]:
    yield from conversation(lb.UPLINK, CLIENT, 1025, (SYN, ACK, ACK, FIN, ACK))
    yield from conversation(lb.UPLINK, CLIENT, 1026, (SYN, ACK, RST))
    yield lb.UPLINK, lb.tcp_frame(CLIENT, lb.VIP, 1027, 80, ACK)
    yield lb.UPLINK, lb.tcp_frame(CLIENT, lb.VIP, 1028, 80, RST)
    yield lb.UPLINK, lb.tcp_frame(CLIENT, lb.POD, 1029, 8080, SYN)  # not by way of the service
    yield lb.UPLINK, lb.tcp_frame(CLIENT, lb.POD, 1030, 8080, ACK)
    yield lb.UPLINK, lb.tcp_frame(CLIENT, lb.number("8.8.8.8"), 1031, 53, SYN)
    yield lb.UPLINK, udp(CLIENT, lb.POD, 500, 600)
    yield lb.POD_PORT, udp(lb.POD, CLIENT, 600, 500, sum_it=False)
    good = lb.tcp_frame(CLIENT, lb.VIP, 1032, 80, SYN)
    yield lb.UPLINK, changed(good, 22, 1)  # TTL
    yield lb.UPLINK, changed(good, 22, 0)
    yield lb.UPLINK, changed(good, 26, 127)  # source
    yield lb.UPLINK, changed(good, 0, 3)  # multicast
    yield lb.UPLINK, changed(good, 25, good[25] ^ 1, sum_again=False)
    yield lb.UPLINK, changed(good, 46, 0x40)  # data offset
    yield lb.POD_PORT, good  # spoofed
    yield 9, good  # a port nobody knows


def tunnel_packets() -> Iterator[PACKET]:
    for flag in (SYN, ACK, FIN):
        yield lb.UPLINK, lb.tcp_frame(CLIENT, lb.VIP, 2000, 80, flag)
        yield lb.UPLINK, lb.in_tunnel(lb.tcp_frame(lb.REMOTE, CLIENT, 8080, 2000, flag | ACK, 80))
    back = lb.in_tunnel(lb.tcp_frame(lb.REMOTE, CLIENT, 8080, 2000, ACK))
    yield lb.UPLINK, changed(back, 29, 9)  # from another VTEP
    yield lb.UPLINK, changed(back, 48, 1)  # another VNI
    yield lb.UPLINK, changed(back, 42, 0)  # without the flag I


def agree(entries: str, packets: list[PACKET]) -> None:
    program = lb.program()
    pipeline: Pipeline = InterpreterBackend().build(program, Options())
    floor = Floor(64)
    made = list({"local": lb.configuration, "tunnel": lb.tunnelled}[entries](program))
    floor.configure(made)
    for entry in made:
        pipeline.insert(entry, 0)
    sent = 0
    for number, (port, frame) in enumerate(packets):
        (outcome,) = pipeline.process([(port, frame)], NOW_NS)
        assert floor.one(port, frame) == outcome.sent, f"packet {number}: {outcome.drop_reason}"
        sent += len(outcome.sent)
    assert sent > len(packets) // 3
    assert floor.flows() == pipeline.entry_count("Lb.flow_table")


def test_local_endpoint() -> None:
    agree("local", list(local_packets()))


def test_endpoint_behind_a_tunnel() -> None:
    agree("tunnel", list(tunnel_packets()))


def test_many_flows_in_any_order() -> None:
    packets = [
        packet
        for flow in range(40)
        for packet in conversation(lb.UPLINK, *lb.client(flow * 1701), (SYN, ACK, ACK))
    ]
    random.Random(3).shuffle(packets)
    agree("local", packets)


@pytest.mark.parametrize("size", FRAME_SIZES)
def test_frames_made_in_c_are_those_made_in_python(size: FrameSize) -> None:
    order = array("I", [70_000, 3, 0, 99_999, 12, 13, 14, 15, 16, 17, 18, 19, 20, 49_999, 50_000])
    pattern = lb.to_vip(ACK)
    lengths = lb.frame_lengths(size)
    expected = [
        (lb.UPLINK, pattern.build(*lb.client(flow), lengths[i % len(lengths)]))
        for i, flow in enumerate(order)
    ]
    assert list(lb.flow_frames(order, pattern, size).packets()) == expected
