"""Data plane volatile entries over P4Runtime (1.5 §8.3.1): what PNA's add-on-miss inserts, ages and deletes.

The load balancer as p4c-dpdk compiled it learns a pair of flow entries from each new connection.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from cli_samples import syn
from p4runtime_peer import SECOND, Client, ServerUnderTest, code_of, delete, load_balancer, modify
from server_backends import BACKENDS
from test_server_upgrade import FLOWS, programmed

from p4nic.backend.native import NativeBackend
from p4nic.backend.wires import Wire
from p4nic.clock import RealClock
from p4nic.target.ports.wire import WirePort
from p4rt import p4r

LEARNED = {"metadata": b"learned", "time_since_last_hit": {}}
FLOW_COUNT = 300


@pytest.fixture(params=BACKENDS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> ServerUnderTest:
    made = ServerUnderTest(load_balancer(), backend=request.param, notify=(FLOWS,))
    programmed(made, tmp_path)
    return made


def flows(client: Client, server: ServerUnderTest, **fields: object) -> list[p4r.TableEntry]:
    return client.read_entries(server.names.entry(FLOWS, **(fields or LEARNED)))


def test_learned_entries_carry_true_times(server: ServerUnderTest) -> None:
    """`idle_timeout_ns` is that of now; `time_since_last_hit` counts since the timer's last restart."""
    with server:
        client = server.primary()
        server.switch.inject(1, syn())
        client.advance(10 * SECOND)
        assert {(f.idle_timeout_ns, f.time_since_last_hit.elapsed_ns) for f in flows(client, server)} == {
            (30 * SECOND, 10 * SECOND)
        }
        server.switch.inject(1, syn())
        client.advance(7 * SECOND)
        times = sorted((f.idle_timeout_ns, f.time_since_last_hit.elapsed_ns) for f in flows(client, server))
        assert times == [(30 * SECOND, 7 * SECOND), (30 * SECOND, 17 * SECOND)]


def test_reads_without_asking_tell_no_time(server: ServerUnderTest) -> None:
    """§9.1.7: time_since_last_hit is set in the answer if and only if it is in the request."""
    with server:
        client = server.primary()
        server.switch.inject(1, syn())
        asked, unasked = flows(client, server), flows(client, server, metadata=b"learned")
        assert [f.HasField("time_since_last_hit") for f in asked + unasked] == [True] * 2 + [False] * 2


def test_learned_entry_is_modified_and_deleted_by_a_client(server: ServerUnderTest) -> None:
    """A client may take an entry over (its metadata says so) and take it away; the packet learns anew."""
    with server:
        client = server.primary()
        server.switch.inject(1, syn())
        first, second = flows(client, server, metadata=b"learned")
        mine = p4r.TableEntry()
        mine.CopyFrom(first)
        mine.metadata = b"mine"
        client.write(modify(mine))
        assert flows(client, server, metadata=b"learned") == [second]
        assert [f.match for f in flows(client, server, metadata=b"mine")] == [first.match]
        client.write(delete(first), delete(second))
        assert flows(client, server) == []
        assert server.switch.inject(1, syn()).sent
        assert len(flows(client, server)) == 2


@pytest.mark.parametrize("told", [True, False], ids=["NOTIFY_CONTROL", "AUTO_DELETE"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_learned_entries_leave_by_themselves(backend: str, told: bool, tmp_path: Path) -> None:
    """PNA's AUTO_DELETE, and with the target's `notify` each end is told exactly once (§16.4)."""
    with ServerUnderTest(load_balancer(), backend=backend, notify=(FLOWS,) if told else ()) as server:
        programmed(server, tmp_path)
        client = server.primary()
        for sport in range(1025, 1035):
            server.switch.inject(1, syn(sport=sport))
        before = flows(client, server, metadata=b"learned")
        client.advance(3600 * SECOND)
        notices = [m.idle_timeout_notification for m in client.fence()]
        gone = [e for n in notices for e in n.table_entry]
        assert [n.timestamp for n in notices] == ([30 * SECOND] if told else [])
        assert sorted(key(e) for e in gone) == (sorted(key(e) for e in before) if told else [])
        assert flows(client, server) == []
        assert server.switch.statistics()["expired_silently"] == (0 if told else 20)


def key(entry: p4r.TableEntry) -> bytes:
    return b"".join(m.SerializeToString(deterministic=True) for m in entry.match)


def test_entries_learned_during_reads_are_never_twice_nor_torn(server: ServerUnderTest) -> None:
    """Packets learn, a client deletes, entries expire, and readers look on: each row is one whole entry that
    was there, at most once in an answer; at rest the answer is the table.
    """
    with server:
        writer = server.primary()
        done = threading.Event()
        sports = range(1025, 1025 + FLOW_COUNT)

        def learn() -> None:
            for _ in range(3):
                for start in range(0, FLOW_COUNT, 20):
                    server.switch.burst([(1, syn(sport=s)) for s in sports[start : start + 20]])

        def forget() -> int:
            deleted, client = 0, server.client()
            while not (done.is_set() and deleted):
                for one in flows(client, server, metadata=b"learned")[::7]:
                    deleted += accepted(lambda one=one: writer.write(delete(one)))  # type: ignore[misc]
            return deleted

        def look() -> int:
            client, reads = server.client(), 0
            while not (done.is_set() and reads):
                found = flows(client, server)
                keys = [key(e) for e in found]
                assert len(set(keys)) == len(keys)
                for one in found:
                    whole(one)
                reads += 1
            return reads

        with ThreadPoolExecutor(4) as pool:
            looking, forgetting = [pool.submit(look) for _ in range(2)], pool.submit(forget)
            try:
                pool.submit(learn).result()
            finally:
                done.set()
            assert all(one.result() > 0 for one in looking)
            assert forgetting.result() > 0
        assert len(flows(writer, server)) == server.switch.tables.entry_count(FLOWS)
        writer.advance(31 * SECOND)
        assert flows(writer, server) == []


@pytest.mark.skipif(bool(NativeBackend().missing), reason=NativeBackend().missing or "never")
def test_entries_that_two_workers_learn_are_read_whole(tmp_path: Path) -> None:
    """Packets pass in C, in two threads, and learn while clients read and delete."""
    with ServerUnderTest(load_balancer(), clock=RealClock(), backend="native", notify=(FLOWS,)) as server:
        programmed(server, tmp_path)
        server.switch.workers = 2
        for number in (1, 2):
            server.switch.attach(number, WirePort("memory", Wire("memory", "", (-1, -1))))
        server.switch.start()
        writer, reader, reads = server.primary(), server.client(), 0
        forwarding: Any = server.switch.pipeline.forwarding  # type: ignore[attr-defined]
        frames = [syn(sport=port) for port in range(1025, 1025 + FLOW_COUNT)]
        for start in range(0, 3 * FLOW_COUNT, 30):
            for number in range(start, start + 30):
                while not forwarding.put(1, frames[number % FLOW_COUNT]):
                    pass
            forwarding.take(2)
            found = flows(reader, server)
            keys = [key(e) for e in found]
            assert len(set(keys)) == len(keys)
            for one in found:
                whole(one)
            for one in found[::11]:
                accepted(lambda one=one: writer.write(delete(one)))  # type: ignore[misc]
            reads += bool(found)
        assert reads > 10
        assert server.switch.drain()
        assert len(flows(writer, server)) == server.switch.tables.entry_count(FLOWS)


def accepted(write: Callable[[], object]) -> bool:
    """Whether the entry was still there to delete."""
    try:
        write()
    except grpc.RpcError as error:
        assert code_of(error) == "UNKNOWN"  # noqa: PT017 - NOT_FOUND of the one update
        return False
    return True


def whole(entry: p4r.TableEntry) -> None:
    """Key, action and parameters belong together: a flow of the one service, in one of its directions."""
    assert len(entry.match) == 5
    assert entry.metadata == b"learned"
    assert entry.idle_timeout_ns == 30 * SECOND
    assert entry.action.action.action_id
    ports = {int.from_bytes(m.exact.value, "big") for m in entry.match[3:]}
    args = [int.from_bytes(p.value, "big") for p in entry.action.action.params]
    (client_port,) = (p for p in ports if 1025 <= p < 1025 + FLOW_COUNT)
    assert client_port in args or ports - {client_port} <= {80, 8080}
