"""From a P4Info id to its object, or a sentence that says what the id is instead.

Called by `codec` and `reader` for every id a client sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from p4nic.load.p4info import P4Info
from p4nic.server.codec.scalar import invalid
from p4nic.target.checks import choices

T = TypeVar("T")


def by_id(info: P4Info, kind: str, number: int, objects: Mapping[int, T], names: Mapping[str, object]) -> T:
    """`objects[number]`; INVALID_ARGUMENT with the way out if there is none (P4Runtime 1.5 §8.1: 0 is never
    an id).
    """
    found = objects.get(number)
    if found is not None:
        return found
    if not number:
        raise invalid(f"the {kind} id is not set; {choices('', list(names))}")
    other = info.name_of(number)
    what = f"is {other}, which is no {kind}" if other is not None else "is not in the P4Info"
    raise invalid(f"{kind} id {number} {what}; {choices('', list(names))}")
