"""The Controller as the suites use it, on a switch in memory: apply, learn, survive what happens to the "
"connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from lbctl_fixtures import NODE, cluster, endpoints, ip, service

from lbctl import background
from lbctl.controller import Controller
from lbctl.diff import diff, from_entries
from lbctl.errors import PlanError, SwitchError, SwitchErrorKind
from lbctl.fake import FakeTransport
from lbctl.hashing import FiveTuple, Target
from lbctl.model import Cluster, Protocol
from lbctl.plan import make_plan
from lbctl.sizing import Limits
from lbctl.transport import Disconnected, Event, FlowIdle, NewFlow, RoleChanged

ONE = cluster(service("s", "10.96.0.1", endpoints("10.1.0.1", "10.1.0.2"), Protocol.UDP))
ONLY_SECOND = cluster(service("s", "10.96.0.1", endpoints("10.1.0.2"), Protocol.UDP))
CLIENT = ip("10.1.1.1")


class Bench:
    """A Controller with its switch and what it said."""

    def __init__(self, switch: FakeTransport) -> None:
        self.switch = switch
        self.said: list[str] = []
        self.lb = Controller("unused", node=NODE, transport=switch, connect_timeout=2.0, log=self.said.append)

    def emit(self, *events: Event) -> None:
        background.loop().call_soon_threadsafe(self.switch.emit, *events)

    def eventually(self, happened: Callable[[], bool]) -> None:
        """Events cross threads: wait for the effect, for at most ten seconds."""
        for _ in range(1000):
            if happened():
                return
            time.sleep(0.01)
        pytest.fail("what the test waits for did not happen")

    def in_step(self, objects: Cluster) -> bool:
        state = from_entries(list(self.switch.entries.values()))
        return diff(make_plan(objects, NODE, state), state) == []


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench(FakeTransport(Target.V1MODEL))
    with made.lb:
        yield made


def digest(sport: int, dst: str) -> NewFlow:
    vip = ip("10.96.0.1")
    return NewFlow(FiveTuple(CLIENT, vip, 17, sport, 80), CLIENT, ip(dst), sport, 8080, 1, 0)


def test_apply_brings_the_switch_in_step_and_says_what_it_did(bench: Bench) -> None:
    outcome = bench.lb.apply(ONE)
    assert outcome.inserted == len(bench.switch.entries)
    assert bench.in_step(ONE)
    assert bench.lb.apply(ONE).changes == 0


def test_a_digest_is_learned_acknowledged_and_visible(bench: Bench) -> None:
    bench.lb.apply(ONE)
    bench.emit(digest(1000, "10.1.0.1"))
    bench.eventually(lambda: len(bench.lb.flows()) == 2)
    bench.eventually(lambda: bench.switch.acknowledged == 1)
    assert bench.lb.counts.learned == 1
    assert bench.lb.wait_idle(timeout=5, quiet=0.02)


def test_removing_an_endpoint_drops_its_udp_flows_within_the_same_apply(bench: Bench) -> None:
    bench.lb.apply(ONE)
    bench.emit(digest(1000, "10.1.0.1"), digest(2000, "10.1.0.2"))
    bench.eventually(lambda: len(bench.lb.flows()) == 4)
    bench.lb.apply(ONLY_SECOND)
    assert {flow.new_dst for flow in bench.lb.flows() if flow.kind == 1} == {ip("10.1.0.2")}
    assert bench.said == ["2 flow entries of removed services or UDP endpoints were dropped"]


def test_a_service_with_the_same_vip_under_another_name_starts_without_pins(bench: Bench) -> None:
    bench.lb.apply(cluster(service("s", "10.96.0.1", endpoints("10.1.0.1"))))
    bench.emit(NewFlow(FiveTuple(CLIENT, ip("10.96.0.1"), 6, 1, 80), CLIENT, ip("10.1.0.1"), 1, 8080, 1, 2))
    bench.eventually(lambda: len(bench.lb.flows()) == 2)
    bench.lb.apply(cluster(service("other", "10.96.0.1", endpoints("10.1.0.9"))))
    assert bench.lb.flows() == []


def test_sync_repairs_what_somebody_else_changed(bench: Bench) -> None:
    bench.lb.apply(ONE)
    key = next(key for key in bench.switch.entries if key.table == "maglev_bucket")
    del bench.switch.entries[key]
    assert bench.lb.apply(ONE).changes == 0
    assert bench.lb.sync().inserted == 1


def test_a_connection_that_breaks_during_apply_is_opened_again_and_the_apply_completes(bench: Bench) -> None:
    bench.switch.unavailable_after = 100
    bench.lb.apply(ONE)
    assert bench.switch.opened == 2
    assert bench.in_step(ONE)


def test_a_switch_that_restarts_empty_is_filled_again(bench: Bench) -> None:
    bench.lb.apply(ONE)
    bench.switch.entries.clear()
    bench.switch.refuse_open = 2
    bench.emit(Disconnected("the fake switch went away"))
    bench.eventually(lambda: bench.in_step(ONE))
    bench.eventually(lambda: "connected again; the desired state is installed" in bench.said)
    assert bench.said[0] == "the fake switch went away"


def test_becoming_primary_again_reconciles(bench: Bench) -> None:
    bench.lb.apply(ONE)
    bench.emit(RoleChanged(False))
    bench.eventually(lambda: bool(bench.said))
    bench.switch.entries.popitem()
    bench.emit(RoleChanged(True))
    bench.eventually(lambda: bench.in_step(ONE))


def test_a_refused_apply_keeps_the_former_state_desired(bench: Bench) -> None:
    bench.lb.apply(ONE)
    before = dict(bench.switch.entries)
    bench.switch.capacity["service_vip"] = 2
    two = cluster(*[service(f"s{n}", f"10.96.0.{n}", endpoints("10.1.0.1")) for n in (1, 2)])
    with pytest.raises(SwitchError) as caught:
        bench.lb.apply(two)
    assert caught.value.kind is SwitchErrorKind.REJECTED
    assert bench.switch.entries == before
    assert bench.lb.sync().changes == 0


def test_objects_that_do_not_fit_are_refused_before_anything_is_written() -> None:
    made = Bench(FakeTransport(limits=Limits(bucket_entries=1)))
    with made.lb, pytest.raises(PlanError):
        made.lb.apply(ONE)
    assert made.switch.log == []


def test_a_switch_that_is_not_there_yet_is_waited_for_and_one_that_never_comes_is_an_error() -> None:
    late = Bench(FakeTransport())
    late.switch.refuse_open = 3
    with late.lb:
        assert late.switch.opened == 1
    never = Bench(FakeTransport())
    never.switch.refuse_open = 1000
    with pytest.raises(SwitchError, match="not listening"):
        never.lb.__enter__()


def test_a_restart_takes_over_flows_and_ids() -> None:
    first = Bench(FakeTransport(Target.V1MODEL))
    with first.lb:
        first.lb.apply(ONE)
        first.emit(digest(1000, "10.1.0.1"))
        first.eventually(lambda: len(first.lb.flows()) == 2)
    second = Bench(first.switch)
    with second.lb:
        assert second.lb.apply(ONE).changes == 0
        second.emit(FlowIdle(second.lb.flows()[0].key))
        second.eventually(lambda: second.lb.flows() == [])


def test_where_needs_an_apply_first_and_then_agrees_with_the_plan(bench: Bench) -> None:
    with pytest.raises(SwitchError, match="call apply first"):
        bench.lb.where("10.1.1.1:1000", "10.96.0.1:80/UDP")
    bench.lb.apply(ONE)
    verdict = bench.lb.where("10.1.1.1:1000", "10.96.0.1:80/UDP")
    assert verdict.target is Target.V1MODEL
    assert verdict.endpoint in {(ip("10.1.0.1"), 8080), (ip("10.1.0.2"), 8080)}


def test_closing_twice_is_harmless(bench: Bench) -> None:
    bench.lb.close()
    bench.lb.close()
