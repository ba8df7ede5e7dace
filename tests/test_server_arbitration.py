"""Client arbitration (P4Runtime 1.5 §5): the state machine, random histories of it, and over the wire."""

from __future__ import annotations

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from p4runtime_peer import ServerUnderTest, arbitration, code_of, insert, packet_io

from p4nic.errors import ErrorKind
from p4nic.server.arbitration import Arbiter, ArbitrationRefused, Notice, Standing
from p4rt import p4r, stratum_role

OK, ALREADY_EXISTS, NOT_FOUND = 0, 6, 5


def standings(notices: list[Notice]) -> dict[int, str]:
    return {n.stream: n.standing.value for n in notices}


# --- the state machine --------------------------------------------------------------------------------------


def test_nobody_is_promoted_when_the_primary_leaves() -> None:
    """§5.3: there is no primary until somebody sends an id that is at least the highest ever seen."""
    arbiter = Arbiter(1)
    arbiter.update(1, 1, "", 5)
    arbiter.update(2, 1, "", 4)
    assert standings(arbiter.gone(1)) == {2: "NOT_FOUND"}
    assert arbiter.update(2, 1, "", 4)[0].standing is Standing.NO_PRIMARY
    assert standings(arbiter.update(2, 1, "", 5)) == {2: "OK"}


def test_unset_election_id_is_lower_than_zero() -> None:
    """§16.2.1."""
    arbiter = Arbiter(1)
    assert arbiter.update(1, 1, "", None)[0] == Notice(1, Standing.NO_PRIMARY, "", None)
    assert standings(arbiter.update(2, 1, "", 0)) == {1: "ALREADY_EXISTS", 2: "OK"}
    assert not arbiter.may_write("", None)
    assert arbiter.may_write("", 0)


def test_two_unset_election_ids_do_not_clash() -> None:
    """§5.3, 1.2: only an id that is set can be in use."""
    arbiter = Arbiter(1)
    arbiter.update(1, 1, "", None)
    assert arbiter.update(2, 1, "", None)[0].stream == 2


def test_stepping_down_tells_everybody() -> None:
    """§5.3: a primary that downgrades itself."""
    arbiter = Arbiter(1)
    arbiter.update(1, 1, "", 5)
    arbiter.update(2, 1, "", 3)
    assert standings(arbiter.update(1, 1, "", 4)) == {1: "NOT_FOUND", 2: "NOT_FOUND"}


def test_new_primary_hears_it_last() -> None:
    """§5.3, 1.2.2 before 1.2.5."""
    arbiter = Arbiter(1)
    arbiter.update(1, 1, "", 5)
    notices = arbiter.update(2, 1, "", 6)
    assert [(n.stream, n.standing) for n in notices] == [(1, Standing.BACKUP), (2, Standing.PRIMARY)]


@pytest.mark.parametrize(
    ("before", "update", "kind", "sentence"),
    [
        ([], (1, 9, "", 1), "NOT_FOUND", "there is no device 9 here; the only device is 1"),
        (
            [(1, 1, "", 7)],
            (2, 1, "", 7),
            "INVALID_ARGUMENT",
            "election id 7 is in use by another client of role ''; choose another",
        ),
        (
            [(1, 1, "", 7)],
            (1, 2, "", 7),
            "FAILED_PRECONDITION",
            "this stream arbitrates for device 1; open another stream for device 2",
        ),
        (
            [(1, 1, "a", 7)],
            (1, 1, "b", 7),
            "FAILED_PRECONDITION",
            "this stream arbitrates for role 'a'; open another stream for role 'b'",
        ),
        (
            [(1, 1, "", 1), (2, 1, "", 2)],
            (3, 1, "", 3),
            "RESOURCE_EXHAUSTED",
            "2 streams are open already; close one first",
        ),
        (
            [(1, 1, "a", 1), (1, 1, "a", 2)],
            (2, 1, "b", 1),
            "RESOURCE_EXHAUSTED",
            "1 roles are known already; use one of them",
        ),
    ],
)
def test_refusals(
    before: list[tuple[int, int, str, int]], update: tuple[int, int, str, int], kind: str, sentence: str
) -> None:
    arbiter = Arbiter(1, max_streams=2, max_roles=1)
    for one in before:
        arbiter.update(*one)
    with pytest.raises(ArbitrationRefused) as refused:
        arbiter.update(*update)
    assert refused.value.kind is ErrorKind[kind]
    assert str(refused.value) == sentence


ids = st.one_of(st.none(), st.integers(0, 4), st.just(1 << 100))
steps = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(["", "r"]), st.one_of(st.just("gone"), ids)), max_size=30
)


@given(steps)
def test_any_history_keeps_the_rules(history: list[tuple[int, str, int | str | None]]) -> None:
    """§5: at most one primary per role, with the highest id ever seen; what a client heard last is true."""
    arbiter = Arbiter(1)
    highest: dict[str, int] = {}
    told: dict[int, Standing] = {}
    live: dict[int, tuple[str, int | None]] = {}
    for stream, role, what in history:
        if what == "gone":
            notices = arbiter.gone(stream)
            live.pop(stream, None)
            told.pop(stream, None)
        else:
            assert not isinstance(what, str)
            try:
                notices = arbiter.update(stream, 1, role, what)
            except ArbitrationRefused:
                continue
            live[stream] = (role, what)
            if what is not None and what >= highest.get(role, -1):
                highest[role] = what
        told |= {n.stream: n.standing for n in notices}
        assert all(n.highest == highest.get(n.role) for n in notices)
        assert len({s for s, _ in live.items()}) == len(live)
        for number, (own_role, election_id) in live.items():
            is_primary = election_id is not None and election_id == highest.get(own_role)
            # Holding the highest id is not enough: the client must have sent it after the last primary left.
            assert not arbiter.is_primary(number) or is_primary
            assert (told[number] is Standing.PRIMARY) == arbiter.is_primary(number)
            primaries = [n for n, (r, _) in live.items() if r == own_role and arbiter.is_primary(n)]
            assert len(primaries) <= 1
            if not arbiter.is_primary(number):
                assert told[number] is (Standing.BACKUP if primaries else Standing.NO_PRIMARY)


# --- over the wire ------------------------------------------------------------------------------------------


def test_takeover_over_the_wire() -> None:
    """§5.4: statuses, the highest id in the notice, and whose writes count."""
    with ServerUnderTest(packet_io()) as server:
        first, second = server.client(), server.client()
        assert first.arbitrate(1).status.code == OK
        notice = second.arbitrate(2)
        assert (notice.status.code, notice.election_id.low, notice.device_id) == (OK, 2, 1)
        assert not notice.HasField("role")
        notice = first.notice()
        assert (notice.status.code, notice.election_id.low) == (ALREADY_EXISTS, 2)
        entry = server.names.entry("Switch.l2", {"dst": 1}, "Switch.drop")
        with pytest.raises(grpc.RpcError) as error:
            first.write(insert(entry))
        assert code_of(error.value) == "PERMISSION_DENIED"
        assert "election id 1 is not that of the primary" in str(error.value.details())
        second.write(insert(entry))
        second.close()
        assert first.notice().status.code == NOT_FOUND
        assert first.arbitrate(1).status.code == NOT_FOUND
        assert first.arbitrate(2).status.code == OK


def test_128_bit_election_ids() -> None:
    with ServerUnderTest(packet_io()) as server:
        low, high = server.client(), server.client()
        assert low.arbitrate((1 << 64) - 1).status.code == OK
        notice = high.arbitrate(1 << 64)
        assert (notice.status.code, notice.election_id.high, notice.election_id.low) == (OK, 1, 0)


@pytest.mark.parametrize(
    ("update", "code"),
    [
        (arbitration(1, device_id=7), "NOT_FOUND"),
        (arbitration(5), "INVALID_ARGUMENT"),
        (arbitration(1, config=p4r.Uint128()), "INVALID_ARGUMENT"),
    ],
)
def test_a_refused_update_ends_the_stream(update: p4r.StreamMessageRequest, code: str) -> None:
    """§5.3: the stream is terminated, with the code of the rule."""
    with ServerUnderTest(packet_io()) as server:
        server.primary(5)
        client = server.client()
        client.send(update)
        assert code_of(client.stream_error()) == code


def test_reads_need_no_stream() -> None:
    """§13."""
    with ServerUnderTest(packet_io()) as server:
        assert len(server.client().read_entries()) == 2  # the constant entries of ether_types


def test_roles_write_their_own_objects_only() -> None:
    """§5.2, §12: PERMISSION_DENIED for an update outside of the role; Read filters by role."""
    with ServerUnderTest(packet_io()) as server:
        names = server.names
        config = stratum_role.P4RoleConfig(exclusive_p4_ids=[names.ids["Switch.l2"]])
        learner, default = server.client(), server.primary(1)
        assert learner.arbitrate(1, "l2", config=config).role.name == "l2"
        mine = names.entry("Switch.l2", {"dst": 1}, "Switch.drop")
        other = names.entry("Switch.l2_source", {"src": 1}, "NoAction")
        assert learner.refused(insert(mine), insert(other)) == [
            ("OK", ""),
            ("PERMISSION_DENIED", f"role 'l2' may not write the object with P4Info id {other.table_id}"),
        ]
        assert default.refused(insert(other), insert(mine)) == [
            ("OK", ""),
            ("PERMISSION_DENIED", f"the object with P4Info id {mine.table_id} belongs to role 'l2' alone"),
        ]
        everything = p4r.Entity(table_entry=p4r.TableEntry())
        assert [e.table_entry.table_id for e in learner.read(everything, role="l2")] == [mine.table_id]
        with pytest.raises(grpc.RpcError) as error:
            learner.set_config(p4r.SetForwardingPipelineConfigRequest.VERIFY, packet_io().config)
        assert code_of(error.value) == "PERMISSION_DENIED"


def test_unknown_role_is_not_found() -> None:
    """§12, check 1."""
    with ServerUnderTest(packet_io()) as server:
        client = server.primary()
        client.role = "nobody"
        with pytest.raises(grpc.RpcError) as error:
            client.write()
        assert code_of(error.value) == "NOT_FOUND"
