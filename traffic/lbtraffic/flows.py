"""Seeded flows: the same seed gives the same 5-tuples on every machine.

Out: Flow tuples in a fixed order. Used by `__main__` and by examples; frames are made in `frames`.
"""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Iterator
from typing import NamedTuple

from lbtraffic.errors import TrafficError

PROTOCOLS = ("TCP", "UDP")


class Service(NamedTuple):
    """What a client dials: address, port, protocol name."""

    address: str
    port: int
    protocol: str


class Flow(NamedTuple):
    """One connection as the client sees it."""

    client: str
    client_port: int
    service: Service


def parse_service(text: str) -> Service:
    """`10.96.10.1:80/TCP` (the protocol defaults to TCP). Raises TrafficError."""
    address_port, _, protocol = text.partition("/")
    address, _, port = address_port.rpartition(":")
    try:
        checked = str(ipaddress.IPv4Address(address))
    except ValueError:
        raise TrafficError(
            f"{text!r} has no IPv4 address; write ADDRESS:PORT/PROTO, as 10.96.10.1:80/TCP"
        ) from None
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise TrafficError(f"{text!r} has no port between 1 and 65535; write ADDRESS:PORT/PROTO")
    name = (protocol or "TCP").upper()
    if name not in PROTOCOLS:
        raise TrafficError(f"{text!r} names the protocol {protocol!r}; write TCP or UDP")
    return Service(checked, int(port), name)


def flows(clients: str, service: Service, count: int, seed: int) -> Iterator[Flow]:
    """`count` different flows from the addresses of `clients` (one address or a CIDR) to one service.

    Raises TrafficError where there are not so many different ones.
    """
    try:
        network = ipaddress.IPv4Network(clients)
    except ValueError:
        raise TrafficError(
            f"{clients!r} is not an IPv4 address or CIDR, as 10.244.1.16 or 198.51.100.0/24"
        ) from None
    if count > network.num_addresses * 60_000:
        raise TrafficError(f"{clients} has not {count} different flows to one service; give a larger CIDR")
    chooser = random.Random(seed)
    seen: set[tuple[int, int]] = set()
    while len(seen) < count:
        pair = (chooser.randrange(network.num_addresses), chooser.randrange(1024, 65536))
        if pair not in seen:
            seen.add(pair)
            yield Flow(str(network[pair[0]]), pair[1], service)
