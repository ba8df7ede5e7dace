"""IP packets: made, translated as a correct load balancer would, compared.

In and out: scapy IP packets without a link layer (topology adds it). Everything made here is built: its
checksums are numbers. `translated` computes checksums anew over the whole packet, not incrementally, so it
shares no method with the program it judges. Called by the suites and `lb_base`.
"""

from __future__ import annotations

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Packet, Raw

from harness.topology import Host

PAYLOAD = b"GET / HTTP/1.1\r\n\r\n"


def tcp(
    src: Host | str,
    dst: Host | str,
    sport: int,
    dport: int,
    flags: str = "S",
    payload: bytes = b"",
    **ip: object,
) -> Packet:
    """A TCP segment; `ip` are IP fields such as ttl, tos, options."""
    header = TCP(sport=sport, dport=dport, flags=flags, seq=0x01020304, ack=0x0A0B0C0D if "A" in flags else 0)
    return built(_ip(src, dst, ip) / header / Raw(payload) if payload else _ip(src, dst, ip) / header)


def udp(
    src: Host | str,
    dst: Host | str,
    sport: int,
    dport: int,
    payload: bytes = b"query",
    checksum: int | None = None,
    **ip: object,
) -> Packet:
    """A UDP datagram; `checksum` 0 sends none."""
    return built(_ip(src, dst, ip) / UDP(sport=sport, dport=dport, chksum=checksum) / Raw(payload))


def echo(src: Host | str, dst: Host | str, identifier: int, reply: bool = False, **ip: object) -> Packet:
    """An ICMP echo request or reply."""
    return built(_ip(src, dst, ip) / ICMP(type=0 if reply else 8, id=identifier, seq=1) / Raw(b"abcdefgh"))


def _ip(src: Host | str, dst: Host | str, fields: dict[str, object]) -> Packet:
    return IP(**{"src": _address(src), "dst": _address(dst), "id": 0x1234, **fields})


def _address(host: Host | str) -> str:
    return host.ip if isinstance(host, Host) else host


def built(packet: Packet) -> Packet:
    """The packet with every computed field (lengths, checksums) as a number."""
    return packet.__class__(bytes(packet))


def translated(
    packet: Packet,
    *,
    src: str | None = None,
    dst: str | None = None,
    sport: int | None = None,
    dport: int | None = None,
    hops: int = 1,
) -> Packet:
    """`packet` as it must leave: addresses and ports replaced, TTL less `hops`, nothing else changed.

    Checksums are computed anew; a UDP checksum of 0 stays 0 (T3).
    """
    out = packet.copy()
    out.src, out.dst = src or out.src, dst or out.dst
    out.ttl -= hops
    del out.chksum
    transport = out.payload  # not out[TCP]: what is in a tunnel of the pods' own is payload
    if isinstance(transport, TCP | UDP):
        transport.sport = transport.sport if sport is None else sport
        transport.dport = transport.dport if dport is None else dport
        if not (isinstance(transport, UDP) and transport.chksum == 0):
            del transport.chksum
    return built(out)


def ones_complement_sum(data: bytes) -> int:
    """The 16-bit ones' complement sum; 0xFFFF over anything with a right checksum in it."""
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def wrong_checksums(frame: bytes) -> list[str]:
    """Names of the checksums in a frame that do not add up, inside tunnels as well."""
    return _wrong_in(Ether(frame), "")


def _wrong_in(ether: Packet, where: str) -> list[str]:
    if IP not in ether:
        return []
    wrong = []
    ip = ether[IP]
    raw = bytes(ip)
    header, body = raw[: ip.ihl * 4], raw[ip.ihl * 4 : ip.len]
    if ones_complement_sum(header) != 0xFFFF:
        wrong.append(f"{where}IPv4 header")
    fragment = ip.frag or "MF" in ip.flags
    if fragment or len(raw) < ip.len:
        return wrong
    pseudo = raw[12:20] + bytes([0, ip.proto]) + len(body).to_bytes(2, "big")
    if ip.proto == 6 and ones_complement_sum(pseudo + body) != 0xFFFF:
        wrong.append(f"{where}TCP")
    if ip.proto == 17 and body[6:8] != b"\0\0" and ones_complement_sum(pseudo + body) != 0xFFFF:
        wrong.append(f"{where}UDP")
    if ip.proto == 1 and ones_complement_sum(body) != 0xFFFF:
        wrong.append(f"{where}ICMP")
    if ip.proto == 17 and Ether in ip:
        wrong += _wrong_in(ip[Ether], "inner ")
    return wrong


def same_but_zero_checksums(expected: bytes, seen: bytes) -> bool:
    """Equal, where a 16-bit checksum of 0x0000 may also be 0xFFFF: the same number in one's complement."""
    if len(expected) != len(seen):
        return False
    at = _checksum_offsets(expected)
    apart = {
        offset & ~1 for offset, pair in enumerate(zip(expected, seen, strict=True)) if pair[0] != pair[1]
    }
    return all(
        offset in at and {expected[offset : offset + 2], seen[offset : offset + 2]} == {b"\0\0", b"\xff\xff"}
        for offset in apart
    )


def _checksum_offsets(frame: bytes) -> set[int]:
    """Where the checksums of an Ethernet frame with one IPv4 header are; all of them are at even offsets."""
    ether = Ether(frame)
    if IP not in ether:
        return set()
    ip = ether[IP]
    start = len(frame) - len(ip) - len(ether.getlayer("Padding") or b"")
    transport = start + ip.ihl * 4
    return {start + 10} | {transport + {6: 16, 17: 6, 1: 2}[ip.proto] for _ in "x" if ip.proto in (1, 6, 17)}


def difference(expected: bytes, seen: bytes) -> str:
    """What differs between two frames, field by field where both dissect alike."""
    lines = []
    left, right = Ether(expected), Ether(seen)
    depth = 0
    while left and right and left.__class__ is right.__class__:
        for field in left.fields_desc:
            wanted, got = left.getfieldval(field.name), right.getfieldval(field.name)
            if wanted != got:
                lines.append(f"{left.name}.{field.name}: expected {wanted!r}, saw {got!r}")
        left, right, depth = left.payload, right.payload, depth + 1
    if left.__class__ is not right.__class__:
        lines.append(f"layer {depth}: expected {left.name}, saw {right.name}")
    if not lines:
        at = next((i for i, pair in enumerate(zip(expected, seen, strict=False)) if pair[0] != pair[1]), None)
        lines.append(f"{len(expected)} bytes expected, {len(seen)} seen, first difference at {at}")
    return "\n".join(lines)


def unlike(partial: Packet, frame: bytes) -> list[str]:
    """Which of the fields set in `partial` (Ether/...) a frame does not have; the others may be anything."""
    wrong: list[str] = []
    layer: Packet = partial
    seen: Packet = Ether(frame)
    while layer:
        if layer.__class__ is not seen.__class__:
            return [*wrong, f"expected {layer.name}, saw {seen.name or 'nothing'}"]
        for name in layer.fields:
            wanted, got = layer.getfieldval(name), seen.getfieldval(name)
            if wanted != got:
                wrong.append(f"{layer.name}.{name}: expected {wanted!r}, saw {got!r}")
        layer, seen = layer.payload, seen.payload
    return wrong
