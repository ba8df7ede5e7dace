"""Expressions to three-address code, with the widths BMv2's unbounded integers need.

In: expression objects. Out: instructions in the Emitter, and `Value`s (an operand and its bounds).

BMv2 computes on unbounded integers and truncates where a value is stored; p4c keeps bit<W> arithmetic honest
by `& mask` and `two_comp_mod`. So an expression is lowered under a *demand*: `bits` low bits are wanted, or
(None) the exact number. Under a demand of W bits, `+ - * & | ^ ~ <<` may be computed modulo 2**W; everything
else asks its operands for exact numbers, and temporaries are made as wide as the operands' bounds say:

    ((hdr.a + hdr.b) & 0xff) > 3      with a, b: bit<8>      t1:8 = add hdr.a, hdr.b ; t2:1 = gt t1, 3
    (hdr.a + hdr.b) > 300                                    t1:9 = add hdr.a, hdr.b ; t2:1 = gt t1, 300

Evaluation has no side effects, so `and`, `or` and `?` evaluate both sides; `branch` short-cuts for speed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from p4nic.bits import mask, wrap
from p4nic.ir.ops import (
    Binary,
    BinaryOp,
    Branch,
    Choose,
    CompareOp,
    Const,
    Lookahead,
    Move,
    Op,
    Operand,
    Param,
    Place,
    RegisterRead,
    StackIndex,
    Unary,
    UnaryOp,
    Valid,
)
from p4nic.ir.types import Field
from p4nic.load.bmv2 import places
from p4nic.load.bmv2.bounds import bits_of, exact_bounds, ring_bounds
from p4nic.load.bmv2.emit import Emitter, const
from p4nic.load.bmv2.tree import MAX_BITS, Node

WIDEST_TEMP = 8192
"""Bits. Only an unmasked shift by a run-time amount grows beyond it, and p4c masks its shifts."""


@final
@dataclass(frozen=True, slots=True)
class Value:
    """An operand and the bounds of the number it stands for."""

    operand: Operand
    low: int
    high: int


@final
@dataclass(frozen=True, slots=True)
class Pending:
    """An instruction that still lacks its destination.

    `low` and `high` bound the result once it is stored in `exact`, a (width, sign) the destination must wrap
    to (None: any destination that holds the bounds). `saturates`: the destination must be exactly `exact`.
    """

    make: Callable[[Place], Op]
    low: int
    high: int
    exact: tuple[int, bool] | None = None
    saturates: bool = False


Lowered = Value | Pending

_RING: dict[str, BinaryOp] = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}
_EXACT: dict[str, BinaryOp] = {"/": "div", "%": "mod", ">>": "shr"}
_COMPARE: dict[str, CompareOp] = {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
_NEGATED: dict[CompareOp, CompareOp] = {
    "eq": "ne",
    "ne": "eq",
    "lt": "ge",
    "le": "gt",
    "gt": "le",
    "ge": "lt",
}
_LOGIC: dict[str, BinaryOp] = {"and": "land", "or": "lor"}
OPERATORS = (
    *_RING, *_EXACT, *_COMPARE, *_LOGIC, "<<", "~", "not", "?", "two_comp_mod", "sat_cast", "usat_cast",
    "d2b", "b2d", "valid", "valid_union", "access_field", "access_union_header", "dereference_header_stack",
    "last_stack_index", "size_stack", "dereference_union_stack",
)  # fmt: skip


# --- entry points -------------------------------------------------------------------------------------------


def operand(em: Emitter, node: Node, bits: int | None = None) -> Value:
    """The expression's value as an operand; with `bits`, only that many low bits are right."""
    return _materialise(em, lower(em, node, bits), bits, node)


def store(em: Emitter, dst: Place, field: Field, node: Node) -> None:
    """dst = expression, truncated to the destination's field."""
    store_lowered(em, dst, field, lower(em, node, field.width), node)


def store_lowered(em: Emitter, dst: Place, field: Field, lowered: Lowered, node: Node) -> None:
    match lowered:
        case Value(Const(value), _, _):
            em.add(Move(dst, Const(wrap(value, field.width, field.signed), field.width, field.signed)))
        case Value(source, _, _):
            em.add(Move(dst, source))
        case Pending(make, _, _, exact, saturates):
            fits = exact is None or (
                exact == (field.width, field.signed) if saturates else exact[0] >= field.width
            )
            if fits:
                em.add(make(dst))
            else:
                em.add(Move(dst, _materialise(em, lowered, None, node).operand))


def store_operand(em: Emitter, dst: Place, field: Field, value: int) -> None:
    """dst = a constant."""
    em.add(Move(dst, Const(wrap(value, field.width, field.signed), field.width, field.signed)))


def branch_unless(em: Emitter, node: Node, target: str) -> None:
    """Go to `target` if the expression is false."""
    _branch(em, node, target, False)


def branch_if(em: Emitter, node: Node, target: str) -> None:
    """Go to `target` if the expression is true."""
    _branch(em, node, target, True)


def _branch(em: Emitter, node: Node, target: str, when: bool) -> None:
    node = places.unwrap(node)
    op = places.operation(node)
    if op in ("not", "d2b", "b2d"):
        _branch(em, node.get("value").get("right"), target, when != (op == "not"))
        return
    if op in _LOGIC:
        left, right = node.get("value").get("left"), node.get("value").get("right")
        if when == (op == "or"):  # either side alone decides for the jump
            _branch(em, left, target, when)
            _branch(em, right, target, when)
        else:
            skip = em.fresh_label("skip")
            _branch(em, left, skip, not when)
            _branch(em, right, target, when)
            em.label(skip)
        return
    if op in _COMPARE and _kind(node.get("value").get("left")) == "data":
        compare = _COMPARE[op]
        a = operand(em, node.get("value").get("left")).operand
        b = operand(em, node.get("value").get("right")).operand
        em.add(Branch(compare if when else _NEGATED[compare], a, b, target))
        return
    value = operand(em, node)
    em.add(Branch("ne" if when else "eq", value.operand, const(0), target))


# --- lowering -----------------------------------------------------------------------------------------------


def lower(em: Emitter, node: Node, bits: int | None) -> Lowered:
    """The expression as a value or as an instruction without destination, under a demand of `bits`."""
    node = places.unwrap(node)
    kind = node.get("type").text()
    if kind == "expression":
        return _operation(em, node.get("value"), bits)
    return _leaf(em, node, kind, node.get("value"))


def _leaf(em: Emitter, node: Node, kind: str, value: Node) -> Lowered:
    match kind:
        case "field":
            return _field(em, value)
        case "hexstr":
            number = value.hexint()
            return Value(const(number), number, number)
        case "bool":
            return Value(Const(int(value.boolean()), 1), int(value.boolean()), int(value.boolean()))
        case "runtime_data" | "local":
            number = value.integer()
            if number >= len(em.params):
                raise value.fail(f"there is no action parameter {number}; the action has {len(em.params)}.")
            param = em.params[number]
            return Value(Param(param.name), 0, mask(param.width))
        case "stack_field":
            return _of_field(*places.last_field(em, value))
        case "union_stack_field":
            return _of_field(*places.union_stack_field(em, value))
        case "lookahead":
            return _lookahead(em, node, value)
        case "register":
            return _register(em, value)
        case _:
            raise node.get("type").unsupported(
                f"{kind!r} in an expression", "use a field, a constant or an operation"
            )


def _of_field(source: Operand, field: Field) -> Value:
    if field.signed:
        return Value(source, -(1 << max(0, field.width - 1)), mask(max(0, field.width - 1)))
    return Value(source, 0, mask(field.width))


def _field(em: Emitter, value: Node) -> Value:
    if places.ends_with(value, places.VALID):
        owner = value.items()[0]
        if isinstance(owner.value, dict):  # p4c, for an element at a run-time index: the bare operation
            wrapped = Node({"type": "expression", "value": owner.value}, owner.file, owner, "value")
            return Value(places.header(em, wrapped).valid, 0, 1)
        return Value(Valid(em.layout.header(owner).name), 0, 1)
    return _of_field(*em.layout.ref(value))


def _lookahead(em: Emitter, node: Node, value: Node) -> Lowered:
    if not em.parser:
        raise node.fail("a lookahead outside a parser.")
    first, second = value.pair()
    offset, width = first.integer(0, MAX_BITS), second.integer(1, MAX_BITS)
    return Pending(lambda dst: Lookahead(dst, offset), 0, mask(width), (width, False), saturates=True)


def _register(em: Emitter, value: Node) -> Lowered:
    name, index = value.pair()
    register = em.scope.lookup(em.scope.registers, "register array", name)
    at = operand(em, index).operand
    return Pending(
        lambda dst: RegisterRead(dst, register.name, at), 0, mask(register.width), (register.width, False)
    )


def _operation(em: Emitter, value: Node, bits: int | None) -> Lowered:
    op = value.get("op").text()
    if op in ("+", "-") and not value.has("left"):
        if op == "+":
            return lower(em, value.get("right"), bits)
        a = operand(em, value.get("right"), bits)
        return _unary("neg", a, -a.high, -a.low)
    if op in _COMPARE:
        return _comparison(em, value, op)
    if op == "&":
        return _and(em, value, bits)
    if op in _RING:
        a, b = operand(em, value.get("left"), bits), operand(em, value.get("right"), bits)
        return _binary(_RING[op], a, b, *ring_bounds(op, a, b))
    if op in _EXACT:
        a, b = operand(em, value.get("left")), operand(em, value.get("right"))
        return _binary(_EXACT[op], a, b, *exact_bounds(op, a, b))
    if op in _LOGIC:
        a, b = operand(em, value.get("left")), operand(em, value.get("right"))
        return _binary(_LOGIC[op], a, b, 0, 1)
    return _other_operation(em, value, op, bits)


def _other_operation(em: Emitter, value: Node, op: str, bits: int | None) -> Lowered:
    match op:
        case "<<":
            return _shift_left(em, value, bits)
        case "~":
            a = operand(em, value.get("right"), bits)
            return _unary("not", a, ~a.high, ~a.low)
        case "not":
            return _unary("lnot", operand(em, value.get("right")), 0, 1)
        case "d2b":
            a = operand(em, value.get("right"))
            if a.low >= 0 and a.high <= 1:
                return a
            return _binary("ne", a, Value(const(0), 0, 0), 0, 1)
        case "b2d":
            return lower(em, value.get("right"), bits)
        case "?":
            cond = operand(em, value.get("cond")).operand
            a, b = operand(em, value.get("left"), bits), operand(em, value.get("right"), bits)
            low, high = min(a.low, b.low), max(a.high, b.high)
            return Pending(lambda dst: Choose(dst, cond, a.operand, b.operand), low, high)
        case "two_comp_mod":
            return _two_comp_mod(em, value)
        case "sat_cast" | "usat_cast":
            return _saturating_cast(em, value, op == "sat_cast")
        case "valid":
            return Value(places.header(em, value.get("right")).valid, 0, 1)
        case "valid_union":
            return Value(Valid(places.union(em, value.get("right"))), 0, 1)
        case "last_stack_index" | "size_stack":
            return _stack_index(em, value.get("right"), op == "last_stack_index")
        case "access_field":
            return _of_field(*places.field_at(em, value))
        case _ if op in OPERATORS:
            raise value.get("op").fail(f"{op!r} yields no number here.")
        case _:
            way_out = "the operators of BMv2 JSON 2.24 are"
            raise value.unsupported(f"the operator {op!r}", f"{way_out} {' '.join(sorted(OPERATORS))}")


def _stack_index(em: Emitter, node: Node, last: bool) -> Value:
    node = places.unwrap(node)
    if node.get("type").value == "header_union_stack":
        stack, _ = em.layout.union_stack(node.get("value"))
        source: Operand = places.union_last_index(em, stack) if last else places.union_count(stack)
        return Value(source, 0, mask(32))
    if node.get("type").value != "header_stack":
        raise node.wrong("a header stack")
    return Value(StackIndex(em.layout.stack(node.get("value")).name, "last" if last else "next"), 0, mask(32))


def _unary(op: UnaryOp, a: Value, low: int, high: int) -> Pending:
    return Pending(lambda dst: Unary(dst, op, a.operand), low, high)


def _binary(op: BinaryOp, a: Value, b: Value, low: int, high: int) -> Pending:
    return Pending(lambda dst: Binary(dst, op, a.operand, b.operand), low, high)


# --- masks, casts and shifts ------------------------------------------------------------------------


def _and(em: Emitter, value: Node, bits: int | None) -> Lowered:
    left, right = value.get("left"), value.get("right")
    if (ones := _mask_of(right)) is None and (ones := _mask_of(left)) is not None:
        left, right = right, left
    if ones is not None and ones == mask(ones.bit_length()):
        width = ones.bit_length()
        if bits is not None and bits <= width:
            return lower(em, left, bits)
        return _wrapped(em, lower(em, left, width), width, False, left)
    if ones is not None:
        bits = min(ones.bit_length(), bits) if bits is not None else ones.bit_length()
    a, b = operand(em, left, bits), operand(em, right, bits)
    positive = [v.high for v in (a, b) if v.low >= 0]
    if positive:
        return _binary("and", a, b, 0, min(positive))
    width = max(bits_of(a.low, a.high), bits_of(b.low, b.high))
    return _binary("and", a, b, -(1 << (width - 1)), mask(width - 1))


def _mask_of(node: Node) -> int | None:
    node = places.unwrap(node)
    if node.get("type").value != "hexstr":
        return None
    value = node.get("value").hexint()
    return value if value > 0 else None


def _wrapped(em: Emitter, lowered: Lowered, width: int, signed: bool, node: Node) -> Lowered:
    """`lowered`, reduced to `width` bits."""
    low, high = (-(1 << (width - 1)), mask(width - 1)) if signed else (0, mask(width))
    if lowered.low >= low and lowered.high <= high:
        return lowered
    if isinstance(lowered, Value) and isinstance(lowered.operand, Const):
        number = wrap(lowered.operand.value, width, signed)
        return Value(const(number), number, number)
    if isinstance(lowered, Pending) and lowered.exact is None:
        return Pending(lowered.make, low, high, (width, signed))
    source = _materialise(em, lowered, None, node).operand
    return Pending(lambda dst: Move(dst, source), low, high, (width, signed))


def _two_comp_mod(em: Emitter, value: Node) -> Lowered:
    width = _width_of(value)
    return _wrapped(em, lower(em, value.get("left"), width), width, True, value)


def _width_of(value: Node) -> int:
    right = places.unwrap(value.get("right")).get("value")
    width = right.hexint()
    if not 1 <= width <= MAX_BITS:
        raise right.wrong(f"a width from 1 to {MAX_BITS}")
    return width


def _saturating_cast(em: Emitter, value: Node, signed: bool) -> Lowered:
    """p4c writes |+| and |-| as a saturating cast of + or -; that is one instruction."""
    width = _width_of(value)
    low, high = (-(1 << (width - 1)), mask(width - 1)) if signed else (0, mask(width))
    inner = places.unwrap(value.get("left"))
    if (op := places.operation(inner)) in ("+", "-") and inner.get("value").has("left"):
        a = operand(em, inner.get("value").get("left")).operand
        b = operand(em, inner.get("value").get("right")).operand
        name: BinaryOp = "sat_add" if op == "+" else "sat_sub"
        return Pending(lambda dst: Binary(dst, name, a, b), low, high, (width, signed), saturates=True)
    # Adding zero saturates as well as anything does.
    source = operand(em, inner).operand
    return Pending(
        lambda dst: Binary(dst, "sat_add", source, const(0)), low, high, (width, signed), saturates=True
    )


def _shift_left(em: Emitter, value: Node, bits: int | None) -> Lowered:
    a, by = operand(em, value.get("left"), bits), operand(em, value.get("right"))
    most = max(0, by.high)
    if bits is not None:
        most = min(most, bits)
    if most > WIDEST_TEMP:
        raise value.unsupported(
            "a shift left by a run-time amount that is not masked", "mask or cast the result"
        )
    return _binary("shl", a, by, min(a.low << most, a.low), max(a.high << most, a.high))


# --- comparisons --------------------------------------------------------------------------------------------


def _kind(node: Node) -> str:
    """What an expression yields: "data", "header" or "union"."""
    node = places.unwrap(node)
    kind = node.get("type").value
    op = places.operation(node)
    if kind == "header" or op in ("dereference_header_stack", "dereference_stack", "access_union_header"):
        return "header"
    return "union" if kind == "header_union" or op == "dereference_union_stack" else "data"


def _comparison(em: Emitter, value: Node, op: str) -> Lowered:
    left, right = value.get("left"), value.get("right")
    kind = _kind(left)
    if kind == "data":
        return _binary(_COMPARE[op], operand(em, left), operand(em, right), 0, 1)
    if op not in ("==", "!=") or _kind(right) != kind:
        raise value.get("op").fail(f"{op!r} cannot compare a {kind} with this.")
    if kind == "header":
        pairs = [(places.header(em, left), places.header(em, right))]
    else:
        a, b = (em.layout.unions[places.union(em, side)].members for side in (left, right))
        pairs = [(_static(em, x), _static(em, y)) for x, y in zip(a, b, strict=False)]
    result = em.temp(1)
    em.add(Move(result, const(1, 1)))
    for x, y in pairs:
        if x.type.name != y.type.name:
            raise value.fail(f"headers of types {x.type.name!r} and {y.type.name!r} cannot be compared.")
        _all_equal(em, result, x, y)
    return _unary("lnot", Value(result, 0, 1), 0, 1) if op == "!=" else Value(result, 0, 1)


def _static(em: Emitter, name: str) -> places.HeaderAt:
    return places.HeaderAt(name, em.layout.types[em.layout.headers[name].type])


def _all_equal(em: Emitter, result: Place, x: places.HeaderAt, y: places.HeaderAt) -> None:
    """result &= x == y. Fields of invalid headers read as 0: comparing validity and all fields will do."""
    pairs: list[tuple[Operand, Operand]] = [(x.valid, y.valid)]
    pairs += [(x.field(f), y.field(f)) for f in x.type.fields]
    for a, b in pairs:
        same = em.temp(1)
        em.add(Binary(same, "eq", a, b))
        em.add(Binary(result, "land", result, same))


# --- temporaries --------------------------------------------------------------------------------------------


def _materialise(em: Emitter, lowered: Lowered, bits: int | None, node: Node) -> Value:
    """A Value: a Pending instruction gets a temporary that loses nothing the demand wants."""
    if isinstance(lowered, Value):
        return lowered
    low, high = lowered.low, lowered.high
    if lowered.exact is not None:
        temp = em.temp(*lowered.exact)
    else:
        width = bits_of(low, high)
        if bits is not None and width > max(1, bits):
            width, low, high = max(1, bits), 0, mask(max(1, bits))
        if width > WIDEST_TEMP:
            raise node.unsupported(
                f"an intermediate result of {width} bits", f"mask it to {WIDEST_TEMP} bits or less"
            )
        temp = em.temp(width, low < 0)
    em.add(lowered.make(temp))
    return Value(temp, low, high)
