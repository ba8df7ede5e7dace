"""Operands and places as C: reading, computing, storing with the wrap and the validity test.

The rule of arithmetic (ir.ops): compute on unbounded integers, then wrap to the destination. Sums, products
and bit operations may be computed modulo 2^64 (2^128), because the wrap forgets the rest anyway;
comparisons, shifts to the right and divisions need types that hold the operands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never, final

from p4nic.backend.native import wide
from p4nic.backend.native.flat import Scope
from p4nic.backend.native.layout import MAX_WIDTH, c_type, storage
from p4nic.backend.native.variables import Variable, Variables
from p4nic.bits import mask, wrap
from p4nic.errors import UnsupportedError
from p4nic.ir import ops
from p4nic.ir.ops import (
    Const,
    Operand,
    PacketLength,
    Param,
    Place,
    Ref,
    StackIndex,
    StackRef,
    StackValid,
    Temp,
    Valid,
)


def literal(value: int) -> str:
    """A constant of whatever C type holds it."""
    if value < 0:
        return (
            f"({value})"
            if value > -(1 << 31)
            else f"((i128)U128({value >> 64 & mask(64):#x}u, {value & mask(64):#x}u))"
        )
    if value < 10:
        return f"{value}u"
    return f"{value:#x}u" if value <= mask(64) else f"U128({value >> 64:#x}u, {value & mask(64):#x}u)"


def wrapped(text: str, width: int, signed: bool, bound: int | None) -> str:
    """`text` reduced to a width; as it is where it is known to need at most `bound` bits, unsigned."""
    kind = c_type(width, signed)
    if width > MAX_WIDTH:
        return text  # made by `wide`, which has done it
    if bound is not None and bound <= width - signed:
        return f"({kind})({text})"
    size = 8 * storage(width)
    if not signed:
        return f"({kind})({text})" if width == size else f"({kind})(({text}) & {literal(mask(width))})"
    if width == size:
        return f"({kind})({text})"
    ring = "u128" if size == 128 else "u64"
    return f"({kind})(({kind})(u{size})(({ring})({text}) << {size - width}) >> {size - width})"


@final
class Writer:
    """Lines of C of one function, and the C variables it needs besides the packet's own."""

    def __init__(self, v: Variables) -> None:
        self.v = v
        self.lines: list[str] = []
        self.scratch: list[tuple[str, str]] = []
        self.live_after = -1
        """Variables read after the Item being written: storing to others is pointless."""
        self.is_valid: Callable[[str], bool | None] = lambda _header: None
        """Whether a header is valid at the Item being written, if that is known."""

    def line(self, text: str) -> None:
        self.lines.append("    " + text)

    def fresh(self, kind: str) -> str:
        name = f"x{len(self.scratch)}"
        self.scratch.append((kind, name))
        return name

    def matters(self, variable: Variable) -> bool:
        return bool(self.live_after >> variable.bit & 1)

    def set(self, variable: Variable, text: str) -> None:
        """Assign, if somebody reads it."""
        if self.matters(variable):
            self.line(f"{variable.name} = {text};")

    # --- reading ---

    def read(self, operand: Operand, scope: Scope) -> str:
        """The operand as a C integer of its own type. UnsupportedError if that has too many bits, which all
        instructions that P4 lets have such operands ask for themselves."""
        width = self.shape(operand, scope)[0]
        if width > MAX_WIDTH:
            raise UnsupportedError(
                f"the native backend takes no value of {width} bits as an index, an amount or a number of "
                f"something; use --backend interp"
            )
        return self.raw(operand, scope)

    def truth(self, operand: Operand, scope: Scope) -> str:
        """The operand as a C condition."""
        if wide.is_needed(self, (operand,), scope):
            return wide.truth(self, operand, scope)
        return self.read(operand, scope)

    def raw(self, operand: Operand, scope: Scope) -> str:
        """The operand as a C expression of its own type, which may be a struct (`wide`)."""
        v = self.v
        match operand:
            case Const(value, width, signed):
                return literal(wrap(value, width, signed) if width else value)
            case Ref(header, field):
                return v.of_field(header, field).name
            case Temp():
                return v.temp(scope.prefix, operand).name
            case Param(name):
                return scope.params[name][0]
            case Valid(name):
                if name in v.metadata:
                    return "1u"
                bits = [v.valid(m).name for m in v.members(name)]
                return f"({' | '.join(bits)})" if bits else "0u"
            case StackRef(stack, index, field):
                held = [v.of_field(e, field) for e in v.elements(stack)]
                none = wide.zero(held[0].type) if held and held[0].type.startswith("wide") else "0u"
                return self._pick(stack, index, [x.name for x in held], scope, none)
            case StackValid(stack, index):
                return self._pick(stack, index, [v.valid(e).name for e in v.elements(stack)], scope)
            case PacketLength():
                return "p->length"
            case StackIndex(stack, "next"):
                return v.next(stack).name
            case StackIndex(stack, _):
                return f"(u32)({v.next(stack).name} - 1u)"
            case _:
                assert_never(operand)

    def index(self, stack: str, index: Operand | str, scope: Scope) -> str:
        """A run-time stack index in a variable of its own."""
        name = self.fresh("i64")
        text = (
            f"(i64){self.v.next(stack).name} - 1"
            if isinstance(index, str)
            else f"(i64){self.read(index, scope)}"
        )
        self.line(f"{name} = {text};")
        return name

    def _pick(
        self, stack: str, index: Operand | str, names: list[str], scope: Scope, none: str = "0u"
    ) -> str:
        at = self.index(stack, index, scope)
        text = none
        for i, name in reversed(list(enumerate(names))):
            text = f"{at} == {i} ? {name} : {text}"
        return f"({text})"

    def shape(self, operand: Operand, scope: Scope) -> tuple[int, bool]:
        """Width and signedness."""
        match operand:
            case Const(_, width, signed) | Temp(_, width, signed):
                return width, signed
            case Ref(header, field):
                found = self.v.field(header, field)
                return found.width, found.signed
            case StackRef(stack, _, field):
                found = self.v.field(f"{stack}[0]", field)
                return found.width, found.signed
            case Param(name):
                return scope.params[name][1], False
            case Valid() | StackValid():
                return 1, False
            case PacketLength() | StackIndex():
                return 32, False
            case _:
                assert_never(operand)

    def bound(self, operand: Operand, scope: Scope) -> int | None:
        """Bits that surely hold the operand as an unsigned number; None if it may be negative."""
        if isinstance(operand, Const):
            value = wrap(operand.value, operand.width, operand.signed) if operand.width else operand.value
            return value.bit_length() if value >= 0 else None
        width, signed = self.shape(operand, scope)
        return None if signed else width

    def unsigned(self, operand: Operand, width: int, scope: Scope) -> str:
        """The operand as exactly `width` bits, for keys, hashes and the wire."""
        if width > MAX_WIDTH or wide.is_needed(self, (operand,), scope):
            return wide.unsigned_text(self, operand, width, scope)
        return wrapped(self.read(operand, scope), width, False, self.bound(operand, scope))

    def ring(self, operand: Operand, width: int, scope: Scope) -> str:
        """The operand modulo 2^64, or 2^128 where `width` bits need it."""
        text = self.read(operand, scope)
        return f"({'u128' if width > 64 else 'u64'}){text}"

    # --- storing ---

    def store(self, dst: Place, text: str, bound: int | None, scope: Scope, effect: bool = False) -> None:
        """dst = text, wrapped to dst. `effect`: evaluated even if dst's header is invalid or dst is dead."""
        width, signed = self.shape(dst, scope)
        if width > MAX_WIDTH and not text.startswith(c_type(width)):
            text, effect = wide.widened(self, text, bound, width, signed), False
        value = wrapped(text, width, signed, bound)
        if effect:
            name = self.fresh(c_type(width, signed))
            self.line(f"{name} = {value};")
            value = name
        match dst:
            case Temp():
                self.set(self.v.temp(scope.prefix, dst), value)
            case Ref(header, field):
                variable = self.v.of_field(header, field)
                if header in self.v.metadata:
                    self.set(variable, value)
                elif self.matters(variable):
                    valid = self.is_valid(header)
                    if valid is None:
                        self.line(f"if ({self.v.valid(header).name})")
                        self.line(f"    {variable.name} = {value};")
                    elif valid:
                        self.line(f"{variable.name} = {value};")
            case StackRef(stack, index, field):
                at = self.index(stack, index, scope)
                held = self.fresh(c_type(width, signed))
                self.line(f"{held} = {value};")
                for i, element in enumerate(self.v.elements(stack)):
                    self.line(f"if ({at} == {i} && {self.v.valid(element).name})")
                    self.line(f"    {self.v.of_field(element, field).name} = {held};")
            case _:
                assert_never(dst)

    # --- computing ---

    def compare(self, op: ops.CompareOp, a: Operand, b: Operand, scope: Scope) -> str:
        """A comparison as a C condition; what is certain is said, for a compiler would warn."""
        sign = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}[op]
        known = self._certain(op, a, b, scope)
        if known is not None:
            return str(int(known))
        if wide.is_needed(self, (a, b), scope) or wide.is_mixed(self, a, b, scope):
            return wide.compare(self, op, a, b, scope)
        bounds = self.bound(a, scope), self.bound(b, scope)
        if None not in bounds:
            width = max(w for w in bounds if w is not None)
            return f"{self.ring(a, width, scope)} {sign} {self.ring(b, width, scope)}"
        kind = self._signed_type(a, b, scope)
        return f"({kind}){self.read(a, scope)} {sign} ({kind}){self.read(b, scope)}"

    def _certain(self, op: ops.CompareOp, a: Operand, b: Operand, scope: Scope) -> bool | None:
        if a == b:
            return op in ("eq", "le", "ge")
        if isinstance(a, Const) and not isinstance(b, Const):
            mirror: Mapping[ops.CompareOp, ops.CompareOp] = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
            return self._certain(mirror.get(op, op), b, a, scope)
        bound = self.bound(a, scope)
        if not isinstance(b, Const) or bound is None:
            return None
        value = wrap(b.value, b.width, b.signed) if b.width else b.value
        if value < 0 or value > mask(bound):
            larger = value > 0
            return {"eq": False, "ne": True, "lt": larger, "le": larger, "gt": not larger, "ge": not larger}[
                op
            ]
        if value == 0 and op in ("lt", "ge"):
            return op == "ge"
        if value == mask(bound) and op in ("gt", "le"):
            return op == "le"
        return None

    def _signed_type(self, a: Operand, b: Operand, scope: Scope) -> str:
        widths = []
        for operand in (a, b):
            bound = self.bound(operand, scope)
            widths.append(self.shape(operand, scope)[0] or 64 if bound is None else bound + 1)
        return "i64" if max(widths) <= 63 else "i128"

    def is_wide(self, op: ops.Binary, scope: Scope) -> bool:
        """Whether the exact result needs more than C's integers."""
        if wide.is_needed(self, (op.dst, op.a, op.b), scope):
            return True
        match op.op:
            case "div" | "mod":
                return wide.is_mixed(self, op.a, op.b, scope)
            case "sat_add" | "sat_sub":
                bounds = [self.bound(o, scope) for o in (op.a, op.b)]
                width, signed = self.shape(op.dst, scope)
                size = max(width, *(self.shape(o, scope)[0] for o in (op.a, op.b)))
                return size > 120 and (MAX_WIDTH in bounds if signed else None in bounds)
            case _:
                return False

    def binary(self, op: ops.Binary, scope: Scope) -> tuple[str, int | None]:
        """(expression, bits it surely fits), if it is not `is_wide`."""
        width, signed = self.shape(op.dst, scope)
        a, b = op.a, op.b
        match op.op:
            case "add" | "sub" | "mul" | "and" | "or" | "xor":
                sign = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^"}[op.op]
                return (
                    f"{self.ring(a, width, scope)} {sign} {self.ring(b, width, scope)}",
                    self._result_bound(op, scope),
                )
            case "eq" | "ne" | "lt" | "le" | "gt" | "ge":
                return self.compare(op.op, a, b, scope), 1
            case "land" | "lor":
                return f"{self.truth(a, scope)} {'&&' if op.op == 'land' else '||'} {self.truth(b, scope)}", 1
            case "div" | "mod":
                return self._divide(op, scope)
            case "shl":
                return self._left(op, width, scope)
            case "shr":
                return self._right(op, scope)
            case "sat_add" | "sat_sub":
                return self._saturate(op, width, signed, scope), width
            case _:
                assert_never(op.op)

    def _result_bound(self, op: ops.Binary, scope: Scope) -> int | None:
        a, b = self.bound(op.a, scope), self.bound(op.b, scope)
        if op.op == "and":
            known = [w for w in (a, b) if w is not None]
            return min(known) if known else None
        if a is None or b is None:
            return None
        match op.op:
            case "or" | "xor":
                return max(a, b)
            case "add":
                return max(a, b) + 1
            case "mul":
                return a + b
            case _:
                return None

    def _divide(self, op: ops.Binary, scope: Scope) -> tuple[str, int | None]:
        bounds = self.bound(op.a, scope), self.bound(op.b, scope)
        sign = "/" if op.op == "div" else "%"
        if None not in bounds:
            kind = "u128" if max(w for w in bounds if w is not None) > 64 else "u64"
        else:
            kind = self._signed_type(op.a, op.b, scope)
        divisor = self.fresh(kind)
        self.line(f"{divisor} = ({kind}){self.read(op.b, scope)};")
        return f"{divisor} ? ({kind}){self.read(op.a, scope)} {sign} {divisor} : 0", bounds[0] if kind[
            0
        ] == "u" else None

    def _amount(self, b: Operand, scope: Scope) -> str:
        """A shift amount as u64: negative ones are 0, huge ones stay huge."""
        text = self.read(b, scope)
        if self.bound(b, scope) is None:
            return f"({text} > 0 ? (u64){text} : 0u)"
        return (
            f"({text} > 0xffffu ? 0xffffu : (u64){text})" if self.shape(b, scope)[0] > 64 else f"(u64){text}"
        )

    def _left(self, op: ops.Binary, width: int, scope: Scope) -> tuple[str, int | None]:
        a, bound = self.ring(op.a, width, scope), self.bound(op.a, scope)
        if isinstance(op.b, Const):
            amount = wrap(op.b.value, op.b.width, op.b.signed) if op.b.width else op.b.value
            if not 0 <= amount < width:
                return "0u", 0
            return (
                f"({'u128' if width > 64 else 'u64'}){a} << {amount}",
                None if bound is None else bound + amount,
            )
        by = self.fresh("u64")
        self.line(f"{by} = {self._amount(op.b, scope)};")
        return f"{by} < {width}u ? ({'u128' if width > 64 else 'u64'}){a} << {by} : 0u", None

    def _right(self, op: ops.Binary, scope: Scope) -> tuple[str, int | None]:
        bound = self.bound(op.a, scope)
        width = max(self.shape(op.a, scope)[0], 1 if bound is None else bound)
        kind = c_type(max(width, 64), bound is None)
        size = 128 if kind.endswith("128") else 64
        value = f"({kind}){self.read(op.a, scope)}"
        if isinstance(op.b, Const):
            amount = max(wrap(op.b.value, op.b.width, op.b.signed) if op.b.width else op.b.value, 0)
            if amount >= size:
                return (f"{value} >> {size - 1}" if bound is None else "0u"), None if bound is None else 0
            return f"{value} >> {amount}", None if bound is None else max(bound - amount, 0)
        by = self.fresh("u64")
        self.line(f"{by} = {self._amount(op.b, scope)};")
        if bound is None:
            return f"{value} >> ({by} < {size}u ? {by} : {size - 1}u)", None
        return f"{by} < {size}u ? {value} >> {by} : 0u", bound

    def _saturate(self, op: ops.Binary, width: int, signed: bool, scope: Scope) -> str:
        widths = [self.shape(o, scope)[0] for o in (op.a, op.b)]
        if max(width, *widths) > 120:
            return self._saturate_wide(op, width, signed, scope)
        low, high = (-(1 << (width - 1)), mask(width - 1)) if signed else (0, mask(width))
        sign = "+" if op.op == "sat_add" else "-"
        total = self.fresh("i128")
        self.line(f"{total} = (i128){self.read(op.a, scope)} {sign} (i128){self.read(op.b, scope)};")
        bottom, top = f"(i128){literal(low)}", f"(i128){literal(high)}"
        return f"{total} < {bottom} ? {bottom} : {total} > {top} ? {top} : {total}"

    def _saturate_wide(self, op: ops.Binary, width: int, signed: bool, scope: Scope) -> str:
        """Where the sum itself may not fit into 128 bits: then it lies beyond the end that `a` is nearer
        to."""
        kind = "i128" if signed else "u128"
        a, total, over = self.fresh(kind), self.fresh(kind), self.fresh("u32")
        verb = "add" if op.op == "sat_add" else "sub"
        self.line(f"{a} = ({kind}){self.read(op.a, scope)};")
        self.line(f"{over} = __builtin_{verb}_overflow({a}, ({kind}){self.read(op.b, scope)}, &{total});")
        if not signed:
            top = literal(mask(width))
            return f"{over} ? {top if verb == 'add' else '0u'} : {total} > {top} ? {top} : {total}"
        top = f"(i128)((u128)-1 >> {129 - width})"
        bottom = f"(-{top} - 1)"
        inside = f"{total} < {bottom} ? {bottom} : {total} > {top} ? {top} : {total}"
        return f"{over} ? ({a} < 0 ? {bottom} : {top}) : {inside}"
