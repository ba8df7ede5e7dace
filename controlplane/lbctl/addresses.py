"""Flows as people write them: "10.0.0.1:40000" and "10.96.0.10:53/UDP".

In: strings of the command line and the suites. Out: a FiveTuple. Called by `__main__` and `controller`.
"""

from __future__ import annotations

import ipaddress

from lbctl.errors import UsageError
from lbctl.hashing import FiveTuple
from lbctl.model import Protocol


def parse_flow(client: str, service: str) -> FiveTuple:
    """CLIENT:PORT and VIP:PORT/PROTO to a flow key. Raises UsageError."""
    address, slash, protocol = service.partition("/")
    if not slash or protocol.upper() not in Protocol.__members__:
        raise UsageError(f"{service!r} names no protocol lbctl balances; write VIP:PORT/TCP or VIP:PORT/UDP")
    src, sport = _address_port(client, "CLIENT:PORT")
    dst, dport = _address_port(address, "VIP:PORT/PROTO")
    return FiveTuple(src, dst, Protocol[protocol.upper()].value, sport, dport)


def _address_port(text: str, form: str) -> tuple[int, int]:
    address, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise UsageError(f"{text!r} has no port from 1 to 65535; write {form}")
    try:
        return int(ipaddress.IPv4Address(address)), int(port)
    except ValueError:
        raise UsageError(f"{address!r} is not an IPv4 address; write {form}") from None
