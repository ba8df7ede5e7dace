"""The shipped load balancer as the benchmarks set it up: one service, one local endpoint, clients outside.

In: a Program. Out: entries, frames of its flows, a configured Pipeline. Called by the lb-* workloads.
"""

from __future__ import annotations

import ipaddress
import random
import struct
from array import array
from collections.abc import Iterator
from typing import Literal

from p4nic.backend.api import Backend, Entry, Options, Pipeline
from p4nic.bench.api import FrameSize
from p4nic.bench.traffic import Traffic
from p4nic.ir.program import ActionCall, Any, Exact, Lpm, Match, Program
from p4nic.load.artifact import load_program, shipped

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


def client(flow: int) -> tuple[int, int]:
    """Address and port of a flow's client."""
    return CLIENTS + flow // PORTS_OF_A_CLIENT, 1024 + flow % PORTS_OF_A_CLIENT


def flow_order(flows: int) -> array[int]:
    """The flows in an order that has nothing to do with that of their making: packets of many clients arrive
    mixed, and tables are not walked as they were filled."""
    order = array("I", range(flows))
    random.Random(1).shuffle(order)
    return order


def flow_frames(order: array[int], flags: int, size: FrameSize = "64") -> Traffic:
    """One frame of each flow, from the client to the VIP, at the uplink."""
    lengths = frame_lengths(size)

    def frames() -> Iterator[tuple[int, bytes]]:
        for at, flow in enumerate(order):
            src, sport = client(flow)
            yield UPLINK, tcp_frame(src, VIP, sport, 80, flags, lengths[at % len(lengths)])

    return Traffic.of(frames())


def entry(program: Program, table: str, action: str, *args: int, **key: Match) -> Entry:
    """An entry by names; keys that are not given match anything."""
    spec = program.tables[f"Lb.{table}"]
    matches = tuple(key.get(k.name, Any()) for k in spec.keys)
    return Entry(spec.name, matches, ActionCall(f"Lb.{action}", args), 1 if spec.has_priority else 0)


def configuration(program: Program) -> Iterator[Entry]:
    """The service, its endpoint's pod, routes; no policies."""
    yield entry(program, "port_role", "uplink", in_port=Exact(UPLINK))
    yield entry(program, "port_role", "pod_port", POD, 0, in_port=Exact(POD_PORT))
    vip = {"ip_dst": Exact(VIP), "proto": Exact(6), "dport": Exact(80)}
    yield entry(program, "service_vip", "set_service", 1, 0, 0, **vip)
    yield entry(program, "maglev_bucket", "set_endpoint", 7, service_id=Exact(1), bucket=Exact(0))
    yield entry(program, "endpoint", "set_destination", POD, 8080, endpoint_id=Exact(7))
    yield entry(program, "route", "to_pod", POD_PORT, MAC_B, MAC_A, 0, ip_dst=Lpm(POD, 32))
    yield entry(program, "route", "to_next_hop", UPLINK, MAC_B, MAC_A, ip_dst=Lpm(0, 0))


def program(kind: Kind = "spec") -> Program:
    """The shipped load balancer, verified."""
    files = shipped(kind)
    return load_program(files.paths, files.p4info)


def build(backend: Backend, made: Program, flows: int) -> Pipeline:
    """The load balancer configured, with room for the flows' entries of both directions."""
    sizes = {FLOW_TABLE: max(65536, 2 * flows + flows // 8)}
    pipeline = backend.build(made, Options(table_sizes=sizes))
    for one in configuration(made):
        pipeline.insert(one, 0)
    return pipeline
