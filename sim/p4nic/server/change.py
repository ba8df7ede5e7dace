"""One update of a Write, understood: what the codec hands to the writer.

Out of: `codec`. Into: `writer`, which applies `steps` through `Tables.batch`, digest settings through
`Digests`, and keeps `note` when the update was accepted.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import final

from p4nic.target.entities import Entity, EntryKey, Operation


@final
@dataclass(frozen=True, slots=True)
class DigestSettings:
    """How lists of one digest are sent (P4Runtime 1.5 §9.10). 0 means: at once, unlimited, no memory of what
    was sent.
    """

    max_timeout_ns: int = 0
    max_list_size: int = 0
    ack_timeout_ns: int = 0


@final
@dataclass(frozen=True, slots=True)
class DigestChange:
    """Switch a digest on (insert), change how it is sent (modify) or switch it off (delete)."""

    operation: Operation
    digest: str
    settings: DigestSettings


@final
@dataclass(frozen=True, slots=True)
class Note:
    """What P4Runtime wants read back and the target has no use for; `value` None forgets it."""

    key: Hashable
    value: bytes | None


@final
@dataclass(frozen=True, slots=True)
class Change:
    """`steps` happen together. `must_exist`: an update that only asks whether the entry is there."""

    steps: tuple[tuple[Operation, Entity], ...] = ()
    digest: DigestChange | None = None
    must_exist: EntryKey | None = None
    note: Note | None = None
