"""Hashes: published check values and vectors, and how instructions lay out their inputs."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
from ir_builders import const, header_type, m, one, pipeline, swx, traced, value_of

from p4nic.backend.api import HASHES, Backend, Options
from p4nic.errors import UnsupportedError
from p4nic.ir.ops import Emit, Extract, Hash, Move, Op, Ref, SetValid, Transmit
from p4nic.ir.types import Field, HeaderType

CHECK = b"123456789"


def hasher(backend: Backend, algorithm: str) -> Callable[[bytes], int]:
    """A function that hashes whole frames."""
    result = header_type("result_t", value=64)
    code: list[Op] = [
        Hash(m("h"), algorithm, (), with_payload=True),
        SetValid("result"),
        Move(Ref("result", "value"), m("h")),
        Emit("result"),
        Transmit(const(0)),
    ]
    built = swx(code, metadata={"h": 64}, types=[result], headers={"result": "result_t"})
    running = pipeline(backend, built)
    return lambda frame: int.from_bytes(one(running, frame).sent[0][1][:8], "big")


@pytest.mark.parametrize(
    ("algorithm", "data", "expected"),
    [
        # The catalogue's check values of CRC-16/ARC, CRC-32/ISO-HDLC and CRC-16/IBM-3740.
        ("crc16", CHECK, 0xBB3D),
        ("crc16_custom", CHECK, 0xBB3D),
        ("crc32", CHECK, 0xCBF43926),
        ("crc32_custom", CHECK, 0xCBF43926),
        ("crcCCITT", CHECK, 0x29B1),
        # Castagnoli without init and xor: the linear part of CRC-32C (0xE3069283 with both).
        ("crc32c", CHECK, 0x58E3FA20),
        ("crc32c", b"", 0),
        # RFC 1071's example, complemented.
        ("csum16", bytes.fromhex("0001f203f4f5f6f7"), 0xFFFF ^ 0xDDF2),
        ("csum16", b"\0\0", 0xFFFF),
        ("csum16", b"\xff\xff", 0),
        ("csum16", b"\x12", 0xFFFF ^ 0x1200),
        ("ones_complement16", bytes.fromhex("0001f203f4f5f6f7"), 0xFFFF ^ 0xDDF2),
        ("xor16", b"\x12\x34\x56", 0x1234 ^ 0x5600),
        ("identity", b"\x01\x02", 0x0102),
        ("identity", b"123456789", int.from_bytes(b"12345678", "big")),
        ("toeplitz", CHECK, 0),
        # lookup3's own self-test: hashlittle("", 0) and "Four score and seven years ago".
        ("jhash", b"", 0xDEADBEEF),
        ("jhash", b"Four score and seven years ago", 0x17770551),
    ],
)
def test_known_answers(backend: Backend, algorithm: str, data: bytes, expected: int) -> None:
    assert hasher(backend, algorithm)(data) == expected


def test_crc32c_without_init_and_xor_is_the_linear_part_of_crc32c(backend: Backend) -> None:
    # crc(x) with init and xor all ones is 0xE3069283; the difference to ours depends on the length alone.
    crc32c = hasher(backend, "crc32c")
    assert crc32c(b"\0" * 9) == 0
    assert crc32c(b"\x00" + CHECK) == crc32c(CHECK)  # leading zeros vanish


def test_jhash_uses_every_byte_of_every_tail(backend: Backend) -> None:
    jhash = hasher(backend, "jhash")
    for length in range(26):
        data = bytes(range(length))
        values = {jhash(data)} | {jhash(data[:i] + b"\xff" + data[i + 1 :]) for i in range(length)}
        assert len(values) == length + 1, length


@pytest.mark.parametrize("algorithm", HASHES)
def test_every_algorithm_of_the_protocol_is_known(backend: Backend, algorithm: str) -> None:
    assert hasher(backend, algorithm)(CHECK) < 1 << 64


def test_unknown_algorithm_is_refused_at_build(backend: Backend) -> None:
    built = swx([Hash(m("h"), "md5", (const(1),)), Transmit(m("h"))], metadata={"h": 32})
    with pytest.raises(UnsupportedError, match="md5"):
        backend.build(built, Options())


METADATA = {"h": 32, "a": 16, "b": 4, "c": 12, "modulus": 32}


def hash_of(backend: Backend, *inputs: object, **more: object) -> int:
    code: list[Op] = [Move(m("a"), const(0x1234)), Move(m("b"), const(0x5)), Move(m("c"), const(0x678))]
    code.append(Move(m("modulus"), const(1000)))
    return value_of(backend, [*code, Hash(m("h"), "crc32", tuple(inputs), **more)], m("h"), metadata=METADATA)  # type: ignore[arg-type]


def test_inputs_are_laid_end_to_end_big_endian(backend: Backend) -> None:
    assert hash_of(backend, m("a"), m("b"), m("c")) == zlib.crc32(bytes.fromhex("12345678"))


def test_inputs_are_padded_at_the_end(backend: Backend) -> None:
    assert hash_of(backend, m("b"), m("a")) == zlib.crc32(bytes.fromhex("512340"))


def test_host_order_lays_each_input_out_little_endian_in_whole_bytes(backend: Backend) -> None:
    assert hash_of(backend, m("a"), m("c"), host_order=True) == zlib.crc32(bytes.fromhex("34127806"))


def test_base_and_modulus(backend: Backend) -> None:
    plain = zlib.crc32(bytes.fromhex("1234"))
    assert hash_of(backend, m("a"), base=const(7), modulus=const(1000)) == 7 + plain % 1000
    assert hash_of(backend, m("a"), base=const(7), modulus=m("modulus")) == 7 + plain % 1000
    assert hash_of(backend, m("a"), base=const(7), modulus=const(0)) == 7


def test_payload_is_what_was_not_extracted(backend: Backend) -> None:
    two = header_type("two_t", value=16)
    code: list[Op] = [Extract("two"), Hash(m("h"), "crc32", (const(1, 8),), with_payload=True)]
    result = value_of(
        backend,
        code,
        m("h"),
        frame=b"\xaa\xbbpayload",
        metadata=METADATA,
        types=[two],
        headers={"two": "two_t"},
    )
    assert result == zlib.crc32(b"\x01payload")


def test_varbit_contributes_its_current_bits(backend: Backend) -> None:
    options = HeaderType("options_t", (Field("kind", 8), Field("data", 64, varbit=True)))
    code: list[Op] = [
        Extract("options", varbit_bits=const(16)),
        Hash(m("h"), "crc32", (const(0xEE, 8), Ref("options", "data"))),
    ]
    more = {"metadata": METADATA, "types": [options], "headers": {"options": "options_t"}}
    assert value_of(backend, code, m("h"), frame=b"\x01\x02\x03rest", **more) == zlib.crc32(b"\xee\x02\x03")  # type: ignore[arg-type]


def header_hash(backend: Backend, skip_invalid: bool, *parsed: str) -> int:
    """crc32 over b, one.value, m.c and two.value, of which only the headers in `parsed` are there; 12 34 …"""
    byte = header_type("byte_t", value=8)
    code: list[Op] = [Move(m("b"), const(0xB)), Move(m("c"), const(0xC0C)), *map(Extract, parsed)]
    inputs = (m("b"), Ref("one", "value"), m("c"), Ref("two", "value"))
    code.append(Hash(m("h"), "crc32", inputs, skip_invalid=skip_invalid))
    headers = {"one": "byte_t", "two": "byte_t"}
    return value_of(
        backend, code, m("h"), frame=b"\x12\x34", metadata=METADATA, types=[byte], headers=headers
    )


@pytest.mark.parametrize(
    ("parsed", "zeros", "skipped"),
    [
        (("one", "two"), "b12c0c34", "b12c0c34"),
        (("one",), "b12c0c00", "b12c0c"),
        (("two",), "b00c0c12", "bc0c12"),
        ((), "b00c0c00", "bc0c"),
    ],
)
def test_invalid_headers_are_zeros_or_left_out(
    backend: Backend, parsed: tuple[str, ...], zeros: str, skipped: str
) -> None:
    """Left out as BMv2's calculations do: what follows moves up, and zero bits fill the last byte."""
    for skip_invalid, text in ((False, zeros), (True, skipped)):
        whole = bytes.fromhex(text + "0" * (len(text) % 2))
        assert header_hash(backend, skip_invalid, *parsed) == zlib.crc32(whole), text


def test_round_robin_counts_a_packet_that_divides_by_zero(backend: Backend) -> None:
    modulus = header_type("byte_t", value=8)
    code: list[Op] = [
        Extract("by"),
        Hash(m("h"), "round_robin", (), modulus=Ref("by", "value")),
        Transmit(m("h")),
    ]
    built = swx(code, metadata={"h": 16}, types=[modulus], headers={"by": "byte_t"})
    running = pipeline(backend, built)
    assert [one(running, bytes([by])).sent[0][0] for by in (5, 0, 5, 0, 5)] == [0, 0, 2, 0, 4]


def test_round_robin_counts_per_place_and_goes_on_under_a_trace(backend: Backend) -> None:
    code: list[Op] = [Hash(m("h"), "round_robin", ()), Transmit(m("h"))]
    running = pipeline(backend, swx(code, metadata={"h": 32}))
    assert [one(running).sent[0][0] for _ in range(3)] == [0, 1, 2]
    assert traced(running, b"").sent[0][0] == 3
