"""v1model: the order of simple_switch's stages, its metadata, copies, resubmission,
recirculation.
"""

from __future__ import annotations

from typing import Any as Json

from ir_builders import action, const, header_type, m, one, pipeline, std, traced, v1model

from p4nic.backend.api import Backend, CloneSession, DigestMessage, Outcome, Pipeline, Replica
from p4nic.ir.ops import (
    Binary,
    Branch,
    Call,
    Clone,
    Digest,
    Emit,
    Exit,
    Extract,
    Label,
    Lookahead,
    Move,
    Op,
    Place,
    Recirculate,
    Ref,
    Resubmit,
    Return,
    SetValid,
    Switch,
    Truncate,
)
from p4nic.ir.program import DigestList

DROP = 511
BYTE = header_type("byte_t", value=8)
WORD = header_type("word_t", value=48)
LAYOUT: dict[str, Json] = {
    "types": [BYTE, WORD],
    "headers": {"h": "byte_t", "note": "byte_t", "word": "word_t"},
    "metadata": {"mark": 8, "other": 8},
}


def build(backend: Backend, ingress: list[Op], **more: Json) -> Pipeline:
    """Parser extracts `h`, deparser emits `h`, `note` and `word`."""
    blocks: dict[str, Json] = {
        "parser": [Extract("h")],
        "deparser": [Emit("h"), Emit("note"), Emit("word")],
        **more,
    }
    return pipeline(backend, v1model(ingress, **LAYOUT, **blocks))


def run(running: Pipeline, frame: bytes = b"A-payload", port: int = 3, now_ns: int = 0) -> Outcome:
    """One frame; the traced build must say the same, from the same state."""
    outcome = one(running, frame, port, now_ns)
    assert traced(running, frame, port, now_ns) == outcome
    return outcome


def to(port: int) -> Op:
    return Move(std("egress_spec"), const(port, 9))


def noted(field: Place) -> list[Op]:
    """Put a field into the header `word`, to see it from outside."""
    return [SetValid("word"), Move(Ref("word", "value"), field)]


def note_of(frame: bytes, at: int = 1) -> int:
    return int.from_bytes(frame[at : at + 6], "big")


def test_unicast_goes_to_egress_spec_with_its_payload(backend: Backend) -> None:
    assert run(build(backend, [to(7)])).sent == ((7, b"A-payload"),)


def test_without_a_decision_the_port_is_0(backend: Backend) -> None:
    assert run(build(backend, [])).sent == ((0, b"A-payload"),)


def test_drop_port_drops_at_the_end_of_ingress_or_of_egress(backend: Backend) -> None:
    assert run(build(backend, [to(DROP)])) == Outcome((), "drop action")
    assert run(build(backend, [to(7)], egress=[to(DROP)])) == Outcome((), "drop action")
    # Ingress may change its mind before the end: only the last value counts.
    assert run(build(backend, [to(DROP), to(7)])).sent[0][0] == 7


def test_a_port_beyond_the_switch_is_a_counted_drop(backend: Backend) -> None:
    running = pipeline(backend, v1model([to(9)]), port_count=8)
    assert one(running, b"x").drop_reason == "egress port does not exist"
    assert (
        one(pipeline(backend, v1model([to(510)]), port_count=8), b"x").sent[0][0] == 510
    )  # the CPU port always is


def test_parser_error_is_recorded_and_the_packet_goes_on(backend: Backend) -> None:
    ingress = [to(2), SetValid("note"), Move(Ref("note", "value"), std("parser_error"))]
    running = build(backend, ingress, parser=[Extract("h"), Lookahead(m("mark")), Extract("word")])
    assert run(running, b"Axyz").sent == ((2, b"A\x01xyz"),)  # PacketTooShort; word stays in the payload
    running = build(backend, ingress, parser=[Extract("h"), Switch((Ref("h", "value"),), (), None)])
    assert run(running, b"Axyz").sent == ((2, b"A\x02xyz"),)


def test_intrinsic_metadata_of_ingress_and_egress(backend: Backend) -> None:
    def seen(block: str, field: str) -> int:
        code = noted(std(field))
        running = build(
            backend, [to(7), *(code if block == "ingress" else [])], egress=code if block == "egress" else []
        )
        return note_of(run(running, now_ns=5_000_999).sent[0][1])

    assert seen("ingress", "ingress_port") == 3
    assert seen("ingress", "packet_length") == 9
    assert seen("ingress", "instance_type") == 0
    assert seen("ingress", "ingress_global_timestamp") == 5000
    assert seen("ingress", "egress_global_timestamp") == 0
    assert seen("egress", "egress_port") == 7
    assert seen("egress", "packet_length") == 9
    assert seen("egress", "egress_global_timestamp") == 5000
    assert seen("egress", "egress_spec") == 512 & 511  # anything but the drop port


def test_checksum_blocks_run_after_parser_and_egress(backend: Backend) -> None:
    running = build(
        backend,
        [Branch("eq", m("mark"), const(1), "ok"), to(DROP), Return(), Label("ok"), to(1)],
        verify=[Move(m("mark"), const(1))],
        egress=[Move(m("other"), const(5))],
        compute=noted(m("other")),
    )
    assert note_of(run(running).sent[0][1]) == 5


def test_exit_ends_ingress_only(backend: Backend) -> None:
    running = build(
        backend,
        [to(4), Call("leave"), to(DROP)],
        egress=noted(std("egress_port")),
        actions=[action("leave", [Exit()])],
    )
    assert note_of(run(running).sent[0][1]) == 4


# --- multicast ---


def test_multicast_copies_carry_port_instance_and_type_in_the_order_given(backend: Backend) -> None:
    pack = [
        SetValid("word"),
        Binary(Ref("word", "value"), "shl", std("egress_rid"), const(8)),
        Binary(Ref("word", "value"), "or", Ref("word", "value"), std("instance_type")),
    ]
    running = build(backend, [Move(std("mcast_grp"), const(5, 16)), to(DROP)], egress=pack)
    running.set_multicast_group(5, (Replica(9, 1), Replica(2, 7), Replica(9, 2)))
    sent = run(running).sent
    assert [(port, note_of(frame)) for port, frame in sent] == [(9, 0x105), (2, 0x705), (9, 0x205)]
    assert all(frame.endswith(b"-payload") for _, frame in sent)


def test_group_without_a_member_is_a_counted_drop(backend: Backend) -> None:
    running = build(backend, [Move(std("mcast_grp"), const(5, 16))])
    assert run(running).drop_reason == "multicast group has no member"
    running.set_multicast_group(5, (Replica(1, 1),))
    running.set_multicast_group(5, None)
    assert run(running).drop_reason == "multicast group has no member"


def test_a_dropped_copy_of_a_packet_that_was_sent_is_counted(backend: Backend) -> None:
    egress: list[Op] = [Branch("ne", std("egress_port"), const(2), "end"), to(DROP), Label("end")]
    running = build(backend, [Move(std("mcast_grp"), const(1, 16))], egress=egress)
    running.set_multicast_group(1, (Replica(1, 0), Replica(2, 0)))
    assert len(one(running, b"A").sent) == 1
    assert running.statistics()["copy_dropped"] == 1


# --- clones ---


def clone_ingress(*kept: Ref) -> list[Op]:
    return [
        Move(m("mark"), const(0xAA)),
        Move(m("other"), const(0xBB)),
        Clone("i2e", const(3), tuple(kept)),
        Move(Ref("h", "value"), const(ord("Z"))),
        Move(m("mark"), const(0xCC)),
        to(1),
    ]


def test_ingress_clone_is_the_packet_as_received_with_the_kept_fields_of_the_end_of_ingress(
    backend: Backend,
) -> None:
    egress: list[Op] = [
        Branch("ne", std("instance_type"), const(1), "end"),
        SetValid("word"),
        Binary(Ref("word", "value"), "shl", m("mark"), const(8)),
        Binary(Ref("word", "value"), "or", Ref("word", "value"), m("other")),
        Label("end"),
    ]
    running = build(backend, clone_ingress(m("mark")), egress=egress)
    running.set_clone_session(3, CloneSession((Replica(8, 0),)))
    assert run(running).sent == ((8, b"A" + (0xCC00).to_bytes(6, "big") + b"-payload"), (1, b"Z-payload"))


def test_clone_to_an_unknown_session_is_nothing(backend: Backend) -> None:
    assert run(build(backend, clone_ingress())).sent == ((1, b"Z-payload"),)


def test_clone_session_truncates_and_replicates(backend: Backend) -> None:
    running = build(backend, clone_ingress())
    running.set_clone_session(3, CloneSession((Replica(8, 0), Replica(9, 0)), truncate_bytes=4))
    assert run(running).sent == ((8, b"A-pa"), (9, b"A-pa"), (1, b"Z-payload"))
    running.set_clone_session(3, None)
    assert run(running).sent == ((1, b"Z-payload"),)


def test_clone_survives_the_drop_of_its_original(backend: Backend) -> None:
    running = build(backend, [*clone_ingress(), to(DROP)])
    running.set_clone_session(3, CloneSession((Replica(8, 0),)))
    assert run(running) == Outcome(((8, b"A-payload"),))


def test_egress_clone_has_the_headers_egress_left_and_passes_egress_again(backend: Backend) -> None:
    egress: list[Op] = [
        Branch("eq", std("instance_type"), const(2), "clone"),
        Move(m("mark"), const(5)),
        Move(Ref("h", "value"), const(ord("E"))),
        Clone("e2e", const(3), (m("mark"),)),
        to(DROP),
        Return(),
        Label("clone"),
        *noted(m("mark")),
    ]
    running = build(backend, [to(1)], egress=egress)
    running.set_clone_session(3, CloneSession((Replica(8, 0),)))
    assert run(running).sent == ((8, b"E" + (5).to_bytes(6, "big") + b"-payload"),)


def test_a_clone_that_clones_itself_ends(backend: Backend) -> None:
    running = build(backend, [to(1)], egress=[Clone("e2e", const(3))])
    running.set_clone_session(3, CloneSession((Replica(8, 0),)))
    assert len(one(running, b"A").sent) == 17  # 16 clones of clones, and the packet itself
    assert running.statistics()["copy_dropped"] == 1


def test_clones_of_clones_by_twos_end_long_before_there_are_65536(backend: Backend) -> None:
    running = build(backend, [to(1)], egress=[Clone("e2e", const(3))])
    running.set_clone_session(3, CloneSession((Replica(8, 0), Replica(9, 0))))
    assert len(one(running, b"A").sent) == 1025
    assert running.statistics()["copy_dropped"] == 513  # of 1025 that wanted to be cloned, 512 were


# --- resubmit and recirculate ---


def test_resubmit_starts_over_with_the_received_packet_and_the_kept_fields(backend: Backend) -> None:
    ingress: list[Op] = [
        Branch("eq", std("instance_type"), const(6), "again"),
        Move(Ref("h", "value"), const(ord("Z"))),
        Move(m("mark"), const(7)),
        Move(m("other"), const(8)),
        Resubmit((m("mark"),)),
        Return(),
        Label("again"),
        to(2),
        SetValid("word"),
        Binary(Ref("word", "value"), "shl", m("mark"), const(16)),
        Binary(Ref("word", "value"), "add", Ref("word", "value"), std("packet_length")),
        Binary(Ref("word", "value"), "or", Ref("word", "value"), m("other")),
    ]
    assert run(build(backend, ingress)).sent == ((2, b"A" + (7 << 16 | 9).to_bytes(6, "big") + b"-payload"),)


def test_recirculate_starts_over_with_the_outgoing_packet(backend: Backend) -> None:
    ingress: list[Op] = [
        Branch("eq", std("instance_type"), const(4), "again"),
        Move(Ref("h", "value"), const(ord("B"))),
        SetValid("note"),
        Move(Ref("note", "value"), const(ord("n"))),
        Move(m("mark"), const(1)),
        to(9),
        Return(),
        Label("again"),
        Binary(m("mark"), "add", m("mark"), const(1)),
        to(2),
    ]
    egress: list[Op] = [
        Branch("eq", m("mark"), const(2), "end"),
        Recirculate((m("mark"),)),
        Label("end"),
    ]
    running = build(backend, ingress, egress=egress)
    assert run(running).sent == ((2, b"Bn-payload"),)
    length = build(backend, [*ingress, *noted(std("packet_length"))], egress=egress)
    assert note_of(run(length).sent[0][1]) == len(b"Bn-payload")


def test_endless_resubmission_and_recirculation_end_with_a_reason(backend: Backend) -> None:
    assert run(build(backend, [Resubmit()])).drop_reason == "recirculation limit"
    assert run(build(backend, [to(1)], egress=[Recirculate()])).drop_reason == "recirculation limit"


# --- the rest ---


def test_truncate_keeps_the_beginning(backend: Backend) -> None:
    assert run(build(backend, [to(1), Truncate(const(3))])).sent == ((1, b"A-p"),)
    assert run(build(backend, [to(1), Truncate(const(99))])).sent == ((1, b"A-payload"),)


def test_digest_is_delivered_once_in_order(backend: Backend) -> None:
    running = build(
        backend,
        [Digest("d", (Ref("h", "value"), std("ingress_port"))), to(DROP)],
        digests=[DigestList("d", (("value", 4), ("port", 9)))],
    )
    running.process([(1, b"A"), (2, b"B")], 0)
    assert running.digests() == [DigestMessage("d", (0x1, 1)), DigestMessage("d", (0x2, 2))]
    assert running.digests() == []


def test_endless_loop_in_a_parser_ends_with_a_reason(backend: Backend) -> None:
    running = build(backend, [to(1)], parser=[Label("s", "state"), Branch("eq", const(0), const(0), "s")])
    assert run(running).drop_reason == "instruction limit"
