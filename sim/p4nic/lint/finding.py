"""One finding of lint. Out of the rules; into `cli.lint`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

Level = Literal["error", "warning", "note"]


@final
@dataclass(frozen=True, slots=True)
class Finding:
    """`where` is a line of the artifact or of the P4 program; the three sentences say what is there, what
    will happen on the target, and what to write instead."""

    level: Level
    rule: str
    where: str
    what: str
    effect: str
    instead: str
