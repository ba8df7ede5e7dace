"""The shipped load balancer as the benchmarks set it up: one service, one local endpoint, clients outside.

In: a Program. Out: entries, frames of its flows, a configured Pipeline. Called by the lb-* workloads.
"""

from __future__ import annotations

import ipaddress
import itertools
import random
import struct
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal, final

from p4nic.backend.api import Entry
from p4nic.bench import csource, programs
from p4nic.bench.api import FrameSize, Options
from p4nic.bench.traffic import BURST, LINE, Traffic
from p4nic.ir.program import Exact, Lpm, Match, Program
from p4nic.load.known import load_known
from p4nic.load.shipped import shipped

Kind = Literal["spec", "json"]
SYN, ACK = 0x02, 0x10
UPLINK, POD_PORT = 1, 2
FLOW_TABLE = "Lb.flow_table"
PORTS_OF_A_CLIENT = 50_000


def number(address: str) -> int:
    """An IPv4 address as a number."""
    return int(ipaddress.IPv4Address(address))


VIP, POD, CLIENTS = number("10.96.0.1"), number("10.1.0.5"), number("192.168.0.0")
MAC_A, MAC_B = 0x020000000001, 0x020000000002
IMIX = (64,) * 7 + (594,) * 4 + (1518,)
"""The classic mix, 7:4:1, frame check sequence counted."""


def frame_lengths(size: FrameSize) -> tuple[int, ...]:
    """Lengths taken in turn, in memory: without the four bytes of the frame check sequence."""
    lengths = IMIX if size == "imix" else (int(size),)
    return tuple(length - 4 for length in lengths)


def checksum(data: bytes) -> int:
    """The Internet checksum."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def tcp_frame(src: int, dst: int, sport: int, dport: int, flags: int, length: int = 60) -> bytes:
    """An Ethernet frame of `length` bytes (even, from 54) with a TCP segment, its checksums right."""
    payload = bytes(length - 54)
    tcp = struct.pack(">HHIIBBHHH", sport, dport, 1, 1, 5 << 4, flags, 8192, 0, 0)
    pseudo = struct.pack(">IIBBH", src, dst, 0, 6, len(tcp) + len(payload))
    tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(tcp) + len(payload), 1, 0, 64, 6, 0, src, dst)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    ethernet = MAC_B.to_bytes(6, "big") + MAC_A.to_bytes(6, "big") + b"\x08\x00"
    return ethernet + ip + tcp + payload


def client(flow: int, ports: int = PORTS_OF_A_CLIENT) -> tuple[int, int]:
    """Address and port of a flow's client, which has so many."""
    return CLIENTS + flow // ports, 1024 + flow % ports


def flow_count(options: Options) -> int:
    """Of the options, or 100,000 (the interpreter: 1,000); whole bursts."""
    flows = options.flows or (1000 if options.backend == "interp" else 100_000)
    return max(flows // BURST, 1) * BURST


def flow_order(flows: int) -> array[int]:
    """The flows in an order that has nothing to do with that of their making: packets of many clients arrive
    mixed, and tables are not walked as they were filled."""
    order = array("I", range(flows))
    random.Random(1).shuffle(order)
    return order


@final
@dataclass(frozen=True, slots=True)
class Pattern:
    """How the frames of flows look: `build(client address, client port, length)`, arriving at `port`. The
    rest tells C where to put another client: offsets of the IPv4 header, and from there of the client's
    address and port and of the transport's checksum."""

    build: Callable[[int, int, int], bytes]
    port: int = UPLINK
    ip_at: int = 14
    address_at: int = 12
    port_at: int = 20
    checksum_at: int = 36
    ports: int = PORTS_OF_A_CLIENT


def to_vip(flags: int, ports: int = PORTS_OF_A_CLIENT) -> Pattern:
    """TCP from the clients to the service."""
    return Pattern(lambda src, sport, length: tcp_frame(src, VIP, sport, 80, flags, length), ports=ports)


def flow_frames(order: array[int], pattern: Pattern, size: FrameSize = "64") -> Traffic:
    """One frame of each flow, in that order, the lengths of `size` in turn."""
    lengths = frame_lengths(size)
    if not csource.has_compiler():
        return Traffic.of(
            (pattern.port, pattern.build(*client(flow, pattern.ports), lengths[at % len(lengths)]))
            for at, flow in enumerate(order)
        )
    ffi, lib = csource.library()
    patterns = [pattern.build(*client(0), length) for length in lengths]
    starts = [0, *itertools.accumulate(len(p) + -len(p) % LINE for p in patterns)]
    period = starts.pop()
    data = bytearray(-(-len(order) // len(lengths)) * period)
    buffer = ffi.from_buffer("uint8_t[]", data)
    for start, made, k in zip(starts, patterns, range(len(patterns)), strict=True):
        mine = order[k :: len(patterns)]
        if len(mine):
            lib.make_frames(
                buffer + start, period, made, len(made), pattern.ip_at, pattern.address_at, pattern.port_at,
                pattern.checksum_at, ffi.from_buffer("uint32_t[]", mine), len(mine), CLIENTS,
                pattern.ports,
            )  # fmt: skip
    count = len(order)
    offsets = array("Q", bytes(8 * count))
    sizes = array("I", bytes(4 * count))
    for k, start in enumerate(starts):
        offsets[k :: len(patterns)] = array(
            "Q", range(start, start + period * len(offsets[k :: len(patterns)]), period)
        )
        sizes[k :: len(patterns)] = array("I", [len(patterns[k])]) * len(sizes[k :: len(patterns)])
    return Traffic(data, offsets, array("I", [pattern.port]) * count, sizes)


def entry(program: Program, table: str, action: str, *args: int, **key: Match) -> Entry:
    """An entry of the load balancer, by names without their `Lb.`"""
    return programs.entry(program, f"Lb.{table}", f"Lb.{action}", *args, **key)


def configuration(program: Program) -> Iterator[Entry]:
    """The service, its endpoint's pod, routes; no policies."""
    yield entry(program, "port_role", "uplink", in_port=Exact(UPLINK))
    yield entry(program, "port_role", "pod_port", POD, 0, in_port=Exact(POD_PORT))
    vip = {"ip_dst": Exact(VIP), "proto": Exact(6), "dport": Exact(80)}
    yield entry(program, "service_vip", "set_service", 1, 0, 0, **vip)
    yield entry(program, "maglev_bucket", "set_endpoint", 7, service_id=Exact(1), bucket=Exact(0))
    yield entry(program, "endpoint", "set_destination", POD, 8080, endpoint_id=Exact(7))
    yield entry(program, "route", "to_pod", POD_PORT, MAC_B, MAC_A, 0, ip_dst=Lpm(POD, 32))
    yield entry(program, "route", "to_next_hop", UPLINK, MAC_B, MAC_A)


REMOTE, VTEP, PEER, VNI = number("10.2.0.7"), number("172.16.0.1"), number("172.16.0.2"), 77
MAC_PEER, MAC_REMOTE = 0x020000000011, 0x020000000012


def tunnelled(program: Program) -> Iterator[Entry]:
    """The same service with its endpoint on another node, behind VXLAN: out by the uplink, and back there."""
    for one in configuration(program):
        if one.table != "Lb.endpoint":
            yield one
    yield entry(program, "endpoint", "set_destination", REMOTE, 8080, endpoint_id=Exact(7))
    tunnel = (UPLINK, MAC_B, MAC_PEER, VTEP, PEER, VNI, MAC_REMOTE)
    yield entry(program, "route", "to_tunnel", *tunnel, ip_dst=Lpm(REMOTE & 0xFFFF0000, 16))
    yield entry(program, "local_vtep", "terminate_tunnel", ip_dst=Exact(VTEP))
    yield entry(program, "tunnel_peer", "accept_peer", ip_src=Exact(PEER))
    yield entry(program, "known_vni", "accept_vni", vni=Exact(VNI))


def in_tunnel(frame: bytes) -> bytes:
    """A frame as the other node sends it."""
    inner = len(frame) + 8 + 8
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + inner, 0, 0x4000, 64, 17, 0, PEER, VTEP)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    udp = struct.pack(">HHHH", 50000, 4789, inner, 0)
    vxlan = struct.pack(">BBHI", 8, 0, 0, VNI << 8)
    return MAC_B.to_bytes(6, "big") + MAC_PEER.to_bytes(6, "big") + b"\x08\x00" + ip + udp + vxlan + frame


BACK = Pattern(
    lambda client, cport, length: in_tunnel(tcp_frame(REMOTE, client, 8080, cport, ACK, length)),
    ip_at=14 + 50, address_at=16, port_at=22,
)  # fmt: skip
"""Replies of the endpoint on the other node, `length` bytes inside the tunnel."""


def flow_entries(made: Program, flow: int) -> Iterator[Entry]:
    """Both directions of a connection, as a control plane learns them from a digest (v1model)."""
    source, sport = client(flow)
    forward = (1, source, POD, sport, 8080, 1)
    reverse = (2, VIP, source, 80, sport, 1)
    for src, dst, from_port, to_port, args in (
        (source, VIP, sport, 80, forward),
        (POD, source, 8080, sport, reverse),
    ):
        key = {"k_src": src, "k_dst": dst, "k_proto": 6, "k_sport": from_port, "k_dport": to_port}
        yield entry(made, "flow_table", "flow_hit", *args, **{k: Exact(v) for k, v in key.items()})


@cache
def program(kind: Kind = "spec") -> Program:
    """The shipped load balancer, verified."""
    files = shipped(kind)
    return load_known(files.paths, files.p4info)


def table_sizes(flows: int) -> dict[str, int]:
    """Room for both directions of so many connections."""
    return {FLOW_TABLE: max(65536, 2 * flows + flows // 8)}
