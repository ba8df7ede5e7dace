"""Ports that go down: watch ports of group members (P4Runtime 1.5 §9.2.2, §9.2.3, §9.2.4), backup replicas
(§9.5.1), and what action selectors' sizes and weights mean (§6.4.3).
"""

from __future__ import annotations

import grpc
import pytest
from p4runtime_peer import (
    Artifact,
    Client,
    Names,
    ServerUnderTest,
    code_of,
    delete,
    entity,
    insert,
    modify,
    packet_io,
)
from server_backends import BACKENDS
from test_server_objects import ecmp, group, member, of, one_shot

from p4nic.clock import RealClock
from p4nic.load.artifact import load_config
from p4nic.load.p4info import decode_p4info
from p4rt import p4i, p4r

NAMES = Names(packet_io().info.message)
SELECTOR = "Switch.ecmp_selector"


def ports(server: ServerUnderTest, flows: int = 40) -> set[int]:
    """Where packets of many flows to 10.0.0.0/8 leave."""
    left = set()
    for flow in range(flows):
        outcome = server.switch.inject(9, ipv4(0x0A000001, 0xC0000000 + flow * 7919))
        left |= {port for port, _ in outcome.sent}
    return left


def ipv4(dst: int, src: int) -> bytes:
    head = bytes.fromhex("45000014000000004011") + b"\0\0" + src.to_bytes(4, "big") + dst.to_bytes(4, "big")
    return bytes.fromhex("0000000000aa 0000000000bb 0800") + head + bytes(20)


def three(server: ServerUnderTest, client: Client) -> None:
    """Members at ports 1 to 3, each watching its own; member 3 watches none."""
    client.write(*(insert(member(n, n)) for n in (1, 2, 3)))
    client.write(
        insert(
            group(
                1,
                "members { member_id: 1 weight: 1 watch_port: '\\x01' } "
                "members { member_id: 2 weight: 1 watch_port: '\\x02' } "
                "members { member_id: 3 weight: 1 }",
            )
        )
    )
    client.write(insert(ecmp(p4r.TableAction(action_profile_group_id=1))))
    assert ports(server) == {1, 2, 3}


def test_member_whose_watch_port_is_down_is_not_selected(server: ServerUnderTest, client: Client) -> None:
    """§9.2.2; what is read back does not change (§8.3.1)."""
    three(server, client)
    before = client.read(of("action_profile_group {}"))
    client.set_port(2, False)
    assert ports(server) == {1, 3}
    assert client.read(of("action_profile_group {}")) == before
    client.set_port(2, True)
    assert ports(server) == {1, 2, 3}


def test_member_without_watch_port_is_selected_whatever_its_port(
    server: ServerUnderTest, client: Client
) -> None:
    three(server, client)
    client.set_port(3, False)
    assert ports(server) == {1, 2, 3}
    assert (
        server.switch.drop_statistics()["port is down"] == server.switch.port_statistics()[3].tx_dropped > 0
    )


def test_group_written_while_a_port_is_down(server: ServerUnderTest, client: Client) -> None:
    client.set_port(1, False)
    client.write(*(insert(member(n, n)) for n in (1, 2)))
    members = "".join(f"members {{ member_id: {n} weight: 1 watch_port: '\\x0{n}' }} " for n in (1, 2))
    client.write(insert(group(1, members)))
    client.write(insert(ecmp(p4r.TableAction(action_profile_group_id=1))))
    assert ports(server) == {2}
    client.set_port(2, False)
    client.set_port(1, True)
    assert ports(server) == {1}


def test_group_of_which_no_member_is_left_acts_as_an_empty_one(
    server: ServerUnderTest, client: Client
) -> None:
    """§9.2.4: no action runs, as for a group without members."""
    client.write(insert(member(1, 1)), insert(group(2, "")))
    client.write(insert(group(1, "members { member_id: 1 weight: 1 watch_port: '\\x01' }")))
    client.write(insert(ecmp(p4r.TableAction(action_profile_group_id=1))))
    client.set_port(1, False)
    all_down = server.switch.inject(9, ipv4(0x0A000001, 1))
    client.write(modify(ecmp(p4r.TableAction(action_profile_group_id=2))))
    assert server.switch.inject(9, ipv4(0x0A000001, 1)) == all_down


def test_one_shot_watches_its_ports(server: ServerUnderTest, client: Client) -> None:
    """§9.2.3."""
    entry = one_shot(1, 1, 1)
    actions = entry.action.action_profile_action_set.action_profile_actions
    for number, one in enumerate(actions, start=1):
        one.action.CopyFrom(NAMES.action("Switch.route_to", {"port": number, "dmac": 2}))
    client.write(insert(entry))
    assert ports(server) == {1, 2, 3}
    client.set_port(3, False)
    assert ports(server) == {1, 2}
    assert client.read_entries(NAMES.entry("Switch.ecmp")) == [entry]
    client.write(delete(entry))
    client.set_port(3, True)


def test_backup_replica_stands_in_for_a_port_that_is_down(server: ServerUnderTest, client: Client) -> None:
    """§9.5.1: the first of the backups whose port is up; the replica itself where none is."""
    client.write(
        insert(
            of(
                "packet_replication_engine_entry { multicast_group_entry { multicast_group_id: 1 "
                "replicas { port: '\\x01' backup_replicas { port: '\\x02' instance: 3 } "
                "backup_replicas { port: '\\x03' } } replicas { port: '\\x04' } } }"
            )
        ),
        insert(NAMES.entry("Switch.l2", {"dst": 0xAA}, "Switch.flood", {"group": 1})),
    )

    def copies() -> list[int]:
        return [port for port, _ in server.switch.inject(9, ipv4(0x0B000001, 1)).sent]

    assert copies() == [1, 4]
    client.set_port(1, False)
    assert copies() == [2, 4]
    client.set_port(2, False)
    assert copies() == [3, 4]
    client.set_port(3, False)
    dropped = server.switch.drop_statistics().get("port is down", 0)
    copies()
    assert server.switch.drop_statistics()["port is down"] == dropped + 1
    client.set_port(1, True)
    assert copies() == [1, 4]


def test_frames_of_a_port_that_is_down_do_not_come_in(server: ServerUnderTest, client: Client) -> None:
    client.set_port(5, False)
    assert server.switch.inject(5, ipv4(1, 2)).drop_reason == "port is down"
    assert server.switch.port_statistics()[5].rx_dropped == 1


def test_ports_are_moved_in_virtual_time_only() -> None:
    with ServerUnderTest(packet_io(), clock=RealClock()) as server:
        with pytest.raises(grpc.RpcError) as error:
            server.client().set_port(1, False)
        assert code_of(error.value) == "FAILED_PRECONDITION"
        assert error.value.details() == (
            "switch p4nic follows the real clock; clients move ports under a manual one"
        )


def test_a_port_that_does_not_exist(client: Client) -> None:
    with pytest.raises(grpc.RpcError) as error:
        client.set_port(600, False)
    assert error.value.details() == (
        "port 600 does not exist, the last one is 511; give the port to shut or open another number"
    )


# --- sizes and weights --------------------------------------------------------------------------------------


def with_profile(**fields: object) -> Artifact:
    """packet_io whose selector says more in the P4Info."""
    message = p4i.P4Info()
    message.CopyFrom(packet_io().info.message)
    (profile,) = (p for p in message.action_profiles if p.preamble.name == SELECTOR)
    profile.MergeFrom(p4i.ActionProfile(**fields))  # type: ignore[arg-type]
    info = decode_p4info(message)
    program = load_config(packet_io().path.read_bytes(), info)
    return Artifact(packet_io().path, packet_io().p4info_path, program, info)


def two(first: int, second: int, more: str = "") -> p4r.Update:
    return insert(
        group(
            1,
            f"members {{ member_id: 1 weight: {first} }} members {{ member_id: 2 weight: {second} }}",
            more,
        )
    )


REFUSED = [
    (
        {"max_group_size": 4},
        two(1, 1),
        f"INVALID_ARGUMENT: action profile {SELECTOR}, group 1: max_size 0 is not in 1..4",
    ),
    (
        {"max_group_size": 4},
        two(3, 2, "max_size: 4"),
        f"RESOURCE_EXHAUSTED: action profile {SELECTOR}, group 1: the weights add up to 5, more than 4",
    ),
    (
        {"weights_disallowed": True},
        two(0, 1),
        f"INVALID_ARGUMENT: action profile {SELECTOR}, group 1: weight 1 of member 2 must be unset, as "
        f"action profile {SELECTOR} disallows weights",
    ),
    (
        {"sum_of_members": {"max_member_weight": 10}},
        two(10, 11),
        f"INVALID_ARGUMENT: action profile {SELECTOR}, group 1: weight 11 of member 2 is more than "
        "max_member_weight 10",
    ),
    (
        {"sum_of_members": {}, "max_group_size": 1},
        two(1, 1, "max_size: 1"),
        f"RESOURCE_EXHAUSTED: action profile {SELECTOR}, group 1: the number of members is 2, more than 1",
    ),
    (
        {"sum_of_members": {}},
        two((1 << 31) - 1, 1),
        f"RESOURCE_EXHAUSTED: action profile {SELECTOR}, group 1: the weights in lowest terms add up to "
        "2147483648, more than 65536; use coarser weights",
    ),
    (
        {"sum_of_members": {}, "max_group_size": 2},
        insert(one_shot(1, 2, size_semantics=p4r.ActionProfileActionSet.SUM_OF_WEIGHTS)),
        "INVALID_ARGUMENT: table Switch.ecmp, one-shot action set: the weights add up to 3, more than "
        "max_group_size 2",
    ),
    (
        {"max_group_size": 2},
        insert(one_shot(9, 9, 9, size_semantics=p4r.ActionProfileActionSet.SUM_OF_MEMBERS)),
        "INVALID_ARGUMENT: table Switch.ecmp, one-shot action set: the number of members is 3, more than "
        "max_group_size 2",
    ),
]


@pytest.mark.parametrize(("fields", "update", "sentence"), REFUSED, ids=[r[2][:90] for r in REFUSED])
def test_refusals_by_the_profile(fields: dict[str, object], update: p4r.Update, sentence: str) -> None:
    with ServerUnderTest(with_profile(**fields)) as server:
        client = server.primary()
        if update.entity.HasField("action_profile_group"):
            client.write(insert(member(1)), insert(member(2)))
        ((code, said),) = client.refused(update)
        assert f"{code}: {said}" == sentence


ACCEPTED = [
    ({"weights_disallowed": True}, (0, 0)),
    ({"sum_of_members": {"max_member_weight": 300}, "max_group_size": 2}, (300, 300)),
    ({"sum_of_members": {}}, (2_000_000_000, 1_000_000_000)),
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("fields", "weights"), ACCEPTED, ids=["disallowed", "limited", "any"])
def test_groups_by_the_profile(fields: dict[str, object], weights: tuple[int, int], backend: str) -> None:
    """Accepted, read back as written, and both members are selected."""
    with ServerUnderTest(with_profile(**fields), backend=backend) as server:
        client = server.primary()
        client.write(insert(member(1, 1)), insert(member(2, 2)))
        update = two(*weights, "max_size: 2" if "max_group_size" in fields else "")
        client.write(update)
        client.write(insert(ecmp(p4r.TableAction(action_profile_group_id=1))))
        assert client.read(entity("action_profile_group {}")) == [update.entity]
        assert ports(server) == {1, 2}
