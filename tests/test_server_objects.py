"""Everything a Write may carry besides table entries (P4Runtime 1.5 §9.2 to §9.9): symmetry, refusals."""
# ruff: noqa: E501  (golden rows: one message, one code, one sentence a line)

from __future__ import annotations

from collections.abc import Iterator

import pytest
from p4runtime_peer import (
    Client,
    Names,
    ServerUnderTest,
    bytestring,
    delete,
    entity,
    insert,
    modify,
    packet_io,
)

from p4rt import p4r

NAMES = Names(packet_io().info.message)
IDS = {name.rpartition(".")[2]: number for name, number in NAMES.ids.items()}
ROUTE = NAMES.action("Switch.route_to", {"port": 1, "dmac": 2})


def of(text: str) -> p4r.Entity:
    return entity(text, **IDS)


def member(number: int, port: int = 1) -> p4r.Entity:
    message = of(f"action_profile_member {{ action_profile_id: $ecmp_selector member_id: {number} }}")
    message.action_profile_member.action.CopyFrom(NAMES.action("Switch.route_to", {"port": port, "dmac": 2}))
    return message


def group(number: int, members: str, more: str = "") -> p4r.Entity:
    return of(
        f"action_profile_group {{ action_profile_id: $ecmp_selector group_id: {number} {members} {more} }}"
    )


def ecmp(action: p4r.TableAction) -> p4r.TableEntry:
    return NAMES.entry("Switch.ecmp", {"dst": (0x0A000000, 8)}, action)


def one_shot(*weights: int, **fields: object) -> p4r.TableEntry:
    action = p4r.TableAction()
    for number, weight in enumerate(weights, start=1):
        one = action.action_profile_action_set.action_profile_actions.add(
            weight=weight, watch_port=bytestring(number)
        )
        one.action.CopyFrom(ROUTE)
    for name, value in fields.items():
        setattr(action.action_profile_action_set, name, value)
    return ecmp(action)


# --- written, read back, read with wildcards ----------------------------------------------------------------

SYMMETRIC = [
    ([insert(member(3))], member(3), "action_profile_member {}"),
    ([insert(member(3)), modify(member(3, 9))], member(3, 9), "action_profile_member { action_profile_id: $ecmp_selector }"),
    (
        [insert(member(3)), insert(member(4)), insert(group(1, "members { member_id: 3 weight: 2 watch_port: '\\x05' }"))],
        group(1, "members { member_id: 3 weight: 2 watch_port: '\\x05' }"),
        "action_profile_group {}",
    ),
    (
        [insert(of("packet_replication_engine_entry { multicast_group_entry { multicast_group_id: 1 metadata: 'm' replicas { port: '\\x01' instance: 1 } replicas { port: '\\x01' instance: 2 } } }"))],
        of("packet_replication_engine_entry { multicast_group_entry { multicast_group_id: 1 metadata: 'm' replicas { port: '\\x01' instance: 1 } replicas { port: '\\x01' instance: 2 } } }"),
        "packet_replication_engine_entry { multicast_group_entry {} }",
    ),
    (
        [insert(of("packet_replication_engine_entry { multicast_group_entry { multicast_group_id: 1 replicas { port: '\\x01' backup_replicas { port: '\\x02' instance: 3 } backup_replicas { port: '\\x03' } } replicas { port: '\\x04' } } }"))],
        of("packet_replication_engine_entry { multicast_group_entry { multicast_group_id: 1 replicas { port: '\\x01' backup_replicas { port: '\\x02' instance: 3 } backup_replicas { port: '\\x03' } } replicas { port: '\\x04' } } }"),
        "packet_replication_engine_entry { multicast_group_entry {} }",
    ),
    (
        [insert(of("packet_replication_engine_entry { multicast_group_entry { multicast_group_id: 1 replicas { egress_port: 1 } } }"))],
        of("packet_replication_engine_entry { multicast_group_entry { multicast_group_id: 1 replicas { egress_port: 1 } } }"),
        "packet_replication_engine_entry { multicast_group_entry { multicast_group_id: 1 } }",
    ),
    (
        [insert(of("packet_replication_engine_entry { clone_session_entry { session_id: 7 class_of_service: 2 packet_length_bytes: 64 replicas { port: '\\x01' } } }"))],
        of("packet_replication_engine_entry { clone_session_entry { session_id: 7 class_of_service: 2 packet_length_bytes: 64 replicas { port: '\\x01' } } }"),
        "packet_replication_engine_entry { clone_session_entry {} }",
    ),
    (
        [modify(of("counter_entry { counter_id: $port_counter index { index: 5 } data { packet_count: 3 byte_count: 4 } }"))],
        of("counter_entry { counter_id: $port_counter index { index: 5 } data { packet_count: 3 byte_count: 4 } }"),
        "counter_entry { counter_id: $port_counter index { index: 5 } }",
    ),
    (
        [modify(of("meter_entry { meter_id: $port_meter index { index: 5 } config { cir: 1 cburst: 2 pir: 3 pburst: 4 } }"))],
        of("meter_entry { meter_id: $port_meter index { index: 5 } config { cir: 1 cburst: 2 pir: 3 pburst: 4 } }"),
        "meter_entry { meter_id: $port_meter index { index: 5 } }",
    ),
    (
        [],
        of("meter_entry { meter_id: $port_meter index { index: 5 } }"),
        "meter_entry { meter_id: $port_meter index { index: 5 } }",
    ),
    (
        [modify(of("register_entry { register_id: $last_seen index { index: 5 } data { bitstring: '\\x01\\x02' } }"))],
        of("register_entry { register_id: $last_seen index { index: 5 } data { bitstring: '\\x01\\x02' } }"),
        "register_entry { register_id: $last_seen index { index: 5 } }",
    ),
    (
        [insert(of("digest_entry { digest_id: $mac_learn_t config { max_timeout_ns: 1 max_list_size: 2 ack_timeout_ns: 3 } }"))],
        of("digest_entry { digest_id: $mac_learn_t config { max_timeout_ns: 1 max_list_size: 2 ack_timeout_ns: 3 } }"),
        "digest_entry {}",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("updates", "expected", "query"), SYMMETRIC, ids=range(len(SYMMETRIC)))
def test_what_is_written_is_read_back(
    client: Client, updates: list[p4r.Update], expected: p4r.Entity, query: str
) -> None:
    for update in updates:
        client.write(update)
    assert expected in client.read(of(query))


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("counter_entry {}", 512),
        ("counter_entry { counter_id: $port_counter }", 512),
        ("meter_entry {}", 512),
        ("register_entry {}", 512),
        ("value_set_entry {}", 0),
        ("extern_entry {}", 0),
        ("action_profile_member {}", 0),
        ("digest_entry {}", 0),
        ("direct_counter_entry { table_entry {} }", 0),
        ("direct_meter_entry { table_entry { table_id: $acl } }", 0),
    ],
)
def test_wildcards(client: Client, query: str, count: int) -> None:
    assert len(client.read(of(query))) == count


def test_index_left_out_writes_every_cell(client: Client) -> None:
    """§9.3.2, §9.8."""
    client.write(
        modify(of("counter_entry { counter_id: $port_counter data { packet_count: 7 } }")),
        modify(of("register_entry { register_id: $last_seen data { bitstring: '\\x09' } }")),
    )
    counters = client.read(of("counter_entry { counter_id: $port_counter }"))
    assert {c.counter_entry.data.packet_count for c in counters} == {7}
    registers = client.read(of("register_entry { register_id: $last_seen }"))
    assert {r.register_entry.data.bitstring for r in registers} == {b"\x09"}


def test_counter_write_without_data_changes_nothing(client: Client) -> None:
    """§9.3.2."""
    cell = "counter_entry { counter_id: $port_counter index { index: 1 } %s }"
    client.write(modify(of(cell % "data { packet_count: 7 }")))
    client.write(modify(of(cell % "")))
    assert client.read(of(cell % ""))[0].counter_entry.data.packet_count == 7


# --- one-shots (§9.2.3) -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "entry",
    [
        one_shot(1, 2, 3),
        one_shot(2, 2),
        one_shot(1, action_selection_mode=p4r.ActionProfileActionSet.HASH, size_semantics=p4r.ActionProfileActionSet.SUM_OF_WEIGHTS),
    ],
)  # fmt: skip
def test_one_shots_come_back_as_written(client: Client, entry: p4r.TableEntry) -> None:
    """Not coalesced, not desugared; a mode that equals the default is still spelled."""
    client.write(insert(entry))
    assert client.read_entries(NAMES.entry("Switch.ecmp")) == [entry]
    assert client.read(of("action_profile_member {}"), of("action_profile_group {}")) == []
    client.write(modify(one_shot(4)))
    assert client.read_entries(NAMES.entry("Switch.ecmp")) == [one_shot(4)]
    client.write(delete(entry))
    client.write(insert(member(1)))  # nothing is left of the one-shot


def test_one_shots_and_members_do_not_mix(client: Client) -> None:
    client.write(insert(member(1)))
    ((code, sentence),) = client.refused(insert(one_shot(1)))
    assert (code, sentence) == (
        "INVALID_ARGUMENT",
        "table Switch.ecmp, one-shot action set: action profile Switch.ecmp_selector is written with members; "
        "one-shots cannot be mixed with them",
    )


# --- refusals, golden ---------------------------------------------------------------------------------------

SELECTOR = "action profile Switch.ecmp_selector"
REFUSED = [
    (insert(of("action_profile_member { member_id: 1 }")), "INVALID_ARGUMENT", "the action profile id is not set;"),
    (insert(of("action_profile_member { action_profile_id: $ecmp_selector member_id: 1 }")), "INVALID_ARGUMENT", f"{SELECTOR}: member 1 has no action"),
    (insert(member(0)), "INVALID_ARGUMENT", f"{SELECTOR}: member id 0 is not allowed; ids go from 1 to"),
    (insert(member(1)), "ALREADY_EXISTS", f"{SELECTOR}: member 1 exists already; modify it instead"),
    (modify(member(9)), "NOT_FOUND", f"{SELECTOR}: there is no member 9"),
    (delete(member(1)), "FAILED_PRECONDITION", f"{SELECTOR}: member 1 is still in group 1; take it out of the group first"),
    (insert(group(2, "members { member_id: 9 weight: 1 }")), "NOT_FOUND", f"{SELECTOR}: there is no member 9"),
    (insert(group(2, "members { member_id: 1 }")), "INVALID_ARGUMENT", f"{SELECTOR}, group 2: weight 0 of member 1 must be above 0"),
    (insert(group(2, "members { member_id: 1 weight: 1 } members { member_id: 1 weight: 1 }")), "INVALID_ARGUMENT", f"{SELECTOR}, group 2: member 1 is listed twice; raise its weight instead"),
    (insert(group(2, "members { member_id: 1 weight: 300 }")), "RESOURCE_EXHAUSTED", f"{SELECTOR}, group 2: the weights add up to 300, more than 256"),
    (modify(group(1, "", "max_size: 5")), "INVALID_ARGUMENT", f"{SELECTOR}: max_size of group 1 is 0 and cannot become 5"),
    (insert(group(2, "", "max_size: -3")), "INVALID_ARGUMENT", f"{SELECTOR}, group 2: max_size -3 is negative; leave it 0 if the size is not known"),
    (insert(group(2, "", "max_size: 257")), "RESOURCE_EXHAUSTED", f"{SELECTOR}, group 2: max_size 257 is more than the 256 of all groups together"),
    (insert(group(2, "members { member_id: 1 weight: 1 watch: -1 }")), "INVALID_ARGUMENT", f"{SELECTOR}, group 2: watch -1 is negative"),
    (delete(group(1, "")), "FAILED_PRECONDITION", f"{SELECTOR}: group 1 is still used by 1 table entry; delete it first"),
    (insert(of("action_profile_group { action_profile_id: $acl_profile group_id: 1 }")), "INVALID_ARGUMENT", "action profile Switch.acl_profile has no selector: it holds members only, no groups"),
    (modify(ecmp(p4r.TableAction(action_profile_group_id=5))), "NOT_FOUND", f"{SELECTOR}: there is no group 5"),
    (insert(one_shot(1, action_selection_mode=p4r.ActionProfileActionSet.RANDOM + 5)), "INVALID_ARGUMENT", "table Switch.ecmp: action_selection_mode 7 is not one of P4Runtime's three"),
    (insert(one_shot(1, size_semantics=p4r.ActionProfileActionSet.SUM_OF_MEMBERS + 5)), "INVALID_ARGUMENT", "table Switch.ecmp: size_semantics 7 is not one of P4Runtime's three"),
    (insert(of("counter_entry { counter_id: $port_counter index {} }")), "INVALID_ARGUMENT", "cells of Switch.port_counter can only be modified, not inserted"),
    (modify(of("counter_entry { counter_id: $port_counter index { index: 512 } data {} }")), "OUT_OF_RANGE", "counter Switch.port_counter: index 512 is beyond the last, 511"),
    (modify(of("counter_entry { counter_id: $port_counter index { index: -1 } data {} }")), "INVALID_ARGUMENT", "counter Switch.port_counter: index -1 is negative"),
    (modify(of("counter_entry { counter_id: $l2_counter index {} data {} }")), "INVALID_ARGUMENT", "counter Switch.l2_counter is direct: its cells belong to the entries of table Switch.l2, not to an index"),
    (modify(of("meter_entry { meter_id: $port_meter index {} config { cir: 5 pir: 4 } }")), "INVALID_ARGUMENT", "meter Switch.port_meter: the peak rate pir 4 is below the committed rate cir 5"),
    (modify(of("meter_entry { meter_id: $port_meter index {} config { eburst: 4 } }")), "INVALID_ARGUMENT", "meter Switch.port_meter is two rate three color: eburst 4 must be unset"),
    (modify(of("meter_entry { meter_id: $port_meter index {} counter_data { red { byte_count: 1 } } }")), "INVALID_ARGUMENT", "meter Switch.port_meter: red counts 0 packets and 1 bytes; a client can only set them to 0"),
    (delete(of("meter_entry { meter_id: $port_meter }")), "INVALID_ARGUMENT", "cells of Switch.port_meter can only be modified, not deleted"),
    (modify(of("register_entry { register_id: $last_seen index {} data { bool: true } }")), "INVALID_ARGUMENT", "register Switch.last_seen: the data is bool, the type wants bitstring"),
    (modify(of("register_entry { register_id: $last_seen index {} data { bitstring: '\\x01\\x00\\x00\\x00\\x00' } }")), "OUT_OF_RANGE", "register Switch.last_seen: 0x100000000 does not fit in 32 bits"),
    (insert(of("packet_replication_engine_entry {}")), "INVALID_ARGUMENT", "the packet replication engine entry is empty;"),
    (insert(of("packet_replication_engine_entry { multicast_group_entry {} }")), "INVALID_ARGUMENT", "multicast group: id 0 is not allowed; ids go from 1 to"),
    (insert(of("packet_replication_engine_entry { multicast_group_entry { multicast_group_id: 1 replicas { port: '\\x01' } replicas { egress_port: 1 } } }")), "INVALID_ARGUMENT", "multicast group 1: port 1 with instance 0 is listed twice"),
    (insert(of("packet_replication_engine_entry { multicast_group_entry { multicast_group_id: 1 replicas { port: '\\x01' backup_replicas { port: '' } } } }")), "OUT_OF_RANGE", "multicast group 1, backup replica's port: the value is empty; send at least one byte"),
    (insert(of("packet_replication_engine_entry { clone_session_entry { session_id: 1 replicas { port: '\\x01' backup_replicas { port: '\\x02' } } } }")), "UNIMPLEMENTED", "clone session 1: backup replicas are for multicast groups; leave backup_replicas out"),
    (insert(group(2, "members { member_id: 1 weight: 1 watch_port: '\\x02\\x00' }")), "INVALID_ARGUMENT", f"{SELECTOR}, group 2: member 1 watches port 512, which does not exist; the last one is 511"),
    (delete(of("packet_replication_engine_entry { clone_session_entry { session_id: 3 } }")), "NOT_FOUND", "there is no clone session 3"),
    (modify(of("digest_entry { digest_id: $mac_learn_t config {} }")), "NOT_FOUND", "digest mac_learn_t is not switched on; insert it first"),
    (insert(of("digest_entry { digest_id: $mac_learn_t config { ack_timeout_ns: -1 } }")), "INVALID_ARGUMENT", "digest mac_learn_t: ack_timeout_ns -1 is negative"),
    (insert(of("extern_entry { extern_type_id: 9 }")), "UNIMPLEMENTED", "extern type 9 is not known;"),
    (insert(of("direct_counter_entry { table_entry { table_id: $l2 } }")), "INVALID_ARGUMENT", "a direct resource of table Switch.l2 can only be modified, not inserted"),
    (modify(of("direct_counter_entry { table_entry { table_id: $l2 is_default_action: true priority: 1 } data {} }")), "INVALID_ARGUMENT", "table Switch.l2: the default entry has no priority; 1 must be 0"),
    (modify(of("direct_meter_entry { table_entry { table_id: $l2 } config {} }")), "INVALID_ARGUMENT", "table Switch.l2 has no direct meter"),
]  # fmt: skip


@pytest.fixture(scope="module")
def shared() -> Iterator[Client]:
    """Member 1 in group 1, which an entry uses; refusals change nothing of it."""
    with ServerUnderTest(packet_io()) as server:
        client = server.primary()
        client.write(insert(member(1)))
        client.write(insert(group(1, "members { member_id: 1 weight: 1 }")))
        client.write(insert(ecmp(p4r.TableAction(action_profile_group_id=1))))
        yield client


@pytest.mark.parametrize(("update", "code", "sentence"), REFUSED, ids=[r[2][:60] for r in REFUSED])
def test_refusals_in_words(shared: Client, update: p4r.Update, code: str, sentence: str) -> None:
    ((got_code, got_sentence),) = shared.refused(update)
    assert (got_code, got_sentence[: len(sentence)]) == (code, sentence)


# --- batches (§12.1, §12.2) ---------------------------------------------------------------------------------


def batch() -> list[p4r.Update]:
    return [
        insert(NAMES.entry("Switch.l2", {"dst": 1}, "Switch.drop")),
        insert(of("digest_entry { digest_id: $mac_learn_t config {} }")),
        insert(NAMES.entry("Switch.l2", {"dst": 1}, "Switch.drop")),
        insert(NAMES.entry("Switch.l2", {"dst": 2}, "NoAction")),
        insert(
            of(
                "packet_replication_engine_entry { multicast_group_entry { multicast_group_id: 1 metadata: 'm' } }"
            )
        ),
    ]


def test_continue_on_error_applies_what_it_can(client: Client) -> None:
    codes = [code for code, _ in client.refused(*batch())]
    assert codes == ["OK", "OK", "ALREADY_EXISTS", "INVALID_ARGUMENT", "OK"]
    assert len(client.read(of("table_entry { table_id: $l2 }"), of("digest_entry {}"))) == 2


@pytest.mark.parametrize("atomicity", [p4r.WriteRequest.ROLLBACK_ON_ERROR, p4r.WriteRequest.DATAPLANE_ATOMIC])
def test_all_or_nothing_batches(client: Client, atomicity: int) -> None:
    queries = [
        of("table_entry { table_id: $l2 }"),
        of("digest_entry {}"),
        of("packet_replication_engine_entry { multicast_group_entry {} }"),
    ]
    found = client.refused(*batch(), atomicity=atomicity)
    assert [code for code, _ in found] == ["ABORTED", "ABORTED", "ALREADY_EXISTS", "ABORTED", "ABORTED"]
    assert found[0][1] == "not applied, because update 3 of the batch failed"
    assert client.read(*queries) == []
    undecodable = [*batch()[:2], insert(p4r.Entity())]
    assert [code for code, _ in client.refused(*undecodable, atomicity=atomicity)][2] == "INVALID_ARGUMENT"
    assert client.read(*queries) == []
    client.write(*(update for i, update in enumerate(batch()) if i not in (2, 3)), atomicity=atomicity)
    assert len(client.read(*queries)) == 3


def test_unknown_atomicity(client: Client) -> None:
    import grpc
    from p4runtime_peer import code_of

    with pytest.raises(grpc.RpcError) as error:
        client.write(atomicity=9)
    assert code_of(error.value) == "INVALID_ARGUMENT"


@pytest.mark.parametrize("count", [1, 10, 300])
def test_long_error_lists_fit_the_recommended_trailer(server: ServerUnderTest, count: int) -> None:
    """§A.3.1: a client allows for 8192 + 100 bytes per update; messages are cut, never dropped."""
    client = server.client(metadata_size=8192 + 100 * count)
    client.arbitrate(1)
    table = NAMES.tables["Switch.l2"]
    found = client.refused(*(insert(p4r.TableEntry(table_id=table.preamble.id - 1)) for _ in range(count)))
    assert len(found) == count
    assert {code for code, _ in found} == {"INVALID_ARGUMENT"}
    assert all(sentence.startswith("table id ") for _, sentence in found)
    assert all(sentence.endswith("…") for _, sentence in found) == (count == 300)
