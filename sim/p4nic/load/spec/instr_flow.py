"""Instructions that decide where to go on: jmp, jmpv, jmpeq …, return, and table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from p4nic.bits import mask
from p4nic.ir.ops import (
    Apply,
    Branch,
    BranchAction,
    BranchHit,
    CompareOp,
    Const,
    Jump,
    Operand,
    Return,
    Valid,
)
from p4nic.load.spec.code import Emitter, Mnemonic
from p4nic.load.spec.lines import nearest
from p4nic.load.spec.scope import Value
from p4nic.load.spec.syntax import Instruction


def _jmp(e: Emitter, i: Instruction) -> None:
    e.emit(Jump(e.target(i), i.line.source))


def _valid(op: Literal["eq", "ne"]) -> Mnemonic:
    def translate(e: Emitter, i: Instruction) -> None:
        header = e.scope.header(i.args[1], i.line)
        e.emit(Branch(op, Valid(header), Const(1, 1), e.target(i), i.line.source))

    return (2,), translate


def _hit(hit: bool) -> Mnemonic:
    def translate(e: Emitter, i: Instruction) -> None:
        e.emit(BranchHit(e.target(i), hit, i.line.source))

    return (1,), translate


def _ran(ran: bool) -> Mnemonic:
    def translate(e: Emitter, i: Instruction) -> None:
        if i.args[1] not in e.spec.actions:
            raise i.line.error(
                f"there is no action {i.args[1]}{nearest(i.args[1], e.spec.actions, 'actions')}"
            )
        e.emit(BranchAction(e.names.action(i.args[1]), e.target(i), ran, i.line.source))

    return (2,), translate


def _compare(op: CompareOp) -> Mnemonic:
    def translate(e: Emitter, i: Instruction) -> None:
        a, b = e.value(i, 1), e.value(i, 2)
        e.emit(Branch(op, _side(a, b, op), _side(b, a, op), e.target(i), i.line.source))

    return (3,), translate


def _side(value: Value, other: Value, op: CompareOp) -> Operand:
    """A number compared for equality with a header field is cut to the field's width, as DPDK does when it
    swaps its bytes."""
    if not isinstance(value.operand, Const):
        return value.operand
    number = value.operand.value
    if other.kind == "h" and op in ("eq", "ne"):
        number &= mask(other.width)
    return Const(number, max(other.width, number.bit_length()))


def _return(e: Emitter, i: Instruction) -> None:
    if e.action is None:
        raise i.line.error("return cannot stand in the apply block, only in an action")
    e.emit(Return(i.line.source))


def _table(e: Emitter, i: Instruction) -> None:
    name = i.args[0]
    if e.action is not None:
        raise i.line.error("a table cannot be applied in an action, only in the apply block")
    if name in e.spec.selectors:
        raise i.line.unsupported(
            f"selector {name} is not part of a table with an ActionSelector as p4c-dpdk lays it out "
            "(base table, selector, member table)"
        )
    if name not in e.spec.tables:
        raise i.line.error(f"there is no table {name}{nearest(name, e.spec.tables, 'tables')}")
    e.emit(Apply(e.names.table(name), i.line.source))


MNEMONICS: Mapping[str, Mnemonic] = {
    "jmp": ((1,), _jmp), "jmpv": _valid("eq"), "jmpnv": _valid("ne"),
    "jmph": _hit(True), "jmpnh": _hit(False),
    "jmpa": _ran(True), "jmpna": _ran(False), "jmpeq": _compare("eq"), "jmpneq": _compare("ne"),
    "jmplt": _compare("lt"), "jmpgt": _compare("gt"), "return": ((0,), _return), "table": ((1,), _table),
}  # fmt: skip
