"""NetworkPolicy semantics: planned rows against a truth table that is judged object by object, and the "
"traps."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from lbctl_fixtures import ip

from lbctl.model import (
    Cluster,
    EndpointPort,
    IpBlock,
    Name,
    Operator,
    Pod,
    PodPeer,
    Policy,
    PolicyPort,
    PolicyRule,
    Protocol,
    Requirement,
    Selector,
    prefix_mask,
)
from lbctl.policy import Allow, Direction, PolicyIndex, range_prefixes, remaining_prefixes

TCP, UDP = Protocol.TCP, Protocol.UDP
NODE_IP = ip("192.168.0.1")


def selector(**labels: str) -> Selector:
    return Selector(tuple(Requirement(key, Operator.IN, frozenset({value})) for key, value in labels.items()))


def pod(name: str, address: str, namespace: str = "x", **labels: str) -> Pod:
    ports = (EndpointPort("web", TCP, 8000 + int(address.rpartition(".")[2])),)
    return Pod(Name(namespace, name), ip(address), labels, "node-a", ports=ports)


PODS = (
    pod("a", "10.0.1.1", pod="a"),
    pod("b", "10.0.1.2", pod="b"),
    pod("c", "10.0.1.3", pod="c"),
    pod("a", "10.0.2.1", "y", pod="a"),
    pod("b", "10.0.2.2", "y", pod="b"),
)
SPACES = {"x": {"ns": "x"}, "y": {"ns": "y"}}


def allows(rows: frozenset[Allow] | None, remote: int, proto: int, port: int) -> bool:
    return rows is None or any(
        remote & row.mask == row.network
        and row.proto in (None, proto)
        and (row.port is None or port & row.port[1] == row.port[0])
        for row in rows
    )


def rows_of(policies: list[Policy], target: Pod, direction: Direction) -> frozenset[Allow] | None:
    cluster = Cluster(pods=PODS, namespaces=SPACES, policies=tuple(policies))
    return PolicyIndex(cluster).allowed(target, direction, [NODE_IP])


def judge(
    policies: list[Policy], target: Pod, direction: Direction, peer: Pod, proto: Protocol, port: int
) -> bool:
    """The API documentation, read aloud."""
    ingress = direction is Direction.INGRESS
    governing = [
        policy
        for policy in policies
        if policy.name.namespace == target.name.namespace
        and policy.pods.matches(target.labels)
        and (policy.ingress if ingress else policy.egress) is not None
    ]
    if not governing or peer is target:
        return True
    destination = target if ingress else peer
    for policy in governing:
        for rule in (policy.ingress if ingress else policy.egress) or ():
            peer_fits = rule.peers is None or any(_peer_fits(p, policy, peer) for p in rule.peers)
            port_fits = rule.ports is None or any(_port_fits(p, destination, proto, port) for p in rule.ports)
            if peer_fits and port_fits:
                return True
    return False


def _peer_fits(peer: IpBlock | PodPeer, policy: Policy, other: Pod) -> bool:
    assert other.ip is not None
    if isinstance(peer, IpBlock):
        inside = [other.ip & prefix_mask(length) == network for network, length in (peer.cidr, *peer.excepts)]
        return inside[0] and not any(inside[1:])
    if peer.namespaces is None:
        space = other.name.namespace == policy.name.namespace
    else:
        space = peer.namespaces.matches(SPACES[other.name.namespace])
    return space and peer.pods.matches(other.labels)


def _port_fits(wanted: PolicyPort, destination: Pod, proto: Protocol, port: int) -> bool:
    if wanted.protocol is not proto:
        return False
    if isinstance(wanted.port, str):
        return any(mine.name == wanted.port and mine.port == port for mine in destination.ports)
    if wanted.port is None:
        return True
    return wanted.port <= port <= (wanted.port if wanted.end_port is None else wanted.end_port)


def random_rule(source: random.Random) -> PolicyRule:
    peers: list[tuple[IpBlock | PodPeer, ...] | None] = [
        None,
        (PodPeer(selector(pod=source.choice("abc"))),),
        (PodPeer(Selector(), selector(ns=source.choice("xy"))),),
        (PodPeer(selector(pod=source.choice("ab")), selector(ns="y")), PodPeer(selector(pod="c"))),
        (IpBlock((ip("10.0.0.0"), 16), ((ip(f"10.0.{source.choice([1, 2])}.0"), 24),)),),
        (),
    ]
    ports: list[tuple[PolicyPort, ...] | None] = [
        None,
        (PolicyPort(TCP),),
        (PolicyPort(UDP, 53), PolicyPort(TCP, 8001, 8002)),
        (PolicyPort(TCP, "web"),),
        (),
    ]
    return PolicyRule(source.choice(peers), source.choice(ports))


def random_policy(source: random.Random, number: int) -> Policy:
    def rules() -> tuple[PolicyRule, ...] | None:
        return (
            None if source.random() < 0.3 else tuple(random_rule(source) for _ in range(source.randrange(3)))
        )

    pods = Selector() if source.random() < 0.3 else selector(pod=source.choice("abc"))
    return Policy(Name(source.choice("xy"), f"p{number}"), pods, rules(), rules())


def test_the_rows_give_the_truth_table_of_the_documentation() -> None:
    """300 random policy sets; every pair of pods, direction, protocol and a port on either side of each "
    "range."""
    source = random.Random(1)
    allowed = denied = 0
    for _ in range(300):
        policies = [random_policy(source, number) for number in range(source.randrange(4))]
        target = source.choice(PODS)
        for direction in Direction:
            rows = rows_of(policies, target, direction)
            for peer in PODS:
                assert peer.ip is not None
                for proto, port in ((TCP, 8001), (TCP, 8002), (TCP, 8003), (TCP, 53), (UDP, 53), (UDP, 54)):
                    wanted = judge(policies, target, direction, peer, proto, port)
                    assert allows(rows, peer.ip, proto, port) == wanted, (
                        policies,
                        target,
                        direction,
                        peer,
                        port,
                    )
                    allowed, denied = allowed + wanted, denied + (not wanted)
    assert min(allowed, denied) > 2000


def test_only_the_selected_direction_becomes_default_deny() -> None:
    policy = Policy(Name("x", "p"), selector(pod="a"), (), None)
    assert rows_of([policy], PODS[0], Direction.EGRESS) is None
    assert rows_of([policy], PODS[1], Direction.INGRESS) is None
    assert not allows(rows_of([policy], PODS[0], Direction.INGRESS), ip("10.0.1.2"), TCP, 80)


def test_a_rule_whose_peers_or_ports_were_all_skipped_allows_nothing() -> None:
    """C10, C12: an IPv6-only or SCTP-only rule must not turn into "anything"."""
    for rule in (PolicyRule((), None), PolicyRule(None, ())):
        rows = rows_of([Policy(Name("x", "p"), Selector(), (rule,), None)], PODS[0], Direction.INGRESS)
        assert not allows(rows, ip("10.0.1.2"), TCP, 80)


def test_an_except_of_one_rule_does_not_cut_into_another() -> None:
    wide = PolicyRule((IpBlock((ip("10.0.0.0"), 8), ((ip("10.0.1.0"), 24),)),), None)
    narrow = PolicyRule((PodPeer(selector(pod="b")),), None)
    rows = rows_of(
        [Policy(Name("x", "p"), selector(pod="a"), (wide, narrow), None)], PODS[0], Direction.INGRESS
    )
    assert allows(rows, ip("10.0.1.2"), TCP, 80)
    assert not allows(rows, ip("10.0.1.3"), TCP, 80)


def test_overlapping_blocks_add_up() -> None:
    """D14: a /24 rule must not hide what the covering /16 rule allows."""
    rules = (
        PolicyRule((IpBlock((ip("10.0.0.0"), 16)),), (PolicyPort(TCP, 80),)),
        PolicyRule((IpBlock((ip("10.0.1.0"), 24)),), (PolicyPort(TCP, 443),)),
    )
    rows = rows_of([Policy(Name("x", "p"), selector(pod="a"), rules, None)], PODS[0], Direction.INGRESS)
    assert allows(rows, ip("10.0.1.9"), TCP, 80)
    assert allows(rows, ip("10.0.1.9"), TCP, 443)
    assert not allows(rows, ip("10.0.7.9"), TCP, 443)


def test_a_tcp_rule_leaves_other_protocols_denied() -> None:
    """D13."""
    rule = PolicyRule(None, (PolicyPort(TCP),))
    rows = rows_of([Policy(Name("x", "p"), selector(pod="a"), (rule,), None)], PODS[0], Direction.INGRESS)
    assert allows(rows, ip("10.9.9.9"), TCP, 1)
    assert not allows(rows, ip("10.9.9.9"), UDP, 1)
    assert not allows(rows, ip("10.9.9.9"), 1, 0)


def test_the_node_and_the_pod_itself_are_always_allowed() -> None:
    rows = rows_of([Policy(Name("x", "p"), Selector(), (), ())], PODS[0], Direction.INGRESS)
    assert allows(rows, NODE_IP, TCP, 80)
    assert allows(rows, ip("10.0.1.1"), UDP, 1)


def test_a_named_port_resolves_on_each_destination_pod() -> None:
    rule = PolicyRule((PodPeer(Selector()),), (PolicyPort(TCP, "web"),))
    rows = rows_of([Policy(Name("x", "p"), selector(pod="a"), None, (rule,))], PODS[0], Direction.EGRESS)
    assert allows(rows, ip("10.0.1.2"), TCP, 8002)
    assert not allows(rows, ip("10.0.1.2"), TCP, 8003)
    assert allows(rows, ip("10.0.1.3"), TCP, 8003)


def test_a_host_network_pod_is_neither_selected_nor_meant_as_a_peer() -> None:
    host = replace(PODS[1], host_network=True, ip=NODE_IP + 1)
    cluster = Cluster(
        pods=(PODS[0], host),
        policies=(
            Policy(Name("x", "p"), selector(pod="a"), (PolicyRule((PodPeer(Selector()),), None),), None),
        ),
    )
    rows = PolicyIndex(cluster).allowed(PODS[0], Direction.INGRESS, [])
    assert not allows(rows, NODE_IP + 1, TCP, 80)


def test_a_namespace_without_object_still_has_its_name_label() -> None:
    peer = PodPeer(
        Selector(), Selector((Requirement("kubernetes.io/metadata.name", Operator.IN, frozenset("y")),))
    )
    policy = Policy(Name("x", "p"), selector(pod="a"), (PolicyRule((peer,), None),), None)
    rows = PolicyIndex(Cluster(pods=PODS, policies=(policy,))).allowed(PODS[0], Direction.INGRESS, [])
    assert allows(rows, ip("10.0.2.1"), TCP, 80)
    assert not allows(rows, ip("10.0.1.2"), TCP, 80)


@given(st.integers(0, 65535), st.integers(0, 65535))
def test_range_prefixes_cover_exactly_the_range(one: int, other: int) -> None:
    low, high = min(one, other), max(one, other)
    prefixes = list(range_prefixes(low, high))
    assert len(prefixes) <= 30
    covered = 0
    for value, mask in prefixes:
        assert value & mask == value
        assert low <= value
        assert value + (0xFFFF & ~mask) <= high
        covered += (0xFFFF & ~mask) + 1
    assert covered == high - low + 1


@given(st.integers(8, 24), st.lists(st.tuples(st.integers(0, 255), st.integers(24, 32)), max_size=4))
def test_remaining_prefixes_are_the_block_without_its_excepts(
    length: int, cuts: list[tuple[int, int]]
) -> None:
    base = ip("10.0.0.0")
    excepts = tuple((base | (low & prefix_mask(size) & 0xFF), size) for low, size in cuts)
    pieces = remaining_prefixes(IpBlock((base, length), excepts))
    for address in [base + offset for offset in range(300)]:
        inside = address & prefix_mask(length) == base
        cut = any(address & prefix_mask(size) == network for network, size in excepts)
        hits = sum(1 for network, size in pieces if address & prefix_mask(size) == network)
        assert hits == (1 if inside and not cut else 0)
