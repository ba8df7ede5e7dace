"""A router: the longest of many IPv4 prefixes for each packet, to random addresses, more of them than any
worker remembers."""

from __future__ import annotations

from p4nic.bench import routing
from p4nic.bench.api import Options, Progress, Result

NAME = "lpm"
ABOUT = "longest prefix match, IPv4 (--rules: routes, 10,000; --flows: addresses, 262,144)"


def run(options: Options, progress: Progress) -> Result:
    """Mpps of each engine."""
    return routing.run(NAME, routing.IPV4, 10_000, options, progress)
