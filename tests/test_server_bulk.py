"""The bulk path of Write and Read: nobody can tell it from the general path but by the time it takes.

The oracle is the general path on the interpreter: the same requests to both, then the same answers, to the
byte of each sentence, and the same state with counters and idle times. docs/decisions/p4runtime-bulk.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from random import Random

import grpc
import pytest
from bulk_requests import ARTIFACT, EXACT_TABLES, NAMES, SECOND, entry, request
from p4runtime_peer import Client, ServerUnderTest, code_of, delete, errors_of, insert, modify

from p4nic.backend.native.pipeline import NativeBackend
from p4nic.server import wire
from p4nic.server.codec import Codec
from p4nic.target.rows import Rows
from p4rt import p4r

ROUNDS = int(os.environ.get("P4NIC_FUZZ", "400"))
pytestmark = pytest.mark.skipif(bool(NativeBackend().missing), reason=NativeBackend().missing)


@pytest.fixture(autouse=True)
def compiled() -> None:
    """The bulk path must not come in the middle of a test."""
    assert wire.library.wait()


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What became of each request that got as far as the tables as rows."""
    told: list[bool] = []
    write = Rows.write

    def spy(self: Rows, rows: bytes | memoryview) -> bool:
        told.append(write(self, rows))
        return told[-1]

    monkeypatch.setattr(Rows, "write", spy)
    return told


@pytest.fixture
def client() -> Iterator[Client]:
    with ServerUnderTest(ARTIFACT, backend="native") as server:
        yield server.primary()


def answer(client: Client, data: bytes) -> object:
    """What a Write ends with: nothing, a list of errors, or a status."""
    try:
        client.channel.unary_unary("/p4.v1.P4Runtime/Write", bytes, bytes)(data, timeout=10)
    except grpc.RpcError as error:
        if code_of(error) == "UNKNOWN":
            return errors_of(error)
        return code_of(error), error.details()
    return None


def state(client: Client) -> list[bytes]:
    """Every entry with all that can be asked for, in an order of its own."""
    ask = p4r.TableEntry()
    for part in (ask.counter_data, ask.meter_config, ask.time_since_last_hit):
        part.SetInParent()
    return sorted(e.SerializeToString(deterministic=True) for e in client.read_entries(ask))


@pytest.mark.parametrize("seed", range(2))
def test_the_same_requests_get_the_same_answers_and_leave_the_same_state(
    seed: int, taken: list[bool]
) -> None:
    random = Random(seed)
    with ExitStack() as stack:
        servers = [
            stack.enter_context(ServerUnderTest(ARTIFACT, backend=backend))
            for backend in ("interp", "native")
        ]
        clients = [server.primary() for server in servers]
        for number in range(ROUNDS):
            made = request(random)
            data = made.SerializeToString()
            plain, bulk = (answer(client, data) for client in clients)
            assert bulk == plain, f"seed {seed}, request {number}: {made}"
            if random.random() < 0.1:
                step = random.choice((1, SECOND // 2, 2 * SECOND))
                for client in clients:
                    client.advance(step)
            if number % 20 == 19:
                assert state(clients[1]) == state(clients[0]), f"seed {seed}, after request {number}"
    assert taken.count(True) > ROUNDS // 20, "hardly any request took the bulk path"
    assert taken.count(False) > ROUNDS // 20, "hardly any request was undone"


def flow(number: int, to: int = 1) -> p4r.TableEntry:
    key = {"src": number, "dst": number * 7, "protocol": 6, "sport": number % 60000, "dport": 80}
    return NAMES.entry(
        "Main.flows", {f"h.d.{n}": v for n, v in key.items()}, "Main.send", {"to": to, "port": 9}
    )


def test_a_large_batch_is_read_back_as_it_was_written(client: Client, taken: list[bool]) -> None:
    entries = [flow(i, i) for i in range(5000)]
    client.write(*map(insert, entries))
    assert taken == [True]
    assert client.read_entries(p4r.TableEntry(table_id=entries[0].table_id)) == entries


def pieces(server: ServerUnderTest, table: str = "Main.flows") -> Iterator[list[p4r.TableEntry]]:
    """A read as the server makes it, in pieces that are taken when asked for, without a network that runs
    ahead."""
    tables = server.switch.tables
    made = wire.make(Codec(ARTIFACT.info, ARTIFACT.program), tables)
    rows = tables.rows.read(table)
    assert made is not None
    assert rows is not None
    for piece in rows:
        answer = p4r.ReadResponse.FromString(made.encode(table, piece, counter=False, idle=False))
        yield [e.table_entry for e in answer.entities]


def test_a_read_sees_the_table_as_it_was_when_it_began(taken: list[bool]) -> None:
    """Writes in the middle of a read, over both paths, do not show in it (§13.4)."""
    with ServerUnderTest(ARTIFACT, backend="native") as server:
        client = server.primary()
        entries = [flow(i) for i in range(6000)]
        client.write(*map(insert, entries))
        reads = [pieces(server), pieces(server)]
        seen = [next(read) for read in reads]
        seen[1] += next(reads[1])
        client.write(*(delete(flow(i)) for i in range(0, 6000, 3)))
        client.write(*(modify(flow(i, 2)) for i in range(1, 6000, 3)))
        client.write(*(insert(flow(i, 3)) for i in (*range(0, 6000, 6), *range(6000, 9000))))
        client.write(*(modify(flow(i, 3)) for i in range(1, 6000, 6)))
        client.refused(delete(flow(5999)), delete(flow(9999)))
        assert taken == [True] * 5 + [False]
        annotated = flow(5998, 4)
        annotated.metadata = b"x"
        client.write(modify(annotated))
        client.write(delete(flow(5996)))
        assert taken[-1] is False
        for read, found in zip(reads, seen, strict=True):
            assert 0 < len(found) < 6000
            for piece in read:
                found += piece
            assert found == entries


def test_a_read_goes_on_when_another_pipeline_comes() -> None:
    with ServerUnderTest(ARTIFACT, backend="native") as server:
        client = server.primary()
        entries = [flow(i) for i in range(6000)]
        client.write(*map(insert, entries))
        read = pieces(server)
        seen = next(read)
        actions = p4r.SetForwardingPipelineConfigRequest
        client.set_config(actions.RECONCILE_AND_COMMIT, ARTIFACT.config)
        assert len(client.read_entries(p4r.TableEntry(table_id=flow(0).table_id))) == 6000
        client.write(*(delete(flow(i)) for i in range(6000)))
        client.set_config(actions.VERIFY_AND_COMMIT, ARTIFACT.config)
        for piece in read:
            seen += piece
        assert seen == entries


def test_a_read_given_up_half_way_leaves_nothing_behind(client: Client) -> None:
    client.write(*(insert(flow(i)) for i in range(20_000)))
    for _ in range(3):
        messages = client.read_stream(p4r.Entity(table_entry=p4r.TableEntry()))
        next(messages)
        del messages
    client.write(*(delete(flow(i)) for i in range(20_000)))
    client.write(*(insert(flow(i, 2)) for i in range(20_000)))
    found = client.read_entries(p4r.TableEntry(table_id=flow(0).table_id))
    assert sorted(e.match[0].exact.value for e in found) == sorted(
        flow(i).match[0].exact.value for i in range(20_000)
    )


def test_a_batch_that_fails_leaves_counters_and_idle_times(taken: list[bool]) -> None:
    """The rows before the one that fails are undone to the last detail."""
    with ServerUnderTest(ARTIFACT, backend="native") as server:
        client = server.primary()
        aged = NAMES.entry("Main.aged", {"h.d.src": 1, "h.d.dport": 2}, "Main.count_it", {"x": 1})
        aged.idle_timeout_ns = 3 * SECOND
        counted = p4r.TableEntry()
        counted.CopyFrom(aged)
        counted.counter_data.packet_count, counted.counter_data.byte_count = 7, 700
        client.write(insert(counted))
        client.advance(SECOND)
        before = state(client)
        other = p4r.TableEntry()
        other.CopyFrom(aged)
        other.idle_timeout_ns = 0
        taken.clear()
        for doomed in ([delete(aged), insert(other), delete(flow(1))], [modify(other), delete(flow(1))]):
            client.refused(*doomed, atomicity=p4r.WriteRequest.ROLLBACK_ON_ERROR)
        assert taken == [False, False]
        assert state(client) == before
        client.fence()
        client.advance(2 * SECOND)
        told = [m for m in client.fence() if m.WhichOneof("update") == "idle_timeout_notification"]
        assert len(told) == 1


def test_full_tables_refuse_what_is_too_much(taken: list[bool]) -> None:
    random = Random(1)
    with ServerUnderTest(ARTIFACT, backend="native") as server:
        client = server.primary()
        made: dict[bytes, p4r.TableEntry] = {}
        while len(made) < 40:
            one = entry(random, "Main.wide")
            made[b"".join(m.SerializeToString() for m in one.match)] = one
        client.write(*map(insert, made.values()))
        key = {"h.d.wide": 1 << 70}
        rest = [NAMES.entry("Main.wide", {**key, "h.d.odd": i}, "Main.nothing") for i in range(30)]
        results = client.refused(*map(insert, rest))
        assert taken == [True, False]
        assert [code for code, _ in results] == ["OK"] * 24 + ["RESOURCE_EXHAUSTED"] * 6


@pytest.mark.parametrize("table", EXACT_TABLES)
def test_roles_and_elections_are_judged_on_the_bulk_path_too(
    client: Client, table: str, taken: list[bool]
) -> None:
    made = p4r.WriteRequest(device_id=1, updates=[insert(entry(Random(3), table))])
    made.election_id.low = 1
    for field, wrong, expected in (
        ("device_id", 9, "NOT_FOUND"),
        ("role", "stranger", "NOT_FOUND"),
        ("election", 0, "PERMISSION_DENIED"),
    ):
        bad = p4r.WriteRequest()
        bad.CopyFrom(made)
        if field == "election":
            bad.election_id.low = 0
        else:
            setattr(bad, field, wrong)
        told = answer(client, bad.SerializeToString())
        assert isinstance(told, tuple)
        assert told[0] == expected
    assert not taken
    assert answer(client, made.SerializeToString()) is None
    assert taken == [True]
