"""Frames to send, and what a received frame says, in the words of a test: partial descriptions.

A `Frame` leaves unset what does not matter: unset means the default when sent and don't-care when matched.
Built and taken apart with scapy. Used by `__main__`, examples and whoever drives traffic.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields, replace
from typing import final

logging.getLogger("scapy").setLevel(logging.ERROR)
from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: E402 - scapy warns at import, so its logger comes first
from scapy.layers.l2 import ARP, Dot1Q, Ether  # noqa: E402
from scapy.layers.vxlan import VXLAN  # noqa: E402
from scapy.packet import Packet, Raw  # noqa: E402

VXLAN_PORT = 4789
MINIMUM = 60
"""Bytes of the shortest Ethernet frame, without its check sequence."""


@final
@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, partially described. Addresses as text, ports as numbers, `flags` as scapy writes them.

    `tunnel_…` describe the VXLAN around it; a frame with `vni` set is tunnelled.
    """

    smac: str | None = None
    dmac: str | None = None
    vlan: int | None = None
    src: str | None = None
    dst: str | None = None
    protocol: str | None = None
    sport: int | None = None
    dport: int | None = None
    ttl: int | None = None
    flags: str | None = None
    payload: bytes | None = None
    udp_checksum: int | None = None
    vni: int | None = None
    tunnel_src: str | None = None
    tunnel_dst: str | None = None
    tunnel_smac: str | None = None
    tunnel_dmac: str | None = None
    arp: str | None = None

    def text(self) -> str:
        """`TCP 10.0.0.1:4000 → 10.0.0.2:80 S` and what else is set, for tables of results."""
        if self.arp is not None:
            return f"ARP {self.arp} {self.src} → {self.dst}"
        ends = [
            f"{address or '*'}{f':{port}' if port is not None else ''}"
            for address, port in ((self.src, self.sport), (self.dst, self.dport))
        ]
        words = [self.protocol or "IP", ends[0], "→", ends[1]]
        words += [self.flags] if self.flags else []
        words += [f"ttl {self.ttl}"] if self.ttl is not None else []
        words += [f"in VXLAN {self.vni} to {self.tunnel_dst or '*'}"] if self.vni is not None else []
        return " ".join(words)


def build(frame: Frame) -> bytes:
    """The bytes of a frame, padded to 60; lengths and checksums right."""
    packet = Ether(src=frame.smac or "02:00:00:00:ff:01", dst=frame.dmac or "02:00:00:00:ff:02")
    if frame.vlan is not None:
        packet /= Dot1Q(vlan=frame.vlan)
    if frame.arp is not None:
        op = {"who-has": 1, "is-at": 2}[frame.arp]
        return _padded(packet / ARP(op=op, hwsrc=frame.smac, psrc=frame.src, pdst=frame.dst))
    packet /= IP(
        src=frame.src or "192.0.2.1",
        dst=frame.dst or "192.0.2.2",
        ttl=frame.ttl if frame.ttl is not None else 64,
    )
    packet /= _transport(frame) / Raw(frame.payload if frame.payload is not None else b"")
    inner = _padded(packet)
    if frame.vni is None:
        return inner
    outer = Ether(src=frame.tunnel_smac or "02:00:00:00:ff:03", dst=frame.tunnel_dmac or "02:00:00:00:ff:04")
    outer /= IP(src=frame.tunnel_src or "192.0.2.3", dst=frame.tunnel_dst or "192.0.2.4")
    outer /= UDP(sport=50_000, dport=VXLAN_PORT, chksum=0) / VXLAN(vni=frame.vni, flags=0x08)
    return bytes(outer / Raw(inner))


def _padded(packet: Packet) -> bytes:
    return bytes(packet).ljust(MINIMUM, b"\0")


def _transport(frame: Frame) -> Packet:
    if frame.protocol == "UDP":
        return UDP(sport=frame.sport or 0, dport=frame.dport or 0, chksum=frame.udp_checksum)
    if frame.protocol == "ICMP":
        return ICMP(id=frame.sport or 0)
    return TCP(sport=frame.sport or 0, dport=frame.dport or 0, flags=frame.flags or "S")


def read(frame: bytes) -> Frame:
    """What a frame says; of a tunnelled one the inner packet, and the tunnel's ends beside it."""
    packet = Ether(frame)
    if packet.haslayer(VXLAN):
        outer = packet[IP]
        inner = read(bytes(packet[VXLAN].payload))
        return replace(
            inner, vni=int(packet[VXLAN].vni), tunnel_src=outer.src, tunnel_dst=outer.dst,
            tunnel_smac=packet.src, tunnel_dmac=packet.dst,
        )  # fmt: skip
    said = Frame(smac=packet.src, dmac=packet.dst)
    if packet.haslayer(Dot1Q):
        said = replace(said, vlan=int(packet[Dot1Q].vlan))
    if packet.haslayer(ARP):
        arp = packet[ARP]
        return replace(said, arp="who-has" if arp.op == 1 else "is-at", src=arp.psrc, dst=arp.pdst)
    if not packet.haslayer(IP):
        return said
    ip = packet[IP]
    said = replace(said, src=ip.src, dst=ip.dst, ttl=int(ip.ttl))
    if packet.haslayer(TCP):
        tcp = packet[TCP]
        return replace(said, protocol="TCP", sport=int(tcp.sport), dport=int(tcp.dport), flags=str(tcp.flags))
    if packet.haslayer(UDP):
        udp = packet[UDP]
        return replace(
            said, protocol="UDP", sport=int(udp.sport), dport=int(udp.dport), udp_checksum=int(udp.chksum)
        )
    if packet.haslayer(ICMP):
        return replace(said, protocol="ICMP", sport=int(packet[ICMP].id or 0))
    return said


def differences(wanted: Frame, seen: Frame) -> list[str]:
    """The set fields of `wanted` that `seen` does not have, one phrase each."""
    found = []
    for field in fields(Frame):
        want, have = getattr(wanted, field.name), getattr(seen, field.name)
        if want is not None and want != have and field.name != "payload":
            found.append(f"{field.name} is {have}, not {want}")
    return found


def wrong_checksums(frame: bytes) -> list[str]:
    """Names of the checksums of a frame, outer and inner, that are not right; a UDP checksum of 0 is none."""
    packet = Ether(frame)
    if packet.haslayer(VXLAN):
        inner = bytes(packet[VXLAN].payload)
        return [f"outer {w}" for w in _wrong(packet, frame)] + wrong_checksums(inner)
    return _wrong(packet, frame)


def _wrong(packet: Packet, frame: bytes) -> list[str]:
    if not packet.haslayer(IP):
        return []
    ip = packet[IP]
    start = 14 + 4 * int(packet.haslayer(Dot1Q))
    data = frame[start : start + int(ip.len)]
    header = int(ip.ihl) * 4
    found = [] if _sum(data[:header]) in (0, 0xFFFF) else ["IPv4"]
    layer = {6: "TCP", 17: "UDP", 1: "ICMP"}.get(int(ip.proto))
    if layer is None or int(ip.frag):
        return found
    body = data[header:]
    if layer == "UDP" and body[6:8] == b"\0\0":
        return found
    if layer != "ICMP":
        body = data[12:20] + bytes([0, data[9]]) + len(body).to_bytes(2, "big") + body
    return found if _sum(body) in (0, 0xFFFF) else [*found, layer]


def _sum(data: bytes) -> int:
    """The Internet checksum over data that holds its own: 0 (or 0xFFFF) when right."""
    padded = data + b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(padded[i : i + 2], "big") for i in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
