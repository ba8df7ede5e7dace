"""What a target may lack, and what it may do differently: the words a profile and a suite share.

In: names. Out: what each means. A profile (testbeds/profiles/) says which apply to a target, each with its
reason and its evidence; suites ask `LbTest.requires`, `can` and `differs`. A test never asks which target it
runs on.
"""

from __future__ import annotations

from collections.abc import Mapping

CAPABILITIES: Mapping[str, str] = {
    "virtual_time": "time stands still until a test advances it; `drain` says when all frames are through",
    "private_target": "a test may start a target of its own with other options",
    "data_plane_learning": "a flow is pinned when its first packet has left, before the next is looked at",
    "idle_notification": "the control plane is told of each flow entry that has been idle for its timeout",
    "runt_frames": "frames shorter than an Ethernet header can be put into a port",
    "length_checks": "a frame shorter than its headers say is dropped and counted as `truncated`",
    "drops_short_headers": "a frame that ends inside a header is dropped",
    "counts_short_headers": "a frame that ends inside a header is counted by reason, not only dropped",
}

# What a suite does with each: the docstring of the profile's accessor of that name.
DIFFERENCES: Mapping[str, type] = {
    "immediate_drop": bool,
    "reordering": bool,
    "zero_checksum_as_ffff": bool,
    "timer_granularity_s": float,
    "burst_frames": int,
}
