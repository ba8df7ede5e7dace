"""PSA and PNA (BMv2): the order of psa_switch's stages, its copies, and pna_nic's one
port.
"""

from __future__ import annotations

from ir_builders import action, const, header_type, m, one, pipeline, traced

from p4nic.backend.api import Backend, CloneSession, Outcome, Pipeline, Replica
from p4nic.ir import verify
from p4nic.ir.ops import (
    Binary,
    Branch,
    Code,
    Emit,
    Extract,
    Label,
    Lookahead,
    Move,
    Op,
    Ref,
    Return,
    SetValid,
)
from p4nic.ir.program import Architecture, Block, BlockKind, Program
from p4nic.ir.types import Header

PSA = {
    "psa_ingress_parser_input_metadata": {"ingress_port": 32, "packet_path": 32},
    "psa_ingress_input_metadata": {
        "ingress_port": 32, "packet_path": 32, "ingress_timestamp": 64, "parser_error": 32,
    },
    "psa_ingress_output_metadata": {
        "class_of_service": 8, "clone": 1, "clone_session_id": 16, "drop": 1, "resubmit": 1,
        "multicast_group": 32, "egress_port": 32,
    },
    "psa_egress_parser_input_metadata": {"egress_port": 32, "packet_path": 32},
    "psa_egress_input_metadata": {
        "class_of_service": 8, "egress_port": 32, "packet_path": 32, "instance": 16, "egress_timestamp": 64,
        "parser_error": 32,
    },
    "psa_egress_output_metadata": {"clone": 1, "clone_session_id": 16, "drop": 1},
    "psa_egress_deparser_input_metadata": {"egress_port": 32},
}  # fmt: skip
PNA = {
    "pna_main_parser_input_metadata": {"recirculated": 1, "input_port": 32},
    "pna_main_input_metadata": {"timestamp": 64, "parser_error": 32, "input_port": 32},
}
UNICAST, MULTICAST, I2E, E2E, RESUBMITTED, RECIRCULATED = range(1, 7)
RECIRCULATE_PORT = 0xFFFFFFFA


def build(
    backend: Backend,
    architecture: Architecture,
    blocks: dict[str, tuple[BlockKind, Code]],
    layout: dict[str, dict[str, int]],
) -> Pipeline:
    """A program with one-byte headers `h` and `note`, metadata `m.x`, and the architecture's own metadata."""
    metadata = {"m": {"x": 8}, **layout}
    types = {f"{n}_t": header_type(f"{n}_t", **widths) for n, widths in metadata.items()}
    headers = {n: Header(n, f"{n}_t", metadata=True) for n in metadata}
    types["byte_t"] = header_type("byte_t", value=8)
    headers |= {n: Header(n, "byte_t") for n in ("h", "note")}
    made = Program(
        "test",
        architecture,
        types,
        headers,
        {n: Block(n, kind, code) for n, (kind, code) in blocks.items()},
        {"NoAction": action("NoAction")},
        {},
    )
    verify.check(made)
    return pipeline(backend, made)


PARSE: list[Op] = [Extract("h")]
DEPARSE: list[Op] = [Emit("h"), Emit("note")]


def psa(
    backend: Backend, ingress: list[Op], egress: list[Op] | None = None, parser: list[Op] = PARSE
) -> Pipeline:
    return build(
        backend,
        "psa",
        {
            "ingress_parser": ("parser", tuple(parser)),
            "ingress": ("control", tuple(ingress)),
            "ingress_deparser": ("deparser", tuple(DEPARSE)),
            "egress_parser": ("parser", tuple(PARSE)),
            "egress": ("control", tuple(egress or ())),
            "egress_deparser": ("deparser", tuple(DEPARSE)),
        },
        PSA,
    )


def run(running: Pipeline, frame: bytes = b"A-payload", port: int = 3) -> Outcome:
    """One frame; the traced build must say the same."""
    outcome = one(running, frame, port)
    assert traced(running, frame, port, 0) == outcome
    return outcome


def out(field: str, value: int) -> Op:
    return Move(Ref("psa_ingress_output_metadata", field), const(value))


def egress_out(field: str, value: int) -> Op:
    return Move(Ref("psa_egress_output_metadata", field), const(value))


def note(header: str, field: str) -> list[Op]:
    """Put a metadata field into the header `note`."""
    return [SetValid("note"), Move(Ref("note", "value"), Ref(header, field))]


def to(port: int) -> list[Op]:
    return [out("drop", 0), out("egress_port", port)]


# --- PSA ---


def test_a_packet_is_dropped_unless_ingress_says_otherwise(backend: Backend) -> None:
    assert run(psa(backend, [])) == Outcome((), "drop action")
    assert run(psa(backend, to(7))).sent == ((7, b"A-payload"),)


def test_egress_parses_what_ingress_deparsed_and_may_drop(backend: Backend) -> None:
    change = Move(Ref("h", "value"), const(ord("B")))
    seen: list[Op] = [Binary(Ref("h", "value"), "add", Ref("h", "value"), const(1))]
    assert run(psa(backend, [*to(7), change], seen)).sent == ((7, b"C-payload"),)
    assert run(psa(backend, to(7), [egress_out("drop", 1)])) == Outcome((), "drop action")


def test_metadata_go_from_ingress_to_egress_and_paths_are_told(backend: Backend) -> None:
    assert run(psa(backend, [*to(7), Move(m("x"), const(5))], note("m", "x"))).sent == (
        (7, b"A\x05-payload"),
    )
    path = note("psa_egress_input_metadata", "packet_path")
    assert run(psa(backend, to(7), path)).sent == ((7, b"A\x01-payload"),)
    port = note("psa_egress_input_metadata", "egress_port")
    assert run(psa(backend, to(7), port)).sent == ((7, b"A\x07-payload"),)


def test_the_port_is_decided_whatever_egress_writes_over_its_input(backend: Backend) -> None:
    given = "psa_egress_parser_input_metadata"
    running = psa(backend, to(7), [Move(Ref(given, "egress_port"), const(2))])
    assert run(running).sent == ((7, b"A-payload"),)


def test_parser_error_has_bmv2s_number_though_the_artifact_lists_none(backend: Backend) -> None:
    short = psa(
        backend, [*to(7), *note("psa_ingress_input_metadata", "parser_error")], parser=[Lookahead(m("x"), 64)]
    )
    assert run(short, b"short").sent[0][1][:2] == b"\x01s"


def test_multicast_copies_carry_instance_class_and_path(backend: Backend) -> None:
    pack = [
        *note("psa_egress_input_metadata", "instance"),
        Binary(Ref("note", "value"), "shl", Ref("note", "value"), const(4)),
        Binary(
            Ref("note", "value"), "or", Ref("note", "value"), Ref("psa_egress_input_metadata", "packet_path")
        ),
        Branch("eq", Ref("psa_egress_input_metadata", "class_of_service"), const(3), "end"),
        egress_out("drop", 1),
        Label("end"),
    ]
    running = psa(backend, [out("drop", 0), out("multicast_group", 4), out("class_of_service", 3)], pack)
    assert run(running).drop_reason == "multicast group has no member"
    running.set_multicast_group(4, (Replica(9, 1), Replica(8, 2)))
    assert run(running).sent == ((9, b"A\x12-payload"), (8, b"A\x22-payload"))


def test_ingress_clone_is_the_received_packet_even_if_the_original_is_dropped(backend: Backend) -> None:
    clone = [out("clone", 1), out("clone_session_id", 5), Move(Ref("h", "value"), const(ord("Z")))]
    running = psa(backend, clone, note("psa_egress_input_metadata", "packet_path"))
    assert run(running).drop_reason == "drop action"
    running.set_clone_session(5, CloneSession((Replica(6, 1),), truncate_bytes=3))
    assert run(running) == Outcome(((6, b"A\x03-p"),))


def test_egress_clone_is_what_the_egress_deparser_left(backend: Backend) -> None:
    path = Ref("psa_egress_input_metadata", "packet_path")
    egress: list[Op] = [
        Branch("eq", path, const(E2E), "end"),
        Move(Ref("h", "value"), const(ord("E"))),
        egress_out("clone", 1),
        egress_out("clone_session_id", 5),
        Label("end"),
    ]
    running = psa(backend, to(7), egress)
    running.set_clone_session(5, CloneSession((Replica(6, 1),)))
    assert run(running).sent == ((7, b"E-payload"), (6, b"E-payload"))


def test_clones_of_clones_by_twos_end(backend: Backend) -> None:
    running = psa(backend, to(7), [egress_out("clone", 1), egress_out("clone_session_id", 5)])
    running.set_clone_session(5, CloneSession((Replica(6, 1), Replica(6, 2))))
    assert len(run(running).sent) == 1025


def test_resubmit_starts_over_with_the_received_packet_and_its_port(backend: Backend) -> None:
    given = "psa_ingress_input_metadata"
    ingress: list[Op] = [
        out("drop", 0),
        Branch("eq", Ref(given, "packet_path"), const(RESUBMITTED), "again"),
        Move(Ref("h", "value"), const(ord("Z"))),
        out("resubmit", 1),
        Return(),
        Label("again"),
        Move(Ref("psa_ingress_output_metadata", "egress_port"), Ref(given, "ingress_port")),
    ]
    assert run(psa(backend, ingress), port=3).sent == ((3, b"A-payload"),)
    assert run(psa(backend, [out("drop", 0), out("resubmit", 1)])).drop_reason == "recirculation limit"


def test_recirculation_is_a_port_and_brings_the_outgoing_packet_back(backend: Backend) -> None:
    path = Ref("psa_ingress_input_metadata", "packet_path")
    ingress: list[Op] = [
        *to(RECIRCULATE_PORT),
        Move(Ref("h", "value"), const(ord("R"))),
        Branch("ne", path, const(RECIRCULATED), "end"),
        out("egress_port", 2),
        Label("end"),
    ]
    assert run(psa(backend, ingress)).sent == ((2, b"R-payload"),)
    assert run(psa(backend, to(RECIRCULATE_PORT))).drop_reason == "recirculation limit"


def test_loop_and_missing_port_are_counted_drops(backend: Backend) -> None:
    loop: list[Op] = [Label("s", "state"), Branch("eq", const(0), const(0), "s")]
    assert run(psa(backend, to(1), parser=loop)).drop_reason == "instruction limit"
    assert run(psa(backend, to(5000))).drop_reason == "egress port does not exist"


# --- PNA ---


def pna(backend: Backend, control: list[Op], parser: list[Op] = PARSE) -> Pipeline:
    return build(
        backend,
        "pna",
        {
            "main_parser": ("parser", tuple(parser)),
            "main_control": ("control", tuple(control)),
            "main_deparser": ("deparser", tuple(DEPARSE)),
        },
        PNA,
    )


def test_pna_nic_sends_everything_to_port_0(backend: Backend) -> None:
    assert run(pna(backend, [Move(Ref("h", "value"), const(ord("P")))])).sent == ((0, b"P-payload"),)
    assert run(pna(backend, note("pna_main_input_metadata", "input_port"))).sent == ((0, b"A\x03-payload"),)


def test_pna_records_parser_errors_and_ends_loops(backend: Backend) -> None:
    error = note("pna_main_input_metadata", "parser_error")
    assert run(pna(backend, error, [Lookahead(m("x"), 800)])).sent == ((0, b"\x01A-payload"),)
    assert (
        run(pna(backend, [], [Label("s", "state"), Branch("eq", const(0), const(0), "s")])).drop_reason
        == "instruction limit"
    )
