"""Action profiles: members, groups, one-shots, and what keeps them from being deleted or mixed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fake_pipeline import FakePipeline

from p4nic.backend.api import ActionSet, Entry, GroupRef, MemberRef, WeightedAction
from p4nic.clock import ManualClock
from p4nic.errors import StateError
from p4nic.ir.program import ActionCall, Exact
from p4nic.target.entities import EntryKey, Group, GroupMember, Member
from p4nic.target.switch import Switch
from p4nic.target.tables import Tables

DROP = ActionCall("C.drop")
FORWARD = ActionCall("C.forward", (1, 2))


@pytest.fixture
def pipeline() -> FakePipeline:
    return FakePipeline()


@pytest.fixture
def tables(pipeline: FakePipeline) -> Tables:
    return Switch(pipeline, ManualClock()).tables


def member(number: int, call: ActionCall | None = DROP, profile: str = "C.selector") -> Member:
    return Member(profile, number, call)


def group(number: int, *members: tuple[int, int], max_size: int = 6, profile: str = "C.selector") -> Group:
    return Group(profile, number, tuple(GroupMember(i, weight) for i, weight in members), max_size)


def spread(x: int, action: MemberRef | GroupRef | ActionSet) -> Entry:
    return Entry("C.spread", (Exact(x),), action)


def one_shot(*weights: int) -> ActionSet:
    return ActionSet(
        tuple(WeightedAction(ActionCall("C.forward", (i, 0)), w, watch_port=i) for i, w in enumerate(weights))
    )


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(StateError) as raised:
        call()
    return raised.value.kind.value, str(raised.value)


def test_members_and_groups_are_read_back(tables: Tables, pipeline: FakePipeline) -> None:
    tables.insert(member(2))
    tables.insert(member(1, FORWARD))
    tables.insert(group(7, (2, 3), (1, 1)))
    tables.insert(spread(1, GroupRef(7)))
    assert tables.members("C.selector") == [member(1, FORWARD), member(2)]
    assert tables.groups() == [group(7, (2, 3), (1, 1))]
    assert pipeline.group_weights == {("C.selector", 7): ((2, 3), (1, 1))}
    tables.modify(member(2, FORWARD))
    assert pipeline.member_calls["C.selector", 2] == FORWARD


def test_a_group_may_be_changed_but_not_its_size(tables: Tables) -> None:
    tables.insert(member(1))
    tables.insert(group(7, (1, 1)))
    tables.modify(group(7, (1, 4)))
    assert tables.groups() == [group(7, (1, 4))]
    assert refusal(lambda: tables.modify(group(7, max_size=3))) == (
        "INVALID_ARGUMENT",
        "action profile C.selector: max_size of group 7 is 6 and cannot become 3",
    )


@pytest.mark.parametrize(
    ("broken", "kind", "sentence"),
    [
        (
            member(0),
            "INVALID_ARGUMENT",
            "action profile C.selector: member id 0 is not allowed; ids go from 1 to 4294967295",
        ),
        (
            member(1),
            "ALREADY_EXISTS",
            "action profile C.selector: member 1 exists already; modify it instead",
        ),
        (member(9, None), "INVALID_ARGUMENT", "action profile C.selector: member 9 has no action"),
        (
            member(9, ActionCall("C.unused")),
            "INVALID_ARGUMENT",
            'table C.spread: action "C.unused" is not one of its actions; choose one of C.drop, C.forward, '
            "C.only_entries, NoAction",
        ),
        (
            member(1, DROP, "C.selektor"),
            "NOT_FOUND",
            'there is no action profile "C.selektor"; did you mean "C.selector"?',
        ),
        (
            group(7, (1, 1)),
            "ALREADY_EXISTS",
            "action profile C.selector: group 7 exists already; modify it instead",
        ),
        (group(8, (5, 1)), "NOT_FOUND", "action profile C.selector: there is no member 5"),
        (
            group(8, (1, 0)),
            "INVALID_ARGUMENT",
            "action profile C.selector, group 8: weight 0 of member 1 must be above 0",
        ),
        (
            group(8, (1, 1), (1, 1)),
            "INVALID_ARGUMENT",
            "action profile C.selector, group 8: member 1 is listed twice; raise its weight instead",
        ),
        (
            group(8, max_size=7),
            "INVALID_ARGUMENT",
            "action profile C.selector, group 8: max_size 7 is not in 1..6",
        ),
        (
            group(8, (1, 7)),
            "RESOURCE_EXHAUSTED",
            "action profile C.selector, group 8: the weights add up to 7, more than 6",
        ),
        (
            group(8, (1, 6)),
            "RESOURCE_EXHAUSTED",
            "action profile C.selector, group 8: with weight 6 all groups together would weigh 9, more than "
            "8",
        ),
        (
            group(1, profile="C.profile"),
            "INVALID_ARGUMENT",
            "action profile C.profile has no selector: it holds members only, no groups",
        ),
    ],
)
def test_refuses_an_insert(tables: Tables, broken: Member | Group, kind: str, sentence: str) -> None:
    tables.insert(member(1))
    tables.insert(group(7, (1, 3)))
    assert refusal(lambda: tables.insert(broken)) == (kind, sentence)
    assert tables.members() == [member(1)]
    assert tables.groups() == [group(7, (1, 3))]


def test_a_profile_is_full_at_its_size(tables: Tables) -> None:
    tables.insert(member(1, profile="C.profile"))
    tables.insert(member(2, profile="C.profile"))
    assert refusal(lambda: tables.insert(member(3, profile="C.profile"))) == (
        "RESOURCE_EXHAUSTED",
        "action profile C.profile: full with 2 members",
    )


def test_what_is_in_use_stays(tables: Tables) -> None:
    tables.insert(member(1))
    tables.insert(group(7, (1, 1)))
    tables.insert(spread(1, GroupRef(7)))
    tables.insert(spread(2, MemberRef(1)))
    assert refusal(lambda: tables.delete(member(1)))[1] == (
        "action profile C.selector: member 1 is still in group 7; take it out of the group first"
    )
    assert refusal(lambda: tables.delete(group(7))) == (
        "FAILED_PRECONDITION",
        "action profile C.selector: group 7 is still used by 1 table entry; delete it first",
    )
    tables.modify(spread(1, MemberRef(1)))
    tables.delete(group(7))
    assert refusal(lambda: tables.delete(member(1)))[1] == (
        "action profile C.selector: member 1 is still used by 2 table entries; delete them first"
    )
    tables.delete(spread(1, MemberRef(1)))
    tables.delete(spread(2, MemberRef(1)))
    tables.delete(member(1, None))
    assert tables.members() == []
    assert refusal(lambda: tables.delete(member(1)))[0] == "NOT_FOUND"
    assert refusal(lambda: tables.delete(group(7)))[0] == "NOT_FOUND"


def test_one_shots_are_read_back_as_written(tables: Tables, pipeline: FakePipeline) -> None:
    tables.insert(spread(1, one_shot(2, 1)))
    tables.insert(spread(2, one_shot(2, 1)))
    assert [s.entry for s in tables.read("C.spread")] == [
        spread(1, one_shot(2, 1)),
        spread(2, one_shot(2, 1)),
    ]
    assert len(pipeline.group_weights) == 2  # equal sets are not merged
    found = tables.find(EntryKey("C.spread", (Exact(1),)))
    assert found is not None
    assert found.entry.action == one_shot(2, 1)
    assert tables.members() == []
    assert tables.groups() == []


def test_a_one_shot_goes_with_its_entry(tables: Tables, pipeline: FakePipeline) -> None:
    tables.insert(spread(1, one_shot(2, 1)))
    tables.modify(spread(1, one_shot(1)))
    assert list(pipeline.group_weights.values()) == [((3, 1),)]
    tables.delete(spread(1, one_shot(1)))
    assert (pipeline.group_weights, pipeline.member_calls) == ({}, {})
    tables.insert(member(1))


@pytest.mark.parametrize(
    ("actions", "kind", "sentence"),
    [
        (one_shot(), "INVALID_ARGUMENT", "table C.spread, one-shot action set: it has no action"),
        (
            one_shot(1, 0),
            "INVALID_ARGUMENT",
            "table C.spread, one-shot action set: weight 0 of action C.forward must be above 0",
        ),
        (
            one_shot(4, 3),
            "INVALID_ARGUMENT",
            "table C.spread, one-shot action set: the weights add up to 7, more than max_group_size 6",
        ),
        (
            one_shot(3),
            "RESOURCE_EXHAUSTED",
            "table C.spread, one-shot action set: action profile C.selector has weight 2 of 8 left, the set "
            "needs 3",
        ),
        (
            ActionSet((WeightedAction(ActionCall("NoAction"), 1),)),
            "PERMISSION_DENIED",
            "table C.spread: action NoAction is for the default entry only",
        ),
    ],
)
def test_refuses_a_one_shot(
    tables: Tables, pipeline: FakePipeline, actions: ActionSet, kind: str, sentence: str
) -> None:
    tables.insert(spread(1, one_shot(3, 3)))
    before = dict(pipeline.member_calls)
    assert refusal(lambda: tables.insert(spread(2, actions))) == (kind, sentence)
    assert pipeline.member_calls == before


def test_one_shots_and_members_do_not_mix(tables: Tables) -> None:
    tables.insert(member(1))
    assert refusal(lambda: tables.insert(spread(1, one_shot(1)))) == (
        "INVALID_ARGUMENT",
        "table C.spread, one-shot action set: action profile C.selector is written with members; "
        "one-shots cannot be mixed with them",
    )
    tables.delete(member(1))
    tables.insert(spread(1, one_shot(1)))
    mixed = (
        "action profile C.selector is written with one-shot action sets; "
        "members and groups cannot be mixed with them"
    )
    assert refusal(lambda: tables.insert(member(1))) == ("INVALID_ARGUMENT", mixed)
    assert refusal(lambda: tables.delete(group(1))) == ("INVALID_ARGUMENT", mixed)
    assert refusal(lambda: tables.insert(spread(2, GroupRef(1)))) == (
        "INVALID_ARGUMENT",
        f"table C.spread: {mixed}",
    )
