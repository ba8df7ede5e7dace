"""Table entries (P4Runtime 1.5 §9.1): what comes back is what was written, and every refusal in its words."""

from __future__ import annotations

import grpc
import pytest
from p4runtime_peer import (
    SECOND,
    Client,
    Names,
    ServerUnderTest,
    code_of,
    delete,
    insert,
    load_balancer,
    modify,
    packet_io,
)
from server_backends import BACKENDS

from p4nic.ir.program import Exact
from p4rt import p4r

NAMES = Names(packet_io().info.message)
DROP = "Switch.drop"
ACL = "table Switch.acl"


def l2(dst: int = 1, action: str | None = DROP, **fields: object) -> p4r.TableEntry:
    return NAMES.entry("Switch.l2", {"dst": dst}, action, None, **fields)


def acl(priority: int = 10, action: str | None = DROP, **match: object) -> p4r.TableEntry:
    return NAMES.entry("Switch.acl", match, action, priority=priority)  # type: ignore[arg-type]


# --- read-write symmetry (§8.3) -----------------------------------------------------------------------------

WRITTEN = [
    l2(metadata=b"cookie", controller_metadata=7, idle_timeout_ns=SECOND),
    NAMES.entry("Switch.l2", {"dst": 0}, "Switch.forward", {"port": 0}),
    NAMES.entry("Switch.l2", {"dst": (1 << 48) - 1}, "Switch.forward", {"port": 511}),
    acl(src=(0x0A000000, 0xFF000000), dst=(0x0A0B0000, 16), protocol=6, dport=(80, 90)),
    acl(),
    acl(priority=(1 << 31) - 1, dport=(0, 0)),
]


@pytest.mark.parametrize("entry", WRITTEN, ids=range(len(WRITTEN)))
def test_what_is_written_is_read_back(client: Client, entry: p4r.TableEntry) -> None:
    client.write(insert(entry))
    assert client.read_entries(p4r.TableEntry(table_id=entry.table_id)) == [entry]


def test_values_come_back_in_their_shortest_form(client: Client) -> None:
    """§8.4: any length is taken, leading zeros are not given back."""
    entry = NAMES.entry("Switch.l2", {"dst": b"\0" * 9 + b"\x01\x02"}, "Switch.forward")
    entry.action.action.params.add(param_id=1, value=b"\0\0\x05")
    client.write(insert(entry))
    (read,) = client.read_entries(p4r.TableEntry(table_id=entry.table_id))
    assert read.match[0].exact.value == b"\x01\x02"
    assert read.action.action.params[0].value == b"\x05"


def test_modify_replaces_and_delete_ignores_the_rest(client: Client) -> None:
    """§9.1: DELETE looks at the key alone, however senseless the rest."""
    client.write(insert(l2()))
    client.write(modify(NAMES.entry("Switch.l2", {"dst": 1}, "Switch.forward", {"port": 9})))
    assert client.read_entries(l2()) == []  # filtered by an action it no longer has
    assert len(client.read_entries(l2(action=None))) == 1
    nonsense = l2(idle_timeout_ns=-1)
    nonsense.action.action.action_id = 12345
    client.write(delete(nonsense))
    assert client.read_entries(p4r.TableEntry(table_id=nonsense.table_id)) == []


def test_modify_without_action_keeps_the_action(client: Client) -> None:
    """§9.1.2: only the direct resources are written; a meter configuration that is not given is reset."""
    entry = acl()
    entry.meter_config.cir, entry.meter_config.cburst = 10, 20
    entry.meter_config.pir, entry.meter_config.pburst = 30, 40
    client.write(insert(entry))
    ask = p4r.TableEntry(table_id=entry.table_id, meter_config={}, counter_data={})  # type: ignore[arg-type]
    (read,) = client.read_entries(ask)
    assert read.meter_config == entry.meter_config
    bare = acl(action=None)
    bare.counter_data.packet_count = 5
    client.write(modify(bare))
    (read,) = client.read_entries(ask)
    assert read.action == entry.action
    assert read.counter_data.packet_count == 5
    assert not read.HasField("meter_config")


def test_direct_resources_are_returned_only_if_asked_for(client: Client) -> None:
    """§9.1.6, §9.1.7."""
    client.write(insert(l2(idle_timeout_ns=SECOND)))
    (plain,) = client.read_entries(p4r.TableEntry(table_id=l2().table_id))
    assert not plain.HasField("counter_data")
    assert not plain.HasField("time_since_last_hit")
    client.advance(3)
    ask = p4r.TableEntry(table_id=l2().table_id, counter_data={}, time_since_last_hit={})  # type: ignore[arg-type]
    (full,) = client.read_entries(ask)
    assert full.HasField("counter_data")
    assert full.time_since_last_hit.elapsed_ns == 3


def test_counter_given_on_insert_is_where_it_starts(server: ServerUnderTest, client: Client) -> None:
    entry = l2()
    entry.counter_data.packet_count, entry.counter_data.byte_count = 100, 1000
    client.write(insert(entry))
    server.switch.inject(1, bytes.fromhex("000000000001 000000000002 1234") + b"x" * 50)
    ask = p4r.Entity(direct_counter_entry=p4r.DirectCounterEntry(table_entry=l2(action=None)))
    (read,) = client.read(ask)
    assert read.direct_counter_entry.data == p4r.CounterData(packet_count=101, byte_count=1064)
    assert list(read.direct_counter_entry.table_entry.match) == list(entry.match)


# --- default and constant entries (§9.1.3, §9.1.4) ----------------------------------------------------------


def test_default_entry_is_read_set_and_reset(client: Client) -> None:
    ask = NAMES.entry("Switch.l2", is_default_action=True)
    (before,) = client.read_entries(ask)
    assert before == NAMES.entry("Switch.l2", None, DROP, is_default_action=True)
    changed = NAMES.entry(
        "Switch.l2",
        None,
        "Switch.to_cpu",
        {"reason": 3},
        is_default_action=True,
        metadata=b"m",
        controller_metadata=5,
    )
    client.write(modify(changed))
    assert client.read_entries(ask) == [changed]
    client.write(modify(ask))
    assert client.read_entries(ask) == [before]


def test_default_entries_of_all_tables(client: Client) -> None:
    found = client.read_entries(p4r.TableEntry(is_default_action=True))
    assert {e.table_id for e in found} == {NAMES.ids[name] for name in NAMES.tables}


def test_constant_entries_are_marked_and_kept(client: Client) -> None:
    ask = NAMES.entry("Switch.ether_types")
    entries = client.read_entries(ask)
    assert [e.is_const for e in entries] == [True, True]
    own = NAMES.entry("Switch.ether_types", {"ether_type": 0x800}, "NoAction")
    text = "table Switch.ether_types: its entries are constant; only their counters and meters and the "
    text += "default action may change"
    for update in (insert(own), modify(own), delete(own)):
        assert client.refused(update) == [("PERMISSION_DENIED", text)]
    client.write(
        modify(NAMES.entry("Switch.ether_types", {"ether_type": 0x800}))
    )  # changes nothing: no resources


# --- selection (§9.1.5) -------------------------------------------------------------------------------------


def test_filters(client: Client) -> None:
    one = NAMES.entry("Switch.l2", {"dst": 1}, "Switch.forward", {"port": 1}, metadata=b"a")
    two = NAMES.entry("Switch.l2", {"dst": 2}, "Switch.forward", {"port": 2}, controller_metadata=9)
    three = NAMES.entry("Switch.l2", {"dst": 3}, DROP, metadata=b"a")
    client.write(*(insert(e) for e in (one, two, three)))

    def found(**fields: object) -> list[p4r.TableEntry]:
        return client.read_entries(NAMES.entry("Switch.l2", **fields))  # type: ignore[arg-type]

    assert found() == [one, two, three]
    assert found(metadata=b"a") == [one, three]
    assert found(controller_metadata=9) == [two]
    assert found(match={"dst": 2}) == [two]
    assert found(match={"dst": 4}) == []
    assert found(action="Switch.forward") == [one, two]
    assert found(action="Switch.forward", metadata=b"a") == [one]


def test_priority_is_a_wildcard_for_a_match(client: Client) -> None:
    low, high = acl(5, protocol=6), acl(6, protocol=6)
    client.write(insert(low), insert(high), insert(acl(7)))
    assert client.read_entries(acl(0, None, protocol=6)) == [low, high]
    assert client.read_entries(acl(6, None, protocol=6)) == [high]
    assert client.read_entries(acl(6, None)) == [high]


@pytest.mark.parametrize("backend", BACKENDS)
def test_learned_entries_are_marked_filtered_and_deleted(backend: str) -> None:
    """§8.3.1 (data plane volatile): PNA's add-on-miss."""
    with ServerUnderTest(load_balancer(), backend=backend) as server:
        client = server.primary()
        table = server.switch.program.tables["Lb.flow_table"]
        learn(server, 1)
        learn(server, 2)
        mine = server.names.entry(
            table.name, {"k_src": 9, "k_dst": 9, "k_proto": 6, "k_sport": 9, "k_dport": 9}, "Lb.flow_hit"
        )
        for param in server.names.actions["Lb.flow_hit"].params:
            mine.action.action.params.add(param_id=param.id, value=b"\1")
        client.write(insert(mine))
        ask = server.names.entry(table.name, time_since_last_hit={}, metadata=b"learned")
        client.advance(5 * SECOND)
        learned = client.read_entries(ask)
        assert [e.metadata for e in learned] == [b"learned", b"learned"]
        assert {e.time_since_last_hit.elapsed_ns for e in learned} == {5 * SECOND}
        assert {e.idle_timeout_ns for e in learned} == {30 * SECOND}
        client.write(delete(learned[0]))
        assert len(client.read_entries(ask)) == 1
        assert len(client.read_entries(server.names.entry(table.name))) == 2


def learn(server: ServerUnderTest, number: int) -> None:
    """As the program's add-on-miss does it."""
    from p4nic.backend.api import Entry
    from p4nic.ir.program import ActionCall

    key = tuple(Exact(number) for _ in range(5))
    call = ActionCall("Lb.flow_hit", (1, 2, 3, 4, 5, 6))
    with server.switch.lock:
        entry = Entry("Lb.flow_table", key, call, idle_timeout_ns=30 * SECOND, origin="learned")
        server.switch.pipeline.insert(entry, server.switch.clock.now_ns())


# --- the whole RPC (§12) ------------------------------------------------------------------------------------


def test_order_of_checks(server: ServerUnderTest) -> None:
    """§12: device, then primary, then pipeline."""
    client = server.client()
    for election_id, device_id, code in (
        (None, 9, "NOT_FOUND"),
        (None, 1, "PERMISSION_DENIED"),
        (4, 1, "PERMISSION_DENIED"),
    ):
        client.election_id = election_id
        with pytest.raises(grpc.RpcError) as error:
            client.write(insert(l2()), device_id=device_id)
        assert code_of(error.value) == code


def test_table_full(server: ServerUnderTest, client: Client) -> None:
    client.write(*(insert(acl(n + 1)) for n in range(64)))
    assert client.refused(insert(acl(100))) == [
        ("RESOURCE_EXHAUSTED", f"{ACL}: full with 64 entries; delete some first")
    ]


def test_large_reads_come_in_several_messages(client: Client) -> None:
    client.write(*(insert(l2(n, metadata=b"x" * 1500)) for n in range(1000)))
    answers = list(
        client.stub.Read(p4r.ReadRequest(device_id=1, entities=[p4r.Entity(table_entry=l2().__class__())]))
    )
    assert len(answers) > 1
    assert sum(len(a.entities) for a in answers) == 1002
    assert max(a.ByteSize() for a in answers) < 1 << 20
