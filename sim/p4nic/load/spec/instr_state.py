"""Instructions on state that outlives a packet: learn, rearm, forget, entryid, registers, counters, meters,
externs."""

from __future__ import annotations

from collections.abc import Mapping

from p4nic.bits import mask
from p4nic.ir.ops import (
    Const,
    Count,
    CountDirect,
    EntryId,
    Forget,
    Learn,
    Meter,
    Operand,
    Rearm,
    RegisterAdd,
    RegisterRead,
    RegisterWrite,
)
from p4nic.load.p4info_model import CounterInfo
from p4nic.load.spec.code import Emitter, Mnemonic
from p4nic.load.spec.lines import nearest
from p4nic.load.spec.names import Half
from p4nic.load.spec.scope import METADATA
from p4nic.load.spec.syntax import ArrayDecl, Instruction


def _learn(e: Emitter, i: Instruction) -> None:
    """`learn ACTION [FIRST] PROFILE`: the arguments are FIRST and the metadata fields after it, of the
    parameters' sizes."""
    if e.action is None:
        raise i.line.error("learn cannot stand in the apply block, only in an action")
    action = e.spec.actions.get(i.args[0])
    if action is None:
        raise i.line.error(f"there is no action {i.args[0]}{nearest(i.args[0], e.spec.actions, 'actions')}")
    params = e.spec.params(action)
    if bool(params) != (len(i.args) == 3):
        raise i.line.error(
            f"action {action.name} has {len(params)} parameters, so learn needs "
            f"{'the metadata field of the first' if params else 'no first argument'}"
        )
    args: list[Operand] = []
    if params:
        _, first = e.scope.metadata(i.args[1], i.line)
        fields = e.spec.structs[e.spec.metadata].fields[first.position : first.position + len(params)]
        for param, field in zip(params, fields, strict=False):
            if param.width != field.width:
                raise i.line.error(
                    f"parameter {param.name} of action {action.name} has {param.width} bits, "
                    f"but metadata field m.{field.name} in its place has {field.width}"
                )
            args.append(e.scope.value(f"{METADATA}.{field.name}", i.line).operand)
        if len(fields) < len(params):
            raise i.line.error(
                f"after {i.args[1]} there are too few metadata fields for {len(params)} arguments"
            )
    profile = e.value(i, len(i.args) - 1).operand
    e.emit(Learn(e.names.action(action.name), tuple(args), profile, i.line.source))


def _rearm(e: Emitter, i: Instruction) -> None:
    profile = e.value(i, 0).operand if i.args else None
    e.emit(Rearm(profile, i.line.source))


def _forget(e: Emitter, i: Instruction) -> None:
    e.emit(Forget(i.line.source))


def _entryid(e: Emitter, i: Instruction) -> None:
    dst, _ = e.scope.metadata(i.args[0], i.line)
    if i.args[0] not in e.dead_entry_ids:
        e.emit(EntryId(dst, i.line.source))


def _array(i: Instruction, name: str, arrays: Mapping[str, ArrayDecl], kind: str) -> ArrayDecl:
    found = arrays.get(name)
    if found is None:
        raise i.line.error(f"there is no {kind} array {name}{nearest(name, arrays, f'{kind} arrays')}")
    return found


def _register(e: Emitter, i: Instruction, name: str) -> ArrayDecl:
    array = _array(i, name, e.spec.regarrays, "register")
    if name in e.names.counters:
        counter = e.names.counters[name][0].name
        raise i.line.unsupported(f"{name} is a part of counter {counter}, which a program can only count up")
    return array


def _regrd(e: Emitter, i: Instruction) -> None:
    dst, _ = e.scope.place(i.args[0], i.line)
    array = _register(e, i, i.args[1])
    index = e.limited(e.value(i, 2), array.size, i.line.source)
    e.emit(RegisterRead(dst, e.names.register(array.name), index, i.line.source))


def _regwr(e: Emitter, i: Instruction) -> None:
    array = _register(e, i, i.args[0])
    index = e.limited(e.value(i, 1), array.size, i.line.source)
    e.emit(RegisterWrite(e.names.register(array.name), index, _amount(e, i, 2), i.line.source))


def _regadd(e: Emitter, i: Instruction) -> None:
    array = _array(i, i.args[0], e.spec.regarrays, "register")
    counter = e.names.counters.get(array.name)
    index = e.value(i, 1)
    amount = _amount(e, i, 2)
    if counter is None:
        place = e.limited(index, array.size, i.line.source)
        e.emit(RegisterAdd(e.names.register(array.name), place, amount, i.line.source))
    elif counter[0].table is not None:
        _count(e, i, *counter, None, amount)
    else:
        _count(e, i, *counter, e.limited(index, array.size, i.line.source), amount)


def _amount(e: Emitter, i: Instruction, position: int) -> Operand:
    """What goes into a register: 64 bits."""
    operand = e.value(i, position).operand
    return Const(operand.value & mask(64), 64) if isinstance(operand, Const) else operand


def _count(
    e: Emitter, i: Instruction, counter: CounterInfo, half: Half, index: Operand | None, amount: Operand
) -> None:
    """Count one half of a counter. p4c-dpdk writes the packet half, then the byte half: they become one
    instruction."""
    packets, octets = (amount, None) if half == "packets" else (None, amount)
    last = e.code[-1] if e.code else None
    match last:
        case Count(name, place, first, None) if index is not None and octets is not None:
            if name == counter.name and place == index and first is not None:
                e.code[-1] = Count(name, place, first, octets, last.source)
                return
        case CountDirect(name, first, None) if index is None and octets is not None:
            if name == counter.name and first is not None:
                e.code[-1] = CountDirect(name, first, octets, last.source)
                return
        case _:
            pass
    if index is None:
        e.emit(CountDirect(counter.name, packets, octets, i.line.source))
    else:
        e.emit(Count(counter.name, index, packets, octets, i.line.source))


def _meter(e: Emitter, i: Instruction) -> None:
    array = _array(i, i.args[0], e.spec.metarrays, "meter")
    info = e.names.meters.get(array.name)
    length, color = e.value(i, 2).operand, e.value(i, 3).operand
    dst, _ = e.scope.place(i.args[4], i.line)
    index = None
    if info is None or info.table is None:
        index = e.limited(e.value(i, 1), array.size, i.line.source)
    e.emit(Meter(dst, e.names.meter(array.name), index, length, color, i.line.source))


def _prefetch(kind: str) -> Mnemonic:
    def translate(e: Emitter, i: Instruction) -> None:
        _array(i, i.args[0], e.spec.regarrays if kind == "register" else e.spec.metarrays, kind)
        e.value(i, 1)  # nothing to do but to check the operand: a prefetch changes no value

    return (2,), translate


def _extern(e: Emitter, i: Instruction) -> None:
    raise i.line.unsupported(f"extern {i.args[0]} is code outside the .spec, which p4nic cannot run")


MNEMONICS: Mapping[str, Mnemonic] = {
    "learn": ((2, 3), _learn), "rearm": ((0, 1), _rearm), "forget": ((0,), _forget),
    "entryid": ((1,), _entryid),
    "regrd": ((3,), _regrd), "regwr": ((3,), _regwr), "regadd": ((3,), _regadd), "meter": ((5,), _meter),
    "regprefetch": _prefetch("register"), "metprefetch": _prefetch("meter"), "extern": ((1,), _extern),
}  # fmt: skip
