"""Values on the wire (P4Runtime 1.5 §8.4, §8.5, §18): bytestrings, signed numbers, typed data, names."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st

from p4nic.errors import ErrorKind, StateError, UnsupportedError
from p4nic.load.p4info_model import FieldInfo, PacketHeaderInfo
from p4nic.server.codec.p4data import DataTypes
from p4nic.server.codec.packet import PacketHeader
from p4nic.server.codec.scalar import Scalar, SdnNames, shortest, shortest_signed, signed, unsigned
from p4rt import p4d, p4r, p4t

ROOT = Path(__file__).resolve().parents[1]

# Table 4 and Table 5 of §8.4.
VALID_UNSIGNED = [
    (8, b"\x63", 99),
    (16, b"\x00\x63", 99),
    (16, b"\x30\x64", 12388),
    (16, b"\x00\x30\x64", 12388),
]
VALID_UNSIGNED += [(12, b"\x00\x63", 99), (12, b"\x63", 99), (12, b"\x00\x00\x63", 99)]
VALID_SIGNED = [
    (8, b"\x63", 99),
    (8, b"\x9d", -99),
    (8, b"\xff\x9d", -99),
    (12, b"\xfd\x1d", -739),
    (16, b"\0\0", 0),
]
INVALID_UNSIGNED = [
    (8, b"\x01\x63"),
    (8, b""),
    (16, b"\x01\x00\x63"),
    (12, b"\x10\x63"),
    (12, b"\x01\x00\x63"),
]
INVALID_UNSIGNED += [(12, b"\x00\x40\x63")]
INVALID_SIGNED = [(8, b"\x00\x9d"), (12, b"\x8d\x1d"), (16, b"")]


def kind_of(call: object) -> ErrorKind:
    with pytest.raises(StateError) as error:
        call()  # type: ignore[operator]
    return error.value.kind


@pytest.mark.parametrize(("width", "data", "value"), VALID_UNSIGNED)
def test_valid_unsigned_bytestrings_of_the_specification(width: int, data: bytes, value: int) -> None:
    assert unsigned(data, width, "x") == Scalar("x", width).decode(data) == value


@pytest.mark.parametrize(("width", "data", "value"), VALID_SIGNED)
def test_valid_signed_bytestrings_of_the_specification(width: int, data: bytes, value: int) -> None:
    assert signed(data, width, "x") == value


@pytest.mark.parametrize(("width", "data"), INVALID_UNSIGNED)
def test_invalid_unsigned_bytestrings_of_the_specification(width: int, data: bytes) -> None:
    assert kind_of(lambda: Scalar("x", width).decode(data)) is ErrorKind.OUT_OF_RANGE


@pytest.mark.parametrize(("width", "data"), INVALID_SIGNED)
def test_invalid_signed_bytestrings_of_the_specification(width: int, data: bytes) -> None:
    assert kind_of(lambda: signed(data, width, "x")) is ErrorKind.OUT_OF_RANGE


@given(st.integers(0, 1 << 200), st.integers(0, 5))
def test_unsigned_round_trip(value: int, zeros: int) -> None:
    data = shortest(value)
    assert len(data) == 1 or data[0] != 0
    assert unsigned(b"\0" * zeros + data, value.bit_length() or 1, "x") == value


@given(st.integers(-(1 << 100), 1 << 100))
def test_signed_round_trip(value: int) -> None:
    data = shortest_signed(value)
    assert signed(data, 120, "x") == value
    assert len(data) == 1 or not -(1 << (8 * len(data) - 9)) <= value < 1 << (8 * len(data) - 9)


# --- P4Data (§8.5) ------------------------------------------------------------------------------------------

TYPES = text_format.Parse(
    """
    enums { key: "color_t" value { members { name: "RED" } members { name: "BLUE" } } }
    serializable_enums { key: "kind_t" value { underlying_type { bitwidth: 16 } } }
    error { members: "NoError" members: "PacketTooShort" }
    new_types { key: "port_t" value { translated_type { uri: "u" sdn_string {} } } }
    new_types { key: "id_t" value { original_type { bitstring { bit { bitwidth: 24 } } } } }
    """,
    p4t.P4TypeInfo(),
)
DATA = [
    ("bitstring { bit { bitwidth: 12 } }", 0xABC, p4d.P4Data(bitstring=b"\x0a\xbc")),
    ("bitstring { int { bitwidth: 12 } }", 0xFFF, p4d.P4Data(bitstring=b"\xff")),
    ("bool {}", 1, p4d.P4Data(bool=True)),
    ('enum { name: "color_t" }', 1, p4d.P4Data(enum="BLUE")),
    ('serializable_enum { name: "kind_t" }', 513, p4d.P4Data(enum_value=b"\x02\x01")),
    ("error {}", 1, p4d.P4Data(error="PacketTooShort")),
    ('new_type { name: "id_t" }', 7, p4d.P4Data(bitstring=b"\x07")),
    ('new_type { name: "port_t" }', 7, p4d.P4Data(bitstring=b"7")),
]


@pytest.mark.parametrize(("spec", "value", "message"), DATA, ids=[d[0] for d in DATA])
def test_typed_data_round_trip(spec: str, value: int, message: p4d.P4Data) -> None:
    kind = DataTypes(TYPES, {}).scalar(text_format.Parse(spec, p4t.P4DataTypeSpec()), "register r")
    assert kind.encode(value) == message
    assert kind.decode(message, "register r") == value


def test_data_of_another_type_is_refused() -> None:
    kind = DataTypes(TYPES, {}).scalar(
        text_format.Parse('enum { name: "color_t" }', p4t.P4DataTypeSpec()), "x"
    )
    assert kind_of(lambda: kind.decode(p4d.P4Data(enum="GREEN"), "x")) is ErrorKind.INVALID_ARGUMENT
    assert kind_of(lambda: kind.decode(p4d.P4Data(bool=True), "x")) is ErrorKind.INVALID_ARGUMENT


def test_types_without_p4data_are_refused_at_load() -> None:
    spec = text_format.Parse('header { name: "h" }', p4t.P4DataTypeSpec())
    with pytest.raises(
        UnsupportedError, match="register r has type header, which p4nic does not put into P4Data"
    ):
        DataTypes(TYPES, {}).scalar(spec, "register r")


# --- names (§18) --------------------------------------------------------------------------------------------


def test_sdn_strings_are_kept_verbatim() -> None:
    names = SdnNames("port_t")
    port = Scalar("table t, field port", 9, names)
    values = {name: port.decode(name) for name in (b"Ethernet0", b"7", b"07", b"Ethernet1")}
    assert values[b"7"] == 7
    assert len(set(values.values())) == 4
    assert {port.encode(value) for value in values.values()} == set(values)
    assert port.encode(300) == b"300"


def test_sdn_strings_run_out() -> None:
    port = Scalar("x", 1, SdnNames("port_t"))
    port.decode(b"a")
    assert kind_of(lambda: port.decode(b"b")) is ErrorKind.RESOURCE_EXHAUSTED
    assert kind_of(lambda: port.decode(b"")) is ErrorKind.OUT_OF_RANGE
    assert kind_of(lambda: port.decode(b"\xff")) is ErrorKind.INVALID_ARGUMENT


# --- packet headers -----------------------------------------------------------------------------------------


def header(*widths: int) -> PacketHeaderInfo:
    fields = tuple(FieldInfo(n, f"f{n}", width) for n, width in enumerate(widths, start=1))
    return PacketHeaderInfo(1, "packet_in", fields)


@given(st.integers(0, 511), st.integers(0, 127), st.binary(max_size=20))
def test_packet_header_round_trip(port: int, reason: int, payload: bytes) -> None:
    head = PacketHeader("packet_in", header(9, 7))
    out = p4r.PacketOut(payload=payload)
    out.metadata.add(metadata_id=2, value=shortest(reason))
    out.metadata.add(metadata_id=1, value=shortest(port))
    frame = head.join(out)
    assert frame == (port << 7 | reason).to_bytes(2, "big") + payload
    packet = head.split(frame)
    assert packet is not None
    assert packet.payload == payload
    assert [(m.metadata_id, m.value) for m in packet.metadata] == [(1, shortest(port)), (2, shortest(reason))]


def test_frame_shorter_than_its_header() -> None:
    assert PacketHeader("packet_in", header(9, 7)).split(b"\1") is None


def test_program_without_packet_header() -> None:
    packet = PacketHeader("packet_in", None).split(b"whole")
    assert packet == p4r.PacketIn(payload=b"whole")


def test_odd_headers_are_refused_at_load() -> None:
    with pytest.raises(UnsupportedError, match="header packet_in has 9 bits; pad it to whole bytes"):
        PacketHeader("packet_in", header(9))
    with pytest.raises(UnsupportedError, match="field f1 is a string for the controller"):
        PacketHeader("packet_in", header(0))


# --- the documentation --------------------------------------------------------------------------------------


def test_documented_side_service_is_the_one_of_the_proto_file() -> None:
    proto = (ROOT / "sim/p4nic/server/simulation.proto").read_text()
    page = (ROOT / "docs/p4runtime.md").read_text()
    methods = [line.strip() for line in proto.splitlines() if line.strip().startswith("rpc ")]
    assert len(methods) == 5
    assert all(method in page for method in methods)
