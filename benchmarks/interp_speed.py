"""How fast the reference interpreter is: established flows of the load balancer through both artifacts.

Prints packets per second of CPU time of this process, without and with trace, and how long building takes.
Run: `.venv/bin/python benchmarks/interp_speed.py [--flows N] [--packets N] [--kind spec|json]`.
"""

from __future__ import annotations

import argparse
import ipaddress
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from p4nic.backend.api import Entry, Options, Outcome, Pipeline
from p4nic.backend.interp import InterpreterBackend
from p4nic.ir.program import ActionCall, Any, Exact, Lpm, Match, Program
from p4nic.load.artifact import load_program, shipped

Kind = Literal["spec", "json"]
SYN, ACK = 0x02, 0x10
UPLINK, POD_PORT = 1, 2
VIP, POD, CLIENTS = "10.96.0.1", "10.1.0.5", "192.168.0.0"
MAC_A, MAC_B = 0x020000000001, 0x020000000002


def number(address: str) -> int:
    """An IPv4 address as a number."""
    return int(ipaddress.IPv4Address(address))


def checksum(data: bytes) -> int:
    """The Internet checksum."""
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def tcp_frame(src: int, dst: int, sport: int, dport: int, flags: int) -> bytes:
    """A 60-byte Ethernet frame with a TCP segment of 6 bytes of payload."""
    payload = b"hello!"
    tcp = struct.pack(">HHIIBBHHH", sport, dport, 1, 1, 5 << 4, flags, 8192, 0, 0)
    pseudo = struct.pack(">IIBBH", src, dst, 0, 6, len(tcp) + len(payload))
    tcp = tcp[:16] + struct.pack(">H", checksum(pseudo + tcp + payload)) + tcp[18:]
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, 20 + len(tcp) + len(payload), 1, 0, 64, 6, 0, src, dst)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    ethernet = MAC_B.to_bytes(6, "big") + MAC_A.to_bytes(6, "big") + b"\x08\x00"
    return ethernet + ip + tcp + payload


@dataclass(frozen=True, slots=True)
class Flow:
    """One client connection to the VIP."""

    src: int
    sport: int

    def frame(self, flags: int) -> bytes:
        return tcp_frame(self.src, number(VIP), self.sport, 80, flags)


def entry(program: Program, table: str, action: str, *args: int, **key: Match) -> Entry:
    """An entry by names; keys that are not given match anything."""
    spec = program.tables[f"Lb.{table}"]
    matches = tuple(key.get(k.name, Any()) for k in spec.keys)
    return Entry(spec.name, matches, ActionCall(f"Lb.{action}", args), 1 if spec.has_priority else 0)


def configuration(program: Program) -> Iterator[Entry]:
    """One service with one endpoint on a local pod; clients on the uplink; no policies."""
    yield entry(program, "port_role", "uplink", in_port=Exact(UPLINK))
    yield entry(program, "port_role", "pod_port", number(POD), 0, in_port=Exact(POD_PORT))
    vip = {"ip_dst": Exact(number(VIP)), "proto": Exact(6), "dport": Exact(80)}
    yield entry(program, "service_vip", "set_service", 1, 0, 0, **vip)
    yield entry(program, "maglev_bucket", "set_endpoint", 7, service_id=Exact(1), bucket=Exact(0))
    yield entry(program, "endpoint", "set_destination", number(POD), 8080, endpoint_id=Exact(7))
    yield entry(program, "route", "to_pod", POD_PORT, MAC_B, MAC_A, 0, ip_dst=Lpm(number(POD), 32))
    yield entry(program, "route", "to_next_hop", UPLINK, MAC_B, MAC_A, ip_dst=Lpm(0, 0))


def flow_entries(program: Program, flow: Flow) -> Iterator[Entry]:
    """What a control plane learns from a digest (v1model): both directions."""
    client, vip, pod = flow.src, number(VIP), number(POD)
    forward = (1, client, pod, flow.sport, 8080, 1)
    reverse = (2, vip, client, 80, flow.sport, 1)
    for source, target, sport, dport, args in (
        (client, vip, flow.sport, 80, forward),
        (pod, client, 8080, flow.sport, reverse),
    ):
        key = {"k_src": source, "k_dst": target, "k_proto": 6, "k_sport": sport, "k_dport": dport}
        yield entry(program, "flow_table", "flow_hit", *args, **{k: Exact(v) for k, v in key.items()})


def prepare(kind: Kind, flows: Sequence[Flow]) -> Pipeline:
    """Load, build, configure and establish the flows."""
    files = shipped(kind)
    started = time.process_time()
    program = load_program(files.paths, files.p4info)
    loaded = time.process_time()
    pipeline = InterpreterBackend().build(program, Options())
    built = time.process_time()
    print(f"{kind}: load and verify {loaded - started:.2f} s, build {built - loaded:.2f} s")
    for made in configuration(program):
        pipeline.insert(made, 0)
    outcomes = pipeline.process([(UPLINK, flow.frame(SYN)) for flow in flows], 0)
    if kind == "json":
        for flow in flows:
            for made in flow_entries(program, flow):
                pipeline.insert(made, 0)
    assert all(o.sent and o.sent[0][0] == POD_PORT for o in outcomes), outcomes[0]
    return pipeline


def measure(kind: Kind, flow_count: int, packets: int) -> None:
    """Print the rates for one artifact."""
    flows = [Flow(number(CLIENTS) + i // 1000, 1024 + i % 1000) for i in range(flow_count)]
    pipeline = prepare(kind, flows)
    frames = [(UPLINK, flow.frame(ACK)) for flow in flows]
    before = dict(pipeline.statistics())
    bursts = [frames[i : i + 32] for i in range(0, len(frames), 32)]
    sent = 0
    outcomes: list[Outcome] = []
    started = time.process_time()
    while sent < packets:
        for burst in bursts:
            outcomes = pipeline.process(burst, 1_000_000)
            sent += len(burst)
    spent = time.process_time() - started
    assert outcomes[0].sent[0][0] == POD_PORT, outcomes[0]
    after = pipeline.statistics()
    lookups = sum(after[n] - before[n] for n in after if n.startswith("table."))
    print(f"{kind}: without trace {sent / spent:,.0f} packets/s ({lookups / sent:.1f} lookups per packet)")
    pipeline.trace(*frames[0], 1_000_000)
    events, count = 0, max(packets // 10, 1)
    started = time.process_time()
    for i in range(count):
        _, told = pipeline.trace(*frames[i % len(frames)], 1_000_000)
        events += len(told)
    spent = time.process_time() - started
    print(f"{kind}: with trace {count / spent:,.0f} packets/s ({events / count:.0f} events per packet)")


def main() -> None:
    """Measure the artifacts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--flows", type=int, default=1000)
    parser.add_argument("--packets", type=int, default=20_000)
    parser.add_argument("--kind", choices=("spec", "json"), default=None)
    arguments = parser.parse_args()
    for kind in (arguments.kind,) if arguments.kind else ("spec", "json"):
        measure(kind, arguments.flows, arguments.packets)


if __name__ == "__main__":
    main()
