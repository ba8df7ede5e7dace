"""A router's routes and traffic: prefixes of such lengths, and as near to each other, as in tables of the
Internet.

In: how many. Out: entries of `benchmarks/programs/routes.p4`, frames to random addresses behind random
routes. Called by the workloads lpm and lpm-ipv6.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import final

from p4nic.backend.api import Entry
from p4nic.bench import programs
from p4nic.bench.api import Options, Progress, Result
from p4nic.bench.lb import ACK, MAC_A, MAC_B, frame_lengths, tcp_frame
from p4nic.bench.peers import NO_FLOOR, engines
from p4nic.bench.traffic import BURST, Traffic
from p4nic.bits import prefix_mask
from p4nic.ir.program import Lpm, Program

Route = tuple[int, int]
"""(prefix, length)"""

UNFIT = {**NO_FLOOR, "swx": "DPDK looks prefixes up in its packet classifier, which does not hold so many"}


@final
@dataclass(frozen=True, slots=True)
class Family:
    """IPv4 or IPv6. `shares`: lengths of prefixes, how many of them in a hundred; `block`: the bits that
    neighbours have in common, `neighbours` of them in each."""

    table: str
    width: int
    first: tuple[int, int]
    block: int
    neighbours: int
    shares: Mapping[int, float]


IPV4 = Family(
    "Main.routes4", 32, (1, 223), 16, 20,
    {24: 59.5, 23: 10, 22: 12, 21: 5.5, 20: 4.7, 19: 2.6, 18: 1.5, 17: 1, 16: 1.6, 15: 0.3, 14: 0.2, 13: 0.1,
     12: 0.1, 11: 0.1, 10: 0.1, 8: 0.1, 25: 0.2, 27: 0.2, 32: 0.2},
)  # fmt: skip
IPV6 = Family(
    "Main.routes6", 128, (0x20, 0x2A), 32, 8,
    {48: 47, 32: 12, 44: 8.5, 40: 8, 36: 5, 46: 3.5, 47: 3.5, 29: 3, 45: 2, 42: 2, 38: 1.5, 34: 1, 33: 1,
     64: 1, 56: 0.5, 128: 0.5},
)  # fmt: skip


def routes(family: Family, count: int) -> list[Route]:
    """`count` prefixes, none twice, and the default route."""
    draw = random.Random(1)
    lengths, shares = list(family.shares), list(family.shares.values())
    low, high = (end << (family.width - 8) for end in family.first)
    blocks = [draw.randrange(low, high) for _ in range(count // family.neighbours + 1)]
    blocks = [block & prefix_mask(family.width, family.block) for block in blocks]
    found: dict[Route, None] = {(0, 0): None}
    while len(found) < count:
        (length,) = draw.choices(lengths, shares)
        inside = draw.getrandbits(family.width) & ~prefix_mask(family.width, family.block)
        prefix = (draw.choice(blocks) | inside) & prefix_mask(family.width, length)
        found[prefix, length] = None
    return list(found)


def destinations(family: Family, known: list[Route], count: int) -> Iterator[int]:
    """Random addresses, each behind a random route."""
    draw = random.Random(2)
    for _ in range(count):
        prefix, length = draw.choice(known)
        yield prefix | draw.getrandbits(family.width) & ~prefix_mask(family.width, length)


def frame(family: Family, address: int, length: int) -> bytes:
    """To that address."""
    if family is IPV4:
        return tcp_frame(0x0A000001, address, 1024, 80, ACK, length)
    payload = length - 54
    head = struct.pack(">IHBB", 6 << 28, payload, 59, 64) + bytes(16) + address.to_bytes(16, "big")
    macs = MAC_B.to_bytes(6, "big") + MAC_A.to_bytes(6, "big")
    return macs + b"\x86\xdd" + head + bytes(payload)


def entries(program: Program, family: Family, known: list[Route]) -> Iterator[Entry]:
    """The routes, all by one port."""
    for prefix, length in known:
        yield programs.entry(program, family.table, "Main.to_port", 1, dst=Lpm(prefix, length))


def run(name: str, family: Family, default: int, options: Options, progress: Progress) -> Result:
    """Mpps of each engine; `--rules` routes, `--flows` addresses taken in turn."""
    count = options.rules or default
    flows = max((options.flows or 262_144) // BURST, 1) * BURST
    program = programs.load("routes")
    known = routes(family, count)
    lengths = frame_lengths(options.frame_size)
    progress(f"{len(known)} routes, {flows} addresses")
    traffic = Traffic.of(
        (0, frame(family, address, lengths[at % len(lengths)]))
        for at, address in enumerate(destinations(family, known, flows))
    )
    made = entries(program, family, known)
    with engines(options, program, made, 0, {}, progress, unfit=UNFIT) as found:
        measured = found.measure(traffic, options, progress)
    parameters = {
        "rules": len(known), "flows": flows, "frame_size": options.frame_size, "workers": options.workers
    }  # fmt: skip
    return Result.of(name, found, measured, parameters)
