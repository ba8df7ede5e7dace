"""Ports of DPDK's own: AF_PACKET over veth pairs, TAP, rings; DPDK polls them, p4nic hears of what leaves
elsewhere."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from swx_samples import SPEC, entry, frame, needs_dpdk

from p4nic.__main__ import main
from p4nic.backend.api import Options
from p4nic.backend.swx import SwxBackend
from p4nic.backend.swx.devices import parse_devices
from p4nic.cli.real_dpdk import open_device
from p4nic.clock import RealClock
from p4nic.errors import PortError, TargetError
from p4nic.ir.program import Exact, Ternary
from p4nic.load.dpdk_spec import load_text
from p4nic.target.entities import EntryKey
from p4nic.target.ports.memory import MemoryPort
from p4nic.target.ports.spec import PortSpec
from p4nic.target.switch import Switch

pytestmark = needs_dpdk
_CAN = os.geteuid() == 0 and subprocess.run(["ip", "link"], capture_output=True, check=False).returncode == 0
needs_root = pytest.mark.skipif(not _CAN, reason="veth pairs need root and iproute2")
PATIENCE = 20.0


def eventually(look: Callable[[], object]) -> object:
    """What `look` gives as soon as it is something."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.005)
    raise AssertionError("nothing came")


def switch_with(devices: dict[int, str], text: str = SPEC) -> Switch:
    """A switch with these ports of DPDK's, running."""
    parsed = parse_devices(devices)
    backend = SwxBackend(inputs=8, devices=parsed)
    made = Switch(backend.build(load_text(text, "small.spec"), Options()), RealClock())
    try:
        for number, name in devices.items():
            made.attach(number, open_device(made, PortSpec(number, "dpdk", name)))
    except BaseException:
        made.close()
        raise
    made.start()
    return made


# --- veth --------------------------------------------------------------------------------------------


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def pairs() -> Iterator[dict[int, tuple[str, socket.socket]]]:
    """By port: the interface for DPDK, and a raw socket on the other end."""
    made: dict[int, tuple[str, socket.socket]] = {}
    try:
        for number in (1, 3, 6, 7):
            ours, theirs = f"p4d{os.getpid() % 10000}{number}a", f"p4d{os.getpid() % 10000}{number}b"
            ip("link", "add", ours, "type", "veth", "peer", "name", theirs)
            for name in (ours, theirs):
                Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
                ip("link", "set", name, "up")
            raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)  # hears nothing until it is bound
            raw.bind((theirs, 3))
            raw.settimeout(PATIENCE)
            made[number] = ours, raw
        yield made
    finally:
        for ours, raw in made.values():
            raw.close()
            subprocess.run(["ip", "link", "del", ours], check=False, capture_output=True)


def received(raw: socket.socket) -> bytes:
    """The next frame of ours: from MAC address 0. DPDK's driver hears all interfaces of the machine between
    opening its socket and binding it, and passes on what it heard."""
    while True:
        got = raw.recv(2048)
        if got[6:12] == bytes(6) and got[12] == 0:
            return got


@needs_root
def test_frames_go_through_dpdk_from_veth_to_veth(pairs: dict[int, tuple[str, socket.socket]]) -> None:
    """Four ports; the control plane's write is seen by frames that p4nic never sees."""
    padded = bytes(40)
    with switch_with({n: f"net_af_packet,iface={ours}" for n, (ours, _) in pairs.items()}) as switch:
        plain, routed = frame(0, payload=padded), frame(1, 9, padded)
        for number in (1, 3, 6):
            pairs[number][1].send(plain)
            assert received(pairs[7][1]) == plain
        switch.tables.insert(entry("same", Exact(9), 3))
        pairs[1][1].send(routed)
        assert received(pairs[3][1]) == routed
        switch.tables.modify(entry("same", Exact(9), 6))
        pairs[1][1].send(routed)
        assert received(pairs[6][1]) == routed
        switch.tables.delete(EntryKey("same", (Exact(9),)))
        pairs[1][1].send(routed)
        assert received(pairs[7][1]) == routed


@needs_root
def test_many_frames_arrive_all_though_not_in_order(pairs: dict[int, tuple[str, socket.socket]]) -> None:
    """DPDK runs 16 packets in turns: one with a short path overtakes. Those of one path keep their order."""
    with switch_with({n: f"net_af_packet,iface={ours}" for n, (ours, _) in pairs.items()}):
        frames = [frame(3 * (n % 2), payload=n.to_bytes(2) + bytes(40)) for n in range(200)]
        seen = []
        for at in range(0, len(frames), 20):
            for one in frames[at : at + 20]:
                pairs[1][1].send(one)
            seen += [received(pairs[7][1]) for _ in range(20)]
    assert sorted(seen) == sorted(frames)
    for kind in (0, 3):
        path = frame(kind)[12:14]
        assert [f for f in seen if f[12:14] == path] == [f for f in frames if f[12:14] == path]


@needs_root
def test_an_interface_that_is_not_there_is_one_sentence() -> None:
    with pytest.raises(PortError, match=r"port 1@dpdk:net_af_packet1,iface=nowhere9: DPDK does not open the"):
        switch_with({1: "net_af_packet,iface=nowhere9"})


@needs_root
def test_a_tap_of_dpdks_is_an_interface() -> None:
    name = f"p4t{os.getpid() % 100000}"
    with switch_with({1: f"net_tap,iface={name}"}) as switch:
        out = MemoryPort()
        switch.attach(7, out)
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as raw:
            raw.bind((name, 3))
            sent = frame(0x88, payload=bytes(46))
            raw.send(sent)
            assert eventually(lambda: [f for f in out.take() if f == sent])


# --- rings, without root -----------------------------------------------------------------------------


def test_a_ring_gives_back_what_is_sent_and_p4nic_sees_what_leaves_elsewhere() -> None:
    """Out at port 3, a ring: the frame comes in again there, and leaves at port 7, which is p4nic's."""
    again = SPEC.replace("mov m.out_port 0x7\n", "mov m.out_port 0x7\n\tjmpeq OUT m.in_port 0x3\n")
    with switch_with({3: "net_ring"}, again) as switch:
        out = MemoryPort()
        switch.attach(7, out)
        switch.tables.insert(entry("same", Exact(9), 3))
        switch.inject(0, frame(1, 9))
        assert eventually(out.take) == [frame(1, 9)]


def test_the_control_plane_and_the_cpu_port_work_beside() -> None:
    """A packet-out goes through at once; a frame to the CPU port reaches the subscriber."""
    heard: list[bytes] = []
    to_cpu = SPEC.replace("mov m.out_port 0x7\n", "mov m.out_port 0x1FE\n")
    with switch_with({3: "net_ring"}, to_cpu) as switch:
        switch.subscribe(on_packet_in=lambda port, data: heard.append(data))
        switch.tables.insert(entry("same", Exact(9), 3))
        assert [p for p, _ in switch.inject(0, frame(1, 9)).sent] == [3]
        switch.tables.delete(EntryKey("same", (Exact(9),)))
        switch.inject(0, frame(1, 8))
        assert eventually(lambda: heard)
        assert switch.tables.registers("seen", 0)[0].value == 7 + 2


def test_after_a_crash_the_devices_open_again() -> None:
    with switch_with({3: "net_ring"}) as switch:
        out = MemoryPort()
        switch.attach(7, out)
        with pytest.raises(TargetError, match="DPDK crashed"):
            switch.inject(0, frame(5))
        switch.tables.insert(entry("masked", Ternary(9, 0xFF), 3, priority=1))
        switch.inject(0, frame(2, 9))  # to the ring, where it comes in and goes out for ever
        eventually(lambda: switch.statistics()["table.masked.hit"] > 100)
        switch.tables.delete(EntryKey("masked", (Ternary(9, 0xFF),), 1))
        assert eventually(out.take) == [frame(2, 9)]


# --- bad input ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--backend", "interp", "--port", "1@dpdk:net_ring"], "is DPDK's own: it needs --backend swx"),
        (["--backend", "swx", "--port", "1@dpdk:net_mlx5"], "there is no driver net_mlx; write DRIVER"),
        (["--backend", "swx", "--clock", "manual", "--port", "1@dpdk:net_ring"], "leave --clock manual out"),
    ],
)
def test_wrong_use_is_one_sentence(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--grpc", "127.0.0.1:0", *argv]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1
