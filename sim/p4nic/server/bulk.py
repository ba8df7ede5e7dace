"""The bulk path of Write: a request of plain table entries goes to the tables as rows, all of it or nothing.

In: the bytes of a WriteRequest. Out: whether it is done. Called by the service before anything else. What is
not done here, errors above all, is the general path's: this one never says what is wrong with an update.
docs/decisions/p4runtime-bulk.md has the reasons and the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from p4nic.server.forwarding import Forwarding
from p4nic.server.roles import RoleRules
from p4nic.server.wire import DecodedWrite
from p4nic.server.writer import ATOMICITIES

Decoded = tuple[Forwarding, DecodedWrite]


def decode(active: Callable[[], Forwarding], request: bytes) -> Decoded | None:
    """Before any lock is taken: None if the general path has to look at the request."""
    forwarding = active()
    wire = forwarding.wire()
    decoded = wire.decode(request) if wire is not None else None
    if decoded is None or decoded.head.atomicity not in ATOMICITIES:
        return None
    return forwarding, decoded


def write(decoded: Decoded, active: Forwarding, rules: RoleRules, others: Iterable[RoleRules]) -> bool:
    """The caller keeps other Writes out and has seen to device, role and primary."""
    forwarding, request = decoded
    if forwarding is not active or forwarding.replay is not None:
        return False  # a pipeline came in between; or one is saved, and takes notes of what is written
    if rules.ids is not None or any(other.exclusive for other in others):
        return False
    return forwarding.tables().rows.write(request.rows)
