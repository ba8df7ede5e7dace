"""Random frames that networks carry: Ethernet, VLAN, ARP, IPv4 with options, TCP, UDP, ICMP, VXLAN.

In: pools of values, a random generator. Out: frames, most of them well-formed, some cut, some with a changed
byte, some with a wrong checksum. Called by `cli.diff`.
"""

from __future__ import annotations

import random
import struct

from p4nic.differential.values import Service, Values

_FLAGS = (0x02, 0x02, 0x10, 0x12, 0x11, 0x04, 0x18, 0xC2, 0x00, 0x3F)
_VXLAN = 4789


def random_frame(values: Values, rng: random.Random) -> bytes:
    """One frame, of 1 byte at least."""
    frame = _ethernet(values, rng, inner=False)
    chance = rng.random()
    if chance < 0.08:
        frame = frame[: rng.randrange(1, len(frame) + 1)]
    elif chance < 0.2:
        changed = bytearray(frame)
        for _ in range(rng.choice((1, 1, 2))):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        frame = bytes(changed)
    elif chance < 0.35:
        frame += bytes(rng.choice((1, 6, 18)))
    return frame


def reply(frame: bytes) -> bytes:
    """The frame turned round: MAC and IPv4 addresses, TCP and UDP ports. Sums stay right."""
    out = bytearray(frame)
    out[0:6], out[6:12] = frame[6:12], frame[0:6]
    if frame[12:14] == b"\x08\x00" and len(frame) >= 34:
        out[26:30], out[30:34] = frame[30:34], frame[26:30]
        at = 14 + (frame[14] & 15) * 4
        if frame[23] in (6, 17) and len(frame) >= at + 4:
            out[at : at + 2], out[at + 2 : at + 4] = frame[at + 2 : at + 4], frame[at : at + 2]
    return bytes(out)


def _ethernet(values: Values, rng: random.Random, inner: bool) -> bytes:
    head = values.pick(48).to_bytes(6) + values.pick(48).to_bytes(6)
    if rng.random() < 0.1:
        head += b"\x81\x00" + rng.randrange(1 << 16).to_bytes(2)
    chance = rng.random()
    if chance < 0.08:
        return head + b"\x08\x06" + _arp(values, rng)
    if chance < 0.12:
        return head + rng.choice((0x86DD, 0x88CC, 0x8100, 0x1234)).to_bytes(2) + rng.randbytes(46)
    tunnel = values.tunnel() if not inner and rng.random() < 0.15 else None
    return head + b"\x08\x00" + (_tunnelled(values, rng, *tunnel) if tunnel else _ipv4(values, rng, inner))


def _arp(values: Values, rng: random.Random) -> bytes:
    head = struct.pack("!HHBBH", 1, 0x800, 6, 4, rng.choice((1, 2)))
    sender = values.pick(48).to_bytes(6) + values.pick(32).to_bytes(4)
    return head + sender + values.pick(48).to_bytes(6) + values.pick(32).to_bytes(4)


def _ipv4(values: Values, rng: random.Random, inner: bool) -> bytes:
    service = values.service() if rng.random() < 0.4 else None
    source, to = values.pick(32).to_bytes(4), (service[0] if service else values.pick(32)).to_bytes(4)
    protocol, body = _transport(values, rng, source + to, inner, service)
    return _datagram(rng, protocol, source, to, body)


def _tunnelled(values: Values, rng: random.Random, local: int, remote: int, vni: int) -> bytes:
    """A frame in VXLAN from the other end of a tunnel; seldom with a wrong identifier or sender."""
    if rng.random() < 0.1:
        vni, remote = values.pick(24), values.pick(32)
    payload = _vxlan(rng, vni) + _ethernet(values, rng, inner=True)
    udp = struct.pack("!HHHH", rng.randrange(0xC000, 0x10000), _VXLAN, 8 + len(payload), 0) + payload
    return _datagram(rng, 17, remote.to_bytes(4), local.to_bytes(4), udp)


def _vxlan(rng: random.Random, vni: int) -> bytes:
    return struct.pack("!BBHI", rng.choice((8, 8, 8, 8, 0)), 0, 0, (vni & 0xFFFFFF) << 8)


def _datagram(rng: random.Random, protocol: int, source: bytes, to: bytes, body: bytes) -> bytes:
    """IPv4 around `body`; some have options, are fragments, are about to die, or lie about their length."""
    options = rng.randbytes(4 * rng.choice((1, 2, 10))) if rng.random() < 0.1 else b""
    fragment = rng.choice((0x2000, 0x00B9, 0x4000)) if rng.random() < 0.1 else 0
    length = 20 + len(options) + len(body)
    if rng.random() < 0.05:
        length += rng.choice((-30, -1, 1, 100))
    head = struct.pack(
        "!BBHHHBBH",
        0x45 + len(options) // 4,
        rng.choice((0, 0, 3, 0xB8)),
        length & 0xFFFF,
        rng.randrange(1 << 16),
        fragment,
        rng.choice((64, 64, 64, 255, 2, 1, 0)),
        protocol,
        0,
    )
    summed = checksum(head + source + to + options) if rng.random() < 0.97 else 0x1234
    return head[:10] + summed.to_bytes(2) + source + to + options + body


def _transport(
    values: Values, rng: random.Random, addresses: bytes, inner: bool, service: Service | None
) -> tuple[int, bytes]:
    payload = rng.randbytes(rng.choice((0, 0, 1, 6, 30)))
    sport, dport = values.pick(16), values.pick(16)
    chance = rng.random()
    if service is not None:
        chance, dport = (0.6 if service[1] == 17 else 0.0), service[2]
    if chance < 0.5:
        fixed = (sport, dport, rng.getrandbits(32), rng.getrandbits(32), 0x50, rng.choice(_FLAGS), 8192, 0, 0)
        tcp = struct.pack("!HHIIBBHHH", *fixed) + payload
        return 6, _summed(tcp, 16, 6, addresses)
    if chance < 0.9:
        if not inner and chance > 0.75:
            dport = _VXLAN
            payload = _vxlan(rng, rng.choice((1, 2, 3, 4096))) + _ethernet(values, rng, inner=True)
        udp = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
        return 17, udp if rng.random() < 0.2 or dport == _VXLAN else _summed(udp, 6, 17, addresses)
    icmp = struct.pack("!BBHHH", rng.choice((8, 0, 3)), 0, 0, sport, 1) + payload
    return rng.choice((1, 1, 47)), icmp[:2] + checksum(icmp).to_bytes(2) + icmp[4:]


def _summed(segment: bytes, at: int, protocol: int, addresses: bytes) -> bytes:
    pseudo = addresses + struct.pack("!HH", protocol, len(segment))
    return segment[:at] + (checksum(pseudo + segment) or 0xFFFF).to_bytes(2) + segment[at + 2 :]


def checksum(data: bytes) -> int:
    """The Internet checksum."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
