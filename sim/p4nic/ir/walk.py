"""What an instruction reads, writes and may jump to: the questions that do not depend on its meaning.

In: instructions. Out: their operands, places and labels. Used by `verify` and by backends.
Answers come from the instructions' fields, so that a new instruction cannot be forgotten here: a field called
`dst` that is a Place is written, `target` and `default` name labels, every other operand is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from p4nic.ir.ops import (
    Branch,
    BranchAction,
    BranchHit,
    Code,
    Const,
    Drop,
    Exit,
    Jump,
    Op,
    Operand,
    PacketLength,
    Param,
    Place,
    Ref,
    Reject,
    Return,
    StackIndex,
    StackRef,
    StackValid,
    Switch,
    Temp,
    Transmit,
    Valid,
)

OPERANDS = (Const, Ref, StackRef, Temp, Param, Valid, StackValid, PacketLength, StackIndex)
PLACES = (Ref, StackRef, Temp)
_ENDS = (Jump, Return, Exit, Switch, Reject, Transmit, Drop)


_FIELDS: dict[str, tuple[str, ...]] = {}


def _names(op: Op) -> tuple[str, ...]:
    kind = type(op).__name__
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(f.name for f in fields(op) if f.name != "source")
    return _FIELDS[kind]


def reads(op: Op) -> Iterator[Operand]:
    """Every operand read, run-time indices of places included."""
    for name in _names(op):
        value = getattr(op, name)
        if name == "dst":
            if isinstance(value, StackRef) and isinstance(value.index, OPERANDS):
                yield from nested(value.index)
        elif isinstance(value, OPERANDS):
            yield from nested(value)
        elif isinstance(value, tuple):
            for item in value:
                if isinstance(item, OPERANDS):
                    yield from nested(item)


def nested(operand: Operand) -> Iterator[Operand]:
    """The operand, and the run-time indices inside it."""
    yield operand
    if isinstance(operand, StackRef | StackValid) and isinstance(operand.index, OPERANDS):
        yield from nested(operand.index)


def written(op: Op) -> Place | None:
    """The place stored to, or None (headers that come and go are not places)."""
    dst = getattr(op, "dst", None)
    return dst if isinstance(dst, PLACES) else None


def targets(op: Op) -> tuple[str, ...]:
    """The labels control may go to instead of the next instruction."""
    if isinstance(op, Jump | Branch | BranchHit | BranchAction):
        return (op.target,)
    if isinstance(op, Switch):
        named = tuple(case.target for case in op.cases)
        return named if op.default is None else (*named, op.default)
    return ()


def falls_through(op: Op) -> bool:
    """Whether the next instruction can follow."""
    return not isinstance(op, _ENDS)


def temps(code: Code) -> Iterator[Temp]:
    """Every mention of a temporary."""
    for op in code:
        place = written(op)
        if isinstance(place, Temp):
            yield place
        for operand in reads(op):
            if isinstance(operand, Temp):
                yield operand
