"""Rules of P4Runtime 1.5 that need a program or a moment of their own: value sets, scopes, takeovers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from p4runtime_peer import (
    Artifact,
    Client,
    ServerUnderTest,
    arbitration,
    delete,
    entity,
    insert,
    load_balancer,
    modify,
    packet_io,
    program,
)
from server_backends import BACKENDS

from p4nic.load.artifact import load_config
from p4nic.load.p4info import decode_p4info
from p4nic.server.access import Access
from p4nic.server.arbitration import ArbitrationRefused
from p4nic.server.sessions import Sessions
from p4rt import p4i, p4r, stratum_role

NOT_FOUND, ALREADY_EXISTS = 5, 6

# --- value sets (§9.6) --------------------------------------------------------------------------------------

VALUE_SETS = {v.preamble.name: v.preamble.id for v in program("v1_value_set").info.message.value_sets}


@pytest.fixture(params=BACKENDS)
def sets(request: pytest.FixtureRequest) -> Iterator[Client]:
    with ServerUnderTest(program("v1_value_set"), backend=request.param) as server:
        yield server.primary()


def singles(*values: int) -> p4r.Entity:
    message = entity(f"value_set_entry {{ value_set_id: {VALUE_SETS['Parse.singles']} }}")
    for value in values:
        field = message.value_set_entry.members.add().match.add(field_id=1)
        field.exact.value = bytes([value])
    return message


def test_value_set_is_replaced_and_read_back(sets: Client) -> None:
    """MODIFY is the only update, and sets all members; none at all empties it."""
    sets.write(modify(singles(1, 2)))
    assert sets.read(singles()) == [singles(1, 2)]
    sets.write(modify(singles(3)))
    assert sets.read(singles()) == [singles(3)]
    assert len(sets.read(entity("value_set_entry {}"))) == len(VALUE_SETS)
    sets.write(modify(singles()))
    assert sets.read(singles()) == [singles()]


VALUE_SETS_REFUSED: list[tuple[Callable[[p4r.Entity], p4r.Update], p4r.Entity, str]] = [
    (
        insert,
        singles(1),
        "INVALID_ARGUMENT value set Parse.singles can only be modified, not inserted",
    ),
    (delete, singles(), "INVALID_ARGUMENT value set Parse.singles can only be modified, not deleted"),
    (modify, singles(1, 2, 1), "ALREADY_EXISTS value set Parse.singles: member 0x1 is listed twice"),
    (
        modify,
        singles(1, 2, 3, 4, 5),
        "RESOURCE_EXHAUSTED value set Parse.singles: 5 members, it holds 4",
    ),
]


@pytest.mark.parametrize(("update", "what", "sentence"), VALUE_SETS_REFUSED)
def test_value_set_refusals(
    sets: Client, update: Callable[[p4r.Entity], p4r.Update], what: p4r.Entity, sentence: str
) -> None:
    sets.write(modify(singles(9)))
    ((code, said),) = sets.refused(update(what))
    assert f"{code} {said}" == sentence
    assert sets.read(singles()) == [singles(9)]


# --- scopes (§9.1.2) ----------------------------------------------------------------------------------------


def test_action_of_the_default_entry_in_an_entry() -> None:
    """PERMISSION_DENIED for the scope, INVALID_ARGUMENT for an action of another table."""
    with ServerUnderTest(load_balancer()) as server:
        client, key = server.primary(), {"ip_dst": 1, "proto": 6, "dport": 80}
        answers = [
            client.refused(insert(server.names.entry("Lb.service_vip", key, action)))[0]
            for action in ("NoAction", "Lb.uplink")
        ]
        assert [code for code, _ in answers] == ["PERMISSION_DENIED", "INVALID_ARGUMENT"]
        assert answers[0][1] == "table Lb.service_vip: action NoAction is for the default entry only"
        assert answers[1][1].startswith(
            'table Lb.service_vip: action "Lb.uplink" is not one of its actions; '
        )


def test_scopes_that_only_the_p4info_tells() -> None:
    """BMv2's JSON has no `@tableonly` and `@defaultonly`: PERMISSION_DENIED all the same (§9.1.2)."""
    message = p4i.P4Info()
    message.CopyFrom(packet_io().info.message)
    ids = {a.preamble.name: a.preamble.id for a in message.actions}
    (table,) = (t for t in message.tables if t.preamble.name == "Switch.l2")
    for ref in table.action_refs:
        if ref.id == ids["Switch.to_cpu"]:
            ref.scope = p4i.ActionRef.DEFAULT_ONLY
        elif ref.id == ids["Switch.forward"]:
            ref.scope = p4i.ActionRef.TABLE_ONLY
    info = decode_p4info(message)
    program = load_config(packet_io().path.read_bytes(), info)
    with ServerUnderTest(Artifact(packet_io().path, packet_io().p4info_path, program, info)) as server:
        client, names = server.primary(), server.names
        client.write(insert(names.entry("Switch.l2", {"dst": 1}, "Switch.forward", {"port": 1})))
        client.write(
            modify(names.entry("Switch.l2", None, "Switch.to_cpu", {"reason": 1}, is_default_action=True))
        )
        entry = names.entry("Switch.l2", {"dst": 2}, "Switch.to_cpu", {"reason": 1})
        default = names.entry("Switch.l2", None, "Switch.forward", {"port": 1}, is_default_action=True)
        assert client.refused(insert(entry), modify(default)) == [
            ("PERMISSION_DENIED", "table Switch.l2: action Switch.to_cpu is for the default entry only"),
            ("PERMISSION_DENIED", "table Switch.l2: action Switch.forward cannot be the default action"),
        ]


# --- preinitialized tables (§9.1) ---------------------------------------------------------------------------


def preinitialized() -> Artifact:
    """packet_io, as if `Switch.ether_types` had `entries`, not `const entries`."""
    message = p4i.P4Info()
    message.CopyFrom(packet_io().info.message)
    (table,) = (t for t in message.tables if t.preamble.name == "Switch.ether_types")
    table.is_const_table, table.has_initial_entries = False, True
    info = decode_p4info(message)
    program = load_config(packet_io().path.read_bytes(), info)
    return Artifact(packet_io().path, packet_io().p4info_path, program, info)


@pytest.mark.parametrize("backend", BACKENDS)
def test_entries_of_a_preinitialized_table_change_like_any_other(backend: str) -> None:
    """§9.1, Preinitialized tables: they may be modified and deleted, and an upgrade keeps what is there."""
    with ServerUnderTest(preinitialized(), backend=backend) as server:
        client, names = server.primary(), server.names

        def entry(ether_type: int, action: str) -> p4r.TableEntry:
            return names.entry("Switch.ether_types", {"ether_type": ether_type}, action)

        everything = p4r.TableEntry(table_id=names.ids["Switch.ether_types"])
        assert client.read_entries(everything) == [entry(0x0800, "NoAction"), entry(0x86DD, "Switch.drop")]
        client.write(modify(entry(0x0800, "Switch.drop")), delete(entry(0x86DD, "Switch.drop")))
        client.write(insert(entry(0x0806, "Switch.drop")))
        now = [entry(0x0800, "Switch.drop"), entry(0x0806, "Switch.drop")]
        assert client.read_entries(everything) == now
        config = p4r.ForwardingPipelineConfig(p4info=preinitialized().info.message)
        config.p4_device_config = packet_io().path.read_bytes()
        client.set_config(p4r.SetForwardingPipelineConfigRequest.RECONCILE_AND_COMMIT, config)
        kept = client.read_entries(everything)
        assert sorted(kept, key=lambda e: e.match[0].exact.value) == now


# --- arbitration (§5) ---------------------------------------------------------------------------------------


def test_takeover_waits_for_the_write_under_way() -> None:
    """§5.3, steps 1.2.1 to 1.2.5: later Writes of the old primary are refused, the one under way finishes,
    then the new primary is told; not before.
    """
    writing = threading.Lock()
    told_anew = threading.Event()
    sessions = Sessions(1, writing, told_anew.set, 8, Access())
    old, new = sessions.open(), sessions.open()
    sessions.arbitrate(old, arbitration(1).arbitration)
    assert next(iter(old.outbox)).arbitration.status.code == 0
    told_anew.clear()
    with ThreadPoolExecutor(1) as pool:
        with writing:  # the old primary's Write is under way
            takeover = pool.submit(sessions.arbitrate, new, arbitration(2).arbitration)
            demoted = next(iter(old.outbox)).arbitration
            assert (demoted.status.code, demoted.election_id.low) == (ALREADY_EXISTS, 2)
            with pytest.raises(ArbitrationRefused, match="election id 1 is not that of the primary"):
                sessions.check_primary("", p4r.Uint128(low=1))
            assert not takeover.done()
            assert not told_anew.is_set()
        takeover.result()
    assert told_anew.is_set()
    promoted = next(iter(new.outbox)).arbitration
    assert (promoted.status.code, promoted.election_id.low) == (0, 2)


def test_changed_role_config_is_told_to_everybody() -> None:
    """§5.4; a backup's own update is answered to it alone."""
    with ServerUnderTest(packet_io()) as server:
        l2, acl = (server.names.ids[f"Switch.{name}"] for name in ("l2", "acl"))
        primary, backup = server.client(), server.client()
        narrow = stratum_role.P4RoleConfig(shared_p4_ids=[l2])
        wide = stratum_role.P4RoleConfig(shared_p4_ids=[l2, acl])
        assert primary.arbitrate(5, "r", config=narrow).status.code == 0
        assert backup.arbitrate(4, "r", config=narrow).status.code == ALREADY_EXISTS
        entry = server.names.entry("Switch.acl", {"src": (1, 1)}, "Switch.drop", priority=1)
        assert primary.refused(insert(entry))[0][0] == "PERMISSION_DENIED"
        assert primary.arbitrate(5, "r", config=wide).status.code == 0
        notice = backup.notice()
        assert (notice.status.code, notice.role.config.type_url) == (
            ALREADY_EXISTS,
            "type.googleapis.com/stratum.P4RoleConfig",
        )
        primary.write(insert(entry))
        assert backup.arbitrate(3, "r", config=narrow).status.code == ALREADY_EXISTS
        assert primary.arbitrate(5, "r", config=wide).status.code == 0  # nothing else was queued for it


def test_roles_do_not_see_each_others_elections() -> None:
    """§5: the primary is one for each (device, role)."""
    with ServerUnderTest(packet_io()) as server:
        one, other = server.client(), server.client()
        assert one.arbitrate(5, "one").status.code == 0
        notice = other.arbitrate(1, "other")
        assert (notice.status.code, notice.election_id.low) == (0, 1)
        one.close()
        assert other.arbitrate(1, "other").status.code == 0


# --- one election id over another stream ---------------------------------------------------------------


def test_stream_keeps_its_role_and_device() -> None:
    """§5.3: a later update for another role or device ends the stream with FAILED_PRECONDITION."""
    with ServerUnderTest(packet_io()) as server:
        for update in (arbitration(1, "other"), arbitration(1, device_id=2)):
            client = server.client()
            client.arbitrate(1)
            client.send(update)
            error = client.stream_error()
            code = error.code()
            assert code is not None
            assert code.name == "FAILED_PRECONDITION"
            client.close()
