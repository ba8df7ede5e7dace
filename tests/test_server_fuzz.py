"""Damaged requests: always a status, never a dead server, and the state is that of the accepted updates.

`make fuzz-server COUNT=100000` runs longer. The model that says what the state must be is a second server on
the other engine, which is sent the accepted updates alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from random import Random

import grpc
import pytest
from google.protobuf.message import DecodeError
from p4runtime_mutations import damage_bytes, mutate
from p4runtime_peer import (
    Client,
    ServerUnderTest,
    code_of,
    delete,
    errors_of,
    insert,
    modify,
    outcome,
    packet_io,
)
from server_backends import BACKENDS
from test_server_entries import NAMES, WRITTEN, acl, l2
from test_server_objects import SYMMETRIC, one_shot

from p4nic.backend.native import NativeBackend
from p4rt import p4r

ROUNDS = int(os.environ.get("P4NIC_FUZZ", "600"))
SEED = int(os.environ.get("P4NIC_FUZZ_SEED", "20260101"))
UPDATES = [
    *(insert(entry) for entry in WRITTEN),
    *(update for updates, _, _ in SYMMETRIC for update in updates),
    insert(one_shot(1, 2)),
    modify(l2()),
    modify(NAMES.entry("Switch.acl", priority=10, counter_data={"packet_count": 3})),
    delete(l2(2)),
    modify(NAMES.entry("Switch.l2", None, "Switch.drop", is_default_action=True)),
]
QUERIES = [
    p4r.Entity(table_entry=p4r.TableEntry(counter_data={}, meter_config={})),  # type: ignore[arg-type]
    p4r.Entity(table_entry=p4r.TableEntry(is_default_action=True)),
    p4r.Entity(table_entry=l2()),
    p4r.Entity(table_entry=acl(src=(1, 1))),
    p4r.Entity(direct_counter_entry=p4r.DirectCounterEntry(table_entry=l2(action=None))),
    *(query for _, query, _ in SYMMETRIC),
]


def results(client: Client, updates: list[p4r.Update], atomicity: int) -> list[str]:
    """The code of each update; a whole RPC is never refused here, as the request's own fields are sound."""
    try:
        client.write(*updates, atomicity=atomicity)
    except grpc.RpcError as error:
        codes = errors_of(error)
        assert len(codes) == len(updates)
        assert all(bool(sentence) == (code != "OK") for code, sentence in codes)
        return [code for code, _ in codes]
    return ["OK"] * len(updates)


def state(client: Client) -> list[p4r.Entity]:
    """Everything that can be read, in an order that does not depend on when it was written."""
    queries = [QUERIES[0], QUERIES[1], *(p4r.Entity() for _ in range(8))]
    kinds = (
        "action_profile_member",
        "action_profile_group",
        "meter_entry",
        "counter_entry",
        "register_entry",
        "digest_entry",
    )
    for query, kind in zip(queries[2:], kinds, strict=False):
        getattr(query, kind).SetInParent()
    queries[8].packet_replication_engine_entry.multicast_group_entry.SetInParent()
    queries[9].packet_replication_engine_entry.clone_session_entry.SetInParent()
    return sorted(client.read(*queries), key=lambda e: e.SerializeToString(deterministic=True))


def other(backend: str) -> str:
    """The engine that stands model: the other one, where there is a C compiler."""
    return "native" if backend == "interp" and not NativeBackend().missing else "interp"


@pytest.mark.parametrize("backend", BACKENDS)
def test_damaged_writes(backend: str) -> None:
    """A second server that is sent the accepted updates alone ends in the same state."""
    random = Random(SEED)
    accepted = 0
    with (
        ServerUnderTest(packet_io(), backend=backend) as server,
        ServerUnderTest(packet_io(), backend=other(backend)) as model,
    ):
        client, mirror = server.primary(1, 86_400), model.primary(1, 86_400)
        for number in range(ROUNDS // 2):
            updates = []
            for _ in range(random.randrange(1, 4)):
                update = p4r.Update()
                update.CopyFrom(random.choice(UPDATES))
                if random.random() < 0.6:
                    update.type = random.choice((p4r.Update.INSERT, p4r.Update.MODIFY, p4r.Update.DELETE))
                for _ in range(random.choice((0, 0, 1, 1, 2, 4))):
                    mutate(update, random)
                updates.append(update)
            codes = results(client, updates, random.randrange(3))
            assert "INTERNAL" not in codes
            assert "UNKNOWN" not in codes
            good = [u for u, code in zip(updates, codes, strict=True) if code == "OK"]
            accepted += len(good)
            if good:
                assert set(results(mirror, good, 0)) == {"OK"}
            if number % 200 == 199:
                assert state(client) == state(mirror)
        assert state(client) == state(mirror)
    assert accepted > ROUNDS // 16


def test_damaged_requests() -> None:
    """What is wrong with the request as a whole is a plain status (§10, §12.3); nothing of it is applied."""
    random = Random(SEED + 4)
    with ServerUnderTest(packet_io()) as server:
        client = server.primary(1, 86_400)
        client.write(insert(l2(1)))
        sound = p4r.WriteRequest(device_id=1, updates=[insert(l2(2)), delete(l2(2))])
        sound.election_id.low = 1
        seen = set()
        for _ in range(ROUNDS // 10):
            request = p4r.WriteRequest()
            request.CopyFrom(sound)
            mutate(request, random)
            before = state(client)
            code = ended(partial(client.stub.Write, request, timeout=10))
            seen.add(code)
            if code not in ("OK", "UNKNOWN"):
                assert state(client) == before
            client.stub.Write(cleaning(client), timeout=10)
        assert {"OK", "UNKNOWN", "NOT_FOUND", "PERMISSION_DENIED"} <= seen
        assert seen <= {"OK", "UNKNOWN", "NOT_FOUND", "PERMISSION_DENIED", "INVALID_ARGUMENT"}


def ended(call: Callable[[], object]) -> str:
    """The code an RPC ends with; UNKNOWN only with one error per update or query (§12.3)."""
    try:
        call()
    except grpc.RpcError as error:
        if code_of(error) == "UNKNOWN":
            assert any(code != "OK" for code, _ in errors_of(error))  # noqa: PT017 - any status may come
        return code_of(error)
    return "OK"


def cleaning(client: Client) -> p4r.WriteRequest:
    """Deletes what damaged requests have inserted."""
    found = client.read_entries(p4r.TableEntry(table_id=NAMES.ids["Switch.l2"]))
    request = p4r.WriteRequest(device_id=1, updates=[delete(e) for e in found if e != l2(1)])
    request.election_id.low = 1
    return request


def test_damaged_bytes() -> None:
    """Requests whose serialized bytes are changed, cut or repeated; a message nobody can parse is INTERNAL or
    INVALID_ARGUMENT, every other one is answered as what it says.
    """
    random = Random(SEED + 5)
    with ServerUnderTest(packet_io()) as server:
        client = server.primary(1, 86_400)
        sound = p4r.WriteRequest(device_id=1, updates=UPDATES[: len(WRITTEN)])
        sound.election_id.low = 1
        read = p4r.ReadRequest(device_id=1, entities=QUERIES)
        write = client.channel.unary_unary("/p4.v1.P4Runtime/Write", bytes, bytes)
        ask = client.channel.unary_stream("/p4.v1.P4Runtime/Read", bytes, bytes)
        for _ in range(ROUNDS // 4):
            damaged = damage_bytes(sound.SerializeToString(), random)
            code = ended(partial(write, damaged, timeout=10))
            assert code != "INTERNAL" or not parses(p4r.WriteRequest(), damaged)
            damaged = damage_bytes(read.SerializeToString(), random)
            code = ended(lambda data=damaged: list(ask(data, timeout=10)))  # type: ignore[misc]
            assert code != "INTERNAL" or not parses(p4r.ReadRequest(), damaged)
        state(client)


def parses(message: p4r.WriteRequest | p4r.ReadRequest, data: bytes) -> bool:
    try:
        message.ParseFromString(data)
    except DecodeError:
        return False
    return True


def test_damaged_reads() -> None:
    random = Random(SEED + 1)
    with ServerUnderTest(packet_io()) as server:
        client = server.primary(1, 86_400)
        for update in UPDATES[: len(WRITTEN)]:
            client.write(update)
        for _ in range(ROUNDS // 2):
            query = p4r.Entity()
            query.CopyFrom(random.choice(QUERIES))
            for _ in range(random.choice((1, 2, 4))):
                mutate(query, random)
            try:
                client.read(query)
            except grpc.RpcError as error:
                ((code, sentence),) = errors_of(error)
                assert code not in ("OK", "INTERNAL", "UNKNOWN")
                assert sentence


def test_damaged_stream_messages() -> None:
    random = Random(SEED + 2)
    message = p4r.StreamMessageRequest()
    message.packet.payload = b"x" * 64
    message.packet.metadata.add(metadata_id=1, value=b"\1")
    message.packet.metadata.add(metadata_id=2, value=b"\0")
    ack = p4r.StreamMessageRequest()
    ack.digest_ack.digest_id, ack.digest_ack.list_id = NAMES.ids["mac_learn_t"], 1
    with ServerUnderTest(packet_io()) as server:
        client = server.primary(1, 86_400)
        sent = 0
        for _ in range(ROUNDS // 4):
            damaged = p4r.StreamMessageRequest()
            damaged.CopyFrom(random.choice((message, ack)))
            mutate(damaged, random)
            if damaged.WhichOneof("update") != "arbitration":  # those have a test of their own, below
                client.send(damaged)
                sent += 1
        assert len(client.fence()) <= sent


def test_damaged_arbitration() -> None:
    """A stream that is refused ends with a code of §5.3; the others, and the server, go on."""
    random = Random(SEED + 3)
    with ServerUnderTest(packet_io()) as server:
        primary = server.primary(1 << 100, 86_400)
        outcomes = set()
        for _ in range(ROUNDS // 20):
            client = server.client()
            message = p4r.StreamMessageRequest()
            message.arbitration.device_id = 1
            message.arbitration.role.name = "r"
            mutate(message, random)
            if message.WhichOneof("update") != "arbitration":
                continue
            client.send(message)
            outcomes.add(outcome(client.notice))
            client.close()
        assert outcomes <= {"OK", "NOT_FOUND", "INVALID_ARGUMENT", "FAILED_PRECONDITION"}
        primary.write(insert(l2(77)))
