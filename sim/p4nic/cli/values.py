"""How values and matches are written in an entries file, and what they mean.

In: YAML or JSON scalars. Out: ints and `ir.program` matches. Used by `entries_file`. InputErrors begin with
`place`.

    exact, optional   443   0x1bb   10.0.0.1   2001:db8::1   02:00:00:00:00:01
    lpm               10.0.0.0/8    0xa000000/8              (no length: all bits)
    ternary           0x50&&&0xffff 10.0.0.0/8   443         (no mask: all bits)
    range             1024..65535   443
    don't care        *, or the field left out; /0, a mask of 0 and a full range mean the same
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any as Json

from p4nic.bits import mask, prefix_mask
from p4nic.errors import InputError
from p4nic.ir.program import Any, Exact, Lpm, Match, MatchKind, Range, Ternary

_MAC = re.compile(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}")
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}


def parse_value(place: str, value: Json, width: int) -> int:
    """An int from a number, an address or a MAC. Whether it fits `width` is judged later, with everything
    else.
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InputError(f"{place}: {value!r} is not a value; write a number, an IP address or a MAC address")
    if isinstance(value, int):
        return value
    text = value.strip()
    try:
        return int(text, 0)
    except ValueError:
        pass
    if _MAC.fullmatch(text):
        return _sized(place, text, "a MAC address", 48, width, int(re.sub("[:-]", "", text), 16))
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise InputError(
            f'{place}: "{text}" is not a value; write a number, an IP address or a MAC address'
        ) from None
    return _sized(place, text, f"an IPv{address.version} address", address.max_prefixlen, width, int(address))


def _sized(place: str, text: str, what: str, bits: int, width: int, value: int) -> int:
    if bits != width:
        raise InputError(f"{place}: {text} is {what} of {bits} bits, the field has {width}")
    return value


def parse_match(place: str, value: Json, kind: MatchKind, width: int) -> Match:
    """One field's match as its kind is written."""
    if value is None or value == "*":
        return Any()
    match kind:
        case "exact" | "optional":
            return Exact(parse_value(place, value, width))
        case "lpm":
            head, slash, length = str(value).partition("/") if isinstance(value, str) else (value, "", "")
            bits = _length(place, length, width) if slash else width
            return Lpm(parse_value(place, head, width), bits) if bits else Any()
        case "ternary":
            return _ternary(place, value, width)
        case "range":
            low, dots, high = value.partition("..") if isinstance(value, str) else (value, "", "")
            first = parse_value(place, low, width)
            last = parse_value(place, high, width) if dots else first
            return Any() if (first, last) == (0, mask(width)) else Range(first, last)


def _ternary(place: str, value: Json, width: int) -> Match:
    text = value if isinstance(value, str) else ""
    if "&&&" in text:
        head, _, bits = text.partition("&&&")
        found, wanted = parse_value(place, head, width), parse_value(place, bits, width)
    elif "/" in text:
        head, _, length = text.partition("/")
        found, wanted = parse_value(place, head, width), prefix_mask(width, _length(place, length, width))
    else:
        found, wanted = parse_value(place, value, width), mask(width)
    return Ternary(found, wanted) if wanted else Any()


def _length(place: str, text: str, width: int) -> int:
    if not text.isdecimal() or int(text) > width:
        raise InputError(f'{place}: prefix length "{text}" is not in 0..{width}')
    return int(text)


def parse_duration(place: str, value: Json) -> int:
    """Nanoseconds from `30`, `30s`, `500ms`, `2m`, `12h`; a bare number is seconds."""
    text = str(value).strip()
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ns|us|ms|s|m|h)?", text)
    if isinstance(value, bool) or not found:
        raise InputError(f'{place}: "{text}" is not a duration; write 30s, 500ms, 2m or 12h')
    number, unit = found.groups()
    return round(float(number) * _UNITS[unit or "s"])
