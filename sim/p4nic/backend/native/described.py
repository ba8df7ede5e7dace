"""What the binding must know of an emitted unit: how entries lie in memory, and what has which number.

Out of: `unit`, or the cache. Into: `pipeline`, `tables`, `rows`. Apart from the emitter, which a start from
the cache does not import.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from p4nic.backend.native.layout import Packing
from p4nic.ir.program import Program

MAX_PROFILES = 255
"""Timeouts a learner may choose from: MAX_PROFILES of p4nic_table.h."""


@final
@dataclass(frozen=True, slots=True)
class TableLayout:
    """Bytes of one table's entries: head, key, arguments, and both bounds of the key where it has ranges.
    `size` is such that an entry of up to a cache line lies in one."""

    head: int
    key: Packing
    args: int
    size: int
    ranges: tuple[int, ...]
    exact: bool


@final
@dataclass(frozen=True, slots=True)
class Unit:
    """The C text and its meaning."""

    text: str
    tables: Mapping[str, TableLayout]
    actions: Mapping[str, Packing]
    reasons: tuple[str, ...]
    messages: tuple[str, ...]


@final
class Numbers:
    """What has which number in the emitted C."""

    def __init__(self, program: Program) -> None:
        self.tables = {name: i for i, name in enumerate(program.tables)}
        self.actions = {name: i for i, name in enumerate(program.actions)}
        self.counters = {name: i for i, name in enumerate(program.counters)}
        self.meters = {name: i for i, name in enumerate(program.meters)}
        self.registers = {name: i for i, name in enumerate(program.registers)}
        self.profiles = {name: i for i, name in enumerate(program.action_profiles)}
        self.digests = {name: i for i, name in enumerate(program.digests)}
        self.value_sets = {name: i for i, name in enumerate(program.value_sets)}
