"""Moving, computing, hashing: Move, Unary, Binary, Choose, Hash, ChecksumAdd, Random.

The rule of arithmetic (ir.ops): compute on unbounded integers, then wrap to the destination. Python's
integers do the first half.
"""

from __future__ import annotations

from typing import assert_never

from p4nic.backend.interp.emit.code import CodeWriter
from p4nic.backend.interp.state import State
from p4nic.bits import byte_count, mask
from p4nic.ir.ops import Binary, ChecksumAdd, Choose, Const, Hash, Move, Operand, Random, Ref, Unary

ComputeOp = Move | Unary | Binary | Choose | Hash | ChecksumAdd | Random


def write(out: CodeWriter, op: ComputeOp, state: State, site: str) -> None:
    """Write one instruction; `site` names its place in the program."""
    match op:
        case Move():
            move(out, op)
        case Unary():
            unary(out, op)
        case Binary():
            binary(out, op)
        case Choose():
            choose(out, op)
        case Hash():
            hash_(out, op, out.module.bind("hash", site, state.hash_at(site, op.algorithm)))
        case ChecksumAdd():
            checksum_add(out, op)
        case Random():
            random(out, op)
        case _:
            assert_never(op)


def move(out: CodeWriter, op: Move) -> None:
    out.store(op.dst, out.read(op.src), out.bound(op.src), op.source)
    if isinstance(op.dst, Ref) and isinstance(op.src, Ref):
        to, origin = (
            out.layout.field(op.dst.header, op.dst.field),
            out.layout.field(op.src.header, op.src.field),
        )
        if to.length is not None and origin.length is not None:
            test = "" if to.valid is None else f"if f[{to.valid}]: "
            out.module.line(f"{test}f[{to.length}] = f[{origin.length}]")


def unary(out: CodeWriter, op: Unary) -> None:
    a = out.read(op.a)
    match op.op:
        case "not":
            out.store(op.dst, f"~{a}", None, op.source)
        case "neg":
            out.store(op.dst, f"-{a}", None, op.source)
        case "lnot":
            out.store(op.dst, f"1 if {a} == 0 else 0", 1, op.source)
        case _:
            assert_never(op.op)


_COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_ARITHMETIC = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^"}


def compare(op: str, a: str, b: str) -> str:
    """A comparison as a Python condition."""
    return f"{a} {_COMPARISONS[op]} {b}"


def binary(out: CodeWriter, op: Binary) -> None:
    a, b = out.read(op.a), out.read(op.b)
    bounds = out.bound(op.a), out.bound(op.b)
    match op.op:
        case "add" | "sub" | "mul" | "and" | "or" | "xor":
            out.store(op.dst, f"{a} {_ARITHMETIC[op.op]} {b}", _result_bound(op.op, *bounds), op.source)
        case "eq" | "ne" | "lt" | "le" | "gt" | "ge":
            out.store(op.dst, f"1 if {compare(op.op, a, b)} else 0", 1, op.source)
        case "land":
            out.store(op.dst, f"1 if {a} and {b} else 0", 1, op.source)
        case "lor":
            out.store(op.dst, f"1 if {a} or {b} else 0", 1, op.source)
        case "div" | "mod":
            _divide(out, op, a, b)
        case "shl" | "shr":
            _shift(out, op, a, b)
        case "sat_add" | "sat_sub":
            _saturate(out, op, a, b)
        case _:
            assert_never(op.op)


def _result_bound(op: str, a: int | None, b: int | None) -> int | None:
    """Bits that surely hold the unsigned result, None if unknown."""
    match op:
        case "and" if a is not None and b is not None:
            return min(a, b)
        case "and":
            return a if a is not None else b  # one non-negative operand suffices
        case "or" | "xor" if a is not None and b is not None:
            return max(a, b)
        case "add" if a is not None and b is not None:
            return max(a, b) + 1
        case "mul" if a is not None and b is not None:
            return a + b
        case _:
            return None


def _divide(out: CodeWriter, op: Binary, a: str, b: str) -> None:
    bounds = out.bound(op.a), out.bound(op.b)
    if None in bounds:
        function = "divide" if op.op == "div" else "remainder"
        out.store(op.dst, f"{function}({a}, {b})", None, op.source)
        return
    sign = "//" if op.op == "div" else "%"
    out.store(op.dst, f"{a} {sign} {b} if {b} else 0", bounds[0], op.source)


def _shift(out: CodeWriter, op: Binary, a: str, b: str) -> None:
    width, _ = out.shape(op.dst)
    bound = out.bound(op.a)
    by = b if out.bound(op.b) is not None else f"max({b}, 0)"
    if op.op == "shr":
        out.store(op.dst, f"{a} >> {by}", bound, op.source)
    elif isinstance(op.b, Const):
        amount = int(b.strip("()"))
        text = f"{a} << {amount}" if 0 <= amount < width else "0"
        out.store(op.dst, text, None if bound is None else bound + max(amount, 0), op.source)
    else:
        # Without the test a 32-bit amount would build a number of 4 Gbit before it is cut.
        out.store(op.dst, f"{a} << {by} if {b} < {width} else 0", None, op.source)


def _saturate(out: CodeWriter, op: Binary, a: str, b: str) -> None:
    width, signed = out.shape(op.dst)
    low, high = (-(1 << (width - 1)), mask(width - 1)) if signed else (0, mask(width))
    sign = "+" if op.op == "sat_add" else "-"
    out.store(op.dst, f"min(max({a} {sign} {b}, {low}), {high})", 0, op.source)


def choose(out: CodeWriter, op: Choose) -> None:
    bounds = out.bound(op.a), out.bound(op.b)
    bound = max(b for b in bounds if b is not None) if None not in bounds else None
    text = f"{out.read(op.a)} if {out.read(op.cond)} else {out.read(op.b)}"
    out.store(op.dst, text, bound, op.source)


def hash_(out: CodeWriter, op: Hash, function: str) -> None:
    """`function` is the name the hash function is bound to."""
    text = f"{function}({hash_input(out, op.inputs, op.host_order, op.with_payload, op.skip_invalid)})"
    if op.modulus is not None:
        modulus = out.read(op.modulus)
        if isinstance(op.modulus, Const):
            text = f"{text} % {modulus}" if modulus != "0" else f"{text} * 0"
        else:
            text = f"remainder({text}, {modulus})"
    if op.base is not None:
        text = f"{out.read(op.base)} + {text}"
    out.store(op.dst, text, None, op.source, effect=op.algorithm == "round_robin")


def hash_input(
    out: CodeWriter, inputs: tuple[Operand, ...], host_order: bool, with_payload: bool, skip_invalid: bool
) -> str:
    """The bytes to be hashed, as an expression."""
    payload = " + pkt.payload()" if with_payload else ""
    if host_order:
        parts = []
        for operand in inputs:
            width, _ = out.shape(operand)
            parts.append(f"({out.unsigned(operand, width)}).to_bytes({byte_count(width)}, 'little')")
        return (" + ".join(parts) or "b''") + payload
    if any(_varbit_length(out, operand) is not None for operand in inputs):
        pieces = ", ".join(_piece(out, operand, skip_invalid) for operand in inputs)
        return f"join_bits(({pieces},)){payload}"
    total = sum(out.shape(operand)[0] for operand in inputs)
    whole = number_to_bytes(out, inputs, total)
    validities = dict.fromkeys(v for i in inputs if (v := _validity(out, i)) is not None)
    if not skip_invalid or not validities:
        return whole + payload
    # The usual packet has all headers, and one big number is faster than pieces.
    pieces = ", ".join(_piece(out, operand, skip_invalid=True) for operand in inputs)
    return f"({whole} if {' and '.join(validities)} else join_bits(({pieces},))){payload}"


def number_to_bytes(out: CodeWriter, inputs: tuple[Operand, ...], total: int) -> str:
    """Operands laid end to end, big-endian, zero bits at the end up to a whole byte."""
    left = byte_count(total) * 8
    parts = []
    for operand in inputs:
        width, _ = out.shape(operand)
        left -= width
        text = out.unsigned(operand, width)
        parts.append(f"({text}) << {left}" if left else f"({text})")
    return f"({' | '.join(parts) or '0'}).to_bytes({byte_count(total)}, 'big')"


def _varbit_length(out: CodeWriter, operand: Operand) -> int | None:
    return out.layout.field(operand.header, operand.field).length if isinstance(operand, Ref) else None


def _validity(out: CodeWriter, operand: Operand) -> str | None:
    """The validity bit of the header a hash input belongs to; None where it cannot be invalid."""
    valid = out.layout.field(operand.header, operand.field).valid if isinstance(operand, Ref) else None
    return None if valid is None else f"f[{valid}]"


def _piece(out: CodeWriter, operand: Operand, skip_invalid: bool) -> str:
    """(value, bits) of one hash input."""
    length = _varbit_length(out, operand)
    width, _ = out.shape(operand)
    bits = str(width) if length is None else f"f[{length}]"
    validity = _validity(out, operand) if skip_invalid else None
    return f"({out.unsigned(operand, width)}, {bits if validity is None else f'{validity} and {bits}'})"


def checksum_add(out: CodeWriter, op: ChecksumAdd) -> None:
    if isinstance(op.src, str):
        header = out.layout.headers[op.src]
        operands = tuple(Ref(op.src, f.name) for f, _ in out.layout.fields(op.src))
        amount = f"words(int.from_bytes({number_to_bytes(out, operands, header.type.width)}, 'big'), "
        amount += f"{byte_count(header.type.width) * 8})"
    else:
        width, _ = out.shape(op.src)
        text = out.unsigned(op.src, width)
        amount = text if width == 16 else f"words({text}, {width})"
    out.store(op.dst, f"adjust({out.read(op.dst)}, {amount}, {op.subtract})", 16, op.source)


def random(out: CodeWriter, op: Random) -> None:
    text = f"random_between({out.read(op.low)}, {out.read(op.high)})"
    out.store(op.dst, text, None, op.source, effect=True)
