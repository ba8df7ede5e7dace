"""Whole headers: SetValid, SetInvalid, CopyHeader, Push, Pop, Extract, Lookahead, Emit.

All keep the layout's invariant: the fields of an invalid header are 0. In a union at most one member is
valid.
"""

from __future__ import annotations

from typing import assert_never

from p4nic.backend.interp.emit.code import CodeWriter
from p4nic.backend.interp.emit.compute import number_to_bytes
from p4nic.backend.interp.emit.writer import comment
from p4nic.backend.interp.layout import slots_of
from p4nic.bits import mask
from p4nic.ir.ops import CopyHeader, Emit, Extract, Lookahead, Operand, Pop, Push, Ref, SetInvalid, SetValid
from p4nic.ir.types import Field, HeaderType, Source

HeaderOp = SetValid | SetInvalid | CopyHeader | Push | Pop | Extract | Lookahead | Emit


def write(out: CodeWriter, op: HeaderOp) -> None:
    """Write one instruction."""
    match op:
        case SetValid():
            set_valid(out, op)
        case SetInvalid():
            set_invalid(out, op)
        case CopyHeader():
            copy_header(out, op)
        case Push() | Pop():
            push_or_pop(out, op)
        case Extract():
            extract(out, op)
        case Lookahead():
            lookahead(out, op)
        case Emit():
            emit(out, op)
        case _:
            assert_never(op)


def set_valid(out: CodeWriter, op: SetValid) -> None:
    if op.index is not None:
        stack = out.layout.stacks[op.header]
        out.module.line(f"stack_set(f, {out.element(stack, out.read(op.index))}, 1)")
    else:
        header = out.layout.headers[op.header]
        out.module.line(f"f[{header.start}] = 1  # {comment(op.header)} is valid")
        _clear_rivals(out, op.header)
    _tell_validity(out, op.header, op.index, 1, op.source)


def set_invalid(out: CodeWriter, op: SetInvalid) -> None:
    if op.index is not None:
        stack = out.layout.stacks[op.header]
        out.module.line(f"stack_set(f, {out.element(stack, out.read(op.index))}, 0)")
    else:
        clear(out, op.header)
    _tell_validity(out, op.header, op.index, 0, op.source)


def _tell_validity(out: CodeWriter, header: str, index: Operand | None, new: int, source: Source) -> None:
    place = (
        repr(f"{header}.$valid$") if index is None else f"f'{comment(header)}[{{{out.read(index)}}}].$valid$'"
    )
    out.tell("write", source, f'"place": {place}, "old": None, "new": {new}')


def clear(out: CodeWriter, header: str) -> None:
    """Make a header invalid, all fields 0."""
    at = out.layout.headers[header]
    if not at.metadata:
        out.module.line(
            f"f[{at.start}:{at.end}] = {zeros(out, at.end - at.start)}  # {comment(header)} is invalid"
        )


def zeros(out: CodeWriter, count: int) -> str:
    """A tuple of `count` zeros, bound once."""
    return out.module.bind("zeros", str(count), (0,) * count)


def _clear_rivals(out: CodeWriter, header: str) -> None:
    for rival in out.layout.rivals(header):
        clear(out, rival)


def copy_header(out: CodeWriter, op: CopyHeader) -> None:
    pairs = zip(out.layout.members(op.dst), out.layout.members(op.src), strict=True)
    for dst, src in pairs:
        to, origin = out.layout.headers[dst], out.layout.headers[src]
        if to.metadata == origin.metadata:
            out.module.line(f"f[{to.start}:{to.end}] = f[{origin.start}:{origin.end}]")
        elif to.metadata:
            out.module.line(f"f[{to.start}:{to.end}] = f[{origin.start + 1}:{origin.end}]")
        else:
            out.module.line(f"f[{to.start}:{to.end}] = [1, *f[{origin.start}:{origin.end}]]")
    if op.dst in out.layout.stacks and op.src in out.layout.stacks:
        out.module.line(f"f[{out.layout.stacks[op.dst].next}] = f[{out.layout.stacks[op.src].next}]")
    if op.dst in out.layout.headers and out.layout.rivals(op.dst):
        with out.module.inside(f"if f[{out.layout.headers[op.dst].start}]:"):
            _clear_rivals(out, op.dst)
    out.tell("write", op.source, f'"place": {op.dst!r}, "old": None, "new": {op.src!r}')


def push_or_pop(out: CodeWriter, op: Push | Pop) -> None:
    stack = out.layout.stacks[op.stack]
    by = op.count if isinstance(op, Push) else -op.count
    out.module.line(f"stack_shift(f, {stack.start}, {stack.stride}, {stack.size}, {stack.next}, {by})")
    how = f"push_front({op.count})" if isinstance(op, Push) else f"pop_front({op.count})"
    out.tell("write", op.source, f'"place": {op.stack!r}, "old": None, "new": {how!r}')


def _unpack(type_: HeaderType, bits: str, varbit: str) -> list[str]:
    """Expressions for the slots of a header whose wire bits are the number `bits`; `varbit` is its
    varbit's length.
    """
    values: list[str] = []
    below: list[Field] = list(type_.fields)
    for position, field in enumerate(type_.fields):
        below.pop(0)
        fixed = sum(f.width for f in below if not f.varbit)
        moving = any(f.varbit for f in below)
        by = f"({fixed} + {varbit})" if moving else str(fixed)
        text = bits if by == "0" else f"{bits} >> {by}"
        if field.varbit:
            values += [f"({text}) & ((1 << {varbit}) - 1)", varbit]
        elif field.signed:
            sign = 1 << (field.width - 1)
            values.append(f"((({text}) & {mask(field.width):#x}) ^ {sign:#x}) - {sign:#x}")
        else:
            values.append(text if position == 0 else f"({text}) & {mask(field.width):#x}")
    return values


def _fill(out: CodeWriter, type_: HeaderType, start: str, stop: str, bits: str, varbit: str) -> None:
    values = ["1", *_unpack(type_, bits, varbit)]  # a header may have no field at all
    out.module.line(f"f[{start}:{stop}] = ({', '.join(values)},)")


def extract(out: CodeWriter, op: Extract) -> None:
    """Bounds of a stack first, then the length of the varbit, then the packet: BMv2's order of errors."""
    stack = out.layout.stacks.get(op.header)
    type_ = stack.type if stack is not None else out.layout.headers[op.header].type
    start, stop, name = _next_element(out, op) if stack is not None else _header_span(out, op.header)
    fixed = sum(f.width for f in type_.fields if not f.varbit)
    limit = sum(f.width for f in type_.fields if f.varbit)
    width = str(fixed)
    if op.varbit_bits is not None:
        out.module.line(f"length = varbit_bits({out.read(op.varbit_bits)}, {limit}, room(pkt, {fixed}))")
        width = f"{fixed} + length"
    elif limit:
        out.module.line("length = 0")
    out.module.line(f"x = take(pkt, {width})  # {comment(op.header)}")
    _fill(out, type_, start, stop, "x", "length")
    if stack is not None:
        out.module.line(f"f[{stack.next}] += 1")
    else:
        _clear_rivals(out, op.header)
    if out.traced:
        _tell_fields(out, "extract", type_, start, name, op.source)


def _header_span(out: CodeWriter, header: str) -> tuple[str, str, str]:
    at = out.layout.headers[header]
    return str(at.start), str(at.end), repr(header)


def _next_element(out: CodeWriter, op: Extract) -> tuple[str, str, str]:
    stack = out.layout.stacks[op.header]
    out.module.line(f"base = {stack.start} + f[{stack.next}] * {stack.stride}")
    with out.module.inside(f"if f[{stack.next}] >= {stack.size}:"):
        out.module.line("raise ParserError('StackOutOfBounds')")
    name = f"f'{comment(op.header)}[{{(base - {stack.start}) // {stack.stride}}}]'"
    return "base", f"base + {stack.stride}", name


def _tell_fields(
    out: CodeWriter, kind: str, type_: HeaderType, start: str, name: str, source: Source
) -> None:
    at = 1
    pairs = []
    for field in type_.fields:
        pairs.append(f"{field.name!r}: f[{start} + {at}]")
        at += slots_of(field)
    out.tell(kind, source, f'"header": {name}, "fields": {{{", ".join(pairs)}}}')


def lookahead(out: CodeWriter, op: Lookahead) -> None:
    if isinstance(op.dst, str):
        header = out.layout.headers[op.dst]
        out.module.line(f"x = peek(pkt, {op.offset}, {header.type.width})")
        _fill(out, header.type, str(header.start), str(header.end), "x", "0")
        _clear_rivals(out, op.dst)
        if out.traced:
            _tell_fields(out, "extract", header.type, str(header.start), repr(op.dst), op.source)
    else:
        width, _ = out.shape(op.dst)
        out.store(op.dst, f"peek(pkt, {op.offset}, {width})", width, op.source, effect=True)


def emit(out: CodeWriter, op: Emit) -> None:
    header = out.layout.headers[op.header]
    operands = tuple(Ref(op.header, f.name) for f, _ in out.layout.fields(op.header))
    with out.module.inside(f"if f[{header.start}]:  # {comment(op.header)}"):
        if any(f.varbit for f in header.type.fields):
            pieces = ", ".join(_field_piece(out, op.header, f) for f, _ in out.layout.fields(op.header))
            out.module.line(f"pkt.out.append(join_bits(({pieces},)))")
        else:
            out.module.line(f"pkt.out.append({number_to_bytes(out, operands, header.type.width)})")
        out.tell("emit", op.source, f'"header": {op.header!r}')


def _field_piece(out: CodeWriter, header: str, field: Field) -> str:
    """(value, bits) of one field as it goes on the wire."""
    slot = out.layout.field(header, field.name)
    width = str(field.width) if slot.length is None else f"f[{slot.length}]"
    return f"({out.unsigned(Ref(header, field.name), field.width)}, {width})"
