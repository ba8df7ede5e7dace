"""Match values of STF as matches of the IR, with the rules of p4c's harness.

In: a Value and a key's kind and width. Out: a Match that `target.checks` takes, or InputError. Called by
`apply`.

The rule that surprises: in a ternary or lpm key only the digits that are written count. `0x1` in a ternary
key of 16 bits compares the low four bits (as `0x***1` does); `0x0a00*` in an lpm key of 20 bits is
0x0a000/16.
"""

from __future__ import annotations

from typing import assert_never

from p4nic.bits import mask, prefix_mask
from p4nic.errors import InputError
from p4nic.ir.program import Any, Exact, Lpm, Match, MatchKind, Range, Ternary
from p4nic.stf.statements import Value


def match_of(place: str, value: Value, kind: MatchKind, width: int) -> Match:
    """The match that `value` says for a key field of this kind; values are cut to the width, as BMv2 does."""
    if value.digits == "*":
        return Any()
    match kind:
        case "exact" | "optional":
            _refuse_operator(place, value, kind)
            return Exact(_number(place, value.digits) & mask(width))
        case "lpm":
            return _lpm(place, value, width)
        case "ternary":
            return _ternary(place, value, width)
        case "range":
            return _range(place, value, width)
        case _:
            assert_never(kind)


def left_out(kind: MatchKind) -> Match:
    """A key field that the statement does not name: 0 where the kind is exact, else anything."""
    return Exact(0) if kind == "exact" else Any()


def _lpm(place: str, value: Value, width: int) -> Match:
    if value.operator == "/":
        length = _number(place, value.second)
        if length > width:
            raise InputError(f"{place}: prefix length {length} is not in 0..{width}")
        number = _number(place, value.digits)
    elif value.operator:
        raise InputError(f'{place}: an lpm key takes VALUE/LENGTH, not "{value.operator}"')
    else:
        length = _written_bits(value.digits, width)
        number = _number(place, value.digits.replace("*", "0"))
    return Lpm(number & prefix_mask(width, length) & mask(width), length) if length else Any()


def _written_bits(digits: str, width: int) -> int:
    """Bits of the digits that are not `*`; a decimal number is the whole width."""
    if digits.isdecimal():
        return width
    per_digit = 1 if digits[1] in "bB" else 4
    return min((len(digits) - 2 - digits.count("*")) * per_digit, width)


def _ternary(place: str, value: Value, width: int) -> Match:
    if value.operator == "&&&":
        bits = _number(place, value.second) & mask(width)
        number = _number(place, value.digits)
    elif value.operator == "/":
        bits = prefix_mask(width, min(_number(place, value.second), width))
        number = _number(place, value.digits)
    elif value.operator:
        raise InputError(f'{place}: a ternary key takes VALUE&&&MASK, not "{value.operator}"')
    elif value.digits.isdecimal():
        number, bits = int(value.digits), mask(width)
    else:
        number, bits = _digits_and_mask(value.digits)
        bits &= mask(width)
    return Ternary(number & bits, bits) if bits else Any()


def _digits_and_mask(digits: str) -> tuple[int, int]:
    base, ones = (2, "1") if digits[1] in "bB" else (16, "f")
    body = digits[2:]
    written = "".join("0" if c == "*" else ones for c in body)
    return int(body.replace("*", "0"), base), int(written, base)


def _range(place: str, value: Value, width: int) -> Match:
    low = _number(place, value.digits)
    if value.operator not in ("", ".."):
        raise InputError(f'{place}: a range key takes LOW..HIGH, not "{value.operator}"')
    high = _number(place, value.second) if value.operator else low
    return Any() if (low, high) == (0, mask(width)) else Range(low, high)


def _refuse_operator(place: str, value: Value, kind: str) -> None:
    if value.operator:
        raise InputError(f'{place}: an {kind} key takes one value, not "{value.operator}{value.second}"')


def _number(place: str, digits: str) -> int:
    try:
        return int(digits, 10) if digits.isdecimal() else int(digits, 0)
    except ValueError:
        raise InputError(f'{place}: "{digits}" is no number here') from None
