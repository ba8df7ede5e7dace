"""Action profiles and selectors (members, weighted groups), and parser value sets.

Called by generated code (`select`, `contains`) and by the pipeline (`set_…`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any as Json
from typing import final

from p4nic.backend.api import GroupRef, MemberRef
from p4nic.backend.interp.rng import SplitMix64
from p4nic.backend.interp.tables.entry import ActionCode
from p4nic.backend.interp.tables.matching import matches
from p4nic.ir.program import ActionCall, ActionProfile, Match

Selector = Callable[[list[int], Json], int]
"""Generated: the hash of the selector's inputs, from (field slots, packet)."""


@final
class BoundAction:
    """An action with its arguments, as a member carries it."""

    __slots__ = ("action", "args")

    def __init__(self, action: ActionCode, args: tuple[int, ...]) -> None:
        self.action = action
        self.args = args


@final
class Profile:
    """The members and groups of one action profile."""

    def __init__(self, spec: ActionProfile, actions: Mapping[str, ActionCode], random: SplitMix64) -> None:
        self._spec = spec
        self._actions = actions
        self._random = random
        self.members: dict[int, BoundAction] = {}
        self.groups: dict[int, tuple[int, ...]] = {}
        self.drawn: set[int] = set()
        """Groups whose members are drawn, not chosen by the hash."""

    def set_member(self, member_id: int, call: ActionCall | None) -> None:
        """Add, change, or (None) remove a member."""
        if call is None:
            self.members.pop(member_id, None)
        else:
            self.members[member_id] = BoundAction(self._actions[call.action], call.args)

    def set_group(self, group_id: int, members: tuple[tuple[int, int], ...] | None, random: bool) -> None:
        """Lay the members out as the profile says; None removes the group."""
        self.drawn.discard(group_id)
        if random:
            self.drawn.add(group_id)
        if members is None:
            self.groups.pop(group_id, None)
        else:
            self.groups[group_id] = self._spec.layout(members)

    def select(
        self, ref: MemberRef | GroupRef, selector: Selector | None, fields: list[int], packet: Json
    ) -> BoundAction | None:
        """What an entry's reference runs for this packet; None for an empty group or a missing member:
        no action runs.
        """
        if isinstance(ref, MemberRef):
            return self.members.get(ref.member_id)
        slots = self.groups.get(ref.group_id)
        if not slots:
            return None
        if ref.group_id in self.drawn:
            return self.members.get(slots[self._random.between(0, len(slots) - 1)])
        number = selector(fields, packet) if selector is not None else 0
        return self.members.get(slots[number % len(slots)])


@final
class ValueSetMembers:
    """The run-time members of a parser value set."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        self.widths = widths
        self.members: tuple[tuple[Match, ...], ...] = ()

    def contains(self, values: tuple[int, ...]) -> bool:
        """Whether any member matches all the values."""
        return any(
            all(matches(m, v, w) for m, v, w in zip(member, values, self.widths, strict=True))
            for member in self.members
        )
