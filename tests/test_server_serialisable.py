"""Readers, writers and packets at once, under a checker: what everybody saw has one order.

P4Runtime 1.5 §12.1, §13.4. Writers of different roles write batches: each sets every entry of the writer's
key range to one number, its round. A Read must find all entries of a range with one number (batches are
whole), numbers never go back from one Read to the next (one order for everybody), a Read begun after a Write
has been answered finds that Write or a later one (real time), and a packet meets a whole batch as well. All
that while the pipeline is committed anew with its state kept, again and again, and while each writer's role
is taken over from client to client. `make storm-server SECONDS=600` goes on for longer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from p4runtime_peer import ServerUnderTest, insert, modify, outcome, packet_io
from server_backends import BACKENDS

from p4rt import p4r

WRITERS, ENTRIES, ROUNDS, PORTS = 2, 12, 25, 256
SECONDS = float(os.environ.get("P4NIC_STORM", "0"))
TAKEOVER = 7
"""Rounds after which another client becomes primary of a writer's role."""


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
        """Of each writer, the rounds its entries show, as ports; a whole batch is one."""
        found: list[set[int]] = [set() for _ in range(WRITERS)]
        for one in entries:
            writer = (int.from_bytes(one.match[0].exact.value, "big") - 1) // 1000
            found[writer].add(int.from_bytes(one.action.action.params[0].value, "big"))
        return found


def since(port: int, round_: int) -> int:
    """The first round from `round_` on that is told by this port. Nobody is 256 rounds behind."""
    return round_ + (port - round_) % PORTS


def write_rounds(server: ServerUnderTest, ranges: Ranges, writer: int) -> int:
    """Write round after round; every few of them another client takes the role over, and the one before it
    is refused from then on. The last round.
    """
    election, round_ = 1, 0
    client = server.client()
    client.stream_seconds = SECONDS + 60
    client.arbitrate(election, f"writer {writer}")
    end = time.monotonic() + SECONDS
    while round_ < ROUNDS or time.monotonic() < end:
        round_ += 1
        ranges.asked[writer] = round_
        client.write(*ranges.batch(writer, round_), atomicity=round_ % 3)
        ranges.answered[writer] = round_
        if not round_ % TAKEOVER:
            election += 1
            before, client = client, server.client()
            client.stream_seconds = SECONDS + 60
            assert client.arbitrate(election, f"writer {writer}").status.code == 0
            assert outcome(lambda old=before: old.write(*ranges.batch(writer, 0))) == "PERMISSION_DENIED"  # type: ignore[misc]
            before.close()
    return round_


def commit_anew(server: ServerUnderTest, done: threading.Event) -> int:
    """RECONCILE_AND_COMMIT of the same program (§14): nobody may notice. How often."""
    client, times = server.client(), 0
    client.stream_seconds = SECONDS + 60
    client.arbitrate(1, "pipeline")
    config = packet_io().config
    while not (done.is_set() and times):
        client.set_config(p4r.SetForwardingPipelineConfigRequest.RECONCILE_AND_COMMIT, config)
        times += 1
    return times


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
            (port,) = seen
            last[writer] = since(port, max(before[writer], last[writer]))
            assert last[writer] <= after[writer]
        reads += 1
    return reads


def send_packets(server: ServerUnderTest, ranges: Ranges, done: threading.Event) -> int:
    """A burst with a frame to each entry of a writer leaves at one port, and ports never go back."""
    bursts, last = 0, [0] * WRITERS
    while not (done.is_set() and bursts):
        for writer in range(WRITERS):
            before = ranges.answered[writer]
            frames = [(1, (1 + writer * 1000 + n).to_bytes(6, "big") + bytes(54)) for n in range(ENTRIES)]
            left = {o.sent[0][0] for o in server.switch.burst(frames)}
            assert len(left) == 1, f"half a batch: ports {left}"
            (port,) = left
            last[writer] = since(port, max(before, last[writer]))
            assert last[writer] <= ranges.asked[writer]
            bursts += 1
    return bursts


@pytest.mark.parametrize("backend", BACKENDS)
def test_everybody_sees_one_order_of_whole_batches(backend: str) -> None:
    with ServerUnderTest(packet_io(), backend=backend) as server:
        ranges = Ranges(server)
        first = server.primary()
        for number in range(WRITERS):
            first.write(*ranges.batch(number, 0))
        done = threading.Event()
        with ThreadPoolExecutor(WRITERS + 4) as pool:
            others = [pool.submit(read_rounds, server, ranges, done) for _ in range(2)]
            others.append(pool.submit(send_packets, server, ranges, done))
            others.append(pool.submit(commit_anew, server, done))
            writing = [pool.submit(write_rounds, server, ranges, n) for n in range(WRITERS)]
            try:
                last = [one.result() for one in writing]
            finally:
                done.set()
            assert all(one.result() > 0 for one in others)
        found = ranges.rounds(server.client().read_entries(server.names.entry("Switch.l2")))
        assert found == [{round_ % PORTS} for round_ in last]


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
