"""Members and groups of action profiles (P4Runtime 1.5 §9.2).

In: ActionProfileMember, ActionProfileGroup. Out: Member, Group, and back.
"""

from __future__ import annotations

from p4nic.load.p4info import P4Info
from p4nic.server.codec.action import Actions, decode_watch
from p4nic.server.codec.names import by_id
from p4nic.server.codec.scalar import shortest
from p4nic.target.entities import Group, GroupMember, Member, Operation
from p4rt import p4r


def decode_member(
    info: P4Info, actions: Actions, operation: Operation, message: p4r.ActionProfileMember
) -> Member:
    name = profile_name(info, message.action_profile_id)
    if operation == "delete" or not message.HasField("action"):
        return Member(name, message.member_id)
    place = f"action profile {name}, member {message.member_id}"
    return Member(name, message.member_id, actions.decode(message.action, place))


def encode_member(info: P4Info, actions: Actions, member: Member) -> p4r.ActionProfileMember:
    return p4r.ActionProfileMember(
        action_profile_id=info.profiles[member.profile].id,
        member_id=member.member_id,
        action=actions.encode(member.call) if member.call is not None else None,
    )


def decode_group(info: P4Info, operation: Operation, message: p4r.ActionProfileGroup) -> Group:
    name = profile_name(info, message.action_profile_id)
    if operation == "delete":
        return Group(name, message.group_id)
    place = f"action profile {name}, group {message.group_id}"
    members = tuple(GroupMember(m.member_id, m.weight, decode_watch(m, place)) for m in message.members)
    return Group(name, message.group_id, members, message.max_size)


def encode_group(info: P4Info, group: Group) -> p4r.ActionProfileGroup:
    message = p4r.ActionProfileGroup(
        action_profile_id=info.profiles[group.profile].id, group_id=group.group_id, max_size=group.max_size
    )
    for member in group.members:
        one = message.members.add(member_id=member.member_id, weight=member.weight)
        if member.watch_port is not None:
            one.watch_port = shortest(member.watch_port)
    return message


def profile_name(info: P4Info, number: int) -> str:
    return by_id(info, "action profile", number, info.profiles.by_id, info.profiles).name
