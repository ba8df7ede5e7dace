"""PSA and PNA documents: their blocks, and the extern methods that PSA brings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bmv2_json_samples import Json, action, document, field, loaded, number, pipeline, primitive, state

from p4nic.errors import UnsupportedError
from p4nic.ir.program import Counter, MeterArray
from p4nic.ir.text import code_lines
from p4nic.load.bmv2_json import load_text

EXTERNS = [
    {
        "name": "hash",
        "id": 0,
        "type": "Hash",
        "attribute_values": [{"name": "algo", "type": "string", "value": "crc32"}],
    },
    {
        "name": "count",
        "id": 1,
        "type": "Counter",
        "attribute_values": [
            {"name": "n_counters", "type": "hexstr", "value": "0x10"},
            {"name": "type", "type": "hexstr", "value": "0x2"},
        ],
    },
    {
        "name": "meter",
        "id": 2,
        "type": "Meter",
        "attribute_values": [
            {"name": "is_direct", "type": "hexstr", "value": 0},
            {"name": "n_meters", "type": "hexstr", "value": "0x8"},
            {"name": "rate_count", "type": "hexstr", "value": 2},
            {"name": "type", "type": "string", "value": "packets"},
        ],
    },
    {"name": "ck", "id": 3, "type": "InternetChecksum", "attribute_values": []},
]
A, B, X = field("h", "a"), field("h", "b"), field("scalars", "x")


def psa(*primitives: Json, **more: Any) -> Json:
    parsers = [
        {"name": n, "id": i, "init_state": "start", "parse_states": [state("start")]}
        for i, n in enumerate(("ingress_parser", "egress_parser"))
    ]
    deparsers: list[Json] = [
        {"name": n, "id": 0, "order": [], "primitives": []} for n in ("ingress_deparser", "egress_deparser")
    ]
    return document(
        parsers=parsers,
        deparsers=deparsers,
        extern_instances=EXTERNS,
        actions=[action("act", *primitives)],
        **more,
    )


def extern(name: str) -> Json:
    return {"type": "extern", "value": name}


def fields(*values: Json) -> Json:
    return {"type": "field_list", "value": list(values)}


def test_psa_has_six_blocks() -> None:
    program = loaded(psa())
    assert program.architecture == "psa"
    assert list(program.blocks) == [
        "ingress_parser",
        "ingress",
        "ingress_deparser",
        "egress_parser",
        "egress",
        "egress_deparser",
    ]


def test_pna_has_three_blocks() -> None:
    doc = document(
        parsers=[{"name": "main_parser", "id": 0, "init_state": "start", "parse_states": [state("start")]}],
        pipelines=[pipeline("main_control")],
        deparsers=[{"name": "main_deparser", "id": 0, "order": []}],
    )
    program = loaded(doc)
    assert (program.architecture, list(program.blocks)) == (
        "pna",
        ["main_parser", "main_control", "main_deparser"],
    )


def test_counters_and_meters_are_arrays() -> None:
    program = loaded(psa())
    assert program.counters == {"count": Counter("count", "both", 16)}
    assert program.meters == {"meter": MeterArray("meter", "packets", 8)}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            primitive("_Counter_count", extern("count"), A),
            ["count count[h.a] by packets 32w0x1, bytes packet_length"],
        ),
        (
            primitive("_Meter_execute", extern("meter"), A, X),
            [
                "t1:bit<2> = meter meter[h.a]",
                "t3:bit<1> = t1 == 2w0x2",
                "t2:bit<2> = t1 + 2w0x1",
                "scalars.x = t3 ? 2w0x0 : t2",  # RED, GREEN, YELLOW in PSA's numbering
            ],
        ),
        (primitive("_Meter_execute", extern("meter"), A), ["t1:bit<2> = meter meter[h.a]"]),
        (
            primitive("_Meter_execute", extern("meter"), A, number(5)),  # the colour before, and the index
            [
                "t3:bit<1> = h.a == 2w0x0",
                "t2:bit<2> = h.a - 2w0x1",
                "t1:bit<2> = t3 ? 2w0x2 : t2",
                "t4:bit<2> = meter meter[3w0x5] color t1",
            ],
        ),
        (primitive("_Hash_get_hash", extern("hash"), X, fields(A, B)), ["scalars.x = crc32(h.a, h.b)"]),
        (
            primitive("_Hash_get_hash", extern("hash"), X, {"type": "field_list", "value": A}),
            ["scalars.x = crc32(h.a)"],
        ),
        (
            primitive("_Hash_get_hash_mod", extern("hash"), X, number(1), fields(A), number(8)),
            ["scalars.x = 1w0x1 + (crc32(h.a) % 4w0x8)"],
        ),
        (primitive("_InternetChecksum_clear", extern("ck")), ["$checksums.ck = 16w0x0"]),
        (
            primitive("_InternetChecksum_add", extern("ck"), fields(A, B)),
            ["t1:bit<16> = csum16($checksums.ck, h.a, h.b)", "$checksums.ck = ~t1"],
        ),
        (
            primitive("_InternetChecksum_subtract", extern("ck"), fields(A, B)),
            [
                "t1:bit<8> = ~h.a",
                "t2:bit<8> = ~h.b",
                "t3:bit<16> = csum16($checksums.ck, t1, t2)",
                "$checksums.ck = ~t3",
            ],
        ),
        (primitive("_InternetChecksum_get", extern("ck"), field("h", "c")), ["h.c = ~$checksums.ck"]),
        (primitive("_InternetChecksum_get_state", extern("ck"), field("h", "c")), ["h.c = $checksums.ck"]),
        (primitive("_InternetChecksum_set_state", extern("ck"), field("h", "c")), ["$checksums.ck = h.c"]),
        (
            primitive("_InternetChecksum_get_verify", extern("ck"), X, field("h", "c")),
            ["t1:bit<16> = ~$checksums.ck", "scalars.x = h.c == t1"],
        ),
    ],
)
def test_extern_method(call: Json, expected: list[str]) -> None:
    program = loaded(psa(call))
    assert [line.strip() for line in code_lines(program.actions["act"].code)] == expected


def test_pna_primitives_belong_to_pna() -> None:
    with pytest.raises(UnsupportedError, match="PNA's 'drop_packet' in another architecture is not supp"):
        load_text(json.dumps(psa(primitive("drop_packet"))))


def test_an_unknown_extern_is_named() -> None:
    doc = psa()
    doc["extern_instances"] = [{"name": "q", "id": 0, "type": "Queue", "attribute_values": []}]
    with pytest.raises(
        UnsupportedError, match="the extern 'Queue' is not supported; p4nic has Counter, Meter"
    ):
        load_text(json.dumps(doc))
