"""Actions and what table entries do: p4.v1.Action and TableAction (P4Runtime 1.5 §9.1.2, §9.2.3).

In: messages with ids and bytestrings. Out: ActionCall, MemberRef, GroupRef, ActionSet, and back. Which
action a table may use is judged by `target.checks`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, assert_never, final

from p4nic.backend.api import ActionSet, GroupRef, MemberRef, WeightedAction
from p4nic.ir.program import ActionCall
from p4nic.server.codec.scalar import Scalar, invalid, shortest, unsigned
from p4nic.target.checks import choices
from p4rt import p4r

EntryAction = ActionCall | MemberRef | GroupRef | ActionSet
_PORT_WIDTH = 32
_MODES: Mapping[int, bool] = {
    p4r.ActionProfileActionSet.DEFAULT_MODE_DETERMINED_BY_ACTION_SELECTOR: False,
    p4r.ActionProfileActionSet.HASH: False,
    p4r.ActionProfileActionSet.RANDOM: True,
}
_SIZES: Mapping[p4r.ActionProfileActionSet.SizeSemantics.ValueType, Literal["weights", "members"] | None] = {
    p4r.ActionProfileActionSet.DEFAULT_SIZE_DETERMINED_BY_ACTION_SELECTOR: None,
    p4r.ActionProfileActionSet.SUM_OF_WEIGHTS: "weights",
    p4r.ActionProfileActionSet.SUM_OF_MEMBERS: "members",
}


@final
@dataclass(frozen=True, slots=True)
class Param:
    id: int
    name: str
    scalar: Scalar


@final
class ActionCodec:
    """One action of the P4Info."""

    def __init__(self, number: int, name: str, params: tuple[Param, ...]) -> None:
        self.id = number
        self.name = name
        self.params = params
        self._by_id = {param.id: position for position, param in enumerate(params)}

    def decode(self, message: p4r.Action) -> ActionCall:
        given = message.params
        args: list[int | None] = [None] * len(self.params)
        for param in given:
            position = self._by_id.get(param.param_id)
            if position is None:
                names = [f"{p.name} ({p.id})" for p in self.params]
                raise invalid(
                    f"action {self.name} has no parameter with id {param.param_id}; {choices('', names)}"
                )
            if args[position] is not None:
                raise invalid(f"{self.params[position].scalar.place}: it is given twice")
            args[position] = self.params[position].scalar.decode(param.value)
        for param_info, value in zip(self.params, args, strict=True):
            if value is None:
                raise invalid(f"{param_info.scalar.place}: it is missing; every parameter needs a value")
        return ActionCall(self.name, tuple(value for value in args if value is not None))

    def encode(self, call: ActionCall) -> p4r.Action:
        message = p4r.Action(action_id=self.id)
        for param, value in zip(self.params, call.args, strict=True):
            message.params.add(param_id=param.id, value=param.scalar.encode(value))
        return message


@final
class Actions:
    """All actions by id and name."""

    def __init__(self, codecs: Mapping[str, ActionCodec]) -> None:
        self._by_name = codecs
        self._by_id = {codec.id: codec for codec in codecs.values()}

    def decode(self, message: p4r.Action, place: str, valid: Collection[str] = ()) -> ActionCall:
        """`valid`: the names to choose from, if not all of them."""
        codec = self._by_id.get(message.action_id)
        if codec is None:
            way_out = choices("", [name for name in valid or self._by_name if name in self._by_name])
            raise invalid(f"{place}: there is no action with id {message.action_id}; {way_out}")
        return codec.decode(message)

    def codec(self, name: str) -> ActionCodec | None:
        """None for an action the compiler made, which the P4Info does not know."""
        return self._by_name.get(name)

    def name_of(self, number: int) -> str | None:
        codec = self._by_id.get(number)
        return codec.name if codec is not None else None

    def encode(self, call: ActionCall) -> p4r.Action | None:
        """None for an action the compiler made, which the P4Info does not know."""
        codec = self._by_name.get(call.action)
        return codec.encode(call) if codec is not None else None

    def decode_entry(self, message: p4r.TableAction, place: str, valid: Collection[str] = ()) -> EntryAction:
        """`valid`: the actions to choose from."""
        which = message.WhichOneof("type")
        match which:
            case "action":
                return self.decode(message.action, place, valid)
            case "action_profile_member_id":
                return MemberRef(message.action_profile_member_id)
            case "action_profile_group_id":
                return GroupRef(message.action_profile_group_id)
            case "action_profile_action_set":
                return self._decode_set(message.action_profile_action_set, place)
            case None:
                raise invalid(
                    f"{place}: the action is empty; set an action, a member, a group or a one-shot set"
                )
            case _:
                assert_never(which)

    def _decode_set(self, message: p4r.ActionProfileActionSet, place: str) -> ActionSet:
        if message.action_selection_mode not in _MODES:
            raise invalid(
                f"{place}: action_selection_mode {message.action_selection_mode} is not one of P4Runtime's "
                "three"
            )
        if message.size_semantics not in _SIZES:
            raise invalid(f"{place}: size_semantics {message.size_semantics} is not one of P4Runtime's three")
        return ActionSet(
            tuple(
                WeightedAction(self.decode(one.action, place), one.weight, decode_watch(one, place))
                for one in message.action_profile_actions
            ),
            _MODES[message.action_selection_mode],
            _SIZES[message.size_semantics],
        )

    def encode_entry(self, action: EntryAction) -> p4r.TableAction | None:
        match action:
            case ActionCall():
                call = self.encode(action)
                return None if call is None else p4r.TableAction(action=call)
            case MemberRef(number):
                return p4r.TableAction(action_profile_member_id=number)
            case GroupRef(number):
                return p4r.TableAction(action_profile_group_id=number)
            case ActionSet(actions, random, sizes):
                message = p4r.TableAction()
                chosen = message.action_profile_action_set
                if random:
                    chosen.action_selection_mode = p4r.ActionProfileActionSet.RANDOM
                chosen.size_semantics = next(n for n, name in _SIZES.items() if name == sizes)
                for weighted in actions:
                    one = chosen.action_profile_actions.add(weight=weighted.weight)
                    call = self.encode(weighted.call)
                    if call is not None:
                        one.action.CopyFrom(call)
                    if weighted.watch_port is not None:
                        one.watch_port = shortest(weighted.watch_port)
                return message
            case _:
                assert_never(action)


def decode_watch(message: p4r.ActionProfileAction | p4r.ActionProfileGroup.Member, place: str) -> int | None:
    """The watch port of a member; the deprecated `watch` number is taken too, 0 meaning none."""
    match message.WhichOneof("watch_kind"):
        case "watch_port":
            return (
                unsigned(message.watch_port, _PORT_WIDTH, f"{place}, watch_port")
                if message.watch_port
                else None
            )
        case "watch" if message.watch < 0:
            raise invalid(f"{place}: watch {message.watch} is negative")
        case "watch":
            return message.watch or None
        case _:
            return None
