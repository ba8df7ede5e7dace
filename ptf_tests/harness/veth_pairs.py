"""Pairs of virtual interfaces, for runs through the kernel's network stack (root).

In: port numbers. Out: number -> (the target's end, the suites' end). Called by `run_ptf`.
"""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_serial = itertools.count()


@contextmanager
def veth_pairs(numbers: Sequence[int]) -> Iterator[dict[int, tuple[str, str]]]:
    """Make one pair for each port and remove them at the end. Raises RuntimeError with what `ip` said."""
    tag = f"{os.getpid() % 100_000}{next(_serial)}"
    pairs = {number: (f"pt{tag}-{number}", f"pp{tag}-{number}") for number in numbers}
    made: list[str] = []
    try:
        for ours, theirs in pairs.values():
            _ip("link", "add", ours, "type", "veth", "peer", "name", theirs)
            made.append(ours)
            for name in (ours, theirs):
                # A kernel that speaks IPv6 on the link would send frames no test expects.
                _quiet(name)
                _ip("link", "set", name, "mtu", "9000", "up")
        yield pairs
    finally:
        for name in made:
            _ip("link", "del", name)


def _quiet(name: str) -> None:
    try:
        with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "w") as file:
            file.write("1")
    except OSError:
        _ip("link", "set", name, "addrgenmode", "none")


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            f"ip {' '.join(arguments)}: {done.stderr.strip()}; veth pairs need root and iproute2"
        )
