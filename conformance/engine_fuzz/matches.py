"""A random match of one key.

In: a Draw, a Key. Out: a Match as the target lets it through: masked, within its width.
"""

from __future__ import annotations

from typing import assert_never

from conformance.engine_fuzz.draw import Draw
from p4nic.bits import mask, prefix_mask
from p4nic.ir.program import Any, Exact, Key, Lpm, Match, Range, Ternary


def random_key(draw: Draw, key: Key) -> Match:
    width, value = key.width, draw.value(key.width)
    if key.kind != "exact" and draw.chance(0.2):
        return Any()
    match key.kind:
        case "exact" | "optional":
            return Exact(value)
        case "lpm":
            length = draw.pick((width, width, width // 2, 1, 0, draw.between(0, width)))
            return Lpm(value & prefix_mask(width, length), length)
        case "ternary":
            bits = draw.pick(
                (mask(width), prefix_mask(width, width // 2), 0, 3 & mask(width), draw.value(width))
            )
            return Ternary(value & bits, bits)
        case "range":
            low, high = sorted((value, draw.value(width)))
            return Range(low, high)
        case _:
            assert_never(key.kind)
