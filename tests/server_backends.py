"""The backends the P4Runtime server's tests run on, by name.

    @pytest.mark.parametrize("backend", BACKENDS)   what a client can tell of a backend it is told by all

`native` is compiled without optimisation: these tests look at meaning, and the compiler's time would be most
of theirs.
"""

from __future__ import annotations

from functools import cache
from typing import final

import pytest

from p4nic.backend.api import Backend, Options, Pipeline
from p4nic.backend.interp import InterpreterBackend
from p4nic.backend.native import compiler
from p4nic.backend.native.pipeline import NativeBackend, NativePipeline, emit
from p4nic.ir.program import Program

BACKENDS = (
    "interp",
    pytest.param(
        "native", marks=pytest.mark.skipif(bool(NativeBackend().missing), reason=NativeBackend().missing)
    ),
)


@final
class QuickNativeBackend:
    """The native engine at -O0."""

    name = "native"

    def build(self, program: Program, options: Options) -> Pipeline:
        unit = emit(program, options)
        return NativePipeline(
            program, options, unit, compiler.load(compiler.shared_object(unit.text, ("-O0",)))
        )


@cache
def backend_named(name: str) -> Backend:
    return InterpreterBackend() if name == "interp" else QuickNativeBackend()
