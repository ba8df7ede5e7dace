"""The order of updates: after every single batch the tables must still serve (make before break)."""

from __future__ import annotations

import random
from dataclasses import replace

from lbctl_fixtures import CLIENT, NODE, SERVER, cluster, endpoints, ip, service

from lbctl.diff import apply_updates, batches, diff
from lbctl.entries import BUCKETS, Entry, Installed, Key, Update, UpdateKind, entry_text
from lbctl.model import Cluster, Name, Policy, PolicyRule, Selector
from lbctl.plan import make_plan


def assert_nothing_dangles(state: Installed) -> None:
    """Every VIP has all its buckets, every bucket its endpoint, every pod its policy rows."""
    endpoint_ids = {key.match[0] for key in state.entries if key.table == "endpoint"}
    for key, entry in state.entries.items():
        if entry.action == "set_service":
            service_id, mask, _ = entry.params
            assert set(range(mask + 1)) <= set(state.buckets[service_id]), key
        if entry.action == "to_pod" and entry.param("ingress_policy"):
            number = entry.param("ingress_policy")
            assert any(k.table == "policy_ingress" and k.match[0] == number for k in state.entries)
    for slots in state.buckets.values():
        assert set(slots.values()) <= endpoint_ids


def random_cluster(source: random.Random) -> Cluster:
    pairs = []
    for number in source.sample(range(1, 6), source.randrange(5)):
        hosts = source.sample(range(1, 30), source.choice([0, 1, 2, 3, 5, 12]))
        pairs.append(
            service(f"s{number}", f"10.96.0.{number}", endpoints(*[f"10.1.{number}.{h}" for h in hosts]))
        )
    policies: tuple[Policy, ...] = ()
    if source.random() < 0.5:
        rule = PolicyRule(None, None)
        policies = (Policy(Name("default", "p"), Selector(), (rule,) * source.randrange(2), None),)
    return cluster(*pairs, pods=(CLIENT, SERVER), policies=policies)


def test_no_batch_of_any_change_leaves_a_service_without_members() -> None:
    source = random.Random(5)
    state, written = Installed(), 0
    for _ in range(60):
        plan = make_plan(random_cluster(source), NODE, state)
        updates = diff(plan, state)
        for batch in batches(updates, 50):
            # A server may execute a batch in any order: check every prefix of a shuffled one.
            shuffled = source.sample(batch, len(batch))
            half = apply_updates(state, shuffled[: len(batch) // 2])
            assert_nothing_dangles(half)
            state = apply_updates(state, batch)
            assert_nothing_dangles(state)
            written += len(batch)
        assert diff(plan, state) == []
    assert written > 5000


def test_an_unchanged_service_is_not_written_when_another_changes() -> None:
    """C3: every endpoint change deleted and re-added the service."""
    stay = service("stay", "10.96.0.1", endpoints("10.1.0.1", "10.1.0.2"))
    before = make_plan(cluster(stay, service("move", "10.96.0.2", endpoints("10.1.0.3", "10.1.0.4"))), NODE)
    state = apply_updates(Installed(), diff(before, Installed()))
    after = make_plan(
        cluster(stay, service("move", "10.96.0.2", endpoints("10.1.0.3", "10.1.0.5"))), NODE, state
    )
    updates = diff(after, state)
    tables = {(update.kind, update.entry.key.table) for update in updates}
    assert tables == {
        (UpdateKind.INSERT, "endpoint"),
        (UpdateKind.MODIFY, BUCKETS),
        (UpdateKind.DELETE, "endpoint"),
        (UpdateKind.INSERT, "reply_service"),
        (UpdateKind.DELETE, "reply_service"),
    }
    touched = {update.entry.key.match[0] for update in updates if update.entry.key.table == BUCKETS}
    assert touched == {2}
    moved = sum(1 for update in updates if update.entry.key.table == BUCKETS)
    assert 128 <= moved < 180  # half belonged to the endpoint that left; the rest is what Maglev itself moves


def test_a_batch_holds_one_table_and_one_direction() -> None:
    plan = make_plan(cluster(service("s", "10.96.0.1", endpoints("10.1.0.1"))), NODE)
    state = apply_updates(Installed(), diff(plan, Installed()))
    empty = make_plan(Cluster(), replace(NODE, pods=(), peers=()), state)
    for batch in batches(diff(empty, state), 100):
        assert len(batch) <= 100
        assert len({(u.entry.key.table, u.kind is UpdateKind.DELETE) for u in batch}) == 1


def test_deletes_come_last_and_in_reverse_order() -> None:
    plan = make_plan(cluster(service("s", "10.96.0.1", endpoints("10.1.0.1"))), NODE)
    state = apply_updates(Installed(), diff(plan, Installed()))
    order = [u.entry.key.table for u in diff(make_plan(Cluster(), NODE, state), state)]
    assert list(dict.fromkeys(order)) == ["service_vip", "reply_service", BUCKETS, "endpoint"]


def test_tables_that_are_not_planned_are_left_alone() -> None:
    flow = Entry(Key("flow_table", (1, 2, 6, 3, 4)), "flow_hit", (1, 1, 2, 3, 4, 0))
    state = Installed({flow.key: flow})
    assert all(u.entry.key.table != "flow_table" for u in diff(make_plan(Cluster(), NODE), state))


def test_an_update_prints_with_addresses() -> None:
    key = Key("policy_ingress", (3, (ip("10.0.0.0"), 0xFF000000), (6, 255), (80, 0xFFFF)), 100)
    update = Update(UpdateKind.INSERT, Entry(key, "allow"))
    assert entry_text(update.entry) == (
        "policy_ingress  ingress_policy=3 remote_ip=10.0.0.0/8 proto=6 dport=80 priority=100  ->  allow()"
    )
