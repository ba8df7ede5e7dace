"""The stream (P4Runtime 1.5 §16) in virtual time: packets in and out, digests, idle timeouts, errors."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf import any_pb2
from p4runtime_peer import (
    SECOND,
    Client,
    Names,
    ServerUnderTest,
    arbitration,
    code_of,
    delete,
    entity,
    insert,
    load_balancer,
    modify,
    packet_io,
)
from server_backends import BACKENDS

from p4nic.backend.api import Entry
from p4nic.ir.program import ActionCall, Exact
from p4rt import p4r, stratum_role

NAMES = Names(packet_io().info.message)
DIGEST = NAMES.ids["mac_learn_t"]
FRAME = bytes.fromhex("0000000000aa 0000000000bb 1234") + b"payload"
PERMISSION_DENIED, INVALID_ARGUMENT, FAILED_PRECONDITION, UNIMPLEMENTED = 7, 3, 9, 12


def packet_out(payload: bytes = FRAME, **metadata: bytes) -> p4r.StreamMessageRequest:
    message = p4r.StreamMessageRequest()
    message.packet.payload = payload
    for name, value in metadata.items():
        message.packet.metadata.add(
            metadata_id={"egress_port": 1, "padding": 2, "other": 3}[name], value=value
        )
    return message


# --- packets (§16.1) ----------------------------------------------------------------------------------------


def test_packet_in_carries_the_header_as_metadata(server: ServerUnderTest, client: Client) -> None:
    client.write(insert(NAMES.entry("Switch.l2", {"dst": 0xAA}, "Switch.to_cpu", {"reason": 5})))
    server.switch.inject(0x102, FRAME)
    packet = client.receive().packet
    assert packet.payload == FRAME
    assert [(m.metadata_id, m.value) for m in packet.metadata] == [(1, b"\x01\x02"), (2, b"\x05")]


def test_packet_out_leaves_at_the_named_port(server: ServerUnderTest, client: Client) -> None:
    client.send(packet_out(egress_port=b"\x03", padding=b"\0"))
    assert client.fence() == []
    assert server.switch.port_statistics()[3].tx_packets == 1


PACKET_OUTS_REFUSED = [
    ({"egress_port": b"\1"}, "packet_out field padding: it is missing; a packet-out carries every field"),
    (
        {"egress_port": b"\1", "padding": b"\0", "other": b"\0"},
        "packet_out has no field with id 3; its fields are egress_port (1), padding (2)",
    ),
    ({"egress_port": b"", "padding": b"\0"}, "packet_out field egress_port: the value is empty;"),
    (
        {"egress_port": b"\x02\x00", "padding": b"\0"},
        "packet_out field egress_port: 0x200 does not fit in 9 bits (at most 0x1ff)",
    ),
]


@pytest.mark.parametrize(("metadata", "sentence"), PACKET_OUTS_REFUSED)
def test_packet_out_with_wrong_metadata(
    server: ServerUnderTest, client: Client, metadata: dict[str, bytes], sentence: str
) -> None:
    """§16.5: dropped, and a StreamError that names the packet; the stream lives on."""
    message = packet_out(**metadata)
    client.send(message)
    (answer,) = client.fence()
    assert answer.error.canonical_code in (INVALID_ARGUMENT, 11)
    assert answer.error.message.startswith(sentence)
    assert answer.error.packet_out.packet_out == message.packet
    assert 510 not in server.switch.port_statistics()


def test_packet_out_field_given_twice(client: Client) -> None:
    message = packet_out(egress_port=b"\1", padding=b"\0")
    message.packet.metadata.add(metadata_id=1, value=b"\1")
    client.send(message)
    (answer,) = client.fence()
    assert answer.error.message == "packet_out field egress_port: it is given twice"


def test_backup_neither_sends_nor_receives(server: ServerUnderTest, client: Client) -> None:
    backup = server.client()
    backup.arbitrate(0)
    client.write(insert(NAMES.entry("Switch.l2", {"dst": 0xAA}, "Switch.to_cpu", {"reason": 5})))
    server.switch.inject(1, FRAME)
    assert client.receive().WhichOneof("update") == "packet"
    backup.send(packet_out(egress_port=b"\x03", padding=b"\0"))
    (answer,) = backup.fence()
    assert answer.error.canonical_code == PERMISSION_DENIED
    assert answer.error.message == "only the primary may send packets; become primary first"


def test_packet_in_goes_to_the_roles_that_want_it(server: ServerUnderTest, client: Client) -> None:
    """§5.2, by the role's filter."""
    only_5 = stratum_role.P4RoleConfig(
        receives_packet_ins=True,
        packet_in_filter=stratum_role.P4RoleConfig.PacketFilter(metadata_id=2, value=b"\5"),
    )
    filtered, deaf = server.client(), server.client()
    filtered.arbitrate(1, "filtered", config=only_5)
    deaf.arbitrate(1, "deaf", config=stratum_role.P4RoleConfig())
    for dst, reason in ((1, 4), (2, 5)):
        client.write(insert(NAMES.entry("Switch.l2", {"dst": dst}, "Switch.to_cpu", {"reason": reason})))
        server.switch.inject(1, dst.to_bytes(6, "big") + FRAME[6:])
    assert [m.packet.metadata[1].value for m in client.fence()] == [b"\4", b"\5"]
    filtered.send(arbitration(1, "filtered", config=only_5))
    assert filtered.receive().packet.metadata[1].value == b"\5"
    assert filtered.notice().status.code == 0
    deaf.send(arbitration(1, "deaf", config=stratum_role.P4RoleConfig()))
    assert deaf.notice().status.code == 0


# --- digests (§9.10) ----------------------------------------------------------------------------------------


def configure_digest(client: Client, **config: int) -> None:
    text = " ".join(f"{name}: {value}" for name, value in config.items())
    client.write(insert(entity(f"digest_entry {{ digest_id: {DIGEST} config {{ {text} }} }}")))


def frame_from(mac: int) -> bytes:
    return FRAME[:6] + mac.to_bytes(6, "big") + FRAME[12:]


def lists(messages: list[p4r.StreamMessageResponse]) -> list[list[int]]:
    """The MAC addresses of each digest list."""
    return [[int.from_bytes(d.struct.members[0].bitstring, "big") for d in m.digest.data] for m in messages]


def test_digest_list_has_typed_members(server: ServerUnderTest, client: Client) -> None:
    configure_digest(client)
    client.advance(7)
    server.switch.inject(0x101, frame_from(0xBB))
    digest = client.receive().digest
    assert (digest.digest_id, digest.list_id, digest.timestamp) == (DIGEST, 1, 7)
    assert [m.bitstring for m in digest.data[0].struct.members] == [b"\xbb", b"\x01\x01"]


def test_digest_that_is_switched_off_sends_nothing(server: ServerUnderTest, client: Client) -> None:
    server.switch.inject(1, frame_from(1))
    assert client.fence() == []
    configure_digest(client)
    client.write(delete(entity(f"digest_entry {{ digest_id: {DIGEST} }}")))
    server.switch.inject(1, frame_from(2))
    assert client.fence() == []


def test_digest_lists_are_bundled_by_size_and_by_time(server: ServerUnderTest, client: Client) -> None:
    configure_digest(client, max_list_size=3, max_timeout_ns=SECOND)
    for mac in (1, 2, 1, 3, 4):
        server.switch.inject(1, frame_from(mac))
    assert lists(client.fence()) == [[1, 2, 3]]
    client.advance(SECOND - 1)
    assert client.fence() == []
    client.advance(1)
    (message,) = client.fence()
    assert lists([message]) == [[4]]
    assert (message.digest.list_id, message.digest.timestamp) == (2, SECOND)


def test_list_is_sent_at_its_own_time_within_a_long_step(server: ServerUnderTest, client: Client) -> None:
    configure_digest(client, max_list_size=3, max_timeout_ns=SECOND)
    server.switch.inject(1, frame_from(1))
    client.write(insert(NAMES.entry("Switch.l2", {"dst": 1}, "Switch.drop", idle_timeout_ns=2 * SECOND)))
    client.advance(60 * SECOND)
    first, second = client.fence()[:2]
    assert (first.digest.timestamp, second.idle_timeout_notification.timestamp) == (SECOND, 2 * SECOND)


def test_sent_data_is_held_back_until_acknowledged(server: ServerUnderTest, client: Client) -> None:
    configure_digest(client, max_list_size=1, ack_timeout_ns=10 * SECOND)
    server.switch.inject(1, frame_from(1))
    (message,) = client.fence()
    server.switch.inject(1, frame_from(1))
    assert client.fence() == []
    ack = p4r.StreamMessageRequest()
    ack.digest_ack.digest_id, ack.digest_ack.list_id = DIGEST, message.digest.list_id
    client.send(ack)
    assert client.fence() == []
    server.switch.inject(1, frame_from(1))
    assert lists(client.fence()) == [[1]]
    client.advance(10 * SECOND)
    server.switch.inject(1, frame_from(1))
    assert lists(client.fence()) == [[1]]


def test_acknowledgement_of_an_unknown_digest(client: Client) -> None:
    """§16.5."""
    ack = p4r.StreamMessageRequest()
    ack.digest_ack.digest_id = 5
    client.send(ack)
    (answer,) = client.fence()
    assert answer.error.canonical_code == INVALID_ARGUMENT
    assert answer.error.message == "digest id 5 is not in the P4Info; choose one of mac_learn_t"
    assert answer.error.digest_list_ack.digest_list_ack == ack.digest_ack


def test_new_primary_is_told_anew(server: ServerUnderTest, client: Client) -> None:
    configure_digest(client, max_list_size=1, ack_timeout_ns=100 * SECOND)
    server.switch.inject(1, frame_from(1))
    assert lists(client.fence()) == [[1]]
    successor = server.primary(2)
    server.switch.inject(1, frame_from(1))
    assert lists(successor.fence()) == [[1]]


# --- idle timeouts (§9.1.7, §16.4) --------------------------------------------------------------------------


def aged(dst: int, timeout: int = SECOND, **fields: object) -> p4r.TableEntry:
    return NAMES.entry("Switch.l2", {"dst": dst}, "Switch.drop", None, idle_timeout_ns=timeout, **fields)


def expired(messages: list[p4r.StreamMessageResponse]) -> list[tuple[int, list[bytes]]]:
    """(timestamp, MAC addresses) of each notification."""
    return [
        (
            m.idle_timeout_notification.timestamp,
            [e.match[0].exact.value for e in m.idle_timeout_notification.table_entry],
        )
        for m in messages
    ]


def test_entries_that_expire_together_are_told_together(client: Client) -> None:
    client.write(*(insert(aged(n)) for n in (1, 2)), insert(aged(3, 2 * SECOND - 1)))
    client.advance(2 * SECOND - 1)
    assert expired(client.fence()) == [(SECOND, [b"\1", b"\2"]), (2 * SECOND - 1, [b"\3"])]


def test_entry_that_stays_idle_is_told_again_after_each_timeout(
    server: ServerUnderTest, client: Client
) -> None:
    """§16.4: the timer is reset with the notification. §9.1.7: the time since the last hit is not."""
    client.write(insert(aged(0xAA)))
    client.advance(3 * SECOND)
    messages = client.fence()
    assert expired(messages) == [(n * SECOND, [b"\xaa"]) for n in (1, 2, 3)]
    elapsed = [m.idle_timeout_notification.table_entry[0].time_since_last_hit.elapsed_ns for m in messages]
    assert elapsed == [SECOND, 2 * SECOND, 3 * SECOND]
    client.advance(SECOND // 2)
    server.switch.inject(1, FRAME)
    client.advance(SECOND)
    assert expired(client.fence()) == [(9 * SECOND // 2, [b"\xaa"])]


@pytest.mark.parametrize("change", ["modify", "delete"])
def test_rolled_back_change_tells_no_idle_time_twice(client: Client, change: str) -> None:
    """§16.4: once per timeout, whatever a batch that failed did to the entry in between."""
    client.write(insert(aged(1)))
    client.advance(5 * SECOND // 2)
    update = modify(aged(1, metadata=b"x")) if change == "modify" else delete(aged(1))
    client.refused(update, delete(aged(99)), atomicity=p4r.WriteRequest.ROLLBACK_ON_ERROR)
    client.advance(SECOND)
    assert expired(client.fence()) == [(n * SECOND, [b"\1"]) for n in (1, 2, 3)]


def test_notification_carries_the_whole_entry(server: ServerUnderTest, client: Client) -> None:
    entry = aged(0xAA, metadata=b"m", controller_metadata=4)
    client.write(insert(entry))
    server.switch.inject(1, FRAME)
    client.advance(SECOND)
    (message,) = client.fence()
    assert len(message.idle_timeout_notification.table_entry) == 1
    told = message.idle_timeout_notification.table_entry[0]
    assert (told.time_since_last_hit.elapsed_ns, told.counter_data.packet_count) == (SECOND, 1)
    told.ClearField("time_since_last_hit")
    told.ClearField("counter_data")
    assert told == entry


def test_hits_put_the_notification_off(server: ServerUnderTest, client: Client) -> None:
    client.write(insert(aged(0xAA)))
    client.advance(SECOND // 2)
    server.switch.inject(1, FRAME)
    client.advance(SECOND // 2)
    assert client.fence() == []
    client.advance(SECOND // 2)
    assert expired(client.fence()) == [(3 * SECOND // 2, [b"\xaa"])]


def test_entries_of_the_control_plane_stay(client: Client) -> None:
    """§9.1.7: it is the client that removes them."""
    client.write(insert(aged(1)))
    client.advance(SECOND)
    assert len(client.read_entries(NAMES.entry("Switch.l2"))) == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_learned_entries_are_told_once_and_gone(backend: str) -> None:
    with ServerUnderTest(load_balancer(), backend=backend, notify=("Lb.flow_table",)) as server:
        client = server.primary()
        call = ActionCall("Lb.flow_hit", (1, 2, 3, 4, 5, 6))
        with server.switch.lock:
            key = tuple(Exact(7) for _ in range(5))
            entry = Entry("Lb.flow_table", key, call, idle_timeout_ns=30 * SECOND, origin="learned")
            server.switch.pipeline.insert(entry, 0)
        client.advance(3600 * SECOND)
        (message,) = client.fence()
        (told,) = message.idle_timeout_notification.table_entry
        assert (told.metadata, told.idle_timeout_ns, len(told.match)) == (b"learned", 30 * SECOND, 5)
        assert message.idle_timeout_notification.timestamp == 30 * SECOND
        assert client.read_entries(p4r.TableEntry(table_id=told.table_id)) == []


# --- virtual time -------------------------------------------------------------------------------------------


def test_time_only_moves_when_told(client: Client) -> None:
    assert client.now() == 0
    assert client.advance(12 * 3600 * SECOND + 5) == 12 * 3600 * SECOND + 5
    assert client.now() == 12 * 3600 * SECOND + 5


def test_time_does_not_go_back(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as error:
        client.advance(-SECOND)
    assert (code_of(error.value), error.value.details()) == (
        "INVALID_ARGUMENT",
        "the clock cannot go back by 1000000000 ns",
    )


# --- what is not understood ---------------------------------------------------------------------------------


def test_other_messages_are_answered_with_errors(client: Client) -> None:
    other = p4r.StreamMessageRequest()
    other.other.CopyFrom(any_pb2.Any(type_url="x/y"))
    client.send(other)
    client.send(p4r.StreamMessageRequest())
    codes = [m.error.canonical_code for m in client.fence()]
    assert codes == [UNIMPLEMENTED, INVALID_ARGUMENT]


def test_without_a_pipeline_packets_are_refused() -> None:
    with ServerUnderTest(None) as server:
        client = server.primary()
        client.send(packet_out())
        (answer,) = client.fence()
        assert answer.error.canonical_code == FAILED_PRECONDITION


def test_modify_of_a_digest_keeps_its_lists(server: ServerUnderTest, client: Client) -> None:
    configure_digest(client, max_list_size=9, max_timeout_ns=SECOND)
    server.switch.inject(1, frame_from(1))
    client.write(
        modify(
            entity(f"digest_entry {{ digest_id: {DIGEST} config {{ max_list_size: 2 max_timeout_ns: 5 }} }}")
        )
    )
    server.switch.inject(1, frame_from(2))
    assert lists(client.fence()) == [[1, 2]]
