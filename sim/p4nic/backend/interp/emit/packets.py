"""What happens to the packet as a whole: parser verdicts, digests, copies, recirculation, SWX
rx/tx/drop, logs.

Requests (clone, resubmit, …) are only noted in the packet; the architecture acts on them when the block
is done.
"""

from __future__ import annotations

from typing import assert_never

from p4nic.backend.interp.emit.code import CodeWriter, source_text
from p4nic.backend.interp.state import State
from p4nic.ir.ops import (
    Advance,
    Assert,
    Clone,
    Digest,
    Drop,
    LogMessage,
    Mirror,
    Receive,
    Recirculate,
    RecirculationId,
    Ref,
    Reject,
    Resubmit,
    Transmit,
    Truncate,
    Verify,
)

PacketOp = (
    Advance | Verify | Reject | Digest | Clone | Resubmit | Recirculate | RecirculationId | Mirror | Truncate
    | Receive | Transmit | Drop | LogMessage | Assert
)  # fmt: skip


def write(out: CodeWriter, op: PacketOp, state: State) -> bool:
    """Write one instruction; False if nothing runs after it."""
    match op:
        case Reject():
            reject(out, op)
            return False
        case Transmit():
            transmit(out, op)
            return False
        case Drop():
            drop(out)
            return False
        case Digest():
            digest(out, op, state)
        case Advance():
            advance(out, op)
        case Verify():
            verify(out, op)
        case Receive():
            receive(out, op)
        case RecirculationId():
            recirculation_id(out, op)
        case LogMessage():
            log_message(out, op)
        case Assert():
            assert_(out, op)
        case Clone() | Resubmit() | Recirculate() | Mirror() | Truncate():
            request(out, op)
        case _:
            assert_never(op)
    return True


def request(out: CodeWriter, op: Clone | Resubmit | Recirculate | Mirror | Truncate) -> None:
    """Note what the architecture shall do with the packet later; of several requests of a kind the last
    one counts.
    """
    match op:
        case Clone():
            out.module.line(f"pkt.clone = ({out.read(op.session)}, {slots_kept(out, op.fields)})")
        case Resubmit():
            out.module.line(f"pkt.resubmit = {slots_kept(out, op.fields)}")
        case Recirculate():
            out.module.line(f"pkt.recirculate = {slots_kept(out, op.fields)}")
        case Truncate():
            out.module.line(f"pkt.limit = {out.read(op.length)}")
        case Mirror():
            with out.module.inside("if pkt.mirrors is None:"):
                out.module.line("pkt.mirrors = {}")
            out.module.line(f"pkt.mirrors[{out.read(op.slot)}] = {out.read(op.session)}")
        case _:
            assert_never(op)


def advance(out: CodeWriter, op: Advance) -> None:
    out.module.line(f"advance(pkt, {out.read(op.bits)})")


def verify(out: CodeWriter, op: Verify) -> None:
    name = repr(op.error) if isinstance(op.error, str) else f"error_name({out.read(op.error)})"
    with out.module.inside(f"if not {out.read(op.cond)}:"):
        out.module.line(f"raise ParserError({name}, {source_text(op.source)})")


def reject(out: CodeWriter, op: Reject) -> None:
    out.module.line(f"raise ParserError({op.error!r}, {source_text(op.source)})")


def digest(out: CodeWriter, op: Digest, state: State) -> None:
    fields = state.program.digests[op.digest].fields
    values = "".join(f"{out.unsigned(v, width)}, " for v, (_, width) in zip(op.values, fields, strict=True))
    out.module.line(f"send_digest({op.digest!r}, ({values}))")
    told = ", ".join(
        f"{name!r}: {out.unsigned(v, width)}" for v, (name, width) in zip(op.values, fields, strict=True)
    )
    out.tell("digest", op.source, f'"digest": {op.digest!r}, "values": {{{told}}}')


def slots_kept(out: CodeWriter, fields: tuple[Ref, ...]) -> str:
    """The slots of fields that survive a copy, as a tuple."""
    return "(" + "".join(f"{out.layout.field(r.header, r.field).index}, " for r in fields) + ")"


def recirculation_id(out: CodeWriter, op: RecirculationId) -> None:
    out.store(op.dst, "pkt.passes", None, op.source)


def receive(out: CodeWriter, op: Receive) -> None:
    # A recirculated packet keeps its metadata, the input port among them.
    with out.module.inside("if not pkt.passes:"):
        out.store(op.dst, "pkt.port", None, op.source)


def transmit(out: CodeWriter, op: Transmit) -> None:
    out.module.line(f"pkt.transmit = {out.read(op.port)}")
    _end(out)


def drop(out: CodeWriter) -> None:
    out.module.line("pkt.transmit = DROPPED")
    _end(out)


def _end(out: CodeWriter) -> None:
    out.module.line("raise EndOfPacket" if out.in_action else "return None")


def log_message(out: CodeWriter, op: LogMessage) -> None:
    values = "".join(f"{out.read(v)}, " for v in op.values)
    out.module.line(f"log_message({op.text!r}, ({values}), {source_text(op.source)})")
    out.tell("log", op.source, f'"text": fill({op.text!r}, ({values}))')


def assert_(out: CodeWriter, op: Assert) -> None:
    with out.module.inside(f"if not {out.read(op.cond)}:"):
        out.module.line(f"assert_failed({op.text!r}, {source_text(op.source)})")
        out.tell("error", op.source, f'"name": {("assertion failed: " + op.text)!r}')
