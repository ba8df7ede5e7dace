"""Operands and places of one code as Python text: reading, and storing with the wrap, the validity test
and the trace.

In: a ModuleText, the Layout, and which code is being written. Used by the emitters of each group of
instructions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never, final

from p4nic.backend.interp.emit.writer import ModuleText, comment
from p4nic.backend.interp.layout import Layout, Slot, StackSlots
from p4nic.bits import mask, wrap
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
from p4nic.ir.types import Source


def source_text(source: Source) -> str:
    """A position as a Python literal; '' where the artifact has none."""
    return repr(str(source) if source.line or source.file else "")


def wrapped(text: str, width: int, signed: bool, bound: int | None) -> str:
    """`text` reduced to a width; as it is where its value is known to need at most `bound` bits, unsigned."""
    if bound is not None and bound <= width - signed:
        return text
    if not signed:
        return f"({text}) & {mask(width):#x}"
    if not width:
        return "0"
    # Two's complement without a branch: flip the sign bit, then subtract its weight.
    sign = 1 << (width - 1)
    return f"((({text}) & {mask(width):#x}) ^ {sign:#x}) - {sign:#x}"


@final
class CodeWriter:
    """Writes one code (a block's or an action's) into a module."""

    def __init__(
        self, module: ModuleText, layout: Layout, params: Mapping[str, tuple[int, int]], in_action: bool
    ) -> None:
        """`params`: name to (position, width)."""
        self.module = module
        self.layout = layout
        self.traced = module.traced
        self.in_action = in_action
        self._params = params
        self._temps: dict[str, int] = {}

    # --- reading ---

    def read(self, operand: Operand) -> str:
        """The operand's value as an expression; safe to use inside a larger one."""
        match operand:
            case Const(value, width, signed):
                literal = wrap(value, width, signed) if width else value
                return str(literal) if literal >= 0 else f"({literal})"
            case Ref(header, field):
                return f"f[{self.layout.field(header, field).index}]"
            case Temp():
                return f"f[{self._temp(operand)}]"
            case Param(name):
                return f"args[{self._params[name][0]}]"
            case Valid(header):
                return self._valid(header)
            case StackRef() | StackValid():
                stack, where = self._element(operand)
                offset = 0 if isinstance(operand, StackValid) else self._offset(stack, operand.field)
                return f"stack_get(f, {where}, {offset})"
            case PacketLength():
                return "pkt.length"
            case StackIndex(name, "next"):
                return f"f[{self.layout.stacks[name].next}]"
            case StackIndex(name, _):
                return f"((f[{self.layout.stacks[name].next}] - 1) & 0xffffffff)"
            case _:
                assert_never(operand)

    def shape(self, operand: Operand) -> tuple[int, bool]:
        """Width and signedness of an operand."""
        match operand:
            case Const(_, width, signed) | Temp(_, width, signed):
                return width, signed
            case Ref(header, field):
                slot = self.layout.field(header, field)
                return slot.width, slot.signed
            case StackRef(stack, _, field):
                found = self.layout.stacks[stack].type.field(field)
                assert found is not None, f"{stack}.{field} is verified to exist"
                return found.width, found.signed
            case Param(name):
                return self._params[name][1], False
            case Valid() | StackValid():
                return 1, False
            case PacketLength() | StackIndex():
                return 32, False
            case _:
                assert_never(operand)

    def bound(self, operand: Operand) -> int | None:
        """Bits that surely hold the operand as an unsigned number; None if it may be negative."""
        if isinstance(operand, Const):
            value = wrap(operand.value, operand.width, operand.signed) if operand.width else operand.value
            return value.bit_length() if value >= 0 else None
        width, signed = self.shape(operand)
        return None if signed else width

    def unsigned(self, operand: Operand, width: int) -> str:
        """The operand as exactly `width` bits, for keys, hashes and the wire."""
        return wrapped(self.read(operand), width, False, self.bound(operand))

    def index(self, operand: Operand) -> str:
        """The operand for use as an array index."""
        return self.read(operand)

    def _temp(self, temp: Temp) -> int:
        if temp.name not in self._temps:
            self._temps[temp.name] = self.layout.temporary()
        return self._temps[temp.name]

    def _valid(self, name: str) -> str:
        if name in self.layout.headers and self.layout.headers[name].metadata:
            return "1"
        bits = [f"f[{self.layout.headers[m].start}]" for m in self.layout.members(name)]
        return bits[0] if len(bits) == 1 else f"({' | '.join(bits)})" if bits else "0"

    def _element(self, operand: StackRef | StackValid) -> tuple[StackSlots, str]:
        """The stack and the text "start, stride, size, index" that the runtime's stack functions take."""
        stack = self.layout.stacks[operand.stack]
        index = f"f[{stack.next}] - 1" if operand.index == "last" else self.read(operand.index)
        return stack, self.element(stack, index)

    def element(self, stack: StackSlots, index: str) -> str:
        """The arguments "start, stride, size, index" of the runtime's stack functions."""
        return f"{stack.start}, {stack.stride}, {stack.size}, {index}"

    def _offset(self, stack: StackSlots, field: str) -> int:
        return self.layout.headers[f"{stack.name}[0]"].offset(field)

    # --- storing ---

    def store(self, dst: Place, text: str, bound: int | None, source: Source, effect: bool = False) -> None:
        """dst = text, wrapped to dst. `effect`: the text must be evaluated even if dst's header is
        invalid.
        """
        width, signed = self.shape(dst)
        value = wrapped(text, width, signed, bound)
        if effect and not isinstance(dst, Temp):
            self.module.line(f"value = {value}")
            value = "value"
        match dst:
            case Temp():
                self.module.line(f"f[{self._temp(dst)}] = {value}  # {comment(dst.name)}")
            case Ref(header, field):
                self._store_field(self.layout.field(header, field), f"{header}.{field}", value, source)
            case StackRef():
                self._store_element(dst, value, source)
            case _:
                assert_never(dst)

    def _store_field(self, slot: Slot, name: str, value: str, source: Source) -> None:
        if slot.valid is None:
            self._assign(slot.index, name, value, source)
        else:
            with self.module.inside(f"if f[{slot.valid}]:"):
                self._assign(slot.index, name, value, source)

    def _assign(self, index: int, name: str, value: str, source: Source) -> None:
        if self.traced:
            self.module.line(f"old = f[{index}]")
        self.module.line(f"f[{index}] = {value}  # {comment(name)}")
        self.tell("write", source, f'"place": {name!r}, "old": old, "new": f[{index}]')

    def _store_element(self, dst: StackRef, value: str, source: Source) -> None:
        stack, where = self._element(dst)
        offset = self._offset(stack, dst.field)
        if not self.traced:
            self.module.line(f"stack_put(f, {where}, {offset}, {value})")
            return
        self.module.line(f"new = {value}")
        self.module.line(f"old = stack_get(f, {where}, {offset})")
        self.module.line(f"stack_put(f, {where}, {offset}, new)")
        index = f"f[{stack.next}] - 1" if dst.index == "last" else self.read(dst.index)
        place = f"f'{comment(stack.name)}[{{{index}}}].{comment(dst.field)}'"
        self.tell("write", source, f'"place": {place}, "old": old, "new": new')

    # --- the trace ---

    def tell(self, kind: str, source: Source, data: str) -> None:
        """In the traced build, record a step; `data` is the inside of a dict display."""
        if self.traced:
            self.module.line(f"pkt.trace.append(TraceEvent({kind!r}, {source_text(source)}, {{{data}}}))")
