"""What the conformance run counts. Out of `jobs`; into `report`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

Verdict = Literal["passed", "failed", "known", "not applicable"]


@final
@dataclass(frozen=True, slots=True)
class Result:
    """One check of one program. `known`: it fails, and `known.py` says why that is right.

    `engine` is "" where no engine runs. `reason` is one sentence for everything but "passed"; `group` is what
    the page calls it where many share a reason. `seconds` of running, compilation left out.
    """

    suite: str
    name: str
    engine: str
    verdict: Verdict
    reason: str = ""
    group: str = ""
    seconds: float = 0.0
