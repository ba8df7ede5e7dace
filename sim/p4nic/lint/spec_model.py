"""A `.spec` as the rules look at it: instructions with their places, operands with their widths.

In: a SpecFile of `load.spec`. Called by `spec_loading` and `spec_meaning`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import final

from p4nic.load.spec.lines import number
from p4nic.load.spec.syntax import ActionDecl, Instruction, SpecFile, StructDecl

# Operands by their place after the mnemonic. "regrd DST ARRAY INDEX" writes 0 and reads 2, for example.
_WRITES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(
        ("mov", "movh", "add", "sub", "and", "or", "xor", "shl", "shr", "ckadd", "cksub", "rx", "regrd",
         "regprefetch", "recircid", "entryid"), (0,)),
    "hash": (1,),
    "meter": (4,),
}  # fmt: skip
_READS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("mov", "movh"), (1,)),
    **dict.fromkeys(("add", "sub", "and", "or", "xor", "shl", "shr", "ckadd", "cksub"), (0, 1)),
    **dict.fromkeys(("jmpeq", "jmpneq", "jmplt", "jmpgt"), (1, 2)),
    "regrd": (2,), "regwr": (1, 2), "regadd": (1, 2), "meter": (1, 2, 3), "hash": (2, 3), "tx": (0,),
    "mirror": (0, 1), "learn": (1, 2), "rearm": (0,), "extract": (1,),
}  # fmt: skip
_HEADERS_ONLY = {"extract", "emit", "validate", "invalidate", "lookahead", "jmpv", "jmpnv"}


@final
@dataclass(frozen=True, slots=True)
class Step:
    """An instruction, and the action it is in (None: the apply block)."""

    instruction: Instruction
    action: ActionDecl | None

    @property
    def where(self) -> str:
        return f"{self.instruction.line.file}:{self.instruction.line.number}"

    def reads(self) -> tuple[str, ...]:
        return self._operands(_READS)

    def writes(self) -> tuple[str, ...]:
        return self._operands(_WRITES)

    def fields(self) -> tuple[str, ...]:
        """Operands that are fields or constants, not headers, labels or names of objects."""
        return tuple(dict.fromkeys((*self.writes(), *self.reads())))

    def _operands(self, places: dict[str, tuple[int, ...]]) -> tuple[str, ...]:
        args = self.instruction.args
        return tuple(args[i] for i in places.get(self.instruction.mnemonic, ()) if i < len(args))


@final
class Model:
    """The file, and what the rules ask of it."""

    def __init__(self, spec: SpecFile) -> None:
        self.spec = spec

    @cached_property
    def steps(self) -> list[Step]:
        """Every instruction, actions first."""
        found = [Step(i, action) for action in self.spec.actions.values() for i in action.body]
        return [*found, *(Step(i, None) for i in self.spec.apply)]

    @property
    def metadata(self) -> StructDecl:
        return self.spec.structs[self.spec.metadata]

    @cached_property
    def is_pna(self) -> bool:
        """PSA's fields in the metadata begin with psa_, PNA's with pna_."""
        return any(f.name.startswith("pna_") for f in self.metadata.fields)

    @cached_property
    def written(self) -> set[str]:
        """Operands some instruction writes, and the header fields that are extracted."""
        found = {operand for step in self.steps for operand in step.writes()}
        for step in self.steps:
            if step.instruction.mnemonic in ("extract", "lookahead") and step.instruction.args:
                header = step.instruction.args[0]
                found.update(f"{header}.{name}" for name in self.header_fields(header))
        return found

    def header_fields(self, operand: str) -> list[str]:
        """Names of the fields of `h.NAME`."""
        decl = self.spec.headers.get(operand.removeprefix("h."))
        struct = self.spec.structs.get(decl.struct) if decl is not None else None
        return [f.name for f in struct.fields] if struct is not None else []

    def width(self, operand: str, step: Step) -> int | None:
        """Bits of `m.f`, `h.x.f` or `t.p`; None for a constant or a name that is not declared."""
        kind, _, rest = operand.partition(".")
        struct: str | None = None
        match kind:
            case "m":
                struct = self.spec.metadata
            case "t":
                struct = step.action.struct if step.action is not None else None
            case "h":
                header, _, rest = rest.partition(".")
                decl = self.spec.headers.get(header)
                struct = decl.struct if decl is not None else None
            case _:
                return None
        declared = self.spec.structs.get(struct) if struct is not None else None
        if declared is None:
            return None
        return next((f.width for f in declared.fields if f.name == rest), None)

    def metadata_offsets(self) -> Iterator[tuple[str, int, int]]:
        """(operand, first byte, last byte) of every metadata field."""
        at = 0
        for field in self.metadata.fields:
            size = (field.width + 7) // 8
            yield f"m.{field.name}", at, at + size - 1
            at += size


def is_constant(operand: str) -> bool:
    return number(operand) is not None


def is_data(step: Step) -> bool:
    """Whether the instruction has field operands at all."""
    return step.instruction.mnemonic not in _HEADERS_ONLY
