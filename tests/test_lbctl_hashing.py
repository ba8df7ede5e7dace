"""lbctl.hashing against published check values and known byte layouts."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lbctl.hashing import (
    FiveTuple,
    Target,
    bucket_of,
    clash_port,
    crc32c_raw,
    flow_hash,
    hash_input,
    tunnel_port,
)

FLOW = FiveTuple(0x0A010101, 0x0A60000A, 6, 40000, 80)


def crc32c(data: bytes) -> int:
    """The usual CRC32C from the raw one: linearity turns the initial value into a prefix of four bytes."""
    return crc32c_raw(bytes([*(byte ^ 0xFF for byte in data[:4]), *data[4:]])) ^ 0xFFFFFFFF


def test_crc32c_has_the_check_values_of_rfc_3720() -> None:
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(bytes([0xFF] * 32)) == 0x62A8AB43
    assert crc32c(b"123456789") == 0xE3069283


def test_a_raw_crc_of_zeros_is_zero() -> None:
    assert crc32c_raw(bytes(13)) == 0


def test_pna_hashes_little_endian_fields() -> None:
    assert hash_input(FLOW, Target.PNA) == bytes.fromhex("0101010a 0a00600a 06 409c 5000")
    assert flow_hash(FLOW, Target.PNA) == crc32c_raw(hash_input(FLOW, Target.PNA)) & 0xFFFF


def test_v1model_hashes_big_endian_fields() -> None:
    data = bytes.fromhex("0a010101 0a60000a 06 9c40 0050")
    assert hash_input(FLOW, Target.V1MODEL) == data
    assert flow_hash(FLOW, Target.V1MODEL) == zlib.crc32(data) & 0xFFFF


@pytest.mark.parametrize("target", Target)
@given(sport=st.integers(0, 65535), dport=st.integers(0, 65535))
def test_client_ip_affinity_ignores_ports(target: Target, sport: int, dport: int) -> None:
    one = FiveTuple(FLOW.src, FLOW.dst, 6, sport, dport)
    assert bucket_of(one, target, 1023, True) == bucket_of(FLOW, target, 1023, True)


@pytest.mark.parametrize("target", Target)
@given(sport=st.integers(0, 65535))
def test_the_clash_port_is_high_and_mixes_hash_and_port(target: Target, sport: int) -> None:
    flow = FiveTuple(FLOW.src, FLOW.dst, 6, sport, 80)
    assert clash_port(flow, target) == 0x8000 | (flow_hash(flow, target) ^ sport)


def test_the_tunnel_port_lies_in_the_dynamic_range() -> None:
    ports = {tunnel_port(FiveTuple(FLOW.src, FLOW.dst, 6, sport, 80), Target.PNA) for sport in range(2000)}
    assert 49152 <= min(ports) < max(ports) <= 65535
    assert len(ports) > 1000
