"""The Unix datagram port: frames both ways, a slow peer, a peer that comes and goes, refusals."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_pipeline import FakePipeline

from p4nic.clock import RealClock
from p4nic.errors import PortError
from p4nic.target.ports.unix import UnixPort
from p4nic.target.switch import Switch


class Peer:
    """The other end: bound at PATH.peer, sends to PATH."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"{path}.peer")
        self.socket.settimeout(20)

    def send(self, frame: bytes) -> None:
        self.socket.sendto(frame, self._path)

    def receive(self) -> bytes:
        return self.socket.recv(65536)

    def leave(self) -> None:
        Path(self.socket.getsockname()).unlink()
        self.socket.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "p1"


@pytest.fixture
def port(path: Path) -> Iterator[UnixPort]:
    port = UnixPort(str(path))
    yield port
    port.close()


@pytest.fixture
def peer(path: Path) -> Iterator[Peer]:
    peer = Peer(path)
    yield peer
    peer.socket.close()


def test_frames_keep_their_bounds_and_order(port: UnixPort, peer: Peer) -> None:
    peer.send(b"one")
    peer.send(bytes(9000))
    assert port.receive() == [b"one", bytes(9000)]
    assert port.receive() == []
    assert [port.send(frame) for frame in (b"a", b"bc")] == ["", ""]
    assert [peer.receive(), peer.receive()] == [b"a", b"bc"]


def test_receive_takes_no_more_than_asked(port: UnixPort, peer: Peer) -> None:
    for i in range(5):
        peer.send(bytes([i]))
    assert port.receive(3) == [b"\0", b"\1", b"\2"]
    assert port.receive() == [b"\3", b"\4"]


def test_without_a_peer_frames_are_dropped_with_a_reason(port: UnixPort) -> None:
    assert port.send(b"x") == "no peer on the port"


def test_a_peer_may_come_and_go(path: Path, port: UnixPort) -> None:
    for round_ in (b"first", b"second"):
        peer = Peer(path)
        assert port.send(round_) == ""
        assert peer.receive() == round_
        peer.leave()
        assert port.send(b"lost") == "no peer on the port"


def test_a_slow_peer_loses_nothing(port: UnixPort, peer: Peer) -> None:
    """The kernel queues a handful of datagrams only; the port waits for a peer that reads."""
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.extend(peer.receive() for _ in range(300)))
    reader.start()
    results = {port.send(i.to_bytes(2, "big")) for i in range(300)}
    reader.join()
    assert results == {""}
    assert got == [i.to_bytes(2, "big") for i in range(300)]


def test_a_peer_that_does_not_read_costs_frames_not_the_switch(port: UnixPort, peer: Peer) -> None:
    while port.send(b"x") == "":
        pass
    assert {port.send(b"x") for _ in range(1000)} == {"port queue full"}
    peer.receive()
    assert port.send(b"again") == ""


def test_through_a_switch(tmp_path: Path) -> None:
    with Switch(FakePipeline(), RealClock()) as switch:
        peers = [Peer(tmp_path / f"p{number}") for number in (1, 2)]
        for number in (1, 2):
            switch.attach(number, UnixPort(str(tmp_path / f"p{number}")))
        switch.start()
        peers[0].send(b"\x02hello")
        assert peers[1].receive() == b"\x02hello"
        for peer in peers:
            peer.socket.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["p1.peer", "p2.peer"]


def test_a_socket_left_behind_is_taken_over(path: Path) -> None:
    left = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.bind(str(path))
    left.close()
    UnixPort(str(path)).close()
    assert not path.exists()


def test_refusals(path: Path, port: UnixPort, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    long = tmp_path / ("x" * 120)
    for broken, why in (
        (path, "another process is using it"),
        (file, "a file of that name exists and is not a socket"),
        (tmp_path / "no" / "dir", "No such file or directory"),
        (long, "the path is longer than the 107 bytes a socket may have"),
    ):
        with pytest.raises(PortError) as refusal:
            UnixPort(str(broken))
        assert str(refusal.value) == f"cannot bind the port socket {broken}: {why}"
    assert file.read_text() == "mine"
