"""A program's C unit compiled and loaded.

In: the text of a unit. Out: a cffi library. Called by `pipeline`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from p4nic import ccompiler
from p4nic.backend.native.declarations import DECLARATIONS
from p4nic.ccompiler import FLAGS, CompilerError, compiler

__all__ = ["FLAGS", "OPTIMISE", "RUNTIME", "CompilerError", "compiler", "load", "shared_object"]

RUNTIME = Path(__file__).resolve().parents[2] / "runtime"
OPTIMISE: tuple[str, ...] = ("-O2",)
"""docs/decisions/native-engine.md has what -O1 and -O3 gave."""


def shared_object(text: str, extra: tuple[str, ...] = ()) -> Path:
    """The compiled unit, from the cache if it is there. `extra` flags come last. CompilerError names the
    file kept for inspection."""
    return ccompiler.shared_object(text, (*OPTIMISE, *FLAGS, *extra), RUNTIME)


def load(path: Path) -> tuple[Any, Any]:
    """(ffi, library)."""
    return ccompiler.load(path, DECLARATIONS)
