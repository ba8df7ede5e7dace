"""A capability profile: what a target computes, lacks and does differently, each with its evidence.

    hash:                       # of the 5-tuple, for Maglev's bucket, the clash port and the tunnel's entropy
      function: v1model         # pna: CRC-32C, initial value 0, not inverted, fields little-endian
      evidence: a sentence      # v1model: CRC-32 (IEEE 802.3), fields big-endian
    lacks:
      idle_notification: {reason: a sentence, evidence: a sentence}
    differs:
      timer_granularity_s: {value: 1.7, reason: a sentence, evidence: a sentence}

In: a file of testbeds/profiles/. Out: a Profile. Called by `testbed`. Names: `capabilities`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.capabilities import CAPABILITIES, DIFFERENCES
from harness.yaml_file import mapping, only, read_yaml, sentence
from lbctl.hashing import Target


@dataclass(frozen=True, slots=True)
class Finding:
    """Why something is so on a target, and what shows it. `value`: of a difference."""

    reason: str
    evidence: str
    value: bool | float = True


@dataclass(frozen=True, slots=True)
class Profile:
    """What suites may ask about a target."""

    hash: Target
    hash_evidence: str = ""
    lacks: Mapping[str, Finding] = field(default_factory=dict)
    differs: Mapping[str, Finding] = field(default_factory=dict)

    def without(self, capability: str, reason: str, evidence: str) -> Profile:
        """This profile, with one capability less."""
        return replace(self, lacks={**self.lacks, capability: Finding(reason, evidence)})

    def timer_granularity_s(self) -> float:
        """How much earlier or later than its timeout an idle entry may go; tests widen by it."""
        found = self.differs.get("timer_granularity_s")
        return float(found.value) if found is not None else 0.0

    def burst_frames(self) -> int | None:
        """How many frames the target surely takes back to back; None: as many as a test sends."""
        found = self.differs.get("burst_frames")
        return int(found.value) if found is not None else None

    def has(self, difference: str) -> bool:
        """Whether the target differs so."""
        found = self.differs.get(difference)
        return found is not None and bool(found.value)


def load_profile(path: Path) -> Profile:
    """Read a profile. Raises ValueError with one sentence."""
    body = read_yaml(path, "profile")
    only(body, {"hash", "lacks", "differs"}, str(path))
    declared = mapping(body.get("hash"), f"{path}: hash")
    only(declared, {"function", "evidence"}, f"{path}: hash")
    functions = [target.value for target in Target]
    if declared.get("function") not in functions:
        raise ValueError(
            f"{path}: hash.function is {declared.get('function')!r}; write one of {', '.join(functions)}"
        )
    return Profile(
        hash=Target(declared["function"]),
        hash_evidence=sentence(declared.get("evidence"), f"{path}: hash.evidence"),
        lacks=_findings(body.get("lacks"), CAPABILITIES, f"{path}: lacks", "capability", ()),
        differs=_findings(body.get("differs"), DIFFERENCES, f"{path}: differs", "difference", ("value",)),
    )


def _findings(
    body: Any, known: Mapping[str, object], where: str, noun: str, more: tuple[str, ...]
) -> dict[str, Finding]:
    found = {}
    for name, told in mapping(body, where).items():
        if name not in known:
            raise ValueError(f"{where}: there is no {noun} {name!r}; choose one of {', '.join(known)}")
        at = f"{where}.{name}"
        told = mapping(told, at)
        only(told, {"reason", "evidence", *more}, at)
        value = told.get("value", True)
        if more and not _fits(value, DIFFERENCES[name]):
            wanted = "true or false" if DIFFERENCES[name] is bool else "a number, 0 or more"
            raise ValueError(f"{at}: the value is {value!r}; write {wanted}")
        found[name] = Finding(
            sentence(told.get("reason"), f"{at}.reason"),
            sentence(told.get("evidence"), f"{at}.evidence"),
            value,
        )
    return found


def _fits(value: object, wanted: type) -> bool:
    if wanted is bool:
        return isinstance(value, bool)
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
