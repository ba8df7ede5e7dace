"""What is run on every engine: table entries, then packets, each at its time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from p4nic.target.entities import Entity, Operation

Update = tuple[Operation, Entity]


@final
@dataclass(frozen=True, slots=True)
class Packet:
    """A frame that arrives; `time_ns` since the start, never falling."""

    time_ns: int
    port: int
    frame: bytes


@final
@dataclass(frozen=True, slots=True)
class Scenario:
    """Updates in the order they are written, packets in the order they arrive."""

    updates: tuple[Update, ...]
    packets: tuple[Packet, ...]
