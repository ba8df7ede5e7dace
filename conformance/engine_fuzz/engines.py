"""The engines that are compared, by name.

interp          the definition
native          as it is used, but compiled without optimisation
native-O2       compiled as it is used
native-sanitized    under AddressSanitizer and UndefinedBehaviorSanitizer (preload them: see `sanitizers`)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from p4nic.backend.api import Backend, Options
from p4nic.backend.interp import InterpreterBackend
from p4nic.backend.native import NativePipeline, compiler, emit
from p4nic.ccompiler import CompilerError
from p4nic.errors import InputError
from p4nic.ir.program import Program

SANITIZE = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")


@final
@dataclass(slots=True)
class Native:
    """The native engine with flags of its own."""

    name: str
    flags: tuple[str, ...]

    def build(self, program: Program, options: Options) -> NativePipeline:
        unit = emit(program, options)
        library = compiler.load(compiler.shared_object(unit.text, self.flags))
        return NativePipeline(program, options, unit, library)


_FLAGS: dict[str, tuple[str, ...]] = {
    "native": ("-O0",),
    "native-O1": ("-O1",),
    "native-O2": ("-O2",),
    "native-O3": ("-O3",),
    "native-sanitized": ("-O0", *SANITIZE),
}
NAMES = ("interp", *_FLAGS)

__all__ = ["NAMES", "SANITIZE", "CompilerError", "Native", "engine", "engines"]


def engine(name: str) -> Backend:
    """InputError for a name that is none."""
    if name == "interp":
        return InterpreterBackend()
    if name not in _FLAGS:
        raise InputError(f"there is no engine {name}; there are {', '.join(NAMES)}")
    return Native(name, _FLAGS[name])


def engines(names: Sequence[str]) -> list[Backend]:
    return [engine(name) for name in names]
