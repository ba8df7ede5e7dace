"""A testbed's target, running: started here, or already there.

In: a Testbed. Out: Running, which `environment` works with; as text (P4NIC_RUNNING) for the ptf command,
which is a process of its own. Called by `environment`, `run_ptf` and `p4nic_platform`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import assert_never

from harness.bmv2_process import Bmv2Process
from harness.profile import Profile
from harness.target_process import TargetProcess
from harness.testbed import ARTIFACTS, REPOSITORY, Testbed, Tls
from harness.topology import PORTS, ROLES

VARIABLE = "P4NIC_RUNNING"
VETH_VARIABLE = "P4NIC_VETH"
_BMV2_PIPELINE = (REPOSITORY / ARTIFACTS["json"][2], REPOSITORY / ARTIFACTS["json"][0])


@dataclass(frozen=True, slots=True)
class Running:
    """Where a target listens. `interfaces`, `device_ports`: by the suites' port number."""

    address: str
    interfaces: Mapping[int, str]
    device_id: int = 1
    device_ports: Mapping[int, int] = field(default_factory=lambda: {number: number for number in PORTS})
    tls: Tls | None = None
    pipeline: tuple[Path, Path] | None = None
    process: TargetProcess | Bmv2Process | None = None


def start(testbed: Testbed, options: Sequence[str] = (), veths: Mapping[int, str] | None = None) -> Running:
    """Start the target, or say where it is. `veths`: the ends `p4nic serve` shall use. Raises TargetError."""
    match testbed.kind:
        case "builtin" | "swx":
            arguments = (*testbed.launch, *testbed.options, *options)
            served = TargetProcess(arguments, PORTS, veths, testbed.timeouts.start)
            return Running(served.address, served.ports, process=served)
        case "bmv2":
            switch = Bmv2Process(testbed.options, PORTS, testbed.timeouts.start)
            return Running(switch.address, switch.ports, pipeline=_BMV2_PIPELINE, process=switch)
        case "p4runtime":
            assert testbed.device is not None
            return Running(
                testbed.device.address,
                {ROLES[role]: bound.interface for role, bound in testbed.ports.items()},
                testbed.device.device_id,
                {ROLES[role]: bound.port for role, bound in testbed.ports.items()},
                testbed.device.tls,
                testbed.device.pipeline,
            )
        case _:
            assert_never(testbed.kind)


def profile_of(testbed: Testbed) -> Profile:
    """The testbed's profile, less what the way to its ports takes away."""
    if os.environ.get(VETH_VARIABLE) is None:
        return testbed.profile
    return testbed.profile.without(
        "runt_frames",
        "The kernel takes no frame shorter than an Ethernet header.",
        "send() on an AF_PACKET socket over veth ends with EINVAL for 13 bytes",
    )


def to_text(running: Running, interfaces: Mapping[int, str]) -> str:
    """What another process needs to use a target that was started here."""
    return json.dumps({"address": running.address, "interfaces": dict(interfaces)})


def from_environment(testbed: Testbed) -> Running | None:
    """The target P4NIC_RUNNING tells of, or None."""
    text = os.environ.get(VARIABLE)
    if text is None:
        return None
    told = json.loads(text)
    interfaces = {int(number): str(name) for number, name in told["interfaces"].items()}
    pipeline = _BMV2_PIPELINE if testbed.kind == "bmv2" else None
    return Running(told["address"], interfaces, pipeline=pipeline)
