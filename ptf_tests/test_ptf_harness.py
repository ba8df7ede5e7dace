"""The harness itself: what it must notice, it notices."""

from __future__ import annotations

from collections import Counter

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from harness.cluster import endpoint, service
from harness.oracle import chosen, slots
from harness.packets import built, difference, tcp, translated, udp, unlike, wrong_checksums
from harness.topology import POD1, POD2, POD3, REMOTE_B, five_tuple, frame_from, frame_to
from lbctl.hashing import Target


@pytest.mark.parametrize(
    ("offset", "name"), [(14 + 10, "IPv4 header"), (14 + 20 + 16, "TCP"), (14 + 12, "IPv4 header")]
)
def test_a_wrong_checksum_is_named(offset: int, name: str) -> None:
    frame = bytearray(bytes(frame_from(POD1, tcp(POD1, POD2, 1, 2, "PA", b"odd"))))
    assert wrong_checksums(bytes(frame)) == []
    frame[offset] ^= 0x10
    assert name in wrong_checksums(bytes(frame))


def test_a_wrong_checksum_inside_a_tunnel_is_named() -> None:
    frame = bytearray(bytes(frame_from(REMOTE_B, udp(REMOTE_B, POD2, 1, 2))))
    assert wrong_checksums(bytes(frame)) == []
    frame[50 + 14 + 20 + 8] ^= 1
    assert wrong_checksums(bytes(frame)) == ["inner UDP"]


def test_udp_without_checksum_and_padding_are_fine() -> None:
    frame = bytes(frame_from(POD1, udp(POD1, POD2, 1, 2, b"x", checksum=0)))
    assert wrong_checksums(frame + b"padding") == []


def test_translated_changes_what_it_is_told_and_repairs_checksums() -> None:
    before = tcp(POD1, "10.96.0.10", 40000, 80, "PA", b"payload", tos=3)
    after = translated(before, dst=POD2.ip, dport=8080)
    assert (after.dst, after[TCP].dport, after.ttl, after.tos) == (POD2.ip, 8080, before.ttl - 1, 3)
    assert (after.src, after[TCP].seq, bytes(after[TCP].payload)) == (POD1.ip, before[TCP].seq, b"payload")
    assert wrong_checksums(bytes(Ether() / after)) == []


def test_translated_leaves_no_udp_checksum_where_there_was_none() -> None:
    assert translated(udp(POD1, POD2, 1, 2, checksum=0), sport=9)[UDP].chksum == 0


def test_unlike_looks_at_set_fields_only() -> None:
    frame = bytes(frame_from(POD1, tcp(POD1, POD2, 1, 2)))
    assert unlike(Ether() / IP(dst=POD2.ip) / TCP(dport=2), frame) == []
    assert unlike(Ether() / IP(ttl=63), frame) == ["IP.ttl: expected 63, saw 64"]
    assert unlike(Ether() / IP() / UDP(), frame) == ["expected UDP, saw TCP"]


def test_difference_names_the_field() -> None:
    one, other = (bytes(frame_from(POD1, tcp(POD1, POD2, 1, port))) for port in (2, 3))
    assert "TCP.dport: expected 2, saw 3" in difference(one, other)
    assert difference(one, one + b"x") == "layer 3: expected NoPayload, saw Padding"


def test_a_tunnel_frame_for_us_and_one_from_us_hold_the_same_packet() -> None:
    packet = tcp(REMOTE_B, POD2, 1, 2)
    outgoing = built(frame_to(REMOTE_B, packet, Target.PNA))
    assert bytes(outgoing)[64:] == bytes(frame_from(REMOTE_B, packet))[64:] == bytes(packet)
    assert outgoing[UDP].sport >= 0xC000


def test_the_oracle_knows_weights_and_the_two_hashes() -> None:
    offer = service("s", "10.96.0.10", 80, [endpoint(POD2), endpoint(POD3, weight=3)])
    shares = Counter(host.name for host in slots(offer))
    assert shares["pod3"] == pytest.approx(3 * shares["pod2"], abs=4)
    flows = [tcp(POD1, "10.96.0.10", port, 80) for port in range(1000, 1064)]
    one, other = ([chosen(offer, flow, target) for flow in flows] for target in Target)
    assert one != other


def test_fragments_have_no_ports() -> None:
    later = built(IP(src=POD1.ip, dst=POD2.ip, proto=17, frag=5) / b"\0\1\0\2\0\x08\0\0")
    assert (five_tuple(later).sport, five_tuple(later).dport) == (0, 0)
