"""The shipped load balancer: any bytes end in a verdict, both builds agree, runs
repeat exactly.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from typing import Literal

import pytest
from ir_builders import traced

from p4nic.backend.api import Backend, Entry, Options, Pipeline
from p4nic.ir.program import ActionCall, Any, Exact, Lpm, Match, Program
from p4nic.load.artifact import load_program
from p4nic.load.shipped import shipped

VIP, POD, CLIENT = 0x0A600001, 0x0A010005, 0xC0A80001
UPLINK, POD_PORT = 1, 2
S = 1_000_000_000


@pytest.fixture(scope="module", params=["spec", "json"])
def program(request: pytest.FixtureRequest) -> Program:
    kind: Literal["spec", "json"] = request.param
    files = shipped(kind)
    return load_program(files.paths, files.p4info)


def entry(program: Program, table: str, action: str, *args: int, **key: Match) -> Entry:
    spec = program.tables[f"Lb.{table}"]
    return Entry(
        spec.name, tuple(key.get(k.name, Any()) for k in spec.keys), ActionCall(f"Lb.{action}", args)
    )


def running(backend: Backend, program: Program) -> Pipeline:
    """One VIP with one local endpoint, clients behind the uplink."""
    made = backend.build(program, Options())
    vip: dict[str, Match] = {"ip_dst": Exact(VIP), "proto": Exact(6), "dport": Exact(80)}
    for one in (
        entry(program, "port_role", "uplink", in_port=Exact(UPLINK)),
        entry(program, "port_role", "pod_port", POD, 0, in_port=Exact(POD_PORT)),
        entry(program, "service_vip", "set_service", 1, 0, 0, **vip),
        entry(program, "maglev_bucket", "set_endpoint", 7, service_id=Exact(1), bucket=Exact(0)),
        entry(program, "endpoint", "set_destination", POD, 8080, endpoint_id=Exact(7)),
        entry(program, "route", "to_pod", POD_PORT, 1, 2, 0, ip_dst=Lpm(POD, 32)),
        entry(program, "route", "to_next_hop", UPLINK, 1, 2, ip_dst=Lpm(0, 0)),
    ):
        made.insert(one, 0)
    return made


def checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def tcp(src: int, dst: int, sport: int, dport: int, flags: int) -> bytes:
    """Ethernet, IPv4, TCP and six bytes."""
    segment = struct.pack(">HHIIBBHHH", sport, dport, 1, 1, 0x50, flags, 8192, 0, 0) + b"hello!"
    pseudo = struct.pack(">IIBBH", src, dst, 0, 6, len(segment))
    segment = segment[:16] + struct.pack(">H", checksum(pseudo + segment)) + segment[18:]
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(segment), 1, 0, 64, 6, 0, src, dst)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    return bytes.fromhex("020000000002 020000000001 0800") + ip + segment


SYN, ACK = 2, 16


def test_a_connection_to_the_vip_reaches_the_endpoint_with_right_checksums(
    backend: Backend, program: Program
) -> None:
    lb = running(backend, program)
    outcome = lb.process([(UPLINK, tcp(CLIENT, VIP, 1024, 80, SYN))], 0)[0]
    expected = tcp(CLIENT, POD, 1024, 8080, SYN)
    ((port, frame),) = outcome.sent
    assert port == POD_PORT
    assert frame[14 + 12 : 14 + 24] == expected[14 + 12 : 14 + 24]  # addresses and ports
    assert checksum(frame[14:34]) in (0, 0xFFFF)
    pseudo = frame[26:34] + struct.pack(">BBH", 0, 6, len(frame) - 34)
    assert checksum(pseudo + frame[34:]) in (0, 0xFFFF)


def mutated(draw: random.Random) -> Iterator[tuple[int, bytes]]:
    """Real frames with bytes changed, cut and added; and noise."""
    frames = [
        tcp(CLIENT, VIP, 1024, 80, SYN),
        tcp(CLIENT, VIP, 1024, 80, ACK),
        tcp(POD, CLIENT, 8080, 1024, ACK),
        tcp(CLIENT, POD, 1024, 9999, SYN),
    ]
    while True:
        frame = bytearray(draw.choice(frames))
        for _ in range(draw.randrange(4)):
            frame[draw.randrange(len(frame))] = draw.choice((0, 255, draw.randrange(256)))
        what = draw.randrange(6)
        if what == 0:
            frame = frame[: draw.randrange(len(frame) + 1)]
        elif what == 1:
            frame += draw.randbytes(draw.randrange(100))
        elif what == 2:
            frame = bytearray(draw.randbytes(draw.randrange(100)))
        yield draw.choice((UPLINK, POD_PORT, 77)), bytes(frame)


@pytest.mark.parametrize("seed", range(3))
def test_any_bytes_end_in_a_verdict_on_which_both_builds_agree(
    backend: Backend, program: Program, seed: int
) -> None:
    fast, slow = running(backend, program), running(backend, program)
    packets = mutated(random.Random(seed))
    reasons = set()
    for step in range(300):
        port, frame = next(packets)
        outcome = fast.process([(port, frame)], step * S)[0]
        assert traced(slow, frame, port, step * S) == outcome, frame.hex()
        assert bool(outcome.sent) != bool(outcome.drop_reason), frame.hex()
        reasons.add(outcome.drop_reason)
        assert fast.expire(step * S) == slow.expire(step * S)
    assert len(reasons) > 1
    assert fast.statistics() == slow.statistics()
    assert fast.digests() == slow.digests()


def test_two_runs_are_equal_to_the_byte(backend: Backend, program: Program) -> None:
    def whole_run() -> tuple[object, ...]:
        lb = running(backend, program)
        packets = mutated(random.Random(7))
        outcomes = [lb.process([next(packets)], step * S)[0] for step in range(200)]
        entries = [s for t in program.tables for s in lb.entries(t, 200 * S)]
        return outcomes, entries, lb.statistics(), lb.digests()

    assert whole_run() == whole_run()
