"""A frame in one line, and what changed between two frames.

In: bytes. Out: text for people; nothing decides by it. Used by `observe.explain`. Knows Ethernet, one VLAN
tag, ARP, IPv4, IPv6, TCP, UDP, ICMP and VXLAN; the rest is shown as its EtherType or protocol and length.
"""

from __future__ import annotations

import ipaddress
import struct
from itertools import groupby

_FLAGS = ((2, "SYN"), (16, "ACK"), (1, "FIN"), (4, "RST"), (8, "PSH"), (32, "URG"), (64, "ECE"), (128, "CWR"))
_VXLAN = 4789


def summary(frame: bytes) -> str:
    """`IPv4 10.0.0.1:1025 → 10.96.0.1:80 TCP SYN ttl 64`, outer headers first."""
    try:
        return " | ".join(_ethernet(frame))
    except (struct.error, IndexError, ValueError):  # ValueError: an address of too few bytes
        return f"{len(frame)} bytes, cut short"


def _ethernet(frame: bytes) -> list[str]:
    (ethertype,) = struct.unpack_from("!H", frame, 12)
    offset, tag = 14, ""
    if ethertype == 0x8100:
        tci, ethertype = struct.unpack_from("!HH", frame, 14)
        offset, tag = 18, f"VLAN {tci & 0xFFF} "
    match ethertype:
        case 0x0800:
            first, *inner = _ipv4(frame[offset:])
        case 0x86DD:
            first, inner = _ipv6(frame[offset:]), []
        case 0x0806:
            first, inner = _arp(frame[offset:]), []
        case _:
            first, inner = f"EtherType {ethertype:#06x}, {len(frame) - offset} bytes", []
    return [tag + first, *inner]


def _arp(data: bytes) -> str:
    (operation,) = struct.unpack_from("!H", data, 6)
    sender, target = ipaddress.IPv4Address(data[14:18]), ipaddress.IPv4Address(data[24:28])
    if operation == 1:
        return f"ARP who has {target}? tell {sender}"
    return f"ARP {sender} is at {data[8:14].hex(':')}"


def _ipv4(data: bytes) -> list[str]:
    header = (data[0] & 15) * 4
    fragment, ttl, protocol = struct.unpack_from("!HBB", data, 6)
    source, target = (str(ipaddress.IPv4Address(data[at : at + 4])) for at in (12, 16))
    if fragment & 0x1FFF:
        return [
            f"IPv4 {source} → {target} protocol {protocol}, fragment at {(fragment & 0x1FFF) * 8}, ttl {ttl}"
        ]
    return _transport("IPv4", source, target, protocol, data[header:], f"ttl {ttl}")


def _ipv6(data: bytes) -> str:
    protocol, hops = data[6], data[7]
    source, target = (f"[{ipaddress.IPv6Address(data[at : at + 16])}]" for at in (8, 24))
    return _transport("IPv6", source, target, protocol, data[40:], f"hops {hops}")[0]


def _transport(version: str, source: str, target: str, protocol: int, data: bytes, life: str) -> list[str]:
    if protocol in (6, 17):
        sport, dport = struct.unpack_from("!HH", data)
        ends = f"{version} {source}:{sport} → {target}:{dport}"
        if protocol == 6:
            flags = " ".join(name for bit, name in _FLAGS if data[13] & bit) or "no flags"
            return [f"{ends} TCP {flags} {life}"]
        if dport == _VXLAN:
            vni = int.from_bytes(data[12:15], "big")
            return [f"{ends} UDP {life}", f"VXLAN vni {vni}", *_ethernet(data[16:])]
        return [f"{ends} UDP {life}"]
    if protocol == 1:
        kinds = {0: "echo reply", 8: "echo request", 3: "unreachable", 11: "time exceeded"}
        kind = kinds.get(data[0], f"type {data[0]}")
        return [f"{version} {source} → {target} ICMP {kind} {life}"]
    return [f"{version} {source} → {target} protocol {protocol} {life}"]


def changes(before: bytes, after: bytes) -> list[str]:
    """`bytes 26..29: 0a000001 → 0a600001` for each run that differs, if the lengths are the same."""
    if len(before) != len(after):
        return [f"{len(before)} bytes became {len(after)}"]
    different = [i for i in range(len(before)) if before[i] != after[i]]
    out = []
    for _, run in groupby(enumerate(different), lambda pair: pair[1] - pair[0]):
        at = [position for _, position in run]
        first, last = at[0], at[-1]
        place = f"byte {first}" if first == last else f"bytes {first}..{last}"
        out.append(f"{place}: {before[first : last + 1].hex()} → {after[first : last + 1].hex()}")
    return out


def dump(frame: bytes) -> list[str]:
    """Sixteen bytes a line, with offsets."""
    return [f"{at:04x}  {frame[at : at + 16].hex(' ')}" for at in range(0, len(frame), 16)]
