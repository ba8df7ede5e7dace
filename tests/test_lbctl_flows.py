"""Keeping the flow table: learning on v1model, expiry of pairs, stale pins dropped at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from lbctl_fixtures import NODE, cluster, endpoints, ip, service

from lbctl.backends import Vip
from lbctl.entries import Flow, UpdateKind
from lbctl.fake import FakeTransport
from lbctl.flows import CLOSING_S, ESTABLISHED_S, SHORT_S, UDP_S, FlowKeeper, is_stale, partner_key
from lbctl.hashing import FiveTuple, Target, clash_port
from lbctl.model import Protocol
from lbctl.plan import PlannedService, make_plan
from lbctl.transport import FlowClosing, FlowIdle, FlowUpdate, NewFlow

C, V, E1, E2 = ip("10.1.1.1"), ip("10.96.0.1"), ip("10.1.0.1"), ip("10.1.0.2")
TCP, UDP = Protocol.TCP.value, Protocol.UDP.value
SYN, FIN = 0x02, 0x11


def vips(protocol: Protocol = Protocol.TCP, *addresses: str) -> dict[Vip, PlannedService]:
    pair = service("s", "10.96.0.1", endpoints(*(addresses or ("10.1.0.1", "10.1.0.2"))), protocol)
    other = service("t", "10.96.0.2", endpoints("10.1.0.1"), protocol)
    return make_plan(cluster(pair, other), NODE).vips()


def keeper(
    target: Target = Target.V1MODEL, protocol: Protocol = Protocol.TCP
) -> tuple[FlowKeeper, FakeTransport]:
    switch = FakeTransport(target)
    made = FlowKeeper(switch, target)
    asyncio.run(made.follow(vips(protocol)))
    return made, switch


def new(
    sport: int = 1000, vip: int = V, dst: int = E1, proto: int = TCP, flags: int = SYN, sid: int = 1
) -> NewFlow:
    port = 80 if vip != dst else 8080
    return NewFlow(FiveTuple(C, vip, proto, sport, port), C, dst, sport, 8080, sid, flags)


def learn(made: FlowKeeper, *news: NewFlow) -> None:
    asyncio.run(made.learn(news))


def test_a_new_flow_becomes_the_pair_of_the_contract() -> None:
    made, switch = keeper()
    learn(made, new())
    forward, reverse = FiveTuple(C, V, TCP, 1000, 80), FiveTuple(E1, C, TCP, 8080, 1000)
    assert switch.flow_table[forward].params == (1, C, E1, 1000, 8080, 1)
    assert switch.flow_table[reverse].params == (2, V, C, 80, 1000, 1)
    assert partner_key(switch.flow_table[reverse]) == forward


@pytest.mark.parametrize(
    ("proto", "flags", "seconds"),
    [(TCP, SYN, SHORT_S), (TCP, 0x10, SHORT_S), (TCP, FIN, CLOSING_S), (UDP, 0, UDP_S), (1, 0, SHORT_S)],
)
def test_the_idle_timeout_follows_protocol_and_flags(proto: int, flags: int, seconds: float) -> None:
    made, switch = keeper()
    learn(made, new(dst=V, vip=V, proto=proto, flags=flags, sid=0) if proto != TCP else new(flags=flags))
    assert {flow.idle_timeout_s for flow in switch.flow_table.values()} == {seconds}


def test_a_digest_twice_in_one_list_or_later_is_learned_once() -> None:
    """T19: and the first one decides, whatever a later one says."""
    made, switch = keeper()
    learn(made, new(), new(), new(dst=E2))
    learn(made, new(dst=E2))
    assert made.counts.learned == 1
    assert len(switch.flow_table) == 2
    assert switch.flow_table[new().key].new_dst == E1


def test_two_vips_sharing_an_endpoint_get_different_source_ports() -> None:
    """T27: the reply to either must find its own VIP."""
    made, switch = keeper()
    second = new(vip=ip("10.96.0.2"), sid=2)
    learn(made, new(), second)
    other = clash_port(second.key, Target.V1MODEL)
    assert switch.flow_table[second.key].new_sport == other
    assert switch.flow_table[FiveTuple(E1, C, TCP, 8080, other)].params == (
        2,
        ip("10.96.0.2"),
        C,
        80,
        1000,
        2,
    )
    assert switch.flow_table[FiveTuple(E1, C, TCP, 8080, 1000)].params == (2, V, C, 80, 1000, 1)


def test_a_direct_connection_from_the_same_port_keeps_its_own_pair() -> None:
    """D10."""
    made, switch = keeper()
    direct = NewFlow(FiveTuple(C, E1, TCP, 1000, 8080), C, E1, 1000, 8080, 0, SYN)
    learn(made, direct)
    learn(made, new())
    assert switch.flow_table[direct.key].new_sport == 1000
    assert switch.flow_table[new().key].new_sport == clash_port(new().key, Target.V1MODEL)


def test_a_second_clash_is_counted_and_not_learned() -> None:
    made, switch = keeper()
    second = new(vip=ip("10.96.0.2"), sid=2)
    taken = FiveTuple(E1, C, TCP, 8080, clash_port(second.key, Target.V1MODEL))
    made.flows[taken] = Flow(taken, 2, V, C, 80, 7, 1)
    learn(made, new(), second)
    assert made.counts.port_clashes == 1
    assert second.key not in switch.flow_table


def test_hairpin_comes_back_through_the_vip() -> None:
    made, switch = keeper()
    learn(made, NewFlow(FiveTuple(E1, V, TCP, 1000, 80), V, E1, 1000, 8080, 1, SYN))
    assert switch.flow_table[FiveTuple(E1, V, TCP, 8080, 1000)].params == (2, V, E1, 80, 1000, 1)


def test_a_full_table_leaves_no_half_pair() -> None:
    """T20, T21."""
    made, switch = keeper()
    switch.capacity["flow_table"] = 3
    learn(made, new(1000), new(2000))
    assert len(switch.flow_table) == 2
    assert (made.counts.learned, made.counts.learn_failures) == (1, 1)
    assert made.flows.keys() == switch.flow_table.keys()


def test_fin_shortens_both_directions() -> None:
    made, switch = keeper()
    learn(made, new())
    asyncio.run(made.close_flows([FlowClosing(FiveTuple(E1, C, TCP, 8080, 1000))]))
    assert {flow.idle_timeout_s for flow in switch.flow_table.values()} == {CLOSING_S}


def idle(made: FlowKeeper, switch: FakeTransport, **seen: object) -> None:
    """The forward entry is notified; the switch answers with `seen` for both."""
    for key in switch.flow_table:
        switch.flow_table[key] = replace(switch.flow_table[key], **seen)  # type: ignore[arg-type]
    asyncio.run(made.expire([FlowIdle(new().key)]))


def test_an_idle_pair_goes_together() -> None:
    made, switch = keeper()
    learn(made, new(), new(2000))
    idle(made, switch, packets=0, age_s=31.0)
    assert {key.sport for key in switch.flow_table} == {2000, 8080}
    assert len(switch.flow_table) == 2
    assert made.counts.expired == 2


def test_traffic_in_the_other_direction_keeps_the_pair() -> None:
    made, switch = keeper()
    learn(made, new())
    reverse = FiveTuple(E1, C, TCP, 8080, 1000)
    switch.flow_table[reverse] = replace(switch.flow_table[reverse], age_s=1.0, packets=9)
    switch.flow_log.clear()
    asyncio.run(made.expire([FlowIdle(new().key)]))
    assert len(switch.flow_table) == 2
    assert {update.kind for update in switch.flow_log} == {UpdateKind.MODIFY}


def test_a_handshake_that_completed_becomes_established() -> None:
    made, switch = keeper()
    learn(made, new())
    idle(made, switch, packets=1, age_s=31.0)
    assert {flow.idle_timeout_s for flow in switch.flow_table.values()} == {ESTABLISHED_S}
    assert made.counts.promoted == 1
    idle(made, switch, packets=9, age_s=ESTABLISHED_S + 1)
    assert switch.flow_table == {}


def test_a_closing_connection_is_never_promoted() -> None:
    made, switch = keeper()
    learn(made, new())
    asyncio.run(made.close_flows([FlowClosing(new().key)]))
    idle(made, switch, packets=9, age_s=11.0)
    assert switch.flow_table == {}


def test_on_pna_an_expired_entry_is_only_counted() -> None:
    made, switch = keeper(Target.PNA)
    flow = Flow(new().key, 1, C, E1, 1000, 8080, 1)
    asyncio.run(made.expire([FlowIdle(flow.key)]))
    assert made.counts.expired == 1
    assert switch.flow_log == []


@pytest.mark.parametrize("target", Target)
def test_udp_flows_of_a_removed_endpoint_go_at_once_and_tcp_drains(target: Target) -> None:
    """T25, both directions."""
    for protocol, left in ((Protocol.UDP, {E2}), (Protocol.TCP, {E1, E2})):
        made, switch = keeper(target, protocol)
        pairs = [pair(1000, E1, protocol.value), pair(2000, E2, protocol.value)]
        fill(made, switch, target, *pairs)
        asyncio.run(made.follow(vips(protocol, "10.1.0.2")))
        assert {flow.new_dst for flow in switch.flow_table.values() if flow.kind == 1} == left
        assert len(switch.flow_table) == 2 * len(left)


def pair(sport: int, dst: int, proto: int, sid: int = 1) -> tuple[Flow, Flow]:
    forward = Flow(FiveTuple(C, V, proto, sport, 80), 1, C, dst, sport, 8080, sid)
    return forward, Flow(partner_key(forward), 2, V, C, 80, sport, sid)


def fill(made: FlowKeeper, switch: FakeTransport, target: Target, *pairs: tuple[Flow, Flow]) -> None:
    switch.flow_table = {flow.key: flow for both in pairs for flow in both}
    asyncio.run(made.load())


@pytest.mark.parametrize("target", Target)
def test_a_deleted_service_takes_its_pins_along(target: Target) -> None:
    """T26."""
    made, switch = keeper(target)
    fill(made, switch, target, pair(1000, E1, TCP))
    assert asyncio.run(made.follow({})) == 2
    assert switch.flow_table == {}


@pytest.mark.parametrize("target", Target)
def test_a_vip_that_changed_hands_takes_its_pins_along(target: Target) -> None:
    made, switch = keeper(target)
    fill(made, switch, target, pair(1000, E1, TCP))
    asyncio.run(made.follow(vips(), frozenset({Vip(V, TCP, 80)})))
    assert switch.flow_table == {}


def test_a_plain_flow_from_before_the_vip_existed_is_stale() -> None:
    forward = Flow(FiveTuple(C, V, UDP, 1000, 80), 1, C, V, 1000, 80, 0)
    assert is_stale(forward, vips(Protocol.UDP), frozenset())
    assert not is_stale(forward, {}, frozenset())


def test_a_digest_that_comes_after_its_endpoint_left_is_not_learned() -> None:
    made, switch = keeper(protocol=Protocol.UDP)
    asyncio.run(made.follow(vips(Protocol.UDP, "10.1.0.2")))
    learn(made, new(proto=UDP, flags=0))
    assert switch.flow_table == {}


def test_an_entry_that_vanished_by_itself_does_no_harm() -> None:
    made, switch = keeper()
    learn(made, new())
    switch.flow_table.clear()
    asyncio.run(made.follow({}))
    assert made.flows == {}
    assert isinstance(switch.flow_log[0], FlowUpdate)


@pytest.mark.parametrize("target", list(Target))
def test_flush_leaves_no_flow_behind(target: Target) -> None:
    made, switch = keeper(target)
    fill(made, switch, target, pair(1000, E1, TCP, 1), pair(1001, E2, UDP, 0))
    assert asyncio.run(made.flush()) == 4
    assert switch.flow_table == {}
    assert made.flows == {}
