"""The artifact behind a Program, for targets that run the artifact itself: its text and its names.

Made by `load.spec`; read by `backend.swx`. Nothing else needs it: it is no part of what a Program means, so
dumps and comparisons leave it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final


@final
@dataclass(frozen=True, slots=True)
class SpecTable:
    """A table or learner of a `.spec`. `actions` maps P4 names to the copies this table uses.

    `set_member` and `set_group` are the actions that point an entry into an action profile.
    """

    name: str
    actions: Mapping[str, str]
    set_member: str | None = None
    set_group: str | None = None


@final
@dataclass(frozen=True, slots=True)
class SpecProfile:
    """An action profile: the table of its members, keyed by member id, and its selector."""

    members: SpecTable
    selector: str | None


@final
@dataclass(frozen=True, slots=True)
class SpecCounter:
    """The register arrays that hold the halves of a counter."""

    packets: str | None
    bytes: str | None


@final
@dataclass(frozen=True, slots=True)
class SpecImage:
    """The text of a `.spec`, and its names by P4 name."""

    file: str
    text: str
    tables: Mapping[str, SpecTable]
    profiles: Mapping[str, SpecProfile]
    counters: Mapping[str, SpecCounter]
    registers: Mapping[str, str]
    meters: Mapping[str, str]
