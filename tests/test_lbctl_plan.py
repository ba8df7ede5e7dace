"""The plan: what the shop becomes, and that ids survive restarts and are never given twice."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from lbctl_fixtures import CLIENT, NODE, SERVER, cluster, endpoints, ip, service

from lbctl.diff import apply_updates, diff
from lbctl.entries import ACTION_PARAMS, TABLES, Entry, Installed, Key
from lbctl.errors import PlanError
from lbctl.ids import IdAllocator
from lbctl.kube import load_manifests
from lbctl.model import Cluster, Name, Node, Pod, PodPort, Policy, Protocol, Selector
from lbctl.nodefile import load_node_config
from lbctl.plan import Plan, make_plan
from lbctl.sizing import Limits

SHOP = Path(__file__).parent.parent / "manifests" / "shop"


def installed(plan: Plan, before: Installed | None = None) -> Installed:
    before = before or Installed()
    return apply_updates(before, diff(plan, before))


def find(plan: Plan, table: str, *match: object) -> Entry:
    (entry,) = [entry for entry in plan.entries if entry.key.table == table and entry.key.match == match]
    return entry


def test_every_entry_of_the_shop_has_the_shape_of_its_table() -> None:
    plan = make_plan(load_manifests([SHOP]), load_node_config(SHOP / "node-a.yaml"))
    keys = [entry.key for entry in plan.entries]
    assert len(keys) == len(set(keys))
    for entry in plan.entries:
        assert len(entry.key.match) == len(TABLES[entry.key.table].fields)
        assert len(entry.params) == len(ACTION_PARAMS[entry.action])
    assert {entry.key.table for entry in plan.entries} | {"maglev_bucket"} == set(TABLES)


def test_the_shop_twice_gives_the_same_and_nothing_to_write() -> None:
    shop, node = load_manifests([SHOP]), load_node_config(SHOP / "node-a.yaml")
    first = make_plan(shop, node)
    state = installed(first)
    again = make_plan(shop, node, state)
    assert again == first
    assert diff(again, state) == []


def test_a_vip_without_endpoints_says_so() -> None:
    plan = make_plan(cluster(service("s", "10.96.0.1", [])), NODE)
    assert find(plan, "service_vip", ip("10.96.0.1"), 6, 80).action == "drop_no_endpoints"
    assert plan.buckets == {}


def test_later_fragments_to_a_vip_are_recognised_but_not_those_to_the_node() -> None:
    one, piece = service("s", "10.96.0.1", endpoints("10.1.0.1"))
    one = replace(one, ports=(replace(one.ports[0], node_port=30080),))
    plan = make_plan(Cluster(services=(one,), slices=(piece,)), NODE)
    assert [e.key.match for e in plan.entries if e.action == "drop_fragment"] == [(ip("10.96.0.1"), 6, 0)]


def test_a_reply_without_flow_is_restored_only_where_it_is_unambiguous() -> None:
    """D9: an endpoint of two services, or of a service with two addresses, is left alone."""
    shared = endpoints("10.1.0.1")
    plan = make_plan(
        cluster(
            service("one", "10.96.0.1", [*shared, *endpoints("10.1.0.2")]),
            service("two", "10.96.0.2", shared),
            service("three", "10.96.0.3", endpoints("10.1.0.3"), external_ips=(ip("1.2.3.4"),)),
            service("four", "10.96.0.4", endpoints("10.1.0.4"), Protocol.UDP),
        ),
        NODE,
    )
    replies = [entry for entry in plan.entries if entry.key.table == "reply_service"]
    assert [(e.key.match, e.params) for e in replies] == [((ip("10.1.0.2"), 6, 8080), (ip("10.96.0.1"), 80))]


def test_ids_stay_with_their_vip_and_address_when_others_come_and_go() -> None:
    b = service("b", "10.96.0.2", endpoints("10.1.0.2", "10.1.0.3"))
    before = make_plan(cluster(b), NODE)
    a = service("a", "10.96.0.1", endpoints("10.1.0.1"))
    b = service("b", "10.96.0.2", endpoints("10.1.0.3", "10.1.0.4"))
    after = make_plan(cluster(a, b), NODE, installed(before))
    key = (ip("10.96.0.2"), 6, 80)
    assert find(after, "service_vip", *key).params[0] == find(before, "service_vip", *key).params[0] == 1
    ids = {entry.params[0]: entry.key.match[0] for entry in after.entries if entry.key.table == "endpoint"}
    assert ids[ip("10.1.0.3")] == 2
    assert not {ids[ip("10.1.0.1")], ids[ip("10.1.0.4")]} & {1, 2}


def test_an_id_that_live_flows_carry_is_not_given_away() -> None:
    """C1: stale pins must not hit another service."""
    state = Installed(flow_service_ids=frozenset({1, 2, 4}))
    plan = make_plan(cluster(service("a", "10.96.0.1", endpoints("10.1.0.1"))), NODE, state)
    assert plan.services[0].service_id == 5
    wrapped = Installed(flow_service_ids=frozenset({1, 2, 65535}))
    plan = make_plan(cluster(service("a", "10.96.0.1", endpoints("10.1.0.1"))), NODE, wrapped)
    assert plan.services[0].service_id == 3


def test_ids_are_unique_and_stable_through_hundreds_of_random_changes() -> None:
    """C1 again, as a property: no two services or endpoints ever share an id, and survivors keep theirs."""
    source = random.Random(3)
    state, before = Installed(), Plan((), {}, (), (), {})
    for _ in range(150):
        pairs = [
            service(
                f"s{number}",
                f"10.96.0.{number}",
                endpoints(
                    *[f"10.1.{number}.{host}" for host in source.sample(range(1, 9), source.randrange(5))]
                ),
            )
            for number in source.sample(range(1, 12), source.randrange(1, 8))
        ]
        plan = make_plan(cluster(*pairs), NODE, state)
        ids = [planned.service_id for planned in plan.services if planned.service_id]
        assert len(ids) == len(set(ids))
        kept = {p.backend.service: p.service_id for p in before.services if p.service_id}
        for planned in plan.services:
            if planned.service_id and planned.backend.service in kept:
                assert planned.service_id == kept[planned.backend.service]
        numbers = [entry.key.match[0] for entry in plan.entries if entry.key.table == "endpoint"]
        assert len(numbers) == len(set(numbers))
        state, before = installed(plan, state), plan


def test_a_table_keeps_its_size_until_the_shares_get_uneven() -> None:
    """Resizing moves almost every unpinned flow; 2 % imbalance is the lesser evil."""

    def grow(count: int, state: Installed) -> tuple[int, Installed]:
        addresses = [f"10.1.0.{number}" for number in range(1, count + 1)]
        plan = make_plan(cluster(service("s", "10.96.0.1", endpoints(*addresses))), NODE, state)
        return plan.services[0].size, installed(plan, state)

    size, state = grow(10, Installed())
    assert size == 1024
    size, state = grow(20, state)
    assert size == 1024
    size, state = grow(21, state)
    assert size == 4096
    size, state = grow(1, state)
    assert size == 4096


def test_tables_shrink_evenly_when_the_target_is_small_and_say_so() -> None:
    pairs = [service(f"s{n}", f"10.96.0.{n}", endpoints("10.1.0.1", "10.1.0.2")) for n in range(1, 5)]
    plan = make_plan(cluster(*pairs), NODE, limits=Limits(bucket_entries=600))
    assert sum(planned.size for planned in plan.services) <= 600
    assert {planned.size for planned in plan.services} == {128}
    assert plan.warnings == (
        "the target holds 600 Maglev buckets: 4 service ports got smaller tables "
        "(at least 64 slots per endpoint instead of 100)",
    )
    with pytest.raises(
        PlanError, match=r"need at least 8 Maglev buckets and the target holds 4; remove services"
    ):
        make_plan(cluster(*pairs), NODE, limits=Limits(bucket_entries=4))


def test_policy_ids_stay_with_their_pod() -> None:
    deny = Policy(Name("default", "deny"), Selector(), (), None)
    objects = Cluster(pods=(CLIENT, SERVER), policies=(deny,))
    state = installed(make_plan(objects, NODE))
    only_server = replace(NODE, pods=NODE.pods[1:])
    plan = make_plan(objects, only_server, state)
    assert find(plan, "route", (ip("10.1.1.2"), 32)).param("ingress_policy") == 2
    assert find(plan, "port_role", 2).param("egress_policy") == 0


def test_a_pod_of_the_node_file_takes_its_address_from_the_manifest() -> None:
    wired = replace(NODE, pods=(PodPort(CLIENT.name, 1, 0x02000A010101),))
    plan = make_plan(Cluster(pods=(CLIENT,)), wired)
    assert find(plan, "port_role", 1).param("pod_ip") == CLIENT.ip
    assert make_plan(Cluster(), wired).warnings == (
        "pod default/client on port 1 has no IP in the manifests or the node file; its port stays closed",
    )


def test_a_node_that_the_cluster_does_not_have_is_reported() -> None:
    nodes = (Node("node-b", ()), Node("node-1", ()))
    bare = replace(NODE, pods=())
    assert make_plan(Cluster(nodes=nodes), bare).warnings == (
        "node node-a of the node file is none of the cluster's: node-1, node-b",
    )
    assert make_plan(Cluster(nodes=(*nodes, Node("node-a", ()))), bare).warnings == ()


def test_contradicting_addresses_are_refused() -> None:
    moved = replace(CLIENT, ip=ip("10.1.1.77"))
    with pytest.raises(PlanError) as caught:
        make_plan(Cluster(pods=(moved,)), NODE)
    assert str(caught.value) == (
        "pod default/client has IP 10.1.1.1 in the node file of node-a and 10.1.1.77 in its manifest; "
        "remove `ip` from the node file, or correct it"
    )


def test_a_pod_of_this_node_without_port_is_reported() -> None:
    lost = Pod(Name("default", "lost"), ip("10.1.1.9"), {}, "node-a")
    assert make_plan(Cluster(pods=(lost,)), NODE).warnings == (
        "pod default/lost runs on node-a and the node file gives it no port; it is not reachable",
    )


def test_routes_arp_and_tunnel_follow_the_node_file() -> None:
    plan = make_plan(Cluster(), NODE)
    assert find(plan, "route", (ip("10.1.2.0"), 24)).params == (
        0,
        NODE.vtep_mac,
        NODE.peers[0].mac,
        NODE.vtep_ip,
        NODE.peers[0].vtep_ip,
        42,
        NODE.peers[0].inner_mac,
    )
    assert find(plan, "route", None).action == "to_next_hop"
    assert find(plan, "route", (ip("10.1.1.0"), 24)).action == "to_host"
    assert find(plan, "arp_responder", ip("169.254.1.1")).params == (NODE.gateway_mac,)
    assert find(plan, "arp_responder", NODE.vtep_ip).params == (NODE.vtep_mac,)
    assert find(plan, "arp_responder", ip("10.1.1.2")).params == (2,)
    assert find(plan, "tunnel_peer", NODE.peers[0].vtep_ip).action == "accept_peer"


def test_the_id_space_can_be_exhausted_and_says_so() -> None:
    allocate = IdAllocator("service id", 3, {1, 3})
    assert allocate.next() == 2
    with pytest.raises(PlanError, match="all 3 values of service id are in use; remove objects"):
        allocate.next()


def test_a_switch_with_foreign_entries_does_not_break_the_plan() -> None:
    odd = Key("service_vip", (ip("10.96.9.9"), 6, 80))
    state = Installed({odd: Entry(odd, "set_service", (65535, 0, 0))})
    plan = make_plan(cluster(service("a", "10.96.0.1", endpoints("10.1.0.1"))), NODE, state)
    assert plan.services[0].service_id == 1
