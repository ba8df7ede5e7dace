"""What a target may lack. A testbed file lists what it lacks and why; a suite names what it needs.

In: `lacks` of a testbed file. Out: the reasons, for `LbTest.requires` and `LbTest.can`. A test never asks
which target it runs on.
"""

from __future__ import annotations

from collections.abc import Mapping

CAPABILITIES: Mapping[str, str] = {
    "virtual_time": "time stands still until a test advances it; `drain` says when all frames are through",
    "private_target": "a test may start a target of its own with other options",
    "data_plane_learning": "a flow is pinned when its first packet has left, before the next is looked at",
    "runt_frames": "frames shorter than an Ethernet header can be put into a port",
    "length_checks": "a frame shorter than its headers say is dropped and counted as `truncated`",
    "counts_short_headers": "a frame that ends inside a header is counted by reason, not only dropped",
}


def check(lacks: Mapping[str, str], where: str) -> dict[str, str]:
    """`lacks`, if every name is known and every reason is a sentence. Raises ValueError."""
    for name, reason in lacks.items():
        if name not in CAPABILITIES:
            known = ", ".join(CAPABILITIES)
            raise ValueError(f"{where}: there is no capability {name!r}; choose one of {known}")
        if len(str(reason).split()) < 3:
            raise ValueError(f"{where}: say in a sentence why {name} is lacking, not {reason!r}")
    return dict(lacks)
