"""Translates one code of a `.spec` (the apply block or an action's body) to IR instructions.

In: instructions, a scope to resolve names in. Out: `Code`. The mnemonics themselves are in `instr_data`,
`instr_packet`, `instr_flow` and `instr_state`; each is a function `(emitter, instruction)` in a table with
its numbers of operands.

Meaning as in DPDK 22.11's interpreter: fields of headers and metadata are numbers whatever their byte order
in memory, 64-bit unsigned arithmetic, the result cut to the destination. That is what the IR's one rule of
arithmetic says too, so most instructions translate one to one. Where DPDK cuts earlier (indices, immediates
beside a header field) so does the translation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import final

from p4nic.bits import mask
from p4nic.ir.ops import Binary, Code, Const, Label, Op, Operand, Temp
from p4nic.ir.types import Source
from p4nic.load.spec.lines import nearest
from p4nic.load.spec.names import Names
from p4nic.load.spec.scope import Scope, Value
from p4nic.load.spec.syntax import Instruction, SpecFile

Mnemonic = tuple[tuple[int, ...], Callable[["Emitter", Instruction], None]]
"""How many operands an instruction may have, and the function that translates it."""


@final
class Emitter:
    """The code being made. `action` is the action's name, or None in the apply block; `states` the labels of
    parser states."""

    def __init__(
        self,
        spec: SpecFile,
        names: Names,
        scope: Scope,
        body: Sequence[Instruction],
        action: str | None = None,
        states: frozenset[str] = frozenset(),
        dead_entry_ids: frozenset[str] = frozenset(),
    ) -> None:
        self.spec = spec
        self.names = names
        self.scope = scope
        self.body = body
        self.action = action
        self.states = states
        self.dead_entry_ids = dead_entry_ids
        self.labels = _labels(body)
        self.code: list[Op] = []
        self.temps = 0

    def emit(self, op: Op) -> None:
        self.code.append(op)

    def value(self, instruction: Instruction, position: int) -> Value:
        return self.scope.scalar(instruction.args[position], instruction.line)

    def temp(self, width: int) -> Temp:
        self.temps += 1
        return Temp(f"t{self.temps}", width)

    def target(self, instruction: Instruction) -> str:
        """The label that is the first operand of a jump."""
        label = instruction.args[0]
        if label not in self.labels:
            where = f"action {self.action}" if self.action else "the apply block"
            hint = nearest(label, self.labels, "labels")
            raise instruction.line.error(
                f"{label} is a missing label: no instruction of {where} carries it{hint}"
            )
        return label

    def limited(self, value: Value, size: int, source: Source) -> Operand:
        """An index as DPDK takes it: modulo the array's size rounded up to a power of two."""
        bits = (size - 1).bit_length()
        match value.operand:
            case Const(number):
                return Const(number & mask(bits), max(bits, 1))
            case operand if value.width <= bits:
                return operand
            case operand:
                cut = self.temp(max(bits, 1))
                self.emit(Binary(cut, "and", operand, Const(mask(bits), max(bits, 1)), source))
                return cut


def translate(emitter: Emitter, mnemonics: Mapping[str, Mnemonic]) -> Code:
    """Run over the body; raises ArtifactError or UnsupportedError with the line."""
    for instruction in emitter.body:
        if instruction.label is not None:
            state = instruction.label in emitter.states
            emitter.emit(Label(instruction.label, "state" if state else "plain", instruction.line.source))
        if not instruction.mnemonic:
            continue
        found = mnemonics.get(instruction.mnemonic)
        if found is None:
            hint = nearest(instruction.mnemonic, mnemonics, "instructions")
            raise instruction.line.error(f"{instruction.mnemonic} is not an instruction of a .spec{hint}")
        counts, function = found
        if len(instruction.args) not in counts:
            wanted = " or ".join(str(n) for n in counts)
            raise instruction.line.error(
                f"{instruction.mnemonic} takes {wanted} operands, not {len(instruction.args)}"
            )
        function(emitter, instruction)
    return tuple(emitter.code)


def _labels(body: Sequence[Instruction]) -> dict[str, Instruction]:
    labels: dict[str, Instruction] = {}
    for instruction in body:
        if instruction.label is None:
            continue
        first = labels.setdefault(instruction.label, instruction)
        if first is not instruction:
            raise instruction.line.error(f"label {instruction.label} is already at line {first.line.number}")
    return labels
