"""What meters have coloured, counters and meters of default entries (P4Runtime 1.5 §9.1.3, §9.1.6, §9.4).

`packet_io` colours each packet by its ingress port's meter (packets), then IPv4 packets by the direct meter
of their `acl` entry (bytes); a red packet is dropped.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from p4runtime_peer import Client, Names, ServerUnderTest, insert, modify, packet_io
from server_backends import BACKENDS
from test_server_objects import IDS, of, one_shot
from test_server_watch_ports import ipv4, with_profile

from p4rt import p4r

NAMES = Names(packet_io().info.message)
FRAME = ipv4(0x0A000001, 0xC0000001)
SIZE = len(FRAME)
METER = {"cir": 1, "cburst": 2 * SIZE, "pir": 1, "pburst": 3 * SIZE}
ASK: dict[str, Any] = {"counter_data": {}, "meter_config": {}, "meter_counter_data": {}}


def sends(server: ServerUnderTest, count: int) -> int:
    """Frames of one flow at port 9; how many of them leave."""
    return sum(bool(server.switch.inject(9, FRAME).sent) for _ in range(count))


def forwarding(client: Client) -> None:
    client.write(
        modify(NAMES.entry("Switch.l2", None, "Switch.forward", {"port": 1}, is_default_action=True))
    )


def counts(data: p4r.MeterCounterData) -> list[tuple[int, int]]:
    return [(c.packet_count, c.byte_count) for c in (data.green, data.yellow, data.red)]


def acl(**more: Any) -> p4r.TableEntry:
    return NAMES.entry("Switch.acl", {"dst": (0x0A000000, 8)}, "NoAction", priority=5, **more)


def default(table: str, action: str | None = None, **more: Any) -> p4r.TableEntry:
    return NAMES.entry(table, None, action, is_default_action=True, **more)


# --- meters -------------------------------------------------------------------------------------------------


def test_indexed_meter_counts_its_colours(server: ServerUnderTest, client: Client) -> None:
    """§9.4.3: executed and green, yellow or red, it counts packets and bytes; a meter without configuration
    is green.
    """
    forwarding(client)
    cell = "meter_entry { meter_id: $port_meter index { index: 9 }"
    sends(server, 2)
    client.write(modify(of(cell + " config { cir: 1 cburst: 1 pir: 1 pburst: 3 } }")))
    assert sends(server, 5) == 3
    (told,) = client.read(of(cell + " counter_data {} }"))
    assert counts(told.meter_entry.counter_data) == [(3, 3 * SIZE), (2, 2 * SIZE), (2, 2 * SIZE)]
    (plain,) = client.read(of(cell + " }"))
    assert not plain.meter_entry.HasField("counter_data")
    every = client.read(of("meter_entry { counter_data {} }"))
    assert len(every) == 512
    assert sum(sum(p for p, _ in counts(e.meter_entry.counter_data)) for e in every) == 7


def test_a_write_can_clear_what_a_meter_counted(server: ServerUnderTest, client: Client) -> None:
    """§9.4.2: set, it clears; unset, the counts go on. A batch that fails clears nothing."""
    cell = (
        "meter_entry { meter_id: $port_meter index { index: 9 } config { cir: 1 cburst: 1 pir: 1 pburst: 2 }"
    )
    client.write(modify(of(cell + "}")))
    sends(server, 3)
    bad = of("meter_entry { meter_id: $port_meter index { index: 999 } }")
    client.refused(modify(of(cell + " counter_data {} }")), modify(bad), atomicity=1)
    told = of("meter_entry { meter_id: $port_meter index { index: 9 } counter_data {} }")
    assert counts(client.read(told)[0].meter_entry.counter_data) == [(1, SIZE), (1, SIZE), (1, SIZE)]
    client.write(modify(of(cell + " counter_data { green {} } }")))
    assert counts(client.read(told)[0].meter_entry.counter_data) == [(0, 0)] * 3


def test_direct_meter_counts_its_colours(server: ServerUnderTest, client: Client) -> None:
    """§9.1.6: with the entry, and as DirectMeterEntry; gone with the entry, back with a delete undone."""
    forwarding(client)
    client.write(insert(acl(meter_config=METER)))
    assert sends(server, 5) == 3
    expected = [(2, 2 * SIZE), (1, SIZE), (2, 2 * SIZE)]
    ask = p4r.TableEntry(table_id=IDS["acl"], **ASK)
    (told,) = client.read_entries(ask)
    assert counts(told.meter_counter_data) == expected
    direct = of("direct_meter_entry { table_entry { table_id: $acl } counter_data {} }")
    (alone,) = client.read(direct)
    assert counts(alone.direct_meter_entry.counter_data) == expected
    assert alone.direct_meter_entry.config.pburst == 3 * SIZE
    gone = p4r.Update(type=p4r.Update.DELETE, entity=p4r.Entity(table_entry=acl()))
    client.refused(gone, insert(default("Switch.acl", "NoAction")), atomicity=1)
    assert counts(client.read_entries(ask)[0].meter_counter_data) == expected
    client.write(modify(acl(meter_config=METER)))
    assert counts(client.read_entries(ask)[0].meter_counter_data) == expected
    client.write(modify(acl(meter_config=METER, meter_counter_data={})))
    assert counts(client.read_entries(ask)[0].meter_counter_data) == [(0, 0)] * 3
    client.write(gone, insert(acl()))
    sends(server, 1)
    assert counts(client.read_entries(ask)[0].meter_counter_data) == [(1, SIZE), (0, 0), (0, 0)]


def test_a_new_entry_has_a_new_meter(server: ServerUnderTest, client: Client) -> None:
    """Nothing of an entry that used the same memory before it is left."""
    forwarding(client)
    client.write(insert(acl(meter_config=METER)))
    sends(server, 4)
    client.write(p4r.Update(type=p4r.Update.DELETE, entity=p4r.Entity(table_entry=acl())))
    client.write(insert(acl()))
    assert sends(server, 5) == 5
    (told,) = client.read_entries(p4r.TableEntry(table_id=IDS["acl"], **ASK))
    assert counts(told.meter_counter_data) == [(5, 5 * SIZE), (0, 0), (0, 0)]
    assert not told.HasField("meter_config")


# --- default entries ----------------------------------------------------------------------------------------


def test_default_entry_has_a_counter_of_its_own(server: ServerUnderTest, client: Client) -> None:
    """§9.1.3: "treated like a regular entry, including with regards to direct resources"."""
    sends(server, 3)
    (told,) = client.read_entries(default("Switch.l2", counter_data={}))
    assert (told.counter_data.packet_count, told.counter_data.byte_count) == (3, 3 * SIZE)
    (plain,) = client.read_entries(default("Switch.l2"))
    assert not plain.HasField("counter_data")
    direct = of("direct_counter_entry { table_entry { table_id: $l2 is_default_action: true } }")
    (alone,) = client.read(direct)
    assert alone.direct_counter_entry.table_entry.is_default_action
    assert alone.direct_counter_entry.data.packet_count == 3
    owner = "direct_counter_entry { table_entry { table_id: $l2 is_default_action: true }"
    client.write(modify(of(owner + " data { packet_count: 40 byte_count: 50 } }")))
    sends(server, 2)
    assert client.read(direct)[0].direct_counter_entry.data == p4r.CounterData(
        packet_count=42, byte_count=50 + 2 * SIZE
    )
    everywhere = client.read(of("direct_counter_entry { table_entry { is_default_action: true } }"))
    assert {e.direct_counter_entry.table_entry.table_id for e in everywhere} == {IDS["l2"], IDS["acl"]}


def test_default_entry_has_a_meter_of_its_own(server: ServerUnderTest, client: Client) -> None:
    """§9.1.3, §9.4.1; a reset takes the configuration back, not what was counted."""
    forwarding(client)
    client.write(modify(default("Switch.acl", "NoAction", meter_config=METER)))
    assert sends(server, 5) == 3
    ask = default("Switch.acl", **ASK)
    (told,) = client.read_entries(ask)
    assert counts(told.meter_counter_data) == [(2, 2 * SIZE), (1, SIZE), (2, 2 * SIZE)]
    assert told.meter_config.pburst == 3 * SIZE
    assert told.counter_data.packet_count == 5
    owner = "direct_meter_entry { table_entry { table_id: $acl is_default_action: true }"
    (alone,) = client.read(of(owner + " counter_data {} }"))
    assert counts(alone.direct_meter_entry.counter_data)[2] == (2, 2 * SIZE)
    client.write(modify(default("Switch.acl")))
    (reset,) = client.read_entries(ask)
    assert not reset.HasField("meter_config")
    assert reset.counter_data.packet_count == 5
    assert sends(server, 5) == 5
    client.write(modify(of(owner + " config { cir: 1 cburst: 1 pir: 1 pburst: 1 } counter_data {} }")))
    assert sends(server, 2) == 0
    assert counts(client.read_entries(ask)[0].meter_counter_data) == [(0, 0), (0, 0), (2, 2 * SIZE)]


def test_failed_batch_leaves_a_default_entry_as_it_was(server: ServerUnderTest, client: Client) -> None:
    """§12.2: its action, counter, meter and what that has coloured."""
    client.write(modify(default("Switch.acl", "NoAction", meter_config=METER)))
    sends(server, 4)
    ask = default("Switch.acl", **ASK)
    before = client.read_entries(ask)
    change = default("Switch.acl", "Switch.drop", counter_data={"packet_count": 1}, meter_counter_data={})
    client.refused(modify(change), insert(default("Switch.acl", "NoAction")), atomicity=2)
    assert client.read_entries(ask) == before


def test_default_entry_filters(client: Client) -> None:
    """§9.1.5: controller_metadata selects default entries too."""
    client.write(modify(default("Switch.l2", "Switch.drop", controller_metadata=7)))
    assert client.read_entries(default("Switch.l2", controller_metadata=8)) == []
    assert len(client.read_entries(default("Switch.l2", controller_metadata=7))) == 1


# --- kept by an upgrade -------------------------------------------------------------------------------------


def test_upgrade_keeps_colours_and_default_resources(server: ServerUnderTest, client: Client) -> None:
    """§14, RECONCILE_AND_COMMIT: what is adopted whole and what is carried entry by entry alike."""
    forwarding(client)
    metered = default("Switch.acl", "NoAction", meter_config=METER)
    client.write(insert(acl(meter_config=METER)), modify(metered))
    sends(server, 5)
    asks = [
        p4r.Entity(table_entry=p4r.TableEntry(table_id=IDS["acl"], **ASK)),
        p4r.Entity(table_entry=default("Switch.acl", **ASK)),
        p4r.Entity(table_entry=default("Switch.l2", counter_data={})),
        of("meter_entry { meter_id: $port_meter counter_data {} }"),
    ]
    before = client.read(*asks)
    config = p4r.ForwardingPipelineConfig(p4info=packet_io().info.message)
    config.p4_device_config = packet_io().path.read_bytes()
    client.set_config(p4r.SetForwardingPipelineConfigRequest.RECONCILE_AND_COMMIT, config)
    assert client.read(*asks) == before
    assert counts(before[0].table_entry.meter_counter_data) == [(2, 2 * SIZE), (1, SIZE), (2, 2 * SIZE)]
    assert before[2].table_entry.counter_data.packet_count == 5


# --- one-shots ----------------------------------------------------------------------------------------------


def leave(server: ServerUnderTest, count: int = 60) -> Counter[int]:
    """Ports that frames of one flow leave at."""
    found: Counter[int] = Counter()
    for _ in range(count):
        found.update(port for port, _ in server.switch.inject(9, FRAME).sent)
    return found


def two_ports(mode: int) -> p4r.TableEntry:
    entry = one_shot(1, 3, action_selection_mode=mode)
    for number, one in enumerate(entry.action.action_profile_action_set.action_profile_actions, start=1):
        one.action.CopyFrom(NAMES.action("Switch.route_to", {"port": number, "dmac": 2}))
    return entry


def test_one_shot_selects_at_random(server: ServerUnderTest, client: Client) -> None:
    """§9.2.3: RANDOM draws for each packet, by weight; HASH and the default keep a flow together. Read back
    as written.
    """
    modes = p4r.ActionProfileActionSet
    drawn = two_ports(modes.RANDOM)
    client.write(insert(drawn))
    found = leave(server)
    assert set(found) == {1, 2}
    assert found[2] > found[1]
    assert client.read_entries(p4r.TableEntry(table_id=IDS["ecmp"])) == [drawn]
    for mode in (modes.HASH, modes.DEFAULT_MODE_DETERMINED_BY_ACTION_SELECTOR):
        client.write(modify(two_ports(mode)))
        assert len(leave(server)) == 1
        assert client.read_entries(p4r.TableEntry(table_id=IDS["ecmp"])) == [two_ports(mode)]
    client.write(modify(drawn))
    client.set_port(1, up=False)
    assert set(leave(server)) == {2}  # §9.2.4: the watch port is down


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_shot_counts_its_size_in_its_own_way(backend: str) -> None:
    """§9.2.3: size_semantics of one group overrides the selector's, against max_group_size and size."""
    sizes = p4r.ActionProfileActionSet
    with ServerUnderTest(with_profile(max_group_size=2), backend=backend) as server:
        client = server.primary()
        written = one_shot(100, 100, size_semantics=sizes.SUM_OF_MEMBERS)
        client.write(insert(written))
        assert client.read_entries(p4r.TableEntry(table_id=IDS["ecmp"])) == [written]
        ((code, _),) = client.refused(modify(one_shot(2, 1)))
        assert code == "INVALID_ARGUMENT"
