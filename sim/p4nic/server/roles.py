"""What a role may do: the role configuration scheme (P4Runtime 1.5 §5.2 leaves it to client and server).

In: `role.config` as a client sent it. Out: RoleRules. Called by `sessions`, `notifications` and the service.

The scheme is Stratum's `P4RoleConfig`, because clients can send it already: lists of P4Info ids the role
writes alone or shares, whether it receives packet-ins and which, whether it may push a pipeline. No config:
everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import final

from google.protobuf import any_pb2
from google.protobuf.message import DecodeError

from p4nic.errors import ErrorKind, StateError
from p4nic.server.arbitration import ArbitrationRefused
from p4rt import p4r, stratum_role


@final
@dataclass(frozen=True, slots=True)
class RoleRules:
    """`ids` None: the role has no configuration and may do everything."""

    name: str
    ids: frozenset[int] | None = None
    exclusive: frozenset[int] = frozenset()
    packet_ins: bool = True
    packet_in_filter: tuple[int, bytes] | None = None
    pushes_pipeline: bool = True

    def sees(self, number: int) -> bool:
        """Whether the object with this P4Info id is in the role's scope."""
        return self.ids is None or number in self.ids

    def wants(self, packet: p4r.PacketIn) -> bool:
        if self.packet_in_filter is None:
            return self.packet_ins
        metadata_id, value = self.packet_in_filter
        return self.packet_ins and any(
            m.metadata_id == metadata_id and m.value == value for m in packet.metadata
        )


@lru_cache(maxsize=1024)
def role_rules(name: str, config: bytes) -> RoleRules:
    """From a serialized Any, b"" for none; ArbitrationRefused INVALID_ARGUMENT for another scheme."""
    if not config:
        return RoleRules(name)
    packed = any_pb2.Any.FromString(config)
    message = stratum_role.P4RoleConfig()
    try:
        understood = packed.Unpack(message)
    except DecodeError:
        understood = False
    if not understood:
        raise ArbitrationRefused(
            ErrorKind.INVALID_ARGUMENT,
            f"role {name!r}: role.config is {packed.type_url or 'without a type'}; p4nic takes "
            "stratum.P4RoleConfig",
        )
    wanted = message.packet_in_filter
    return RoleRules(
        name,
        frozenset([*message.exclusive_p4_ids, *message.shared_p4_ids]),
        frozenset(message.exclusive_p4_ids),
        message.receives_packet_ins,
        (wanted.metadata_id, wanted.value) if wanted.metadata_id else None,
        message.can_push_pipeline,
    )


def check_overlap(rules: RoleRules, others: Iterable[RoleRules]) -> None:
    """ArbitrationRefused if the role claims alone what another role may write, or the other way round."""
    for other in others:
        clash = (rules.exclusive & (other.ids or frozenset())) | (
            other.exclusive & (rules.ids or frozenset())
        )
        if other.name != rules.name and clash:
            raise ArbitrationRefused(
                ErrorKind.INVALID_ARGUMENT,
                f"role {rules.name!r}: P4Info id {min(clash)} is exclusive, but role "
                f"{other.name!r} has it too",
            )


def may_write(rules: RoleRules, others: Iterable[RoleRules], entity: p4r.Entity) -> StateError | None:
    """None, or why the role may not write this entity (§12: PERMISSION_DENIED)."""
    number = object_id(entity)
    if number is None:
        if rules.ids is None:
            return None
        return _denied(
            f"role {rules.name!r} has a list of P4Info ids; multicast groups and clone sessions have none"
        )
    if not number:
        return None  # the codec says better what is wrong
    if not rules.sees(number):
        return _denied(f"role {rules.name!r} may not write the object with P4Info id {number}")
    for other in others:
        if other.name != rules.name and number in other.exclusive:
            return _denied(f"the object with P4Info id {number} belongs to role {other.name!r} alone")
    return None


def _denied(sentence: str) -> StateError:
    return StateError(ErrorKind.PERMISSION_DENIED, sentence)


def object_id(entity: p4r.Entity) -> int | None:
    """The P4Info id an entity is about; None for those that have none."""
    match entity.WhichOneof("entity"):
        case "table_entry":
            return entity.table_entry.table_id
        case "direct_counter_entry":
            return entity.direct_counter_entry.table_entry.table_id
        case "direct_meter_entry":
            return entity.direct_meter_entry.table_entry.table_id
        case "action_profile_member":
            return entity.action_profile_member.action_profile_id
        case "action_profile_group":
            return entity.action_profile_group.action_profile_id
        case "counter_entry":
            return entity.counter_entry.counter_id
        case "meter_entry":
            return entity.meter_entry.meter_id
        case "register_entry":
            return entity.register_entry.register_id
        case "value_set_entry":
            return entity.value_set_entry.value_set_id
        case "digest_entry":
            return entity.digest_entry.digest_id
        case "packet_replication_engine_entry":
            return None
        case _:
            return 0
