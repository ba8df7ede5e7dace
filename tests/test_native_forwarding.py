"""Ports in C: what comes in at a Wire is processed and leaves without Python; digests, packet-ins, counters
and changes of state still reach who wants them."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from p4nic.backend.api import DigestMessage, Entry, Options
from p4nic.backend.native import NativeBackend
from p4nic.backend.wires import Wire
from p4nic.clock import RealClock
from p4nic.errors import StateError
from p4nic.ir.program import ActionCall, Exact
from p4nic.load.artifact import load_program
from p4nic.target.ports.memory import MemoryPort
from p4nic.target.ports.wire import WirePort
from p4nic.target.switch import Switch

BUILT = Path(__file__).parent / "programs" / "build"
HOST_A, HOST_B = 0x020000000001, 0x020000000002
PATIENCE = 30.0

pytestmark = pytest.mark.skipif(bool(NativeBackend().missing), reason=NativeBackend().missing or "never")


def frame(dst: int, number: int = 0, src: int = HOST_A) -> bytes:
    return (
        dst.to_bytes(6, "big") + src.to_bytes(6, "big") + b"\x88\xb5" + struct.pack(">I", number) + bytes(42)
    )


def wait_for(what: Callable[[], bool]) -> None:
    """Until it is so; not how long it took, only that it came, is judged."""
    deadline = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.002)


class Lab:
    """A switch of packet_io.p4 with memory Wires 1 and 2 and so many workers. Host B is behind port 2."""

    def __init__(self, workers: int = 1) -> None:
        program = load_program([BUILT / "packet_io.json", BUILT / "packet_io.p4info.txtpb"])
        pipeline = NativeBackend().build(program, Options())
        self.switch = Switch(pipeline, RealClock())
        self.switch.workers = workers
        for number in (1, 2):
            self.switch.attach(number, WirePort("memory", Wire("memory", "", (-1,) * workers)))
        self.insert(HOST_B, 2)
        self.switch.start()
        self.taken: list[bytes] = []

    def insert(self, dst: int, port: int) -> None:
        call = ActionCall("Switch.forward", (port,))
        self.switch.tables.insert(Entry("Switch.l2", (Exact(dst),), call))

    def put(self, *frames: bytes, port: int = 1) -> None:
        for one in frames:
            assert self.switch.pipeline.forwarding.put(port, one)  # type: ignore[attr-defined]

    def take(self, count: int, port: int = 2) -> list[bytes]:
        """The next `count` frames sent by a port."""
        self.taken = []

        def there() -> bool:
            self.taken += self.switch.pipeline.forwarding.take(port)  # type: ignore[attr-defined]
            return len(self.taken) >= count

        wait_for(there)
        return self.taken


@pytest.fixture(params=[1, 3])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    made = Lab(request.param)
    yield made
    made.switch.close()


def test_frames_pass_in_their_order(lab: Lab) -> None:
    frames = [frame(HOST_B, i) for i in range(1000)]
    lab.put(*frames)
    assert lab.take(1000) == frames


def test_a_change_of_a_table_is_seen_by_the_next_frame(lab: Lab) -> None:
    other = 0x020000000003
    for round_ in range(20):
        lab.insert(other + round_, 2)
        lab.put(frame(other + round_, round_))
        assert lab.take(1) == [frame(other + round_, round_)]


def test_counters_of_ports_drops_and_tables(lab: Lab) -> None:
    lab.put(*[frame(HOST_B)] * 5, *[frame(0x02000000FFFF)] * 3)
    lab.take(5)
    assert lab.switch.drain(PATIENCE)
    ports = lab.switch.port_statistics()
    assert (ports[1].rx_packets, ports[1].rx_bytes) == (8, 8 * 60)
    assert (ports[2].tx_packets, ports[2].tx_bytes) == (5, 5 * 60)
    assert lab.switch.drop_statistics() == {"drop action": 3}
    assert lab.switch.statistics()["table.Switch.l2.hit"] == 5
    (cell,) = lab.switch.tables.counters("Switch.port_counter", 1)
    assert (cell.packets, cell.bytes) == (8, 8 * 60)
    (register,) = lab.switch.tables.registers("Switch.last_seen", 1)
    assert register.value == 8
    (entry,) = lab.switch.tables.read("Switch.l2")
    assert (entry.packets, entry.bytes) == (5, 5 * 60)


def test_digests_and_packet_ins_reach_the_subscribers(lab: Lab) -> None:
    digests: list[DigestMessage] = []
    frames: list[tuple[int, bytes]] = []
    lab.switch.subscribe(digests.append, None, lambda port, data: frames.append((port, data)))
    cpu = 0x0200000000CC
    lab.switch.tables.insert(Entry("Switch.l2", (Exact(cpu),), ActionCall("Switch.to_cpu", (5,))))
    lab.put(frame(cpu, 7))
    wait_for(lambda: len(digests) == 1 and len(frames) == 1)
    assert digests[0].values == (HOST_A, 1)
    assert frames == [(510, (1 << 7 | 5).to_bytes(2, "big") + frame(cpu, 7))]


def test_a_packet_out_leaves_by_its_wire(lab: Lab) -> None:
    lab.switch.packet_out((2 << 7).to_bytes(2, "big") + frame(HOST_B, 9))
    assert lab.take(1) == [frame(HOST_B, 9)]
    assert lab.switch.port_statistics()[2].tx_packets == 1


def test_a_shut_port_takes_and_sends_nothing(lab: Lab) -> None:
    lab.switch.set_port(2, False)
    lab.put(frame(HOST_B))
    wait_for(lambda: lab.switch.port_statistics()[2].tx_dropped == 1)
    lab.switch.set_port(2, True)
    lab.switch.set_port(1, False)
    lab.put(frame(HOST_B))
    wait_for(lambda: lab.switch.port_statistics()[1].rx_dropped == 1)
    lab.switch.set_port(1, True)
    lab.put(frame(HOST_B, 3))
    assert lab.take(1) == [frame(HOST_B, 3)]
    assert lab.switch.drop_statistics() == {"port is down": 2}


def test_a_port_of_python_and_a_wire_reach_each_other(lab: Lab) -> None:
    ours, behind = MemoryPort(), 0x020000000009
    lab.switch.attach(3, ours)
    lab.insert(behind, 3)
    lab.put(frame(behind))
    sent: list[bytes] = []

    def came() -> bool:
        sent.extend(ours.take())
        return bool(sent)

    wait_for(came)
    assert sent == [frame(behind)]
    ours.put(frame(HOST_B, 4))
    assert lab.take(1) == [frame(HOST_B, 4)]


def test_a_frame_for_no_port_is_counted(lab: Lab) -> None:
    lab.insert(0x020000000077, 77)
    lab.put(frame(0x020000000077))
    wait_for(lambda: lab.switch.drop_statistics() == {"no such port": 1})


def test_a_full_table_goes_on_forwarding(lab: Lab) -> None:
    size = lab.switch.program.tables["Switch.l2"].size
    for number in range(1, size):
        lab.insert(0x030000000000 + number, 2)
    with pytest.raises(StateError, match="full"):
        lab.insert(0x040000000000, 2)
    lab.put(frame(HOST_B, 1))
    assert lab.take(1) == [frame(HOST_B, 1)]


def test_messages_beyond_the_queue_are_counted(lab: Lab) -> None:
    """Nobody takes them as long as the lock is held: what does not fit is lost, with a count."""
    cpu = 0x0200000000CC
    lab.switch.tables.insert(Entry("Switch.l2", (Exact(cpu),), ActionCall("Switch.to_cpu", (5,))))
    with lab.switch.lock:
        lab.switch.lock.released()  # the change above is visible already; nothing closes the gate now
        for _ in range(4):
            for _ in range(40_000):
                if not lab.switch.pipeline.forwarding.put(1, frame(cpu)):  # type: ignore[attr-defined]
                    break
            wait_for(lambda: lab.switch.pipeline.forwarding.is_quiet())  # type: ignore[attr-defined]
    assert lab.switch.drop_statistics()["packet-in queue full"] > 0


def test_another_pipeline_takes_the_wires_over(lab: Lab) -> None:
    program = load_program([BUILT / "packet_io.json", BUILT / "packet_io.p4info.txtpb"])
    lab.put(frame(HOST_B, 1))
    lab.take(1)
    lab.switch.replace_pipeline(NativeBackend().build(program, Options()))
    lab.insert(HOST_B, 1)
    lab.put(frame(HOST_B, 2))
    assert lab.take(1, port=1) == [frame(HOST_B, 2)]
    assert lab.switch.port_statistics()[1].rx_packets == 2


def test_stopped_workers_start_again(lab: Lab) -> None:
    lab.switch.stop()
    lab.put(frame(HOST_B, 1))
    lab.switch.start()
    assert lab.take(1) == [frame(HOST_B, 1)]
