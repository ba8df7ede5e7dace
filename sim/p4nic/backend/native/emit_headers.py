"""Whole headers as C: Extract, Lookahead, Advance, Emit, SetValid, SetInvalid, CopyHeader, Push, Pop.

Only fields that somebody reads or writes are loaded. A header that is emitted with other fields too
remembers where in the frame it came from (`origin`, plus one), and its bytes are copied from there, then
patched.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from p4nic.backend.native import wide
from p4nic.backend.native.expr import Writer, wrapped
from p4nic.backend.native.flat import Scope
from p4nic.backend.native.layout import MAX_WIDTH, c_type
from p4nic.bits import byte_count
from p4nic.ir import ops
from p4nic.ir.types import Field, HeaderType

HeaderOp = (
    ops.Extract | ops.Lookahead | ops.Advance | ops.Emit | ops.SetValid | ops.SetInvalid | ops.CopyHeader
    | ops.Push | ops.Pop
)  # fmt: skip


def write(out: Writer, op: HeaderOp, scope: Scope) -> None:
    match op:
        case ops.Extract():
            extract(out, op, scope)
        case ops.Lookahead():
            lookahead(out, op, scope)
        case ops.Advance(bits):
            advance(out, bits, scope)
        case ops.Emit(header):
            emit(out, header)
        case ops.SetValid():
            set_valid(out, op, scope)
        case ops.SetInvalid():
            set_invalid(out, op, scope)
        case ops.CopyHeader():
            copy_header(out, op)
        case ops.Push(stack, count):
            shift(out, stack, count)
        case ops.Pop(stack, count):
            shift(out, stack, -count)
        case _:
            assert_never(op)


def fail(out: Writer, error: str, scope: Scope, condition: str) -> None:
    """Stop the parser."""
    out.line(f"if (unlikely({condition})) {{")
    out.line(f"    failure = ERROR_{error};")
    out.line(f"    goto {scope.error};")
    out.line("}")


# --- from the frame ---


def placed(type_: HeaderType) -> Iterator[tuple[Field, int]]:
    """Fields with their bit offsets, a varbit counted as empty."""
    at = 0
    for field in type_.fields:
        yield field, at
        at += 0 if field.varbit else field.width


def fixed_bits(type_: HeaderType) -> int:
    return sum(f.width for f in type_.fields if not f.varbit)


def load(field: Field, at: int, where: str, room: int = 0) -> str:
    """A field of up to 128 bits found `at` bits after the C pointer `where`, behind which there are `room`
    bytes at least."""
    first, last = at // 8, (at + field.width + 7) // 8
    if last - first > 8:
        if at % 8 or field.width % 8:
            text = f"get_bits({where}, {at}, {field.width})"
        else:
            text = f"load_be_wide({where} + {first}, {last - first})"
        return wrapped(text, field.width, field.signed, field.width)
    count = last - first
    if count in (5, 6, 7) and (first + 8 <= room or 8 <= last <= room):
        text = f"load_within({where}, {first}, {count}, {room})"
    else:
        text = f"load_be({where} + {first}, {count})"
    below = last * 8 - at - field.width
    bound = (last - first) * 8 - below
    return wrapped(f"{text} >> {below}" if below else text, field.width, field.signed, bound)


def _loaded(out: Writer, field: Field, at: int, where: str, bits: str, room: int = 0) -> str:
    """The same for a field of any width, of which `bits` are there."""
    if field.width <= MAX_WIDTH and not field.varbit:
        return load(field, at, where, room)
    n = wide.words(field.width)
    found = out.fresh(f"u64[{n}]")
    out.line(f"wide_load({found}, {n}, {where}, {at}, {bits});")
    if field.signed:
        out.line(f"wide_wrap({found}, {n}, {field.width}, 1);")
    kind = c_type(field.width)
    return f"{kind}_of({found})" if field.width > MAX_WIDTH else f"({kind})wide_low({found})"


def _fill(out: Writer, header: str, where: str, origin: str, varbit: str = "0") -> None:
    """All variables of a header from the frame at the C pointer `where`; its varbit has `varbit` bits, a C
    expression."""
    v = out.v
    type_ = v.types[header]
    room = 0 if any(f.varbit for f in type_.fields) else fixed_bits(type_) // 8
    for field, at in placed(type_):
        if v.is_held(header, field.name):
            size = varbit if field.varbit else str(field.width)
            out.set(v.of_field(header, field.name), _loaded(out, field, at, where, size, room))
        if field.varbit and varbit != "0":
            where = f"({where} + ({varbit} >> 3))"
    out.set(v.valid(header), "1")
    if v.keeps_origin(header):
        out.set(v.origin(header), origin)


def extract(out: Writer, op: ops.Extract, scope: Scope) -> None:
    """Bounds of a stack first, then the length of the varbit, then the packet: BMv2's order of errors."""
    v = out.v
    if op.header not in v.program.stacks:
        _extract_one(out, op.header, op, scope)
        for rival in v.rivals(op.header):
            clear(out, rival)
        return
    elements = v.elements(op.header)
    next_ = v.next(op.header).name
    fail(out, "StackOutOfBounds", scope, f"{next_} >= {len(elements)}u")
    for i, element in enumerate(elements):
        out.line(f"{'if' if i == 0 else 'else if'} ({next_} == {i}) {{")
        _extract_one(out, element, op, scope)
        out.line("}")
    out.line(f"{next_}++;")


def _extract_one(out: Writer, header: str, op: ops.Extract, scope: Scope) -> None:
    v = out.v
    type_ = v.types[header]
    fixed = fixed_bits(type_) // 8
    limit = sum(f.width for f in type_.fields if f.varbit)
    if v.padded:
        _extract_padded(out, header, op, scope)
        return
    if op.varbit_bits is None:
        fail(out, "PacketTooShort", scope, f"len - pos < {fixed}u")
        _fill(out, header, "(data + pos)", "pos + 1")
        if limit:
            out.set(v.length(header), "0")
        out.line(f"pos += {fixed};")
        return
    length = out.fresh("i64")
    out.line(f"{length} = (i64){out.read(op.varbit_bits, scope)};")
    fail(out, "ParserInvalidArgument", scope, f"{length} & 7 || {length} < 0")
    fail(out, "PacketTooShort", scope, f"{length} > 8 * ((i64)len - (i64)pos - {fixed})")
    fail(out, "HeaderTooShort", scope, f"{length} > {limit}")
    fail(out, "PacketTooShort", scope, f"8 * ((i64)len - (i64)pos) < {length} + {8 * fixed}")
    _fill(out, header, "(data + pos)", "pos + 1", f"(u32){length}")
    if limit:
        out.set(v.length(header), f"(u32)({length} >> 3)")
    out.line(f"pos += {fixed} + (u32)({length} >> 3);")


def _extract_padded(out: Writer, header: str, op: ops.Extract, scope: Scope) -> None:
    """The same where a frame reads as zeros behind its end."""
    v = out.v
    fixed = fixed_bits(v.types[header]) // 8
    limit = sum(f.width for f in v.types[header].fields if f.varbit)
    bits, size = "0", str(fixed)
    if op.varbit_bits is not None:
        length, bits = out.fresh("i64"), out.fresh("u32")
        out.line(f"{length} = (i64){out.read(op.varbit_bits, scope)};")
        fail(out, "ParserInvalidArgument", scope, f"{length} & 7 || {length} < 0")
        fail(out, "PacketTooShort", scope, f"{length} > (i64)1 << 32")
        fail(out, "HeaderTooShort", scope, f"{length} > {limit}")
        out.line(f"{bits} = (u32){length};")
        size = f"{fixed} + ({bits} >> 3)"
    taken = out.fresh(f"u8[{max(fixed + limit // 8, 1)}]")
    out.line(f"padded_take({taken}, data, len, pos, {size});")
    _fill(out, header, taken, "pos + 1", bits)
    if limit:
        out.set(v.length(header), f"{bits} >> 3")
    out.line(f"pos = padded_after(pos, {size});")


def _ahead(out: Writer, scope: Scope, bits: int) -> str:
    """A C pointer to the next bits; the parser stops if they are not there."""
    if not out.v.padded:
        fail(out, "PacketTooShort", scope, f"8 * (u64)(len - pos) < {bits}u")
        return "data + pos"
    taken = out.fresh(f"u8[{max(byte_count(bits), 1)}]")
    out.line(f"padded_take({taken}, data, len, pos, {byte_count(bits)});")
    return taken


def lookahead(out: Writer, op: ops.Lookahead, scope: Scope) -> None:
    v = out.v
    if isinstance(op.dst, str):
        ahead = _ahead(out, scope, op.offset + v.types[op.dst].width)
        if op.offset % 8 == 0:
            _fill(out, op.dst, f"({ahead} + {op.offset // 8})", f"pos + {op.offset // 8 + 1}")
        else:
            for field, at in placed(v.types[op.dst]):
                if field.width > MAX_WIDTH or field.varbit:
                    size = "0" if field.varbit else str(field.width)
                    text = _loaded(out, field, op.offset + at, f"({ahead})", size)
                    out.set(v.of_field(op.dst, field.name), text)
                    continue
                text = f"get_bits({ahead}, {op.offset + at}, {field.width})"
                out.set(v.of_field(op.dst, field.name), wrapped(text, field.width, field.signed, field.width))
            out.set(v.valid(op.dst), "1")
        if v.varbit(op.dst) is not None:
            out.set(v.length(op.dst), "0")
        for rival in v.rivals(op.dst):
            clear(out, rival)
        return
    width, _ = out.shape(op.dst, scope)
    ahead = _ahead(out, scope, op.offset + width)
    if width > MAX_WIDTH:
        n = wide.words(width)
        found = out.fresh(f"u64[{n}]")
        out.line(f"wide_load({found}, {n}, ({ahead}), {op.offset}, {width});")
        wide.store(out, op.dst, found, n, scope, effect=True)
        return
    field = Field("", width)
    out.store(op.dst, load(field, op.offset, f"({ahead})"), width, scope, effect=True)


def advance(out: Writer, bits: ops.Operand, scope: Scope) -> None:
    by = out.fresh("i64")
    out.line(f"{by} = (i64){out.read(bits, scope)};")
    if out.v.padded:
        out.line(f"pos = padded_after(pos, (u64){by} >> 3);")
        return
    fail(out, "ParserInvalidArgument", scope, f"{by} & 7 || {by} < 0")
    fail(out, "PacketTooShort", scope, f"{by} > 8 * ((i64)len - (i64)pos)")
    out.line(f"pos += (u32)({by} >> 3);")


# --- to the frame ---


def emit(out: Writer, header: str) -> None:
    v = out.v
    type_ = v.types[header]
    size = fixed_bits(type_) // 8
    total = f"{size}u"
    valid = out.is_valid(header)
    if valid is False:
        return
    out.line("{" if valid else f"if ({v.valid(header).name}) {{ /* {header} */")
    varbit = v.varbit(header)
    if varbit is not None:
        total = f"{size}u + {v.length(header).name}"
        if not v.keeps_origin(header):
            out.line(f"    memset(out + olen, 0, {total});")
    if v.keeps_origin(header):
        origin = v.origin(header).name
        if v.only_verbatim:  # what stays where it was is not copied: finish_verbatim of p4nic_packet.h
            out.line(f"    if (unlikely({origin} != olen + 1))")
            out.line("        moves_apart(p, olen);")
            out.line("    if (unlikely(p->moved)) {")
        out.line(f"    if ({origin})")
        if v.padded:
            out.line(f"        padded_take(out + olen, data, len, {origin} - 1, {total});")
        else:
            out.line(f"        memcpy(out + olen, data + {origin} - 1, {total});")
        out.line("    else")
        out.line(f"        memset(out + olen, 0, {total});")
        if v.only_verbatim:
            out.line("    }")
    for line in _moved_stores(out, header) if _writes_behind(out, header) else _stores(out, header):
        out.line(f"    {line}")
    out.line(f"    olen += {total};")
    out.line("}")


def _stores(out: Writer, header: str) -> Iterator[str]:
    """Written fields, gathered into runs that begin and end at byte boundaries."""
    v = out.v
    run: list[tuple[Field, int]] = []
    for field, at in placed(v.types[header]):
        if field.varbit:
            continue
        run.append((field, at))
        if (at + field.width) % 8 == 0:
            yield from _store_run(out, header, run)
            run = []


def _writes_behind(out: Writer, header: str) -> bool:
    """Whether a varbit field is written, or one behind it."""
    fields = out.v.types[header].fields
    at = next((i for i, f in enumerate(fields) if f.varbit), len(fields))
    return any(out.v.is_written(header, f.name) for f in fields[at:])


def _moved_stores(out: Writer, header: str) -> Iterator[str]:
    """The same where a varbit field moves what is behind it; the header's bytes are there, or zeros."""
    v = out.v
    where, length = "out + olen", v.length(header).name
    for field, at in placed(v.types[header]):
        bits = f"8 * {length}" if field.varbit else str(field.width)
        if v.is_written(header, field.name):
            yield _put(out, header, field, where, at, bits)
        if field.varbit:
            where = f"out + olen + {length}"


def _put(out: Writer, header: str, field: Field, where: str, at: int, bits: str) -> str:
    if field.width > MAX_WIDTH:
        return f"wide_put({where}, {at}, {out.v.of_field(header, field.name).name}.w, {bits});"
    return f"put_bits({where}, {at}, (u128){_wire(out, header, field)}, {bits});"


def _store_run(out: Writer, header: str, run: list[tuple[Field, int]]) -> Iterator[str]:
    v = out.v
    written = [(f, at) for f, at in run if v.is_written(header, f.name)]
    if not written:
        return
    first = run[0][1] // 8
    end = run[-1][1] + run[-1][0].width
    size = end // 8 - first
    if len(written) < len(run) or (len(run) > 1 and size > 8) or run[0][0].width > MAX_WIDTH:
        if not v.keeps_origin(header):
            yield f"memset(out + olen + {first}, 0, {size});"
        for f, at in written:
            yield _put(out, header, f, "out + olen", at, str(f.width))
        return
    parts = []
    for f, at in run:
        by = end - at - f.width
        parts.append(f"(u64){_wire(out, header, f)} << {by}" if by else _wire(out, header, f))
    function = "store_be" if size <= 8 else "store_be_wide"
    yield f"{function}(out + olen + {first}, {' | '.join(parts)}, {size});"


def _wire(out: Writer, header: str, field: Field) -> str:
    """A field as the bits of the wire."""
    name = out.v.of_field(header, field.name).name
    return f"({wrapped(name, field.width, False, None)})" if field.signed else name


# --- validity ---


def clear(out: Writer, header: str) -> None:
    """Make a header invalid, everything 0."""
    if header not in out.v.metadata:
        for variable in out.v.parts(header):
            out.set(variable, wide.zero(variable.type))


def set_valid(out: Writer, op: ops.SetValid, scope: Scope) -> None:
    v = out.v
    if op.index is not None:
        at = out.index(op.header, op.index, scope)
        for i, element in enumerate(v.elements(op.header)):
            out.line(f"if ({at} == {i})")
            out.line(f"    {v.valid(element).name} = 1;")
    elif op.header not in v.metadata:
        out.set(v.valid(op.header), "1")
        for rival in v.rivals(op.header):
            clear(out, rival)


def set_invalid(out: Writer, op: ops.SetInvalid, scope: Scope) -> None:
    v = out.v
    if op.index is None:
        for member in v.members(op.header):
            clear(out, member)
        return
    at = out.index(op.header, op.index, scope)
    for i, element in enumerate(v.elements(op.header)):
        out.line(f"if ({at} == {i}) {{")
        clear(out, element)
        out.line("}")


def copy_header(out: Writer, op: ops.CopyHeader) -> None:
    v = out.v
    for dst, src in zip(v.members(op.dst), v.members(op.src), strict=True):
        for field in v.held(dst):
            out.set(v.of_field(dst, field.name), v.of_field(src, field.name).name)
        if dst in v.metadata:
            if v.varbit(dst) is not None:
                out.set(v.length(dst), v.length(src).name)
            continue
        out.set(v.valid(dst), "1" if src in v.metadata else v.valid(src).name)
        if v.keeps_origin(dst):
            out.set(v.origin(dst), "0" if src in v.metadata else v.origin(src).name)
        if v.varbit(dst) is not None:
            out.set(v.length(dst), v.length(src).name)
    if op.dst in v.program.stacks and op.src in v.program.stacks:
        out.set(v.next(op.dst), v.next(op.src).name)
    if op.dst in v.types and v.rivals(op.dst):
        out.line(f"if ({v.valid(op.dst).name}) {{")
        for rival in v.rivals(op.dst):
            clear(out, rival)
        out.line("}")


def shift(out: Writer, stack: str, by: int) -> None:
    """push_front(by), or pop_front(-by)."""
    v = out.v
    elements = v.elements(stack)
    size = len(elements)
    order = range(size - 1, -1, -1) if by >= 0 else range(size)
    for i in order:
        origin = i - by
        if 0 <= origin < size:
            for to, source in zip(v.parts(elements[i]), v.parts(elements[origin]), strict=True):
                out.line(f"{to.name} = {source.name};")
        else:
            for to in v.parts(elements[i]):
                out.line(f"{to.name} = {wide.zero(to.type)};")
    next_ = v.next(stack).name
    if by >= 0:
        out.line(f"{next_} = {next_} + {by}u > {size}u ? {size}u : {next_} + {by}u;")
    else:
        out.line(f"{next_} = {next_} > {-by}u ? {next_} - {-by}u : 0;")


def emit_room(out: Writer, headers: list[str]) -> int:
    """Bytes that emitting these headers takes at most."""
    return sum(byte_count(out.v.types[h].width) for h in headers)
