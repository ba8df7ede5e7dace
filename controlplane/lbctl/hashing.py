"""The flow hash as each target computes it: an oracle for `where` and for the suites.

In: a 5-tuple. Out: 16 bits, whose low bits name the Maglev bucket. docs/pipeline.md "Hash and bucket" is the
contract.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from enum import Enum


class Target(Enum):
    """The two artifacts of the load balancer, which hash differently."""

    PNA = "pna"
    V1MODEL = "v1model"


@dataclass(frozen=True, slots=True, order=True)
class FiveTuple:
    """A flow key: addresses as ints, ports 0 where the protocol has none (ICMP: sport is the identifier)."""

    src: int
    dst: int
    proto: int
    sport: int
    dport: int


def _castagnoli_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


_CRC32C = _castagnoli_table()


def crc32c_raw(data: bytes) -> int:
    """CRC32C as the CPU instruction computes it for DPDK's `rte_hash_crc`: initial value 0, no final
    inversion.
    """
    value = 0
    for byte in data:
        value = value >> 8 ^ _CRC32C[(value ^ byte) & 0xFF]
    return value


def hash_input(flow: FiveTuple, target: Target) -> bytes:
    """The 13 bytes hashed: src, dst, proto, sport, dport; SWX keeps metadata little-endian, BMv2
    big-endian.
    """
    order = "<" if target is Target.PNA else ">"
    return struct.pack(order + "IIBHH", flow.src, flow.dst, flow.proto, flow.sport, flow.dport)


def flow_hash(flow: FiveTuple, target: Target, client_ip_affinity: bool = False) -> int:
    """The 16-bit hash that selects the bucket; with ClientIP affinity the ports count as 0."""
    if client_ip_affinity:
        flow = replace(flow, sport=0, dport=0)
    data = hash_input(flow, target)
    match target:
        case Target.PNA:
            return crc32c_raw(data) & 0xFFFF
        case Target.V1MODEL:
            return zlib.crc32(data) & 0xFFFF


def bucket_of(flow: FiveTuple, target: Target, mask: int, client_ip_affinity: bool = False) -> int:
    """The Maglev bucket of a flow; `mask` is table size - 1."""
    return flow_hash(flow, target, client_ip_affinity) & mask


def clash_port(flow: FiveTuple, target: Target, client_ip_affinity: bool = False) -> int:
    """The other source port that is tried once when the reverse key is taken: 0x8000 | (hash ^ cport)."""
    return 0x8000 | (flow_hash(flow, target, client_ip_affinity) ^ flow.sport)


def tunnel_port(leaving: FiveTuple, target: Target) -> int:
    """The outer UDP source port of a packet that leaves through the tunnel with the tuple `leaving`."""
    return 0xC000 | flow_hash(leaving, target)
