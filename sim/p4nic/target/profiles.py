"""Action profiles and selectors: members, groups, and one-shot action sets, with what refers to what.

In: Member, Group, ActionSet (validated here). Out: set_member/set_group calls on the pipeline; undo functions
for `tables.batch`. Called by `target.tables` alone, under the switch's lock. P4Runtime 1.5 §9.2.

One-shots become a group with members of its own. A profile is written either with members and groups or with
one-shots, never both (§9.2.3), so the ids chosen here cannot meet the control plane's.

The pipeline is given a group's members whose watch port is up: a group of which none is left acts as an empty
one (§9.2.4), so no action runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from math import gcd

from p4nic.backend.api import ActionSet, GroupRef, MemberRef, Pipeline
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.program import ActionCall, ActionProfile, Program, Table
from p4nic.target.checks import check_call, check_id, invalid, named, refuse
from p4nic.target.entities import Group, GroupMember, Member

Undo = Callable[[], None]
MAX_SLOTS = 1 << 16
"""Places in the table a group's hash selects from."""


@dataclass(slots=True)
class _State:
    """What one profile holds. `references` counts table entries by the ref they carry."""

    members: dict[int, ActionCall] = field(default_factory=dict)
    groups: dict[int, Group] = field(default_factory=dict)
    one_shots: dict[int, ActionSet] = field(default_factory=dict)
    references: dict[MemberRef | GroupRef, int] = field(default_factory=dict)

    def size(self, profile: ActionProfile) -> int:
        """What all groups together take of the profile's size."""
        return sum(
            _size(profile, [m.weight for m in group.members], self.one_shots.get(number))
            for number, group in self.groups.items()
        )


class Profiles:
    """All action profiles of one pipeline."""

    def __init__(
        self, program: Program, pipeline: Pipeline, is_up: Callable[[int], bool] = lambda _: True
    ) -> None:
        self._program = program
        self._pipeline = pipeline
        self._is_up = is_up
        self._states = {name: _State() for name in program.action_profiles}

    # --- members ---

    def insert_member(self, member: Member) -> Undo:
        profile, state = self._manual(member.profile)
        place = f"action profile {profile.name}"
        check_id(place, "member id", member.member_id)
        call = self._check_call(profile, member)
        if member.member_id in state.members:
            refuse(
                ErrorKind.ALREADY_EXISTS,
                f"{place}: member {member.member_id} exists already; modify it instead",
            )
        if len(state.members) >= profile.size:
            refuse(ErrorKind.RESOURCE_EXHAUSTED, f"{place}: full with {profile.size} members")
        return self._put_member(state, profile.name, member.member_id, call)

    def modify_member(self, member: Member) -> Undo:
        profile, state = self._manual(member.profile)
        self._require_member(profile, state, member.member_id)
        call = self._check_call(profile, member)
        return self._put_member(state, profile.name, member.member_id, call)

    def delete_member(self, member: Member) -> Undo:
        profile, state = self._manual(member.profile)
        place = f"action profile {profile.name}"
        self._require_member(profile, state, member.member_id)
        users = [
            g.group_id
            for g in state.groups.values()
            if any(m.member_id == member.member_id for m in g.members)
        ]
        if users:
            refuse(
                ErrorKind.FAILED_PRECONDITION,
                f"{place}: member {member.member_id} is still in group {users[0]}; take it out of the group "
                "first",
            )
        self._require_unreferenced(state, place, MemberRef(member.member_id), f"member {member.member_id}")
        return self._put_member(state, profile.name, member.member_id, None)

    def _check_call(self, profile: ActionProfile, member: Member) -> ActionCall:
        if member.call is None:
            invalid(f"action profile {profile.name}: member {member.member_id} has no action")
        for table in self._program.tables.values():
            if table.implementation == profile.name:
                check_call(self._program, table, member.call, "entry")
        return member.call

    def _put_member(self, state: _State, profile: str, member_id: int, call: ActionCall | None) -> Undo:
        before = state.members.get(member_id)
        self._pipeline.set_member(profile, member_id, call)
        if call is None:
            del state.members[member_id]
        else:
            state.members[member_id] = call

        def undo() -> None:
            self._pipeline.set_member(profile, member_id, before)
            if before is None:
                del state.members[member_id]
            else:
                state.members[member_id] = before

        return undo

    # --- groups ---

    def insert_group(self, group: Group) -> Undo:
        profile, state = self._manual(group.profile)
        self._check_group(profile, state, group)
        if group.group_id in state.groups:
            place = f"action profile {profile.name}"
            refuse(
                ErrorKind.ALREADY_EXISTS, f"{place}: group {group.group_id} exists already; modify it instead"
            )
        return self._put_group(state, profile.name, group.group_id, group)

    def modify_group(self, group: Group) -> Undo:
        profile, state = self._manual(group.profile)
        before = self._require_group(profile, state, group.group_id)
        self._check_group(profile, state, group)
        if group.max_size != before.max_size:
            invalid(
                f"action profile {profile.name}: max_size of group {group.group_id} is {before.max_size} "
                f"and cannot become {group.max_size}"
            )
        return self._put_group(state, profile.name, group.group_id, group)

    def delete_group(self, group: Group) -> Undo:
        profile, state = self._manual(group.profile)
        self._require_group(profile, state, group.group_id)
        place = f"action profile {profile.name}"
        self._require_unreferenced(state, place, GroupRef(group.group_id), f"group {group.group_id}")
        return self._put_group(state, profile.name, group.group_id, None)

    def _check_group(self, profile: ActionProfile, state: _State, group: Group) -> None:
        place = f"action profile {profile.name}, group {group.group_id}"
        if profile.selector_algorithm is None:
            invalid(f"action profile {profile.name} has no selector: it holds members only, no groups")
        check_id(f"action profile {profile.name}", "group id", group.group_id)
        if profile.max_group_size and not 0 < group.max_size <= profile.max_group_size:
            invalid(f"{place}: max_size {group.max_size} is not in 1..{profile.max_group_size}")
        if group.max_size < 0:
            invalid(f"{place}: max_size {group.max_size} is negative; leave it 0 if the size is not known")
        if group.max_size > profile.size:
            refuse(
                ErrorKind.RESOURCE_EXHAUSTED,
                f"{place}: max_size {group.max_size} is more than the {profile.size} of all groups together",
            )
        seen: set[int] = set()
        for member in group.members:
            if member.member_id in seen:
                invalid(f"{place}: member {member.member_id} is listed twice; raise its weight instead")
            seen.add(member.member_id)
            _check_weight(profile, place, f"member {member.member_id}", member.weight)
            self._check_watch(place, f"member {member.member_id}", member.watch_port)
            self._require_member(profile, state, member.member_id)
        size = _size(profile, [m.weight for m in group.members])
        limit = group.max_size or profile.max_group_size or profile.size
        if size > limit:
            refuse(ErrorKind.RESOURCE_EXHAUSTED, f"{place}: {_counted(profile)} {size}, more than {limit}")
        before = state.groups.get(group.group_id)
        others = state.size(profile) - _size(profile, [m.weight for m in _members(before)])
        if others + size > profile.size:
            with_it = (
                f"with {size} members all groups together would have {others + size}"
                if profile.sum_of_members
                else f"with weight {size} all groups together would weigh {others + size}"
            )
            refuse(ErrorKind.RESOURCE_EXHAUSTED, f"{place}: {with_it}, more than {profile.size}")
        _slots(place, [m.weight for m in group.members])

    def _check_watch(self, place: str, what: str, port: int | None) -> None:
        options = self._pipeline.options
        if port is not None and port >= options.port_count and port != options.cpu_port:
            invalid(
                f"{place}: {what} watches port {port}, which does not exist; the last one is "
                f"{options.port_count - 1}"
            )

    def ports_changed(self) -> None:
        """A port went up or down: lay out anew the groups that watch one."""
        for name, state in self._states.items():
            for group in state.groups.values():
                if any(m.watch_port is not None for m in group.members):
                    one_shot = state.one_shots.get(group.group_id)
                    random = one_shot is not None and one_shot.random
                    self._pipeline.set_group(name, group.group_id, self._laid_out(group), random)

    def _laid_out(self, group: Group | None) -> tuple[tuple[int, int], ...] | None:
        """A group as the pipeline gets it: (member id, weight) of those that may be selected."""
        if group is None:
            return None
        slots = _slots("", [m.weight for m in group.members])
        return tuple(
            (m.member_id, weight)
            for m, weight in zip(group.members, slots, strict=True)
            if m.watch_port is None or self._is_up(m.watch_port)
        )

    def _put_group(self, state: _State, profile: str, group_id: int, group: Group | None) -> Undo:
        before = state.groups.get(group_id)
        self._pipeline.set_group(profile, group_id, self._laid_out(group))
        if group is None:
            del state.groups[group_id]
        else:
            state.groups[group_id] = group

        def undo() -> None:
            self._pipeline.set_group(profile, group_id, self._laid_out(before))
            if before is None:
                del state.groups[group_id]
            else:
                state.groups[group_id] = before

        return undo

    # --- one-shots, and what entries refer to ---

    def acquire(
        self, table: Table, action: MemberRef | GroupRef | ActionSet
    ) -> tuple[MemberRef | GroupRef, Undo]:
        """Check what an entry of an indirect table points to, and count the reference.

        An ActionSet is laid out as a group first. The undo gives the reference (and such a group) up again.
        """
        assert table.implementation is not None
        profile = self._program.action_profiles[table.implementation]
        state = self._states[profile.name]
        if isinstance(action, ActionSet):
            ref: MemberRef | GroupRef = self._lay_out(table, profile, state, action)
        else:
            self._check_ref(table, profile, state, action)
            ref = action
        state.references[ref] = state.references.get(ref, 0) + 1
        return ref, lambda: self.release(table, ref)

    def release(self, table: Table, ref: MemberRef | GroupRef) -> None:
        """An entry that carried `ref` is gone; a one-shot's group goes with it."""
        assert table.implementation is not None
        state = self._states[table.implementation]
        state.references[ref] -= 1
        if state.references[ref]:
            return
        del state.references[ref]
        if isinstance(ref, GroupRef) and ref.group_id in state.one_shots:
            group = state.groups.pop(ref.group_id)
            del state.one_shots[ref.group_id]
            self._pipeline.set_group(table.implementation, ref.group_id, None)
            self._drop_members(table.implementation, state, group)

    def as_written(self, table: Table, ref: MemberRef | GroupRef) -> MemberRef | GroupRef | ActionSet:
        """What the control plane wrote where the pipeline holds `ref`."""
        assert table.implementation is not None
        if isinstance(ref, GroupRef):
            return self._states[table.implementation].one_shots.get(ref.group_id, ref)
        return ref

    def _check_ref(
        self, table: Table, profile: ActionProfile, state: _State, ref: MemberRef | GroupRef
    ) -> None:
        if state.one_shots:
            invalid(
                f"table {table.name}: action profile {profile.name} is written with one-shot action sets; "
                "members and groups cannot be mixed with them"
            )
        if isinstance(ref, MemberRef):
            self._require_member(profile, state, ref.member_id)
        elif profile.selector_algorithm is None:
            invalid(
                f"table {table.name}: action profile {profile.name} has no selector, so entries point to "
                "members only"
            )
        else:
            self._require_group(profile, state, ref.group_id)

    def _lay_out(self, table: Table, profile: ActionProfile, state: _State, actions: ActionSet) -> GroupRef:
        self._check_one_shot(table, profile, state, actions)
        members = []
        for weighted in actions.actions:
            member_id = _lowest_free(state.members)
            state.members[member_id] = weighted.call
            self._pipeline.set_member(profile.name, member_id, weighted.call)
            members.append(GroupMember(member_id, weighted.weight, weighted.watch_port))
        group = Group(profile.name, _lowest_free(state.groups), tuple(members))
        try:
            self._pipeline.set_group(profile.name, group.group_id, self._laid_out(group), actions.random)
        except StateError:  # what a target of its own cannot do
            self._drop_members(profile.name, state, group)
            raise
        state.groups[group.group_id] = group
        state.one_shots[group.group_id] = actions
        return GroupRef(group.group_id)

    def _drop_members(self, profile: str, state: _State, group: Group) -> None:
        for member in group.members:
            del state.members[member.member_id]
            self._pipeline.set_member(profile, member.member_id, None)

    def _check_one_shot(
        self, table: Table, profile: ActionProfile, state: _State, actions: ActionSet
    ) -> None:
        place = f"table {table.name}, one-shot action set"
        if profile.selector_algorithm is None:
            invalid(
                f"{place}: action profile {profile.name} has no selector, so entries point to members only"
            )
        if not actions.actions:
            invalid(f"{place}: it has no action")
        if len(state.members) > sum(len(_members(state.groups[g])) for g in state.one_shots):
            invalid(
                f"{place}: action profile {profile.name} is written with members; one-shots cannot be mixed "
                "with them"
            )
        for weighted in actions.actions:
            check_call(self._program, table, weighted.call, "entry")
            _check_weight(profile, place, f"action {weighted.call.action}", weighted.weight)
            self._check_watch(place, f"action {weighted.call.action}", weighted.watch_port)
        size = _size(profile, [w.weight for w in actions.actions], actions)
        if profile.max_group_size and size > profile.max_group_size:
            counted = _counted(profile, actions)
            invalid(f"{place}: {counted} {size}, more than max_group_size {profile.max_group_size}")
        used = state.size(profile)
        if used + size > profile.size:
            left = (
                f"{profile.size - used} of {profile.size} members"
                if _by_members(profile, actions)
                else f"weight {profile.size - used} of {profile.size}"
            )
            refuse(
                ErrorKind.RESOURCE_EXHAUSTED,
                f"{place}: action profile {profile.name} has {left} left, the set needs {size}",
            )
        _slots(place, [w.weight for w in actions.actions])

    # --- reading and shared checks ---

    def members(self, profile: str | None = None) -> Iterator[Member]:
        """Members the control plane wrote (not those of one-shots), by ascending id."""
        for name, state in self._chosen(profile):
            if not state.one_shots:
                yield from (Member(name, i, state.members[i]) for i in sorted(state.members))

    def groups(self, profile: str | None = None) -> Iterator[Group]:
        """Groups the control plane wrote, by ascending id."""
        for name, state in self._chosen(profile):
            if not state.one_shots:
                yield from (replace(state.groups[i], profile=name) for i in sorted(state.groups))

    def _chosen(self, profile: str | None) -> list[tuple[str, _State]]:
        if profile is None:
            return list(self._states.items())
        return [(profile, named("action profile", profile, self._states))]

    def _manual(self, name: str) -> tuple[ActionProfile, _State]:
        profile = named("action profile", name, self._program.action_profiles)
        state = self._states[name]
        if state.one_shots:
            invalid(
                f"action profile {name} is written with one-shot action sets; members and groups cannot be "
                "mixed with them"
            )
        return profile, state

    def _require_member(self, profile: ActionProfile, state: _State, member_id: int) -> None:
        if member_id not in state.members:
            refuse(ErrorKind.NOT_FOUND, f"action profile {profile.name}: there is no member {member_id}")

    def _require_group(self, profile: ActionProfile, state: _State, group_id: int) -> Group:
        if group_id not in state.groups:
            refuse(ErrorKind.NOT_FOUND, f"action profile {profile.name}: there is no group {group_id}")
        return state.groups[group_id]

    def _require_unreferenced(self, state: _State, place: str, ref: MemberRef | GroupRef, what: str) -> None:
        if users := state.references.get(ref, 0):
            entries = "1 table entry; delete it" if users == 1 else f"{users} table entries; delete them"
            refuse(ErrorKind.FAILED_PRECONDITION, f"{place}: {what} is still used by {entries} first")


def _lowest_free(taken: Mapping[int, object]) -> int:
    """Real targets index by member id, so ids stay small; profiles are small, so a scan is enough."""
    return next(i for i in count(1) if i not in taken)


def _members(group: Group | None) -> tuple[GroupMember, ...]:
    return group.members if group is not None else ()


# --- weights ------------------------------------------------------------------------------------------------


def _by_members(profile: ActionProfile, one_shot: ActionSet | None) -> bool:
    """Whether sizes count members, not weights; a one-shot may have its own say (P4Runtime 1.5 §9.2.3)."""
    if one_shot is None or one_shot.sizes is None:
        return profile.sum_of_members
    return one_shot.sizes == "members"


def _size(profile: ActionProfile, weights: Sequence[int], one_shot: ActionSet | None = None) -> int:
    """What a group takes of the profile's sizes (P4Runtime 1.5 §6.4.3)."""
    if _by_members(profile, one_shot):
        return len(weights)
    return sum(max(weight, 1) for weight in weights)


def _counted(profile: ActionProfile, one_shot: ActionSet | None = None) -> str:
    return "the number of members is" if _by_members(profile, one_shot) else "the weights add up to"


def _check_weight(profile: ActionProfile, place: str, what: str, weight: int) -> None:
    if profile.weights_disallowed:
        if weight:
            invalid(
                f"{place}: weight {weight} of {what} must be unset, as action profile {profile.name} "
                "disallows weights"
            )
    elif weight <= 0:
        invalid(f"{place}: weight {weight} of {what} must be above 0")
    elif profile.sum_of_members and profile.max_member_weight and weight > profile.max_member_weight:
        invalid(
            f"{place}: weight {weight} of {what} is more than max_member_weight {profile.max_member_weight}"
        )


def _slots(place: str, weights: Sequence[int]) -> list[int]:
    """Places of each member in the table the hash selects from: its weight. Where sizes count members,
    weights may be anything: too many places are given in lowest terms, still too many RESOURCE_EXHAUSTED.
    """
    divisor = gcd(*weights) if sum(weights) > MAX_SLOTS else 1
    slots = [max(weight // divisor, 1) for weight in weights]
    if sum(slots) > MAX_SLOTS:
        refuse(
            ErrorKind.RESOURCE_EXHAUSTED,
            f"{place}: the weights in lowest terms add up to {sum(slots)}, more than {MAX_SLOTS}; use "
            "coarser weights",
        )
    return slots
