"""PNA: the same program from p4c-dpdk's `.spec` and from p4c-bm2-pna's JSON does the same."""

from __future__ import annotations

import random

import pytest
from pna_fixtures import ARTIFACTS, SECOND, Artifact, fixture, nic, request

from p4nic.backend.api import Backend, CloneSession, Entry, Outcome, Pipeline, Replica
from p4nic.errors import UnsupportedError
from p4nic.ir.program import ActionCall, Exact

KEEP, RESTART, SET = range(3)
HIT = 0x80
TABLES = {KEEP: "Main.kept", RESTART: "Main.restarted", SET: "Main.retimed"}
DROP_FIRST, SEND_FIRST, DROP_LAST, SEND_LAST, MIRROR_A, MIRROR_B, MIRROR_AGAIN = (1 << i for i in range(7))

both = pytest.mark.parametrize("artifact", ARTIFACTS)


# --- flows --------------------------------------------------------------------------------------------------


def flow(op: int, profile: int, key: int, port: int, mark: int = 0) -> bytes:
    return request((op, 1), (profile, 1), (key, 4), (port, 4), (mark, 4))


def ask(pipeline: Pipeline, frame: bytes, second: float = 0) -> tuple[int, int, int]:
    """The port a packet leaves by, whether it hit, and the mark it learned."""
    ((port, sent),) = pipeline.process([(1, frame)], int(second * SECOND))[0].sent
    return port, sent[0] & HIT, int.from_bytes(sent[10:14], "big")


@both
@pytest.mark.parametrize("op", TABLES)
def test_a_flow_is_learned_with_its_arguments(backend: Backend, artifact: Artifact, op: int) -> None:
    flows = nic(backend, "flows", artifact)
    assert ask(flows, flow(op, 1, key=7, port=3, mark=99)) == (3, 0, 99)
    assert ask(flows, flow(op, 1, key=7, port=4, mark=1)) == (3, HIT, 99)
    assert ask(flows, flow(op, 1, key=8, port=4, mark=1)) == (4, 0, 1)
    (state, _) = flows.entries(TABLES[op], 0)
    assert state.entry.key == (Exact(7),)
    assert isinstance(state.entry.action, ActionCall)
    assert (state.entry.action.action, state.entry.action.args) == (f"{TABLES[op]}_hit", (3, 99))
    assert (state.entry.origin, state.entry.idle_timeout_ns) == ("learned", 30 * SECOND)
    assert flows.statistics()["learned"] == 2


@both
def test_a_full_table_learns_no_more(backend: Backend, artifact: Artifact) -> None:
    flows = nic(backend, "flows", artifact)
    for key in range(5):
        assert ask(flows, flow(KEEP, 1, key, port=2))[1] == 0
    assert flows.statistics()["learn_failed"] == 1
    assert [ask(flows, flow(KEEP, 1, key, port=2))[1] for key in range(5)] == [HIT] * 4 + [0]


@both
@pytest.mark.parametrize(("profile", "seconds"), [*enumerate((10, 30, 60, 120, 300, 43_200, 120, 120))])
def test_a_profile_is_a_time(backend: Backend, artifact: Artifact, profile: int, seconds: int) -> None:
    flows = nic(backend, "flows", artifact)
    ask(flows, flow(KEEP, profile, key=7, port=3))
    assert flows.next_expiry_ns() == seconds * SECOND
    assert flows.expire(seconds * SECOND - 1) == []
    ((expired),) = flows.expire(seconds * SECOND)
    assert expired.removed
    assert ask(flows, flow(KEEP, profile, key=7, port=3), seconds)[1] == 0


@both
@pytest.mark.parametrize(("op", "profile", "due"), [(KEEP, 4, 10), (RESTART, 4, 18), (SET, 4, 308)])
def test_what_a_hit_does_to_the_timer(
    backend: Backend, artifact: Artifact, op: int, profile: int, due: int
) -> None:
    """Learned for 10 s at 0 and hit at 8: nothing, 10 s more, or the packet's profile from now on."""
    flows = nic(backend, "flows", artifact)
    ask(flows, flow(op, 0, key=7, port=3))
    assert ask(flows, flow(op, profile, key=7, port=3), 8)[1] == HIT
    assert flows.expire(due * SECOND - 1) == []
    assert len(flows.expire(due * SECOND)) == 1


@both
def test_the_control_plane_adds_entries_beside_the_learned_ones(backend: Backend, artifact: Artifact) -> None:
    flows = nic(backend, "flows", artifact)
    call = ActionCall("Main.kept_hit", (6, 5))
    flows.insert(Entry("Main.kept", (Exact(7),), call, idle_timeout_ns=20 * SECOND), 0)
    assert ask(flows, flow(KEEP, 1, key=7, port=3)) == (6, HIT, 5)
    (expired,) = flows.expire(20 * SECOND)
    assert not expired.removed  # only what the data plane learned goes by itself
    assert ask(flows, flow(KEEP, 1, key=7, port=3), 21) == (6, HIT, 5)


def test_random_flows_do_the_same_from_both_artifacts(backend: Backend) -> None:
    """Whole frames only: PNA tells the program of a short one, while a `.spec` has no means to."""
    numbers = random.Random(4)
    pair = [nic(backend, "flows", artifact) for artifact in ARTIFACTS]
    now = 0
    for _ in range(600):
        now += numbers.choice([0, 1, 3 * SECOND, 11 * SECOND])
        told = [[e.state.entry.key for e in p.expire(now)] for p in pair]
        assert told[0] == told[1]
        frame = flow(*(numbers.randrange(n) for n in (3, 8, 6, 10, 1000)))
        results = [p.process([(1, frame)], now)[0] for p in pair]
        assert results[0] == results[1], frame.hex()
    learned = [p.statistics()["learned"] for p in pair]
    assert learned[0] == learned[1] > 50


# --- forwarding ---------------------------------------------------------------------------------------------


def forwarded(backend: Backend, artifact: Artifact, calls: int) -> Outcome:
    forwarding = nic(backend, "forwarding", artifact)
    forwarding.set_clone_session(5, CloneSession((Replica(7, 0),)))
    forwarding.set_clone_session(6, CloneSession((Replica(8, 0),), truncate_bytes=10))
    return forwarding.process([(1, request((calls, 1), (2, 4), (3, 4)))], 0)[0]


def ports(outcome: Outcome) -> list[int]:
    return [port for port, _ in outcome.sent]


def test_without_a_drop_all_calls_do_the_same_from_both_artifacts(backend: Backend) -> None:
    for calls in range(128):
        if not calls & (DROP_FIRST | DROP_LAST):
            assert forwarded(backend, "spec", calls) == forwarded(backend, "json", calls), f"{calls:#x}"


@both
@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        (0, [0]),  # nobody said where: port 0
        (SEND_FIRST, [2]),
        (SEND_FIRST | SEND_LAST, [3]),
        (DROP_LAST, []),
        (SEND_FIRST | DROP_LAST, []),
        (MIRROR_A | SEND_FIRST, [7, 2]),
        (MIRROR_B | MIRROR_A | SEND_FIRST, [7, 8, 2]),  # by slot
        (MIRROR_A | MIRROR_AGAIN | SEND_FIRST, [8, 2]),  # the last call for a slot counts
        (MIRROR_A | MIRROR_B | DROP_LAST, [7, 8]),  # a drop leaves the copies alone
    ],
)
def test_where_a_packet_goes(backend: Backend, artifact: Artifact, calls: int, expected: list[int]) -> None:
    assert ports(forwarded(backend, artifact, calls)) == expected


@pytest.mark.parametrize("calls", [DROP_FIRST | SEND_FIRST, DROP_LAST | SEND_LAST])
def test_a_drop_that_is_not_the_last_word(backend: Backend, calls: int) -> None:
    """The specification's last call wins from the JSON; a `.spec` has an instruction that drops at once."""
    assert ports(forwarded(backend, "json", calls)) == [2 if calls & SEND_FIRST else 3]
    assert forwarded(backend, "spec", calls) == Outcome((), "drop action")


@both
def test_mirror_copies_are_of_the_outgoing_packet_and_truncated(backend: Backend, artifact: Artifact) -> None:
    out = request((0, 1), (2, 4), (3, 4))  # `calls` is cleared after the mirror calls
    expected = ((7, out), (8, out[:10]), (2, out))
    assert forwarded(backend, artifact, MIRROR_A | MIRROR_B | SEND_FIRST).sent == expected


@both
def test_a_port_that_does_not_exist(backend: Backend, artifact: Artifact) -> None:
    frame = request((SEND_FIRST, 1), (5000, 4), (0, 4))
    assert (
        nic(backend, "forwarding", artifact).process([(1, frame)], 0)[0].drop_reason
        == "egress port does not exist"
    )


# --- passes -------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("rounds", [0, 1, 5, 7])
def test_recirculation_counts_passes_and_keeps_metadata(
    backend: Backend, artifact: Artifact, rounds: int
) -> None:
    """The port chosen in the first pass holds, and metadata gather 5 a pass."""
    frame = request((rounds, 1), (0, 1), (0, 1), (9, 4))
    ((port, sent),) = nic(backend, "passes", artifact).process([(1, frame)], 0)[0].sent
    assert (port, sent) == (9, request((0, 1), (rounds, 1), (5 * (rounds + 1), 1), (9, 4)))


@both
def test_the_next_packet_starts_with_fresh_metadata(backend: Backend, artifact: Artifact) -> None:
    passes = nic(backend, "passes", artifact)
    frame = request((1, 1), (0, 1), (0, 1), (9, 4))
    assert passes.process([(1, frame)], 0) == passes.process([(1, frame)], 1)


@both
def test_a_packet_does_not_go_round_for_ever(backend: Backend, artifact: Artifact) -> None:
    frame = request((200, 1), (0, 1), (0, 1), (9, 4))
    assert nic(backend, "passes", artifact).process([(1, frame)], 0)[0].drop_reason == "recirculation limit"


# --- direction ----------------------------------------------------------------------------------------------


@both
def test_the_direction_register_says_from_where_a_port_receives(backend: Backend, artifact: Artifact) -> None:
    direction = nic(backend, "direction", artifact)
    direction.insert(Entry("Main.route", (Exact(10),), ActionCall("Main.send", (4,))), 0)
    direction.insert(Entry("Main.route", (Exact(20),), ActionCall("Main.send", (5,))), 0)
    frame = request((10, 4), (20, 4))
    assert ports(direction.process([(1, frame)], 0)[0]) == [4]
    direction.set_register("direction", 1, 1)
    assert ports(direction.process([(1, frame)], 0)[0]) == [5]
    assert ports(direction.process([(2, frame)], 0)[0]) == [4]


# --- what is refused ----------------------------------------------------------------------------------------


def test_the_ipsec_accelerator_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedError, match=r"ipsec\.spec:\d+: the extern ipsec_accelerator needs an eng"):
        fixture("ipsec", "spec")
    with pytest.raises(UnsupportedError, match="the extern 'ipsec_accelerator' is not supported"):
        fixture("ipsec", "json")
