"""Moving, computing, hashing, checksums as C.

checksum with ipv4.src          →   x1 = sum_start(m.state) + ipv4_src;
checksum without ipv4.ttl       →   x1 += sum_without(ipv4_ttl);   (a run keeps one sum)
                                    m.state = sum_finish(x1);
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from p4nic.backend.native import wide
from p4nic.backend.native.expr import Writer
from p4nic.backend.native.flat import Item, Mark, Scope
from p4nic.backend.native.layout import MAX_WIDTH, c_type
from p4nic.backend.native.variables import operands
from p4nic.bits import byte_count, mask
from p4nic.errors import UnsupportedError
from p4nic.ir import ops, walk
from p4nic.ir.ops import Const, Operand, Ref
from p4nic.ir.types import Field

HASHES = {
    "crc16": "crc16", "crc16_custom": "crc16", "crc32": "crc32", "crc32_custom": "crc32", "crc32c": "crc32c",
    "crcCCITT": "crcCCITT", "csum16": "csum16", "ones_complement16": "csum16", "xor16": "xor16",
    "identity": "identity", "jhash": "jhash", "toeplitz": "toeplitz", "swx_selector": "swx_selector",
}  # fmt: skip


def move(out: Writer, op: ops.Move, scope: Scope) -> None:
    if wide.is_needed(out, (op.dst, op.src), scope):
        wide.move(out, op.dst, op.src, scope)
    else:
        out.store(op.dst, out.read(op.src, scope), out.bound(op.src, scope), scope)
    if isinstance(op.dst, Ref) and isinstance(op.src, Ref):
        move_length(out, op.dst, op.src)


def move_length(out: Writer, dst: Ref, src: Ref) -> None:
    """A varbit field takes over the length of another."""
    v = out.v
    if not (v.field(dst.header, dst.field).varbit and v.field(src.header, src.field).varbit):
        return
    length = v.length(dst.header)
    if dst.header in v.metadata:
        out.set(length, v.length(src.header).name)
    elif out.matters(length):
        out.line(f"if ({v.valid(dst.header).name})")
        out.line(f"    {length.name} = {v.length(src.header).name};")


def unary(out: Writer, op: ops.Unary, scope: Scope) -> None:
    if wide.is_needed(out, (op.dst, op.a), scope):
        wide.unary(out, op, scope)
        return
    width, _ = out.shape(op.dst, scope)
    match op.op:
        case "not":
            out.store(op.dst, f"~({'u128' if width > 64 else 'u64'}){out.read(op.a, scope)}", None, scope)
        case "neg":
            out.store(op.dst, f"-({'u128' if width > 64 else 'u64'}){out.read(op.a, scope)}", None, scope)
        case "lnot":
            out.store(op.dst, f"!{out.read(op.a, scope)}", 1, scope)


def binary(out: Writer, op: ops.Binary, scope: Scope) -> None:
    if out.is_wide(op, scope):
        wide.binary(out, op, scope)
        return
    text, bound = out.binary(op, scope)
    out.store(op.dst, text, bound, scope)


def choose(out: Writer, op: ops.Choose, scope: Scope) -> None:
    if wide.is_needed(out, (op.dst, op.a, op.b), scope):
        wide.choose(out, op, scope)
        return
    width, _ = out.shape(op.dst, scope)
    bounds = [b for b in (out.bound(op.a, scope), out.bound(op.b, scope)) if b is not None]
    a, b = out.ring(op.a, width, scope), out.ring(op.b, width, scope)
    out.store(
        op.dst, f"{out.truth(op.cond, scope)} ? {a} : {b}", max(bounds) if len(bounds) == 2 else None, scope
    )


# --- hashes ---


def hash_text(
    out: Writer,
    algorithm: str,
    inputs: tuple[Operand, ...],
    host_order: bool,
    with_payload: bool,
    skip_invalid: bool,
    scope: Scope,
) -> str:
    """The hash of the inputs as a u64 expression."""
    function = HASHES.get(algorithm)
    if function is None:
        raise UnsupportedError(
            f"the native backend does not know the hash algorithm {algorithm}; use --backend interp"
        )
    widths = [out.shape(o, scope)[0] for o in inputs]
    skips = skip_invalid and _leaves_gaps(out, function, inputs, widths)
    if not host_order and (skips or any(out.v.is_varbit(o) for o in inputs)):
        return _hash_of_pieces(out, function, inputs, widths, with_payload, skip_invalid, scope)
    if function == "csum16" and not host_order and not (with_payload and byte_count(sum(widths)) % 2):
        total = words_sum(out, inputs, widths, scope)
        payload = f" + sum_words({_payload(out)}, (struct piece){{NULL, 0}})" if with_payload else ""
        return f"(u64)(fold_sum({total}{payload}) ^ 0xffffu)"
    if function == "crc32c" and host_order and not with_payload and _are_numbers(widths):
        crc = "0u"  # bytes laid in memory one by one and loaded as a word would stall the processor
        for operand, width in zip(inputs, widths, strict=True):
            crc = f"crc32c_number({crc}, {out.unsigned(operand, width, scope)}, {width // 8})"
        return crc
    size = sum(byte_count(w) for w in widths) if host_order else byte_count(sum(widths))
    buffer = out.fresh(f"u8[{max(size, 1)}]")
    fill = _fill_host_order if host_order else _fill
    fill(out, buffer, inputs, widths, scope)
    payload = _payload(out) if with_payload else "(struct piece){NULL, 0}"
    return f"hash_{function}((struct piece){{{buffer}, {size}}}, {payload})"


def _payload(out: Writer) -> str:
    """What no header was extracted from."""
    return "padded_rest(data, len, pos)" if out.v.padded else "(struct piece){data + pos, len - pos}"


def _are_numbers(widths: Sequence[int]) -> bool:
    """Whether each is an integer of C."""
    return all(width in (8, 16, 32, 64) for width in widths)


def _leaves_gaps(out: Writer, function: str, inputs: tuple[Operand, ...], widths: Sequence[int]) -> bool:
    """Whether it matters that fields of invalid headers are left out: not for a sum of whole words, to which
    zeros add nothing."""
    by_header: dict[str, int] = {}
    runs: list[str] = []
    for operand, width in zip(inputs, widths, strict=True):
        name = operand.header if isinstance(operand, Ref) and operand.header not in out.v.metadata else ""
        if name:
            by_header[name] = by_header.get(name, 0) + width
        if not runs or runs[-1] != name:
            runs.append(name)
    together = all(runs.count(name) == 1 for name in by_header)
    whole = together and all(width % 16 == 0 for width in by_header.values())
    return bool(by_header) and not (function == "csum16" and whole)


def _hash_of_pieces(
    out: Writer,
    function: str,
    inputs: tuple[Operand, ...],
    widths: Sequence[int],
    with_payload: bool,
    skip_invalid: bool,
    scope: Scope,
) -> str:
    """The hash where inputs lie where run time says: fields of invalid headers are left out, or a varbit
    field is among them."""
    buffer = out.fresh(f"u8[{max(byte_count(sum(widths)), 1)}]")
    at = out.fresh("u32")
    out.line(f"memset({buffer}, 0, sizeof {buffer});")
    out.line(f"{at} = 0;")
    for operand, width in zip(inputs, widths, strict=True):
        there = ""
        if isinstance(operand, Ref) and operand.header not in out.v.metadata and skip_invalid:
            there = out.v.valid(operand.header).name
        bits = str(width)
        if isinstance(operand, Ref) and out.v.is_varbit(operand):
            bits = f"8 * {out.v.length(operand.header).name}"
        put = _put(out, buffer, at, operand, width, bits, scope)
        out.line(f"{f'if ({there}) ' if there else ''}{{")
        out.line(f"    {put}")
        out.line(f"    {at} += {bits};")
        out.line("}")
    payload = _payload(out) if with_payload else "(struct piece){NULL, 0}"
    return f"hash_{function}((struct piece){{{buffer}, ({at} + 7) / 8}}, {payload})"


def _put(out: Writer, buffer: str, at: str, operand: Operand, width: int, bits: str, scope: Scope) -> str:
    """The statement that puts the lowest `bits` bits of an operand somewhere."""
    if width > MAX_WIDTH:
        return f"wide_put({buffer}, {at}, {wide.unsigned(out, operand, width, scope)[0]}, {bits});"
    return f"put_bits({buffer}, {at}, {out.unsigned(operand, width, scope)}, {bits});"


def _fill(out: Writer, buffer: str, inputs: tuple[Operand, ...], widths: Sequence[int], scope: Scope) -> None:
    """Inputs end to end, big-endian, zero bits at the end."""
    if any(w % 8 for w in widths):
        out.line(f"memset({buffer}, 0, sizeof {buffer});")
    at = 0
    for operand, width in zip(inputs, widths, strict=True):
        if width > MAX_WIDTH:
            out.line(_put(out, buffer, str(at), operand, width, str(width), scope))
            at += width
            continue
        text = out.unsigned(operand, width, scope)
        if at % 8 or width % 8:
            out.line(f"put_bits({buffer}, {at}, {text}, {width});")
        elif width <= 64:
            out.line(f"store_be({buffer} + {at // 8}, {text}, {width // 8});")
        else:
            out.line(f"store_be_wide({buffer} + {at // 8}, {text}, {width // 8});")
        at += width


def _fill_host_order(
    out: Writer, buffer: str, inputs: tuple[Operand, ...], widths: Sequence[int], scope: Scope
) -> None:
    at = 0
    for operand, width in zip(inputs, widths, strict=True):
        held = out.fresh(c_type(width) if width > MAX_WIDTH else "u128" if width > 64 else "u64")
        out.line(f"{held} = {out.unsigned(operand, width, scope)};")
        out.line(f"memcpy({buffer} + {at}, &{held}, {byte_count(width)}); /* little-endian */")
        at += byte_count(width)


def words_sum(out: Writer, inputs: Sequence[Operand], widths: Sequence[int], scope: Scope) -> str:
    """A number congruent modulo 0xffff to the sum of the 16-bit words of the inputs laid end to end, and 0
    only if all are: each value is shifted to where it ends in its word, because 2^16 counts as 1."""
    parts = []
    for operand, width, shift in zip(inputs, widths, _shifts(widths), strict=True):
        for piece in _words(out, operand, width, scope):
            value = f"sum_of({piece})" if width > 32 else f"(u64){piece}"
            parts.append(f"({value} << {shift})" if shift else value)
    return " + ".join(parts) or "0u"


def _shifts(widths: Sequence[int]) -> list[int]:
    """How far from the end of its 16-bit word each of the values laid end to end is."""
    left, found = (byte_count(sum(widths)) * 8 + 15) // 16 * 16, []
    for width in widths:
        left -= width
        found.append(left % 16)
    return found


def _words(out: Writer, operand: Operand, width: int, scope: Scope) -> list[str]:
    """The operand in pieces of 64 bits."""
    if width > MAX_WIDTH:
        found, n = wide.unsigned(out, operand, width, scope)
        return [f"{found}[{i}]" for i in range(n)]
    text = out.unsigned(operand, width, scope)
    return [text] if width <= 64 else [f"(u64){text}", f"(u64)((u128){text} >> 64)"]


def hash_(
    out: Writer, op: ops.Hash, scope: Scope, counters: dict[int, int], for_real: Callable[[], None]
) -> None:
    """`counters`: one for each round_robin of the program, however many copies the unit has of it; it counts
    packets in their order (`for_real`)."""
    if op.algorithm == "round_robin":
        for_real()
        text = f"e->round_robin[{counters.setdefault(id(op), len(counters))}]++"
    else:
        text = hash_text(out, op.algorithm, op.inputs, op.host_order, op.with_payload, op.skip_invalid, scope)
    bound: int | None = 64
    parts = [o for o in (op.modulus, op.base) if o is not None]
    signed = op.modulus is not None and out.bound(op.modulus, scope) is None
    if signed or wide.is_needed(out, (op.dst, *parts), scope):
        wide.reduced(out, text, op, scope)
        return
    if op.modulus is not None:
        if isinstance(op.modulus, Const):
            text = f"{text} % {out.read(op.modulus, scope)}" if op.modulus.value else f"{text} * 0u"
        else:
            if op.algorithm == "round_robin":  # it counts this packet even if it divides by 0
                held = out.fresh("u64")
                out.line(f"{held} = {text};")
                text = held
            divisor = out.fresh("u64")
            out.line(f"{divisor} = (u64){out.read(op.modulus, scope)};")
            text = f"({divisor} ? {text} % {divisor} : 0u)"
    if op.base is not None:
        text, bound = f"{out.ring(op.base, out.shape(op.dst, scope)[0], scope)} + {text}", None
    out.store(op.dst, text, bound, scope, effect=op.algorithm == "round_robin")


# --- incremental checksums ---


MOST_ADDED = 4 * mask(32)
"""What sum_without of runtime/p4nic_hash.h subtracts at most."""


def checksum_add(out: Writer, items: Sequence[Item], at: int, open_sums: dict[str, str]) -> None:
    """Write the ChecksumAdd at `at`. `open_sums`: destination to the C variable of a sum not stored yet."""
    op, scope = items[at].op, items[at].scope
    assert isinstance(op, ops.ChecksumAdd)
    dst = out.read(op.dst, scope)
    total = open_sums.pop(dst, "")
    if not total:
        total = out.fresh("u64")
        out.line(f"{total} = sum_start({dst});")
    out.line(f"{total} += {_amount(out, op, scope)};")
    if _goes_on(items, at, op):
        open_sums[dst] = total
    else:
        out.store(op.dst, f"sum_finish({total})", 16, scope)


def _amount(out: Writer, op: ops.ChecksumAdd, scope: Scope) -> str:
    if isinstance(op.src, str):
        fields = out.v.types[op.src].fields
        text = words_sum(out, [Ref(op.src, f.name) for f in fields], [f.width for f in fields], scope)
        if _most(fields) > MOST_ADDED:
            text = f"fold_sum({text})"
        return f"sum_without({text})" if op.subtract else text
    width, _ = out.shape(op.src, scope)
    text = words_sum(out, [op.src], [width], scope)
    if width > 32:
        text = f"fold_sum({text})"
    return f"sum_without({text})" if op.subtract else text


def _most(fields: Sequence[Field]) -> int:
    """The largest sum of words of fields."""
    widths = [f.width for f in fields]
    return sum(mask(width) << shift for width, shift in zip(widths, _shifts(widths), strict=True))


def _goes_on(items: Sequence[Item], at: int, op: ops.ChecksumAdd) -> bool:
    """Whether only harmless instructions stand before the next step of the same sum."""
    for item in items[at + 1 :]:
        match item.op:
            case ops.ChecksumAdd(dst):
                return dst == op.dst and item.scope == items[at].scope and op.dst not in operands(item.op)
            case ops.Move() | ops.Binary() | ops.Unary():
                if walk.written(item.op) == op.dst or op.dst in operands(item.op):
                    return False
            case Mark():
                return False
            case _:
                return False
    return False
