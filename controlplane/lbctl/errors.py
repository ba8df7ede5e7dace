"""Every error lbctl raises on purpose, in one tree.

    LbctlError
    ├── ManifestError     a manifest or node file we cannot take: names file, kind, name, way out
    ├── UsageError        a flag or argument of the command line
    ├── PlanError         inputs that are fine one by one and do not fit together or into the switch
    └── SwitchError       the P4Runtime target: `.kind` says whether a retry can help

Each message is one sentence for a person; callers ask the type or `.kind`, nobody parses text.
"""

from __future__ import annotations

from enum import Enum
from typing import final


class LbctlError(Exception):
    """Base of all errors meant for a person; str() is the one sentence."""


@final
class ManifestError(LbctlError):
    """A manifest or node file that cannot be used as given."""


@final
class UsageError(LbctlError):
    """A command-line argument that cannot be used as given."""


@final
class PlanError(LbctlError):
    """The objects do not fit the node file, the id space or the target's tables."""


class SwitchErrorKind(Enum):
    """What the caller may do about a SwitchError."""

    UNAVAILABLE = "unavailable"  # not reachable now: retry with backoff, then read back
    NOT_PRIMARY = "not primary"  # another controller has the higher election id
    NO_PIPELINE = "no pipeline"  # nothing loaded, or not this program
    REJECTED = "rejected"  # the switch refused an update for good; it was rolled back


@final
class SwitchError(LbctlError):
    """The target could not be reached, or refused."""

    def __init__(self, kind: SwitchErrorKind, message: str) -> None:
        self.kind = kind
        super().__init__(message)
