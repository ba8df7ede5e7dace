"""Action profiles and selectors on real DPDK: members, groups, one-shots, and who is chosen."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from swx_samples import needs_dpdk
from test_dpdk_spec_profiles import P4INFO, SELECTOR_SPEC

from p4nic.backend.api import ActionSet, Backend, Entry, GroupRef, MemberRef, Options, WeightedAction
from p4nic.backend.interp import InterpreterBackend
from p4nic.backend.native import NativeBackend
from p4nic.backend.swx import SwxBackend
from p4nic.clock import ManualClock
from p4nic.ir.program import ActionCall, Exact
from p4nic.load.dpdk_spec import load_text
from p4nic.load.p4info import decode_p4info, parse_p4info
from p4nic.target.entities import EntryKey, Group, GroupMember, Member
from p4nic.target.switch import Switch

pytestmark = needs_dpdk
PROFILE, TABLE = "Main.as", "Main.pick"


def make(backend: Backend) -> Switch:
    info = decode_p4info(parse_p4info(P4INFO.encode(), "as.txtpb"), "as.txtpb")
    program = load_text(SELECTOR_SPEC, "as.spec", info)
    return Switch(backend.build(program, Options()), ManualClock())


@pytest.fixture
def switch() -> Iterator[Switch]:
    with make(SwxBackend()) as made:
        for number in (1, 2, 3):
            made.tables.insert(Member(PROFILE, number, ActionCall("Main.to", (number,))))
        yield made


def frame(source: int) -> bytes:
    return bytes(6) + source.to_bytes(6) + b"rest of the frame"


def port(switch: Switch, source: int) -> int:
    return switch.inject(0, frame(source)).sent[0][0]


def to(source: int, action: MemberRef | GroupRef | ActionSet) -> Entry:
    return Entry(TABLE, (Exact(source),), action)


def test_an_entry_points_to_a_member_and_follows_its_change(switch: Switch) -> None:
    switch.tables.insert(to(9, MemberRef(2)))
    assert port(switch, 9) == 2
    switch.tables.modify(Member(PROFILE, 2, ActionCall("Main.to", (8,))))
    assert port(switch, 9) == 8


def test_a_group_chooses_among_its_members_until_it_is_changed(switch: Switch) -> None:
    switch.tables.insert(Group(PROFILE, 70, (GroupMember(3, 1),), 8))
    switch.tables.insert(to(9, GroupRef(70)))
    assert port(switch, 9) == 3
    switch.tables.modify(Group(PROFILE, 70, (GroupMember(1, 1),), 8))
    assert port(switch, 9) == 1
    switch.tables.modify(Group(PROFILE, 70, (GroupMember(1, 2), GroupMember(2, 1)), 8))
    assert port(switch, 9) in (1, 2)


def test_a_deleted_group_can_come_back_under_another_number(switch: Switch) -> None:
    for group in (5, 6):
        switch.tables.insert(Group(PROFILE, group, (GroupMember(group - 4, 1),), 8))
    switch.tables.insert(to(9, GroupRef(6)))
    switch.tables.delete(Group(PROFILE, 5))
    switch.tables.insert(Group(PROFILE, 7, (GroupMember(3, 1),), 8))
    switch.tables.insert(to(10, GroupRef(7)))
    assert (port(switch, 9), port(switch, 10)) == (2, 3)
    switch.tables.delete(EntryKey(TABLE, (Exact(9),)))
    switch.tables.delete(Group(PROFILE, 6))
    assert port(switch, 10) == 3


def test_a_one_shot_is_laid_out_as_a_group() -> None:
    one_shot = ActionSet((WeightedAction(ActionCall("Main.to", (4,)), 1),))
    with make(SwxBackend()) as switch:
        switch.tables.insert(to(9, one_shot))
        assert port(switch, 9) == 4
        assert next(switch.tables.read(TABLE)).entry.action == one_shot


def test_groups_survive_a_crash(switch: Switch) -> None:
    switch.tables.insert(Group(PROFILE, 70, (GroupMember(3, 1),), 8))
    switch.tables.insert(to(9, GroupRef(70)))
    switch.pipeline.target.close()  # type: ignore[attr-defined]  # as a crash leaves it
    assert port(switch, 9) == 3


def make_wide(backend: Backend, gap: str) -> Switch:
    """Chooses by two fields of 4 bytes with `gap` between them, both from the frame."""
    text = SELECTOR_SPEC.replace("\tbit<16> gap\n", gap)
    text = text.replace("\textract h.eth\n", "\textract h.eth\n\tmov m.a h.eth.dst\n\tmov m.b h.eth.src\n")
    info = decode_p4info(
        parse_p4info(P4INFO.replace("max_group_size: 8", "max_group_size: 16").encode(), "as.txtpb"),
        "as.txtpb",
    )
    return Switch(backend.build(load_text(text, "as.spec", info), Options()), ManualClock())


@pytest.mark.parametrize("gap", [0, 2, 16, 40], ids=lambda gap: f"{8 + gap}_bytes")
@pytest.mark.parametrize("weights", [(1, 1, 1), (2, 1, 1), (3, 6, 3), (4, 4, 8)])
def test_dpdk_chooses_the_member_our_engines_choose(gap: int, weights: tuple[int, int, int]) -> None:
    """DPDK hashes up to 8, 16, 32 and 64 bytes in four ways, and spreads weights over 16 places."""
    between = "".join(
        f"\tbit<{8 if gap < 8 else 64}> gap{at}\n" for at in range(gap if gap < 8 else gap // 8)
    )
    rng = random.Random(3)
    flows = [rng.randbytes(6) + rng.randrange(8).to_bytes(6) + b"rest" for _ in range(60)]
    members = tuple(GroupMember(number, weight) for number, weight in enumerate(weights, start=1))
    chosen = []
    for backend in (InterpreterBackend(), NativeBackend(), SwxBackend()):
        with make_wide(backend, between) as switch:
            for number in (1, 2, 3):
                switch.tables.insert(Member(PROFILE, number, ActionCall("Main.to", (number,))))
            switch.tables.insert(Group(PROFILE, 1, members, 16))
            for source in range(8):
                switch.tables.insert(to(source, GroupRef(1)))
            chosen.append([switch.inject(0, flow).sent[0][0] for flow in flows])
    assert chosen[0] == chosen[1] == chosen[2]
    assert set(chosen[2]) == {1, 2, 3}


def test_a_changed_group_is_laid_out_by_member_id() -> None:
    """DPDK itself puts a member that comes back behind the others."""
    flows = [bytes(6) + source.to_bytes(6) + b"rest" for source in range(8)]
    chosen = []
    for backend in (InterpreterBackend(), SwxBackend()):
        with make_wide(backend, "") as switch:
            for number in (1, 2, 3):
                switch.tables.insert(Member(PROFILE, number, ActionCall("Main.to", (number,))))
            for numbers in ((1, 2, 3), (2, 3), (3, 1, 2)):
                members = tuple(GroupMember(number, 1) for number in numbers)
                group = Group(PROFILE, 1, members, 8)
                switch.tables.modify(group) if numbers != (1, 2, 3) else switch.tables.insert(group)
            for source in range(8):
                switch.tables.insert(to(source, GroupRef(1)))
            chosen.append([switch.inject(0, flow).sent[0][0] for flow in flows])
    assert chosen[0] == chosen[1]
