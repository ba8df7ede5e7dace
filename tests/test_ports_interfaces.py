"""veth and TAP ports on real interfaces; skipped where this process may not make any."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_pipeline import FakePipeline

from p4nic.clock import RealClock
from p4nic.errors import PortError
from p4nic.target.ports.afpacket import AfPacketPort
from p4nic.target.ports.tap import TapPort
from p4nic.target.switch import Switch

# To us, from us, our own EtherType: nothing else on the interface answers it.
ADDRESSES = bytes.fromhex("020000000001020000000002")
FRAME = ADDRESSES + b"\x88\xb5" + bytes(46)
TAGGED = ADDRESSES + bytes.fromhex("8100a00788b5") + bytes(46)


def _why_not() -> str:
    if shutil.which("ip") is None:
        return "needs the ip command"
    name = f"p4t{os.getpid()}x"
    made = subprocess.run(["ip", "link", "add", name, "type", "veth"], capture_output=True, text=True)
    subprocess.run(["ip", "link", "del", name], capture_output=True)
    return "" if made.returncode == 0 else f"may not make interfaces here: {made.stderr.strip()}"


WHY_NOT = _why_not()
pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "never")


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def veth() -> Iterator[tuple[str, str]]:
    ours, theirs = f"p4t{os.getpid()}a", f"p4t{os.getpid()}b"
    ip("link", "add", ours, "type", "veth", "peer", "name", theirs)
    for name in (ours, theirs):
        ip("link", "set", name, "addrgenmode", "none")  # no IPv6 chatter
        ip("link", "set", name, "up")
    yield ours, theirs
    with contextlib.suppress(subprocess.CalledProcessError):
        ip("link", "del", ours)


@pytest.fixture
def wire(veth: tuple[str, str]) -> Iterator[socket.socket]:
    """The peer's end, as a raw socket that sees our EtherType only."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5)) as peer:
        peer.bind((veth[1], 0x88B5))
        peer.settimeout(20)
        yield peer


def received(port: AfPacketPort | TapPort, count: int = 1) -> list[bytes]:
    """The next `count` frames of our EtherType."""
    frames: list[bytes] = []
    while len(frames) < count:
        descriptor = port.fileno()
        assert descriptor is not None
        assert select.select([descriptor], [], [], 20)[0], "nothing came"
        frames += [f for f in port.receive() if b"\x88\xb5" in f[12:18]]
    return frames


def test_frames_go_both_ways(veth: tuple[str, str], wire: socket.socket) -> None:
    port = AfPacketPort(veth[0])
    wire.send(FRAME)
    assert received(port) == [FRAME]
    assert port.send(FRAME) == ""
    assert wire.recv(2000) == FRAME
    port.close()


def test_own_frames_are_not_received(veth: tuple[str, str], wire: socket.socket) -> None:
    port = AfPacketPort(veth[0])
    port.send(FRAME)
    wire.recv(2000)
    wire.send(FRAME + b"answer")
    assert received(port) == [FRAME + b"answer"]
    port.close()


def test_a_vlan_tag_stays_in_place(veth: tuple[str, str]) -> None:
    """The kernel takes the tag out of what a packet socket reads: priority 5, VLAN 7 must be back."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as peer:
        peer.bind((veth[1], 0))
        port = AfPacketPort(veth[0])
        peer.send(TAGGED)
        assert received(port) == [TAGGED]
        port.close()


def test_frames_for_other_addresses_are_received(veth: tuple[str, str], wire: socket.socket) -> None:
    port = AfPacketPort(veth[0])
    promiscuous = 0x100
    assert int(Path(f"/sys/class/net/{veth[0]}/flags").read_text(), 16) & promiscuous
    wire.send(b"\x02\x99\x99\x99\x99\x99" + FRAME[6:])
    assert received(port)[0][:6] == b"\x02\x99\x99\x99\x99\x99"
    port.close()


def test_a_frame_beyond_the_mtu_is_dropped_with_a_reason(veth: tuple[str, str]) -> None:
    port = AfPacketPort(veth[0])
    assert port.send(ADDRESSES + b"\x88\xb5" + bytes(1501)) == "frame longer than the port's MTU"
    assert port.send(ADDRESSES + b"\x88\xb5" + bytes(1500)) == ""
    port.close()


def test_an_interface_that_is_down_cannot_be_opened(veth: tuple[str, str]) -> None:
    ip("link", "set", veth[0], "down")
    with pytest.raises(PortError) as refusal:
        AfPacketPort(veth[0])
    assert str(refusal.value) == f"interface {veth[0]} is down; bring it up with: ip link set {veth[0]} up"


def test_an_interface_that_goes_down_comes_back(veth: tuple[str, str], wire: socket.socket) -> None:
    port = AfPacketPort(veth[0])
    ip("link", "set", veth[0], "down")
    assert port.receive() == []
    assert port.send(FRAME) == "port is down"
    ip("link", "set", veth[0], "up")
    wire.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # takes the peer's own error for the lost link
    got: list[bytes] = []
    for _ in range(100):  # the link needs its time to come back, and loses what is sent before
        wire.send(FRAME)
        time.sleep(0.05)
        got = [f for f in port.receive() if b"\x88\xb5" in f[12:18]]
        if got:
            break
    assert set(got) == {FRAME}
    port.close()


def test_a_deleted_interface_leaves_the_switch_running(
    veth: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with Switch(FakePipeline(), RealClock()) as switch:
        switch.attach(1, AfPacketPort(veth[0]))
        switch.start()
        ip("link", "del", veth[0])
        assert switch.drain()
        for _ in range(3):
            switch.inject(5, b"\x01" + FRAME)
        assert switch.drop_statistics()["no such port"] >= 2
    gone = [r.getMessage() for r in caplog.records if "is gone" in r.getMessage()]
    assert len(gone) == 1
    assert gone[0].startswith(f"port 1 (veth:{veth[0]}) is gone, the switch goes on without it: ")


@pytest.fixture
def tap() -> Iterator[tuple[str, TapPort]]:
    if not os.path.exists("/dev/net/tun"):
        pytest.skip("this machine has no /dev/net/tun")
    name = f"p4t{os.getpid()}t"
    port = TapPort(name)
    ip("link", "set", name, "addrgenmode", "none")
    yield name, port
    port.close()


def test_tap_frames_go_both_ways(tap: tuple[str, TapPort]) -> None:
    name, port = tap
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5)) as host:
        host.bind((name, 0x88B5))
        host.settimeout(20)
        host.send(FRAME)
        assert received(port) == [FRAME]
        assert port.send(FRAME) == ""
        assert host.recv(2000) == FRAME


def test_a_tap_in_use_is_refused(tap: tuple[str, TapPort]) -> None:
    with pytest.raises(PortError) as refusal:
        TapPort(tap[0])
    assert str(refusal.value) == f"cannot open TAP interface {tap[0]}: another process is using it"


def test_a_tap_goes_with_its_port(tap: tuple[str, TapPort]) -> None:
    name, port = tap
    port.close()
    with pytest.raises(OSError, match="no interface with this name|No such device"):
        socket.if_nametoindex(name)


def test_an_interface_of_another_kind_is_no_tap(veth: tuple[str, str]) -> None:
    with pytest.raises(PortError, match="an interface of that name exists and is no TAP interface"):
        TapPort(veth[0])
