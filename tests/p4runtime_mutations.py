"""Damaged P4Runtime messages: valid ones with a field changed, removed, repeated or given an extreme value.

The mutations follow the protobuf descriptors, so that most of the damage gets past the parser and reaches
the server's own checks. Everything is drawn from one `random.Random`: a seed is a reproducer.
"""

from __future__ import annotations

from random import Random
from typing import Any, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_NUMBERS = (
    0,
    1,
    2,
    3,
    5,
    255,
    256,
    511,
    512,
    1 << 16,
    (1 << 31) - 1,
    (1 << 32) - 1,
    (1 << 63) - 1,
    -1,
    -(1 << 31),
)
_BYTES = (b"", b"\0", b"\1", b"\xff", b"\xff\xff", b"\0\0\1", b"\xff" * 4, b"\xff" * 6, b"x" * 40)
_RANGES = {
    FieldDescriptor.CPPTYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, (1 << 32) - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, (1 << 64) - 1),
    FieldDescriptor.CPPTYPE_ENUM: (0, 9),
}


def mutate(message: Message, random: Random) -> None:
    """Damage one field somewhere in the message, in place."""
    target = message
    while True:
        inner = [child for child in _children(target) if child.DESCRIPTOR.full_name != "google.protobuf.Any"]
        if not inner or random.random() < 0.25:
            break
        target = random.choice(inner)
    fields: list[FieldDescriptor] = list(cast(Any, target.DESCRIPTOR.fields))
    if fields:
        _damage(target, random.choice(fields), random)


def _children(message: Message) -> list[Message]:
    found: list[Message] = []
    for field, value in message.ListFields():
        if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            found += list(value) if field.is_repeated else [value]
    return found


def _damage(message: Any, field: FieldDescriptor, random: Random) -> None:
    if random.random() < 0.2:
        message.ClearField(field.name)
    elif field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
        _damage_message(message, field, random)
    elif field.is_repeated:
        getattr(message, field.name).append(_scalar(field, random))
    else:
        setattr(message, field.name, _scalar(field, random))


def _damage_message(message: Any, field: FieldDescriptor, random: Random) -> None:
    if not field.is_repeated:
        getattr(message, field.name).SetInParent()
        return
    values = getattr(message, field.name)
    if values and random.random() < 0.5:
        values.add().CopyFrom(random.choice(list(values)))
    elif values and random.random() < 0.5:
        del values[random.randrange(len(values))]
    else:
        values.add()


def _scalar(field: FieldDescriptor, random: Random) -> object:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return random.random() < 0.5
        case FieldDescriptor.CPPTYPE_STRING:
            if field.type == FieldDescriptor.TYPE_BYTES:
                return random.choice(_BYTES)
            return random.choice(("", "x", "Switch.l2"))
        case _:
            low, high = _RANGES[field.cpp_type]
            return max(low, min(high, random.choice(_NUMBERS)))


def damage_bytes(data: bytes, random: Random) -> bytes:
    """Some bytes changed, removed or repeated, or the end cut off."""
    damaged = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 5))):
        at = random.randrange(len(damaged) or 1)
        match random.randrange(4):
            case 0:
                damaged[at : at + 1] = bytes([random.randrange(256)])
            case 1:
                del damaged[at : at + random.choice((1, 1, 3, 40))]
            case 2:
                damaged[at:at] = damaged[at : at + random.choice((1, 4, 30))]
            case _:
                del damaged[at if random.random() < 0.2 else len(damaged) :]
    return bytes(damaged)
