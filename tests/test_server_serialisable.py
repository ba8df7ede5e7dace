"""Readers, writers and packets at once, under a checker: what everybody saw has one order.

P4Runtime 1.5 §12.1, §13.4. Writers of different roles write batches: each sets every entry of the writer's
key range to one number, its round. A Read must find all entries of a range with one number (batches are
whole),
numbers never go back from one Read to the next (one order for everybody), a Read begun after a Write has been
answered finds that Write or a later one (real time), and a packet meets a whole batch as well.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from p4runtime_peer import Client, ServerUnderTest, insert, modify, packet_io
from server_backends import BACKENDS

from p4rt import p4r

WRITERS, ENTRIES, ROUNDS, PORTS = 2, 12, 25, 256


class Ranges:
    """Entries of each writer: `ENTRIES` addresses, all forwarded to the port of the writer's round."""

    def __init__(self, server: ServerUnderTest) -> None:
        self.names = server.names
        self.answered = [0] * WRITERS
        """The last round whose Write has been answered."""
        self.asked = [0] * WRITERS
        """The last round whose Write has been sent."""

    def entry(self, writer: int, number: int, round_: int) -> p4r.TableEntry:
        dst = 1 + writer * 1000 + number
        return self.names.entry("Switch.l2", {"dst": dst}, "Switch.forward", {"port": round_ % PORTS})

    def batch(self, writer: int, round_: int) -> list[p4r.Update]:
        make = insert if not round_ else modify
        return [make(self.entry(writer, n, round_)) for n in range(ENTRIES)]

    def rounds(self, entries: list[p4r.TableEntry]) -> list[set[int]]:
        """Of each writer, the rounds its entries show; a whole batch is one."""
        found: list[set[int]] = [set() for _ in range(WRITERS)]
        for one in entries:
            writer = (int.from_bytes(one.match[0].exact.value, "big") - 1) // 1000
            found[writer].add(int.from_bytes(one.action.action.params[0].value, "big"))
        return found


def write_rounds(client: Client, ranges: Ranges, writer: int) -> None:
    for round_ in range(1, ROUNDS + 1):
        ranges.asked[writer] = round_
        client.write(*ranges.batch(writer, round_), atomicity=round_ % 3)
        ranges.answered[writer] = round_


def read_rounds(server: ServerUnderTest, ranges: Ranges, done: threading.Event) -> int:
    """Read until the writers have finished; how often."""
    client, reads, last = server.client(), 0, [0] * WRITERS
    ask = server.names.entry("Switch.l2")
    while not (done.is_set() and reads):
        before = list(ranges.answered)
        found = ranges.rounds(client.read_entries(ask))
        after = list(ranges.asked)
        for writer, seen in enumerate(found):
            assert len(seen) == 1, f"half a batch: rounds {seen}"
            (round_,) = seen
            assert max(before[writer], last[writer]) <= round_ <= after[writer]
            last[writer] = round_
        reads += 1
    return reads


def send_packets(server: ServerUnderTest, done: threading.Event) -> int:
    """A burst with a frame to each entry of a writer leaves at one port, and ports never go back."""
    bursts, last = 0, [0] * WRITERS
    while not (done.is_set() and bursts):
        for writer in range(WRITERS):
            frames = [(1, (1 + writer * 1000 + n).to_bytes(6, "big") + bytes(54)) for n in range(ENTRIES)]
            left = {o.sent[0][0] for o in server.switch.burst(frames)}
            assert len(left) == 1, f"half a batch: ports {left}"
            (port,) = left
            assert port >= last[writer]
            last[writer] = port
            bursts += 1
    return bursts


@pytest.mark.parametrize("backend", BACKENDS)
def test_everybody_sees_one_order_of_whole_batches(backend: str) -> None:
    with ServerUnderTest(packet_io(), backend=backend) as server:
        ranges = Ranges(server)
        writers = [server.client() for _ in range(WRITERS)]
        for number, client in enumerate(writers):
            assert client.arbitrate(1, f"writer {number}").status.code == 0
            client.write(*ranges.batch(number, 0))
        done = threading.Event()
        with ThreadPoolExecutor(WRITERS + 3) as pool:
            reading = [pool.submit(read_rounds, server, ranges, done) for _ in range(2)]
            sending = pool.submit(send_packets, server, done)
            writing = [pool.submit(write_rounds, c, ranges, n) for n, c in enumerate(writers)]
            try:
                for one in writing:
                    one.result()
            finally:
                done.set()
            assert all(one.result() > 0 for one in reading)
            assert sending.result() > 0
        assert (
            ranges.rounds(server.client().read_entries(server.names.entry("Switch.l2")))
            == [{ROUNDS}] * WRITERS
        )


KILLED = """
import sys
from p4runtime_peer import Client, Names, insert, modify, packet_io
from test_server_serialisable import ENTRIES, batch_of
client = Client(sys.argv[1])
client.arbitrate(1)
names = Names(packet_io().info.message)
round_ = 0
while True:
    client.write(*batch_of(names, round_))
    round_ += 1
    if round_ == 3:
        print("writing", flush=True)
"""


def batch_of(names: object, round_: int) -> list[p4r.Update]:
    """Batch number `round_` of the client that is killed: large, so that it dies in the middle of one."""
    make = insert if not round_ else modify
    entry = names.entry  # type: ignore[attr-defined]
    return [
        make(entry("Switch.l2", {"dst": 1 + n}, "Switch.forward", {"port": round_ % PORTS}))
        for n in range(400)
    ]


@pytest.mark.parametrize("backend", BACKENDS)
def test_killed_client_leaves_whole_batches(backend: str) -> None:
    """kill -9 in the middle of a batch: all of its updates are there, or none."""
    with ServerUnderTest(packet_io(), backend=backend) as server:
        watcher = server.client()
        watcher.arbitrate(0)
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, server.server.address],
            stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent,
        ) as client:  # fmt: skip
            assert client.stdout is not None
            assert client.stdout.readline() == "writing\n"
            client.kill()
        while watcher.notice().status.code != 5:  # NOT_FOUND: the server knows that the primary is gone
            pass
        ports = {
            e.action.action.params[0].value for e in watcher.read_entries(server.names.entry("Switch.l2"))
        }
        assert len(ports) == 1
        assert len(watcher.read_entries(server.names.entry("Switch.l2"))) == 400
        server.primary(2).write(*batch_of(server.names, 7))
