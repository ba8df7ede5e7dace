"""A testbed: which target, how to reach it, what it lacks. Read from a YAML file; the keys are below.

    name: spec                          # shown in test names
    hash: pna                           # which of lbctl's hashes the artifact computes: pna | v1model
    launch: [pipeline/build/k8s_lb.spec, ...]   # arguments of `p4nic serve`, unless it runs already
    p4runtime: 127.0.0.1:9559           # where it listens, if it runs already
    device_id: 1
    ports: {0: "unix:/run/p0", 1: veth1, ...}   # the suites' end of each port, if it runs already
    lacks: {capability: reason}

In: a path. Out: a Testbed. Called by `conftest.py`, `run_ptf.py`, and `environment` (file named by
P4NIC_TESTBED).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from harness.capabilities import check
from lbctl.hashing import Target

FOLDER = Path(__file__).resolve().parents[1] / "testbeds"
REPOSITORY = FOLDER.parents[1]
_KEYS = {"name", "hash", "launch", "p4runtime", "device_id", "ports", "lacks"}


@dataclass(frozen=True, slots=True)
class Testbed:
    """See the module's docstring for the fields."""

    __test__ = False  # its name begins with Test, and pytest collects such classes

    name: str
    target: Target
    launch: tuple[str, ...] = ()
    p4runtime: str | None = None
    device_id: int = 1
    ports: Mapping[int, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)


def load_testbed(path: Path) -> Testbed:
    """Read a testbed file. Raises ValueError with one sentence."""
    body: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    unknown = sorted(set(body) - _KEYS)
    if unknown:
        raise ValueError(f"{path}: unknown key {unknown[0]!r}; write one of {', '.join(sorted(_KEYS))}")
    if not body.get("launch") and not (body.get("p4runtime") and body.get("ports")):
        raise ValueError(f"{path}: give `launch`, or `p4runtime` and `ports` of a target that runs already")
    return Testbed(
        name=body["name"],
        target=Target(body["hash"]),
        launch=tuple(body.get("launch") or ()),
        p4runtime=body.get("p4runtime"),
        device_id=body.get("device_id", 1),
        ports={int(number): str(interface) for number, interface in (body.get("ports") or {}).items()},
        lacks=check(body.get("lacks") or {}, str(path)),
    )


def shipped_testbeds() -> list[Testbed]:
    """The targets the suites run on unless told otherwise: one file each in testbeds/."""
    return [load_testbed(path) for path in sorted(FOLDER.glob("p4nic_*.yaml"))]
