"""Instructions on the packet and its headers: rx, tx, drop, mirror, recirculate, extract, lookahead, emit,
validate …"""

from __future__ import annotations

from collections.abc import Mapping

from p4nic.ir.ops import (
    Binary,
    Const,
    Drop,
    Emit,
    Extract,
    Lookahead,
    Mirror,
    Op,
    Receive,
    Recirculate,
    RecirculationId,
    SetInvalid,
    SetValid,
    Transmit,
)
from p4nic.load.spec.code import Emitter, Mnemonic
from p4nic.load.spec.syntax import Instruction


def _apply_only(e: Emitter, i: Instruction) -> None:
    if e.action is not None:
        raise i.line.error(f"{i.mnemonic} cannot stand in an action, only in the apply block")


def _rx(e: Emitter, i: Instruction) -> None:
    _apply_only(e, i)
    if i is not e.body[0]:
        raise i.line.error("rx must be the first instruction of the apply block, and there only")
    e.emit(Receive(e.scope.metadata(i.args[0], i.line)[0], i.line.source))


def _tx(e: Emitter, i: Instruction) -> None:
    e.emit(Transmit(e.value(i, 0).operand, i.line.source))


def _drop(e: Emitter, i: Instruction) -> None:
    e.emit(Drop(i.line.source))


def _mirror(e: Emitter, i: Instruction) -> None:
    e.emit(Mirror(e.value(i, 0).operand, e.value(i, 1).operand, i.line.source))


def _recirculate(e: Emitter, i: Instruction) -> None:
    e.emit(Recirculate(source=i.line.source))


def _recircid(e: Emitter, i: Instruction) -> None:
    e.emit(RecirculationId(e.scope.metadata(i.args[0], i.line)[0], i.line.source))


def _extract(e: Emitter, i: Instruction) -> None:
    _apply_only(e, i)
    header = e.scope.header(i.args[0], i.line)
    varbit = any(f.varbit for f in e.spec.structs[e.spec.headers[header].struct].fields)
    if varbit != (len(i.args) == 2):
        needs = (
            "a length, because it has a varbit field"
            if varbit
            else "no length, because it has no varbit field"
        )
        raise i.line.error(f"extracting header {header} needs {needs}")
    if not varbit:
        e.emit(Extract(header, source=i.line.source))
        return
    length = e.value(i, 1)
    bits = e.temp(length.width + 3)
    e.emit(Binary(bits, "shl", length.operand, Const(3, 2), i.line.source))
    e.emit(Extract(header, bits, i.line.source))


def _lookahead(e: Emitter, i: Instruction) -> None:
    _apply_only(e, i)
    header = e.scope.header(i.args[0], i.line)
    e.emit(SetValid(header, source=i.line.source))
    e.emit(Lookahead(header, source=i.line.source))


def _on_header(make: type[Emit] | type[SetValid] | type[SetInvalid]) -> Mnemonic:
    def translate(e: Emitter, i: Instruction) -> None:
        if make is Emit and e.action is not None:
            raise i.line.unsupported("emit stands in an action, where p4c-dpdk never writes it")
        op: Op = make(e.scope.header(i.args[0], i.line), source=i.line.source)
        e.emit(op)

    return (1,), translate


MNEMONICS: Mapping[str, Mnemonic] = {
    "rx": ((1,), _rx), "tx": ((1,), _tx), "drop": ((0,), _drop), "mirror": ((2,), _mirror),
    "recirculate": ((0,), _recirculate), "recircid": ((1,), _recircid),
    "extract": ((1, 2), _extract), "lookahead": ((1,), _lookahead), "emit": _on_header(Emit),
    "validate": _on_header(SetValid), "invalidate": _on_header(SetInvalid),
}  # fmt: skip
