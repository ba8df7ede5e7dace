"""One service behind the shipped load balancer, and frames to it: for tests of the command line."""

from __future__ import annotations

import ipaddress
import struct
from pathlib import Path

from p4nic.target.ports.pcap import PcapWriter

ENTRIES = """\
# 10.96.0.10:80/TCP has one endpoint, 10.0.1.6:8080, at port 2. Clients are behind port 1.
entries:
  - {table: port_role, match: {in_port: 1}, action: uplink}
  - {table: port_role, match: {in_port: 2}, action: pod_port, args: {pod_ip: 10.0.1.6, egress_policy: 0}}
  - table: service_vip
    match: {ip_dst: 10.96.0.10, proto: 6, dport: 80}
    action: set_service
    args: {service_id: 7, bucket_mask: 0, affinity: 0}
  - {table: maglev_bucket, match: {service_id: 7, bucket: 0}, action: set_endpoint, args: [1]}
  - {table: endpoint, match: {endpoint_id: 1}, action: set_destination, args: {ip: 10.0.1.6, port: 8080}}
  - table: route
    match: {ip_dst: 10.0.1.6/32}
    action: to_pod
    args: {port: 2, smac: 02:00:00:00:00:fe, dmac: 02:00:00:00:00:06, ingress_policy: 0}
"""
CLIENT, VIP, ENDPOINT, NOBODY = "192.0.2.9", "10.96.0.10", "10.0.1.6", "10.96.0.11"


def syn(target: str = VIP, sport: int = 1025) -> bytes:
    """Ethernet, IPv4, TCP SYN from the client, port 80, correct checksums."""
    source, to = ipaddress.IPv4Address(CLIENT).packed, ipaddress.IPv4Address(target).packed
    tcp = struct.pack("!HHIIBBHHH", sport, 80, 0, 0, 0x50, 2, 8192, 0, 0)
    tcp = tcp[:16] + _checksum(source + to + struct.pack("!HH", 6, len(tcp)) + tcp) + tcp[18:]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, source, to)
    head = head[:10] + _checksum(head) + head[12:]
    return bytes.fromhex("0200000000fe 020000000001 0800") + head + tcp


def _checksum(data: bytes) -> bytes:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def write_pcap(path: Path, frames: list[bytes], start_ns: int = 0, step_ns: int = 1_000_000_000) -> Path:
    writer = PcapWriter(path)
    for number, frame in enumerate(frames):
        writer.write(frame, start_ns + number * step_ns)
    writer.close()
    return path
