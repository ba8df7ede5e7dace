"""Random expressions: what the instructions compute equals what BMv2's unbounded integers would give.

Both sides are computed here, independently: the document by BMv2's rules, the instructions by the IR's one
rule.
"""

from __future__ import annotations

import json
import random
from operator import eq, ge, gt, le, lt, ne

import pytest
from bmv2_json_samples import Json, action, document, field, number, op, primitive, wrapped

from p4nic.bits import wrap
from p4nic.ir import verify
from p4nic.ir.ops import Binary, Choose, Code, Const, Move, Operand, Ref, Temp, Unary
from p4nic.ir.program import Program
from p4nic.load.bmv2_json import load_text

FIELDS = {("h", "a"): (8, False), ("h", "c"): (16, False), ("s", "p"): (8, True), ("s", "q"): (16, True)}
TARGETS = {("scalars", "x"): (8, False), ("scalars", "wide"): (64, False), ("scalars", "i"): (8, True)}


# --- the document, as BMv2 reads it ----------------------------------------


def data(random: random.Random, depth: int) -> Json:
    """A random expression that yields a number, masked now and then as p4c does."""
    if depth == 0 or random.random() < 0.15:
        if random.random() < 0.3:
            return number(random.choice([0, 1, 2, 7, 255, 256, -1, -128, random.randrange(1 << 20)]))
        return field(*random.choice(list(FIELDS)))
    name = random.choice(
        [
            "+",
            "-",
            "*",
            "&",
            "|",
            "^",
            "~",
            "neg",
            "<<",
            ">>",
            "mask",
            "tcm",
            "usat",
            "sat",
            "?",
            "shift by a field",
        ]
    )
    left = data(random, depth - 1)
    match name:
        case "~":
            return op("~", None, left)
        case "neg":
            return op("-", None, left)
        case "<<" | ">>":
            return op(name, left, number(random.randrange(12)))
        case "mask":
            return op("&", left, number((1 << random.randrange(1, 20)) - 1))
        case "tcm":
            return op("two_comp_mod", left, number(random.randrange(2, 20)))
        case "usat" | "sat":
            return op("sat_cast" if name == "sat" else "usat_cast", left, number(random.randrange(2, 20)))
        case "shift by a field":
            return op("&", op("<<", left, field("h", "a")), number((1 << random.randrange(1, 20)) - 1))
        case "?":
            return op("?", left, data(random, depth - 1), cond=truth(random, depth - 1))
        case _:
            return op(name, left, data(random, depth - 1))


def truth(random: random.Random, depth: int) -> Json:
    if depth > 0 and random.random() < 0.4:
        return op(random.choice(["and", "or"]), truth(random, depth - 1), truth(random, depth - 1))
    return op(random.choice(["==", "!=", "<", "<=", ">", ">="]), data(random, depth), data(random, depth))


def unbounded(node: Json, values: dict[tuple[str, str], int]) -> int:
    """BMv2's semantics: infinite integers, two's complement for bit operations."""
    if node["type"] == "field":
        return values[tuple(node["value"])]
    if node["type"] == "hexstr":
        return int(node["value"], 16)
    inner = node["value"]
    b = unbounded(inner["right"], values)
    if inner["left"] is None:
        return {"~": ~b, "-": -b}[inner["op"]]
    a = unbounded(inner["left"], values)
    match inner["op"]:
        case "?":
            return a if unbounded(inner["cond"], values) else b
        case "two_comp_mod":
            return wrap(a, b, signed=True)
        case "usat_cast":
            return max(0, min(a, (1 << b) - 1))
        case "sat_cast":
            return max(-(1 << (b - 1)), min(a, (1 << (b - 1)) - 1))
        case _:
            return _python(inner["op"], a, b)


def _python(name: str, a: int, b: int) -> int:
    match name:
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "&":
            return a & b
        case "|":
            return a | b
        case "^":
            return a ^ b
        case "<<":
            return a << b
        case ">>":
            return a >> b
        case "and":
            return int(bool(a) and bool(b))
        case "or":
            return int(bool(a) or bool(b))
        case _:
            return int(_COMPARED[name](a, b))


_COMPARED = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}


# --- the instructions, by the IR's rule ----------------------------------------

SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^", "shl": "<<", "shr": ">>",
    "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "land": "and", "lor": "or",
    "sat_add": "+", "sat_sub": "-",
}  # fmt: skip


def executed(code: Code, values: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    """An operation computes on infinite integers, then wraps to its destination's width and sign."""
    temps: dict[str, int] = {}
    stored = dict(values)

    def read(operand: Operand) -> int:
        match operand:
            case Const(value):
                return value
            case Temp(name):
                return temps[name]
            case Ref(header, name):
                return stored[header, name]
            case _:
                raise AssertionError(operand)

    for instruction in code:
        match instruction:
            case Move(_, src):
                result = read(src)
            case Unary(_, name, a):
                result = {"not": ~read(a), "neg": -read(a), "lnot": int(read(a) == 0)}[name]
            case Binary(_, name, a, b):
                result = _python(SYMBOLS[name], read(a), read(b))
            case Choose(_, cond, a, b):
                result = read(a) if read(cond) else read(b)
            case _:
                raise AssertionError(instruction)
        dst = instruction.dst
        if isinstance(dst, Temp):
            temps[dst.name] = stored_value(instruction, result, dst.width, dst.signed)
        else:
            assert isinstance(dst, Ref)
            stored[dst.header, dst.field] = stored_value(instruction, result, *TARGETS[dst.header, dst.field])
    return stored


def stored_value(instruction: object, result: int, width: int, signed: bool) -> int:
    if isinstance(instruction, Binary) and instruction.op.startswith("sat_"):
        low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
        return max(low, min(high, result))
    return wrap(result, width, signed)


# --- the test ------------------------------------------------------------


def program_of(expressions: list[tuple[tuple[str, str], Json]]) -> Program:
    actions = [
        action(f"a{i}", primitive("assign", field(*target), wrapped(e)), id=i)
        for i, (target, e) in enumerate(expressions)
    ]
    return load_text(json.dumps(document(actions=actions)))


@pytest.mark.parametrize("seed", range(8))
def test_no_bit_is_lost(seed: int) -> None:
    random_ = random.Random(seed)
    expressions = [(random_.choice(list(TARGETS)), data(random_, 4)) for _ in range(60)]
    program = program_of(expressions)
    assert verify.problems(program) == []
    for i, (target, expression) in enumerate(expressions):
        code = program.actions[f"a{i}"].code
        for _ in range(8):
            values = {f: corner(random_, *shape) for f, shape in FIELDS.items()}
            expected = wrap(unbounded(expression, values), *TARGETS[target])
            assert executed(code, values)[target] == expected, (json.dumps(expression), values)


def corner(random: random.Random, width: int, signed: bool) -> int:
    """A value of the field, with a liking for the ends."""
    bits = random.choice([0, 1, (1 << width) - 1, 1 << (width - 1), random.randrange(1 << width)])
    return wrap(bits, width, signed)
