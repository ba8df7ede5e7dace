"""A router as in `lpm`, for IPv6."""

from __future__ import annotations

from p4nic.bench import routing
from p4nic.bench.api import Options, Progress, Result

NAME = "lpm-ipv6"
ABOUT = "longest prefix match, IPv6 (--rules: routes, 100,000; --flows: addresses, 262,144)"


def run(options: Options, progress: Progress) -> Result:
    """Mpps of each engine."""
    return routing.run(NAME, routing.IPV6, 100_000, options, progress)
