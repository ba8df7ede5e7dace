"""A client that stalls, floods or vanishes hurts nobody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from p4runtime_peer import (
    Client,
    ServerUnderTest,
    arbitration,
    code_of,
    delete,
    insert,
    outcome,
    packet_io,
)

from p4nic.server import service
from p4nic.server.admission import RateLimit
from p4nic.server.outbox import MAX_ENTRIES, Outbox
from p4nic.server.reads import Reads
from p4nic.server.service import Limits
from p4nic.server.status import RpcRefused
from p4rt import p4r


def packet(size: int = 10) -> p4r.StreamMessageResponse:
    return p4r.StreamMessageResponse(packet=p4r.PacketIn(payload=b"x" * size))


def notice() -> p4r.StreamMessageResponse:
    return p4r.StreamMessageResponse(arbitration=p4r.MasterArbitrationUpdate(device_id=1))


def idle(timestamp: int) -> p4r.StreamMessageResponse:
    notification = p4r.IdleTimeoutNotification(timestamp=timestamp, table_entry=[p4r.TableEntry(table_id=1)])
    return p4r.StreamMessageResponse(idle_timeout_notification=notification)


def kinds(outbox: Outbox) -> list[str | None]:
    outbox.close()
    return [message.WhichOneof("update") for message in outbox]


# --- the outbox ---------------------------------------------------------------------------------------------


def test_full_outbox_drops_packets_and_counts_them() -> None:
    outbox = Outbox(limit=2)
    assert [outbox.put(packet()) for _ in range(4)] == [True, True, False, False]
    assert outbox.dropped == 2


def test_outbox_is_bounded_in_bytes() -> None:
    outbox = Outbox(byte_limit=100)
    assert [outbox.put(packet(80)) for _ in range(2)] == [True, False]
    next(iter(outbox))
    assert outbox.put(packet(80))


def test_notices_get_into_a_full_outbox() -> None:
    outbox = Outbox(limit=1)
    outbox.put(packet())
    assert outbox.put_notice(notice())
    assert kinds(outbox) == ["packet", "arbitration"]


def test_closed_outbox_gives_what_it_has_and_takes_nothing() -> None:
    outbox = Outbox()
    outbox.put(packet())
    outbox.close()
    assert not outbox.put(packet())
    assert kinds(outbox) == ["packet"]


def test_waiting_idle_timeouts_of_one_time_are_bundled() -> None:
    outbox = Outbox()
    for timestamp in (1, 1, 2):
        outbox.put(idle(timestamp))
    outbox.put(packet())
    outbox.put(idle(2))
    outbox.close()
    sizes = [len(m.idle_timeout_notification.table_entry) for m in outbox]
    assert sizes == [2, 1, 0, 1]


def test_bundles_have_an_end() -> None:
    outbox = Outbox()
    for _ in range(MAX_ENTRIES + 1):
        outbox.put(idle(1))
    outbox.close()
    assert [len(m.idle_timeout_notification.table_entry) for m in outbox] == [MAX_ENTRIES, 1]


# --- the server ---------------------------------------------------------------------------------------------


def test_stream_that_is_not_read_does_not_stop_the_others() -> None:
    with ServerUnderTest(packet_io()) as server:
        stalled, busy = server.primary(1), server.client()
        stalled.write(insert(server.names.entry("Switch.l2", {"dst": 1}, "Switch.to_cpu", {"reason": 1})))
        frame = bytes(5) + b"\1" + bytes(9000)
        for _ in range(300):
            server.switch.burst([(1, frame)] * 64)
        assert server.switch.port_statistics()[510].tx_packets == 300 * 64
        assert busy.arbitrate(2).status.code == 0
        busy.write(insert(server.names.entry("Switch.l2", {"dst": 2}, "Switch.drop")))


def big_table(server: ServerUnderTest, client: Client) -> list[p4r.TableEntry]:
    """Ten megabytes to read: more than gRPC buffers for a client that takes nothing."""
    entries = [
        server.names.entry("Switch.l2", {"dst": n}, "Switch.drop", metadata=bytes(20_000)) for n in range(500)
    ]
    for start in range(0, 500, 100):
        client.write(*(insert(e) for e in entries[start : start + 100]))
    return entries


def stalled_read(client: Client) -> Any:
    """A Read whose answers nobody takes, when it has begun."""
    call = client.stub.Read(p4r.ReadRequest(device_id=1, entities=[p4r.Entity(table_entry=p4r.TableEntry())]))
    next(iter(call))
    return call


def test_read_that_is_not_taken_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, cut_off = threading.Event(), Reads.cut_off

    def told(reads: Reads, patience: float, most: int | None = None) -> int:
        many = cut_off(reads, patience, most)
        if many:
            ended.set()
        return many

    monkeypatch.setattr(Reads, "cut_off", told)
    with ServerUnderTest(packet_io(), limits=Limits(read_patience=0.2)) as server:
        client = server.primary()
        entries = big_table(server, client)
        stalled = stalled_read(client)
        assert ended.wait(30)
        with pytest.raises(grpc.RpcError) as error:
            list(stalled)
        assert code_of(error.value) == "CANCELLED"
        client.write(delete(entries[0]))


def test_stalled_read_gives_its_place_to_another() -> None:
    """No client waits for the patience of half a minute that a stalled one has."""
    with ServerUnderTest(packet_io(), limits=Limits(reads=2)) as server:
        client = server.primary()
        big_table(server, client)
        stalled = [stalled_read(server.client()) for _ in range(2)]
        others = 0
        refused = set()
        while others < 3:
            try:
                assert len(server.client().read_entries(server.names.entry("Switch.l2"))) == 500
                others += 1
            except grpc.RpcError as error:  # for half a second at most
                refused.add(f"{code_of(error)}: {error.details()}")
        assert refused <= {"RESOURCE_EXHAUSTED: 2 Reads are under way already; try again when one has ended"}
        outcomes = {outcome(lambda one=one: list(one)) for one in stalled}  # type: ignore[misc]
        assert "CANCELLED" in outcomes


class Cancelled:
    """Stands for gRPC's context."""

    def __init__(self) -> None:
        self.times = 0

    def cancel(self) -> None:
        self.times += 1


def test_the_read_that_stalls_longest_gives_way() -> None:
    now = [0.0]
    reads = Reads(places=2, clock=lambda: now[0])
    contexts = [Cancelled() for _ in range(3)]
    try:
        first, second = (reads.watched(iter(range(9)), c) for c in contexts[:2])
        next(first)
        now[0] = 0.4
        next(second)
        with pytest.raises(RpcRefused, match="2 Reads are under way already"):
            next(reads.watched(iter(range(9)), contexts[2]))
        now[0] = 0.6
        next(reads.watched(iter(range(9)), contexts[2]))
        assert [c.times for c in contexts] == [1, 0, 0]
    finally:
        reads.close()


def test_a_read_that_is_taken_is_left_alone() -> None:
    now = [0.0]
    reads = Reads(clock=lambda: now[0])
    context = Cancelled()
    try:
        for _ in reads.watched(iter(range(100)), context):
            now[0] += 20
            assert reads.cut_off(30.0) == 0
    finally:
        reads.close()
    assert context.times == 0


def test_requests_beyond_the_rate_are_refused_and_cost_nothing() -> None:
    now = [0.0]
    limit = RateLimit(2.0, clock=lambda: now[0])
    assert [limit.wait("a", refuse=True) > 0 for _ in range(4)] == [False, False, True, True]
    assert limit.wait("b", refuse=True) == 0
    now[0] = 0.5
    assert [limit.wait("a", refuse=True) > 0 for _ in range(2)] == [False, True]
    now[0] = 100.0
    assert [limit.wait("a", refuse=True) > 0 for _ in range(3)] == [False, False, True]


def test_stream_messages_beyond_the_rate_wait() -> None:
    limit = RateLimit(2.0, clock=lambda: 0.0)
    assert [limit.wait("a", refuse=False) for _ in range(5)] == [0, 0, 0.5, 1.0, 1.5]


def flood(client: Client) -> None:
    for _ in range(50):
        client.read_entries()


def test_flooding_client_is_told_and_others_are_served() -> None:
    with ServerUnderTest(packet_io(), limits=Limits(requests_per_second=5)) as server:
        flooding, other = server.client(), server.client()
        seen = {outcome(flooding.read_entries) for _ in range(50)}
        assert seen == {"OK", "RESOURCE_EXHAUSTED"}
        with pytest.raises(grpc.RpcError) as error:
            flood(flooding)
        assert error.value.details() == "this client sends more than 5 requests a second; put more into each"
        assert outcome(other.read_entries) == "OK"


def test_request_that_is_too_long() -> None:
    with ServerUnderTest(packet_io(), limits=Limits(message_bytes=100_000)) as server:
        client = server.primary()
        entry = server.names.entry("Switch.l2", {"dst": 1}, "Switch.drop", metadata=bytes(100_000))
        assert outcome(lambda: client.write(insert(entry))) == "RESOURCE_EXHAUSTED"
        assert client.read_entries(server.names.entry("Switch.l2")) == []


def test_stream_that_never_arbitrates_gives_way() -> None:
    """§5.3: a stream begins with a MasterArbitrationUpdate; one that does not keeps nobody out."""
    with ServerUnderTest(packet_io()) as server:
        silent = server.client()
        leave = threading.Event()

        def silence() -> Iterator[p4r.StreamMessageRequest]:
            leave.wait()
            yield from ()

        streams = [silent.stub.StreamChannel(silence()) for _ in range(service.MAX_STREAMS)]
        client = server.client()
        while True:  # until all of them have reached the server, one is refused
            if client.arbitrate(1).status.code == 0 and any(not one.is_active() for one in streams):
                break
        ended = next(one for one in streams if not one.is_active())
        with pytest.raises(grpc.RpcError) as error:
            list(ended)
        assert code_of(error.value) == "RESOURCE_EXHAUSTED"
        assert str(error.value.details()).startswith(
            "the stream has not arbitrated, and another client needs"
        )
        leave.set()


def test_too_many_streams() -> None:
    with ServerUnderTest(packet_io()) as server:
        client = server.client()
        leave = threading.Event()

        def silence() -> Iterator[p4r.StreamMessageRequest]:
            yield arbitration(None)
            leave.wait()

        streams = [iter(client.stub.StreamChannel(silence())) for _ in range(service.MAX_STREAMS)]
        assert {next(stream).WhichOneof("update") for stream in streams} == {"arbitration"}
        with pytest.raises(grpc.RpcError) as error:
            list(client.stub.StreamChannel(iter([arbitration(1)])))
        assert code_of(error.value) == "RESOURCE_EXHAUSTED"
        leave.set()
        assert [list(stream) for stream in streams] == [[]] * service.MAX_STREAMS


def test_readers_see_whole_batches_while_writers_write() -> None:
    """§13.4: a Read sees the state before or after a Write, and readers, writers and packets run at once."""
    with ServerUnderTest(packet_io()) as server:
        writer, names = server.primary(), server.names
        batch = [names.entry("Switch.l2", {"dst": n}, "Switch.drop") for n in range(50)]
        done = threading.Event()

        def write() -> int:
            rounds = 0
            for _ in range(30):
                writer.write(*(insert(e) for e in batch))
                writer.write(*(delete(e) for e in batch))
                rounds += 1
            done.set()
            return rounds

        def read() -> set[int]:
            client, seen = server.client(), set()
            while not done.is_set():
                seen.add(len(client.read_entries(names.entry("Switch.l2"))))
            return seen

        def send() -> int:
            sent = 0
            while not done.is_set():
                sent += len(server.switch.burst([(1, bytes(60))] * 32))
            return sent

        with ThreadPoolExecutor(4) as pool:
            writing, *reading = pool.submit(write), pool.submit(read), pool.submit(read)
            sending = pool.submit(send)
            assert writing.result() == 30
            assert set.union(*(r.result() for r in reading)) <= {0, 50}
            assert sending.result() > 0
