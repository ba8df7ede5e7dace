"""Random frames for a parser: most take a way through its states to the end, some are cut, changed or noise.

In: the Shape, the States. Out: frames. Called by `life`.
"""

from __future__ import annotations

from conformance.engine_fuzz.draw import Draw
from conformance.engine_fuzz.parser import State
from conformance.engine_fuzz.shape import Shape


def random_frame(draw: Draw, shape: Shape, states: tuple[State, ...]) -> bytes:
    """One frame, which may be empty."""
    kind = draw.random.random()
    if kind < 0.05:
        return draw.random.randbytes(draw.between(0, 60))
    frame = _walk(draw, shape, states)
    if kind < 0.13:
        return frame[: draw.between(0, len(frame))]
    return frame


def changed(draw: Draw, frame: bytes) -> bytes:
    """With one byte another one."""
    if not frame:
        return frame
    at = draw.below(len(frame))
    return frame[:at] + bytes([draw.pick((0, 1, 2, 3, 255, draw.below(256)))]) + frame[at + 1 :]


def _walk(draw: Draw, shape: Shape, states: tuple[State, ...]) -> bytes:
    by_name = {s.name: s for s in states}
    number = width = 0
    ahead: tuple[int, int] | None = None
    state: State | None = states[0]
    steps = 0
    while state is not None and steps < 12:
        steps += 1
        value, to = draw.pick(state.ways)
        for i, header in enumerate(state.takes):
            wanted = state.field if i == len(state.takes) - 1 else ""
            bits, size = _header(draw, shape, header, wanted, value)
            number, width = number << size | bits, width + size
        number, width = (
            number << state.skips | draw.value(max(state.skips, 1)) & ((1 << state.skips) - 1),
            width + state.skips,
        )
        if state.ahead and draw.chance(0.9):
            ahead = (width, value << max(0, 16 - state.ahead))
            # What is looked at is what follows; it is put there in the end.
        state = by_name[to] if to is not None else None
    tail = draw.pick((0, 1, 4, 20, 50, 60, 64, draw.below(200)))
    short = -width % 8
    data = (number << short).to_bytes((width + short) // 8, "big") + draw.random.randbytes(tail)
    if ahead is not None and ahead[0] % 8 == 0 and ahead[0] // 8 + 2 <= len(data):
        at = ahead[0] // 8
        data = data[:at] + (ahead[1] & 0xFFFF).to_bytes(2, "big") + data[at + 2 :]
    return data


def _header(draw: Draw, shape: Shape, name: str, wanted: str, value: int) -> tuple[int, int]:
    """(bits, how many), with `value` in the field `wanted`, mostly."""
    type_ = shape.types[shape.stacks[name].type] if name in shape.stacks else shape.type_of(name)
    number = width = 0
    length = draw.below(4)
    for field in type_.fields:
        size = 8 * length if field.varbit else field.width
        bits = draw.value(max(size, 1)) if size else 0
        if field.name == "len" and name in ("vb", "vb2"):
            bits = length if draw.chance(0.95) else draw.below(40)
        elif field.name == wanted and draw.chance(0.9):
            bits = value & ((1 << size) - 1)
        number, width = number << size | bits, width + size
    return number, width
