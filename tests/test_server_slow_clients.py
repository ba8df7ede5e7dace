"""A client that stalls, floods or vanishes hurts nobody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from p4runtime_peer import ServerUnderTest, arbitration, code_of, delete, insert, packet_io

from p4nic.server import service
from p4nic.server.outbox import MAX_ENTRIES, Outbox
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


def test_read_that_is_not_taken_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_off, watched = threading.Event(), service.watched

    def told(
        answers: Iterator[p4r.ReadResponse], context: grpc.ServicerContext
    ) -> Iterator[p4r.ReadResponse]:
        try:
            yield from watched(answers, context)
        finally:
            cut_off.set()

    monkeypatch.setattr(service, "READ_PATIENCE", 0.2)
    monkeypatch.setattr(service, "watched", told)
    with ServerUnderTest(packet_io()) as server:
        client = server.primary()
        entries = [
            server.names.entry("Switch.l2", {"dst": n}, "Switch.drop", metadata=bytes(20_000))
            for n in range(500)
        ]
        for start in range(0, 500, 100):
            client.write(*(insert(e) for e in entries[start : start + 100]))
        stalled = client.stub.Read(
            p4r.ReadRequest(device_id=1, entities=[p4r.Entity(table_entry=p4r.TableEntry())])
        )
        assert cut_off.wait(30)
        with pytest.raises(grpc.RpcError) as error:
            list(stalled)
        assert code_of(error.value) == "CANCELLED"
        client.write(delete(entries[0]))


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
