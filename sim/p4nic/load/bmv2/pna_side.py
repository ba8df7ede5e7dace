"""The side file of a PNA program: what p4c-bm2-pna leaves out of its JSON about expiry.

    {"p4nic": "pna", "tables": {"Main.flows": {"idle_timeout": "AUTO_DELETE", "timeouts": [10, 60]}}}

`idle_timeout` is the table property pna_idle_timeout, `timeouts` are seconds by expiry profile, 0 for never.
In: the text of the file. Out: a `Timers` per table. Called by `load.artifact`; `bmv2.pna` applies it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal, final

from p4nic.load.bmv2.tree import Node, parse_text

IdleTimeout = Literal["NO_TIMEOUT", "NOTIFY_CONTROL", "AUTO_DELETE"]
MAX_PROFILES = 256
MAX_SECONDS = (1 << 31) - 1


@final
@dataclass(frozen=True, slots=True)
class Timers:
    """What is told of one table; None and () where nothing is."""

    idle_timeout: IdleTimeout | None = None
    timeouts: tuple[int, ...] = ()


def is_side(document: object) -> bool:
    """Is this JSON document a side file?"""
    return isinstance(document, dict) and document.get("p4nic") == "pna"


def read_side(text: str, name: str) -> dict[str, Timers]:
    """By table name; raises ArtifactError for anything that is not as described above."""
    root = parse_text(text, name)
    if not is_side(root.value):
        raise root.fail('a side file of a PNA program starts with {"p4nic": "pna"}.')
    _only(root, "p4nic", "tables")
    return {table: _timers(node) for table, node in root.get("tables").members()}


def _timers(node: Node) -> Timers:
    _only(node, "idle_timeout", "timeouts")
    timeouts = node.items("timeouts")
    if len(timeouts) > MAX_PROFILES:
        raise node.get("timeouts").wrong(f"at most {MAX_PROFILES} times")
    kind = node.opt("idle_timeout")
    return Timers(
        None if kind is None else _idle_timeout(kind), tuple(t.integer(0, MAX_SECONDS) for t in timeouts)
    )


def _idle_timeout(node: Node) -> IdleTimeout:
    match node.text():
        case "NO_TIMEOUT":
            return "NO_TIMEOUT"
        case "NOTIFY_CONTROL":
            return "NOTIFY_CONTROL"
        case "AUTO_DELETE":
            return "AUTO_DELETE"
        case _:
            raise node.wrong("'NO_TIMEOUT', 'NOTIFY_CONTROL' or 'AUTO_DELETE'")


def _only(node: Node, *known: str) -> None:
    for key, _ in node.members():
        if key not in known:
            raise node.fail(f"the key {json.dumps(key)} is unknown; p4nic knows {', '.join(known)}.")
