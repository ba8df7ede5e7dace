"""Ports in C on real interfaces: order within flows, tags, long frames, and interfaces that go away. Skipped
where this process may not make any."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_native_forwarding import BUILT, HOST_A, HOST_B, wait_for
from test_ports_interfaces import WHY_NOT, ip

from p4nic.backend.api import Entry, Options
from p4nic.backend.native import NativeBackend
from p4nic.clock import RealClock
from p4nic.errors import PortError
from p4nic.ir.program import ActionCall, Exact
from p4nic.load.artifact import load_program
from p4nic.target.ports.spec import parse_port
from p4nic.target.ports.wire import open_wire
from p4nic.target.switch import Switch

pytestmark = [
    pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "never"),
    pytest.mark.skipif(bool(NativeBackend().missing), reason=NativeBackend().missing or "never"),
]
NAMES = tuple(f"p4w{os.getpid() % 1_000_000}{letter}" for letter in "abcd")


def frame(flow: int, number: int, size: int = 60) -> bytes:
    """An IPv4 datagram (UDP) of a flow, numbered behind its header."""
    ports = struct.pack(">HHHH", 1000 + flow, 53, 0, 0)
    ipv4 = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size - 14, 0, 0, 64, 17, 0, b"\n\0\0\1", b"\n\0\0\2")
    head = HOST_B.to_bytes(6, "big") + HOST_A.to_bytes(6, "big") + b"\x08\0" + ipv4 + ports
    return (head + struct.pack(">I", number)).ljust(size, b"\0")


class Wired:
    """packet_io.p4 between two veth pairs: `left` and `right` are sockets at their far ends."""

    def __init__(self, workers: int) -> None:
        ours, left, theirs, right = NAMES
        for one, other in ((ours, left), (theirs, right)):
            ip("link", "add", one, "type", "veth", "peer", "name", other)
            for name in (one, other):
                ip("link", "set", name, "addrgenmode", "none", "mtu", "9000")
                ip("link", "set", name, "up")
        program = load_program([BUILT / "packet_io.json", BUILT / "packet_io.p4info.txtpb"])
        self.switch = Switch(NativeBackend().build(program, Options()), RealClock())
        self.switch.workers = workers
        for number, name in ((1, ours), (2, theirs)):
            self.switch.attach(number, open_wire(parse_port(f"{number}@veth:{name}"), workers))
        call = ActionCall("Switch.forward", (2,))
        self.switch.tables.insert(Entry("Switch.l2", (Exact(HOST_B),), call))
        self.switch.start()
        self.left, self.right = far_end(left), far_end(right)

    def take(self, count: int) -> list[bytes]:
        """The next `count` frames of host A at the right end."""
        frames: list[bytes] = []
        while len(frames) < count:
            data = self.right.recv(65535)
            if data[6:12] == HOST_A.to_bytes(6, "big"):
                frames.append(data)
        return frames

    def close(self) -> None:
        self.switch.close()
        self.left.close()
        self.right.close()
        for name in (NAMES[0], NAMES[2]):
            with contextlib.suppress(subprocess.CalledProcessError):
                ip("link", "del", name)


def far_end(interface: str) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    made.bind((interface, 3))
    made.settimeout(30)
    return made


@pytest.fixture(params=[1, 2])
def wired(request: pytest.FixtureRequest) -> Iterator[Wired]:
    made = Wired(request.param)
    yield made
    made.close()


def test_flows_keep_their_order(wired: Wired) -> None:
    flows, each = 16, 40
    for number in range(each):
        for flow in range(flows):
            wired.left.send(frame(flow, number))
    seen: dict[int, list[int]] = {flow: [] for flow in range(flows)}
    for data in wired.take(flows * each):
        seen[int.from_bytes(data[34:36], "big") - 1000].append(int.from_bytes(data[42:46], "big"))
    assert all(numbers == list(range(each)) for numbers in seen.values())
    wait_for(lambda: wired.switch.port_statistics()[2].tx_packets == flows * each)


def test_frames_longer_than_a_slot_of_the_ring_come_whole_and_in_their_place(wired: Wired) -> None:
    frames = [frame(0, 1), frame(0, 2, 8000), frame(0, 3, 3000), frame(0, 4)]
    for data in frames:
        wired.left.send(data)
    assert wired.take(4) == frames


def test_a_tag_is_part_of_the_frame(wired: Wired) -> None:
    plain = frame(0, 7)
    tagged = plain[:12] + bytes.fromhex("8100a007") + plain[12:]
    wired.left.send(tagged)
    wait_for(lambda: wired.switch.port_statistics()[2].tx_bytes == len(tagged))
    (got,) = wired.take(1)
    assert got[:12] + got[-(len(plain) - 12) :] == plain  # this socket's own tag is in its metadata


def test_an_interface_that_vanishes_is_said_once_and_the_others_go_on(
    wired: Wired, caplog: pytest.LogCaptureFixture
) -> None:
    ip("link", "del", NAMES[0])
    wait_for(lambda: "port 1" in caplog.text)
    assert caplog.text.count("is gone, the switch goes on without it") == 1
    wired.switch.packet_out((2 << 7).to_bytes(2, "big") + frame(0, 5))
    assert wired.take(1) == [frame(0, 5)]


def test_frames_beyond_the_ring_are_counted(wired: Wired) -> None:
    with wired.switch.lock:
        wired.switch.pipeline.workers.gate()  # type: ignore[attr-defined]  # nobody takes them out
        for number in range(5000):
            wired.left.send(frame(0, number))
    received = len(wired.take(4000))
    wait_for(lambda: wired.switch.port_statistics()[1].rx_dropped >= 5000 - 4096)
    assert received == 4000
    assert wired.switch.drop_statistics()["receive ring full"] >= 5000 - 4096


def test_an_interface_that_does_not_exist_is_refused() -> None:
    with pytest.raises(PortError, match="there is no interface p4nowhere; make one with: ip link add"):
        open_wire(parse_port("1@veth:p4nowhere"), 2)


def test_an_interface_that_is_down_counts_and_comes_back(wired: Wired) -> None:
    ip("link", "set", NAMES[2], "down")
    wired.left.send(frame(0, 1))
    wait_for(lambda: wired.switch.port_statistics()[2].tx_dropped == 1)
    assert wired.switch.drop_statistics()["port is down"] == 1
    ip("link", "set", NAMES[2], "up")
    wired.left.send(frame(0, 2))
    assert wired.take(1) == [frame(0, 2)]


def test_two_queues_of_a_tap_interface() -> None:
    program = load_program([BUILT / "packet_io.json", BUILT / "packet_io.p4info.txtpb"])
    name = NAMES[0]
    with Switch(NativeBackend().build(program, Options()), RealClock()) as switch:
        switch.workers = 2
        switch.attach(1, open_wire(parse_port(f"1@tap:{name}"), 2))
        ip("link", "set", name, "addrgenmode", "none")
        switch.tables.insert(Entry("Switch.l2", (Exact(HOST_B),), ActionCall("Switch.forward", (1,))))
        switch.start()
        with far_end(name) as end:
            end.send(frame(3, 1))
            while (data := end.recv(65535)) != frame(3, 1):
                assert data
        wait_for(lambda: switch.port_statistics()[1].tx_packets >= 1)
    assert name not in [known for _, known in socket.if_nameindex()]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_of_a_killed_switch_is_left(how: signal.Signals, tmp_path: Path) -> None:
    """TAP interfaces and promiscuous mode are the kernel's to take back, with the process's descriptors."""
    veth, peer, tap = NAMES[:3]
    ip("link", "add", veth, "type", "veth", "peer", "name", peer)
    try:
        ip("link", "set", veth, "up")
        ip("link", "set", peer, "up")
        ready = tmp_path / "ready.json"
        artifact = [str(BUILT / "packet_io.json"), "--p4info", str(BUILT / "packet_io.p4info.txtpb")]
        with subprocess.Popen(
            [sys.executable, "-m", "p4nic", "serve", *artifact, "--backend", "native", "--workers", "2",
             "--grpc", "127.0.0.1:0", "--port", f"1@veth:{veth}", "--port", f"2@tap:{tap}",
             "--ready-file", str(ready)],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            wait_for(lambda: ready.exists() or process.poll() is not None)
            with far_end(peer) as end:
                for number in range(200):
                    end.send(frame(number % 8, number))
                assert promiscuity(veth) == 2  # one of each worker
                process.send_signal(how)
                _, told = process.communicate(timeout=60)
        assert process.returncode == (0 if how == signal.SIGTERM else -how), told
        wait_for(lambda: promiscuity(veth) == 0)
        wait_for(lambda: tap not in [known for _, known in socket.if_nameindex()])
    finally:
        ip("link", "del", veth)


def promiscuity(interface: str) -> int:
    told = subprocess.run(
        ["ip", "-d", "link", "show", interface], capture_output=True, text=True, check=True
    ).stdout.split()
    return int(told[told.index("promiscuity") + 1])
