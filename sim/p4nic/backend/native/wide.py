"""Values that no C integer holds, as arrays of 64-bit words in two's complement (runtime/p4nic_wide.h).

    h.f = a + 1   (192 bits)   →   wide_add(x1, x0, (const u64[4]){0x1u, 0, 0, 0}, 4);
                                   wide_wrap(x1, 4, 192, 0);
                                   f3_h_f = wide192_of(x1);

In: an instruction with such an operand or destination, or whose exact result needs more than 128 bits. Each
computation gets as many words as its exact result needs, which is the whole rule of arithmetic. Called by
`expr`, `emit_compute`, `emit_state`; programs without such values have none of this in their C.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, assert_never

from p4nic.backend.native.layout import MAX_WIDTH, c_type
from p4nic.bits import mask, wrap
from p4nic.ir import ops
from p4nic.ir.ops import Const, Operand, Param, Place
from p4nic.ir.program import Key

if TYPE_CHECKING:
    from p4nic.backend.native.expr import Writer
    from p4nic.backend.native.flat import Scope

_SIGNS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


def zero(kind: str) -> str:
    """The zero of a C type, as an expression."""
    return f"({kind}){{{{0}}}}" if kind.startswith("wide") else "0"


def initial(kind: str) -> str:
    """The zero of a C type, where a variable is declared."""
    return "{{0}}" if kind.startswith("wide") else "0"


def words(bits: int) -> int:
    """Words for a number of bits, sign included; at least two, which a u128 fills."""
    return max(2, (bits + 63) // 64)


def types(text: str) -> list[str]:
    """The C of the types a unit uses."""
    if "wide" not in text:
        return []
    sizes = sorted({int(size) for size in re.findall(r"\bwide(\d+)\b", text)})
    if not sizes and not re.search(r"\bwide_\w+\(", text):
        return []
    lines = ['#include "p4nic_wide.h"']
    for size in sizes:
        lines += [
            f"typedef struct wide{size} {{ u64 w[{size // 64}]; }} wide{size};",
            f"UNUSED static wide{size} wide{size}_of(const u64 *x)",
            "{",
            f"    wide{size} made;",
            "    memcpy(&made, x, sizeof made);",
            "    return made;",
            "}",
        ]
    return lines


def is_needed(out: Writer, operands: tuple[Operand, ...], scope: Scope) -> bool:
    """Whether one of them is wider than any C integer."""
    return any(out.shape(operand, scope)[0] > MAX_WIDTH for operand in operands)


def is_mixed(out: Writer, a: Operand, b: Operand, scope: Scope) -> bool:
    """Whether no C integer holds both, because one may be negative and the other fills 128 bits."""
    bounds = out.bound(a, scope), out.bound(b, scope)
    return None in bounds and MAX_WIDTH in bounds


def value(out: Writer, operand: Operand, n: int, scope: Scope) -> str:
    """A C pointer to the operand as `n` words."""
    if isinstance(operand, Const):
        number = wrap(operand.value, operand.width, operand.signed) if operand.width else operand.value
        return constant(number, n)
    width, signed = out.shape(operand, scope)
    text = out.raw(operand, scope)
    name = out.fresh(f"u64[{n}]")
    if width <= MAX_WIDTH:
        sign = f"{text} < 0" if signed else "0"
        extended = f"(i128){text}" if signed else text
        out.line(f"wide_set({name}, {n}, (u128){extended}, {sign});")
        return name
    if isinstance(operand, Param):  # in a packed struct
        held = out.fresh(c_type(width))
        out.line(f"{held} = {text};")
        text = held
    out.line(f"wide_copy({name}, {n}, {text}.w, {words(width)}, {int(signed)});")
    return name


def constant(number: int, n: int) -> str:
    parts = ", ".join(f"{number >> 64 * i & mask(64):#x}u" for i in range(n))
    return f"(const u64[{n}]){{{parts}}}"


def unsigned(out: Writer, operand: Operand, width: int, scope: Scope) -> tuple[str, int]:
    """(C pointer to the operand as exactly `width` bits, its words)."""
    n = words(max(width, bits(out, operand, scope)))
    found = value(out, operand, n, scope)
    if isinstance(operand, Const):
        return constant(operand.value & mask(width), n), n
    out.line(f"wide_wrap({found}, {n}, {width}, 0);")
    return found, n


def unsigned_text(out: Writer, operand: Operand, width: int, scope: Scope) -> str:
    """The same as an expression of the type that holds `width` bits."""
    found, _ = unsigned(out, operand, width, scope)
    if width > MAX_WIDTH:
        return f"{c_type(width)}_of({found})"
    return f"({c_type(width)})wide_low({found})"


def bits(out: Writer, operand: Operand, scope: Scope) -> int:
    """Bits that hold the operand with a sign."""
    if isinstance(operand, Const):
        number = wrap(operand.value, operand.width, operand.signed) if operand.width else operand.value
        return number.bit_length() + 1
    return out.shape(operand, scope)[0] + 1


def low(out: Writer, operand: Operand, scope: Scope) -> str:
    """The operand, of which the lowest 128 bits count."""
    if is_needed(out, (operand,), scope):
        return f"wide_low({unsigned(out, operand, MAX_WIDTH, scope)[0]})"
    return out.read(operand, scope)


def key_words(out: Writer, key: Key, scope: Scope) -> list[tuple[int, str]]:
    """(word, C text) of the value of a table's key, masked."""
    found, n = unsigned(out, key.operand, key.width, scope)
    masks = [(key.mask if key.mask is not None else -1) >> 64 * i & mask(64) for i in range(n)]
    size = (key.width + 63) // 64
    return [(i, f"({found}[{i}] & {m:#x}u)") for i, m in enumerate(masks[:size])]


def tests(name: str, width: int, wanted: int, bits_: int) -> list[str]:
    """Conditions under which the bits of a wide C variable are the wanted ones."""
    parts = [(i, bits_ >> 64 * i & mask(64)) for i in range((width + 63) // 64)]
    return [f"({name}.w[{i}] & {m:#x}u) == {wanted >> 64 * i & mask(64):#x}u" for i, m in parts if m]


def pieces(out: Writer, operand: Operand, width: int, scope: Scope) -> list[str]:
    """The operand as exactly `width` bits, in pieces of up to 128, the lowest first."""
    if width <= MAX_WIDTH:
        return [out.unsigned(operand, width, scope)]
    found, n = unsigned(out, operand, width, scope)
    parts = []
    for i in range(0, (width + 63) // 64, 2):
        high = f" | (u128){found}[{i + 1}] << 64" if i + 1 < n else ""
        parts.append(f"((u128){found}[{i}]{high})")
    return parts


def shown(out: Writer, operand: Operand, scope: Scope) -> tuple[str, list[str]]:
    """What a log message says of an operand: (its sign and size, see `messages`; its pieces)."""
    signed = out.bound(operand, scope) is None
    width, _ = out.shape(operand, scope)
    if width <= MAX_WIDTH:
        return "-" if signed else "+", [out.read(operand, scope)]
    parts = pieces(out, operand, (width + signed + 127) // 128 * 128, scope)
    return ("-" if signed else "+") + "." * (len(parts) - 1), parts


def truth(out: Writer, operand: Operand, scope: Scope) -> str:
    """A C condition: it is not 0."""
    n = words(bits(out, operand, scope))
    return f"wide_any({value(out, operand, n, scope)}, {n})"


def store(out: Writer, dst: Place, found: str, n: int, scope: Scope, effect: bool = False) -> None:
    """dst = `n` words, wrapped to dst."""
    width, signed = out.shape(dst, scope)
    if width <= MAX_WIDTH:
        out.store(dst, f"wide_low({found})", None, scope, effect)
        return
    if found.startswith("("):  # a constant
        held = out.fresh(f"u64[{n}]")
        out.line(f"wide_copy({held}, {n}, {found}, {n}, 1);")
        found = held
    out.line(f"wide_wrap({found}, {n}, {width}, {int(signed)});")
    out.store(dst, f"{c_type(width)}_of({found})", width, scope, effect)


def widened(out: Writer, text: str, bound: int | None, width: int, signed: bool) -> str:
    """A C integer, evaluated once, as a value of `width` bits."""
    n = words(width)
    held, made = out.fresh("i128" if bound is None else "u128"), out.fresh(f"u64[{n}]")
    out.line(f"{held} = {text};")
    out.line(f"wide_set({made}, {n}, (u128){held}, {'0' if bound is not None else f'{held} < 0'});")
    out.line(f"wide_wrap({made}, {n}, {width}, {int(signed)});")
    return f"{c_type(width)}_of({made})"


def move(out: Writer, dst: Place, src: Operand, scope: Scope) -> None:
    n = words(max(bits(out, src, scope), out.shape(dst, scope)[0] + 1))
    store(out, dst, value(out, src, n, scope), n, scope)


def unary(out: Writer, op: ops.Unary, scope: Scope) -> None:
    if op.op == "lnot":
        out.store(op.dst, f"!{truth(out, op.a, scope)}", 1, scope)
        return
    n = words(max(bits(out, op.a, scope), out.shape(op.dst, scope)[0]) + 1)
    a, made = value(out, op.a, n, scope), out.fresh(f"u64[{n}]")
    out.line(f"wide_{op.op}({made}, {a}, {n});")
    store(out, op.dst, made, n, scope)


def choose(out: Writer, op: ops.Choose, scope: Scope) -> None:
    n = words(max(bits(out, op.a, scope), bits(out, op.b, scope), out.shape(op.dst, scope)[0]) + 1)
    a, b, made = value(out, op.a, n, scope), value(out, op.b, n, scope), out.fresh(f"u64[{n}]")
    out.line(f"wide_copy({made}, {n}, {out.truth(op.cond, scope)} ? {a} : {b}, {n}, 1);")
    store(out, op.dst, made, n, scope)


def compare(out: Writer, op: ops.CompareOp, a: Operand, b: Operand, scope: Scope) -> str:
    """A comparison as a C condition."""
    n = words(max(bits(out, a, scope), bits(out, b, scope)))
    left, right = value(out, a, n, scope), value(out, b, n, scope)
    return f"wide_compare({left}, {right}, {n}) {_SIGNS[op]} 0"


def binary(out: Writer, op: ops.Binary, scope: Scope) -> None:
    width, signed = out.shape(op.dst, scope)
    sizes = bits(out, op.a, scope), bits(out, op.b, scope)
    n = words(max(*sizes, width + 1) + 3)
    match op.op:
        case "eq" | "ne" | "lt" | "le" | "gt" | "ge":
            out.store(op.dst, compare(out, op.op, op.a, op.b, scope), 1, scope)
            return
        case "land" | "lor":
            sign = "&&" if op.op == "land" else "||"
            text = f"{out.truth(op.a, scope)} {sign} {out.truth(op.b, scope)}"
            out.store(op.dst, text, 1, scope)
            return
        case "add" | "sub" | "mul" | "and" | "or" | "xor":
            made = out.fresh(f"u64[{n}]")
            a, b = value(out, op.a, n, scope), value(out, op.b, n, scope)
            out.line(f"wide_{op.op}({made}, {a}, {b}, {n});")
        case "div" | "mod":
            made = _divide(out, op.op, value(out, op.a, n, scope), value(out, op.b, n, scope), n)
        case "shl" | "shr":
            made = _shift(out, op, width, n, scope)
        case "sat_add" | "sat_sub":
            made = out.fresh(f"u64[{n}]")
            a, b = value(out, op.a, n, scope), value(out, op.b, n, scope)
            low, high = (-(1 << (width - 1)), mask(width - 1)) if signed else (0, mask(width))
            out.line(f"wide_{op.op[4:]}({made}, {a}, {b}, {n});")
            out.line(f"wide_clamp({made}, {constant(low, n)}, {constant(high, n)}, {n});")
        case _:
            assert_never(op.op)
    store(out, op.dst, made, n, scope)


def _divide(out: Writer, op: str, a: str, b: str, n: int) -> str:
    quotient, left = out.fresh(f"u64[{n}]"), out.fresh(f"u64[{n}]")
    out.line(f"wide_divide({quotient}, {left}, {a}, {b}, {n});")
    return quotient if op == "div" else left


def _shift(out: Writer, op: ops.Binary, width: int, n: int, scope: Scope) -> str:
    """A shift to the left by the width of the destination or more leaves nothing."""
    made, by = out.fresh(f"u64[{n}]"), out.fresh("u64")
    a = value(out, op.a, n, scope)
    if isinstance(op.b, Const):
        amount = wrap(op.b.value, op.b.width, op.b.signed) if op.b.width else op.b.value
        beyond = 64 * n if op.op == "shl" else 0  # a negative constant: nothing is left, or all
        out.line(f"{by} = {min(amount, 0xFFFF) if amount >= 0 else beyond}u;")
    else:
        size = words(bits(out, op.b, scope))
        out.line(f"{by} = wide_amount({value(out, op.b, size, scope)}, {size});")
    if op.op == "shl":
        out.line(f"wide_shl({made}, {a}, {n}, {by} < {width}u ? {by} : {64 * n}u);")
    else:
        out.line(f"wide_shr({made}, {a}, {n}, {by});")
    return made


def reduced(out: Writer, text: str, op: ops.Hash, scope: Scope) -> None:
    """dst = base + text % modulus, for a hash `text` of 64 bits and operands of any kind."""
    modulus, base = op.modulus, op.base
    parts = [o for o in (modulus, base) if o is not None]
    n = words(max([64, out.shape(op.dst, scope)[0], *(bits(out, o, scope) for o in parts)]) + 3)
    found = out.fresh(f"u64[{n}]")
    out.line(f"wide_set({found}, {n}, {text}, 0);")
    if modulus is not None:
        found = _divide(out, "mod", found, value(out, modulus, n, scope), n)
    if base is not None:
        total = out.fresh(f"u64[{n}]")
        out.line(f"wide_add({total}, {value(out, base, n, scope)}, {found}, {n});")
        found = total
    store(out, op.dst, found, n, scope, effect=op.algorithm == "round_robin")
