"""The reconciler on a switch in memory: complete, or rolled back, or read again; never half a service."""

from __future__ import annotations

import asyncio

import pytest
from lbctl_fixtures import NODE, cluster, endpoints, service

from lbctl.diff import diff, from_entries
from lbctl.entries import BUCKETS, Entry, Installed, Key, Update, UpdateKind
from lbctl.errors import SwitchError, SwitchErrorKind
from lbctl.fake import FakeTransport
from lbctl.model import Cluster
from lbctl.plan import Plan, make_plan
from lbctl.reconcile import Outcome, Reconciler
from lbctl.transport import Refusal, RefusalKind

ONE = cluster(service("s", "10.96.0.1", endpoints("10.1.0.1", "10.1.0.2")))
TWO = cluster(
    service("s", "10.96.0.1", endpoints("10.1.0.1", "10.1.0.3")),
    service("t", "10.96.0.2", endpoints("10.1.0.4")),
)


def run(switch: FakeTransport, objects: Cluster, reconciler: Reconciler | None = None) -> Outcome:
    return asyncio.run((reconciler or Reconciler(switch, 40)).reconcile(planner(objects), []))


def planner(objects: Cluster):  # type: ignore[no-untyped-def]
    def make(installed: Installed) -> Plan:
        return make_plan(objects, NODE, installed)

    return make


def in_step(switch: FakeTransport, objects: Cluster) -> bool:
    state = from_entries(list(switch.entries.values()))
    return diff(make_plan(objects, NODE, state), state) == []


def test_everything_is_written_and_a_second_time_nothing() -> None:
    switch = FakeTransport()
    reconciler = Reconciler(switch)
    assert run(switch, ONE, reconciler).inserted == len(switch.entries)
    assert run(switch, ONE, reconciler).changes == 0
    assert in_step(switch, ONE)


def test_a_restarted_controller_reads_the_switch_and_writes_only_the_difference() -> None:
    """T35."""
    switch = FakeTransport()
    run(switch, ONE)
    before = dict(switch.entries)
    assert run(switch, ONE).changes == 0
    assert switch.entries == before
    outcome = run(switch, TWO)
    assert in_step(switch, TWO)
    assert (outcome.deleted, outcome.modified < 256) == (
        2,
        True,
    )  # the endpoint that left, and its reply entry


def test_batches_are_bounded() -> None:
    switch = FakeTransport()
    run(switch, ONE)
    assert max(switch.batches) == 40


def test_a_refused_update_rolls_everything_back() -> None:
    switch = FakeTransport()
    run(switch, ONE)
    before = dict(switch.entries)
    switch.capacity["service_vip"] = sum(1 for key in before if key.table == "service_vip")
    reconciler = Reconciler(switch, 40)
    with pytest.raises(SwitchError) as caught:
        run(switch, TWO, reconciler)
    assert caught.value.kind is SwitchErrorKind.REJECTED
    assert str(caught.value).startswith(
        "the switch refused to insert service_vip  ip_dst=10.96.0.2 proto=6 dport=80 "
        "(table service_vip is full (2 entries)); all "
    )
    assert switch.entries == before
    assert run(switch, ONE, reconciler).changes == 0


def test_every_point_of_failure_is_rolled_back_or_can_be_completed() -> None:
    """Refuse the n-th update for every n: the switch is as before; then without the fault: as desired."""
    probe = FakeTransport()
    run(probe, ONE)
    start = dict(probe.entries)
    state = from_entries(list(start.values()))
    total = len(diff(make_plan(TWO, NODE, state), state))
    for failing in range(0, total, 7):
        switch = FakeTransport()
        switch.entries = dict(start)
        seen = 0

        def fault(update: Update, failing: int = failing) -> Refusal | None:
            nonlocal seen
            seen += 1
            return Refusal(0, RefusalKind.OTHER, "no") if seen == failing + 1 else None

        switch.fault = fault
        with pytest.raises(SwitchError, match="were undone"):
            run(switch, TWO)
        assert switch.entries == start
        switch.fault = None
        run(switch, TWO)
        assert in_step(switch, TWO)


def test_a_broken_connection_leaves_doubt_and_the_next_attempt_completes() -> None:
    probe = FakeTransport()
    run(probe, ONE)
    for broken_after in range(0, len(probe.entries), 31):
        switch = FakeTransport()
        switch.unavailable_after = broken_after
        reconciler = Reconciler(switch, 40)
        with pytest.raises(SwitchError) as caught:
            run(switch, ONE, reconciler)
        assert caught.value.kind is SwitchErrorKind.UNAVAILABLE
        assert reconciler.installed is None
        run(switch, ONE, reconciler)
        assert in_step(switch, ONE)


def test_a_stale_picture_is_corrected_update_by_update() -> None:
    """Somebody else wrote meanwhile: INSERT meets an entry, MODIFY and DELETE meet none."""
    switch = FakeTransport()
    reconciler = Reconciler(switch, 40)
    run(switch, ONE, reconciler)
    buckets = [key for key in switch.entries if key.table == BUCKETS]
    for key in buckets[::2]:
        del switch.entries[key]
    gone = next(key for key in switch.entries if key.table == "endpoint" and key.match == (2,))
    del switch.entries[gone]
    foreign = Entry(Key("endpoint", (3,)), "set_destination", (1, 1))
    switch.entries[foreign.key] = foreign
    run(switch, TWO, reconciler)
    reconciler.doubt()
    run(switch, TWO, reconciler)
    assert in_step(switch, TWO)


def test_drift_is_repaired_after_doubt() -> None:
    switch = FakeTransport()
    reconciler = Reconciler(switch)
    run(switch, ONE, reconciler)
    key = next(key for key in switch.entries if key.table == "route")
    del switch.entries[key]
    reconciler.doubt()
    outcome = run(switch, ONE, reconciler)
    assert (outcome.inserted, outcome.modified, outcome.deleted) == (1, 0, 0)


def test_a_roll_back_that_fails_says_how_much_is_left() -> None:
    switch = FakeTransport()
    run(switch, ONE)

    def fault(update: Update) -> Refusal | None:
        if update.kind is UpdateKind.DELETE or update.entry.key.table == "service_vip":
            return Refusal(0, RefusalKind.OTHER, "broken")
        return None

    switch.fault = fault
    reconciler = Reconciler(switch)
    with pytest.raises(SwitchError, match=r"could not be undone; the next sync reads the switch"):
        run(switch, TWO, reconciler)
    assert reconciler.installed is None
    switch.fault = None
    run(switch, TWO, reconciler)
    assert in_step(switch, TWO)
