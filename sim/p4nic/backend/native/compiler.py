"""A program's C unit compiled and loaded.

In: the text of a unit. Out: a cffi library. Called by `pipeline`.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from p4nic import ccompiler
from p4nic.backend.native.declarations import DECLARATIONS
from p4nic.ccompiler import FLAGS, CompilerError, Later, Part, Source, compiler

__all__ = [
    "FLAGS",
    "OPTIMISE",
    "RUNTIME",
    "CompilerError",
    "Later",
    "compiler",
    "load",
    "loaded",
    "shared_object",
]

RUNTIME = Path(__file__).resolve().parents[2] / "runtime"
OPTIMISE: tuple[str, ...] = ("-O2",)
"""docs/decisions/native-engine.md has what -O1 and -O3 gave. Tests and tools set others."""
AS_USED = OPTIMISE
JUMPS = "-Wa,-mbranches-within-32B-boundaries"
"""Six years of Intel's processors decode a line of code anew each time if a jump crosses its end (erratum
SKX102): packets of 100,000 flows run at 1.02 to 1.03 of the speed if none does."""
QUICK: tuple[str, ...] = ("-Og", "-w")
"""Of what runs packets at first, where one is in a hurry: docs/decisions/native-engine.md, "Cold start".
Warnings are for the compilation that follows."""


def parts() -> tuple[Part, Part]:
    """Of a unit, compiled side by side: what runs packets, and the rest; see "Cold start" there."""
    jumps = (JUMPS,) if ccompiler.accepts(JUMPS) else ()
    return ("-DUNIT_PART=1", "-falign-functions=64", *jumps), ("-DUNIT_PART=2", "-O1")


def _source(text: str, extra: tuple[str, ...] = ()) -> Source:
    """How a unit is compiled. With `extra` flags, which come last, or at another level than it is used at, it
    is compiled whole: two parts at -O0 and -O1 take half as long again."""
    whole = bool(extra) or OPTIMISE != AS_USED
    return Source(text, (*OPTIMISE, *FLAGS, *extra), RUNTIME, ((),) if whole else parts())


def load(path: Path) -> tuple[Any, Any]:
    """(ffi, library)."""
    return ccompiler.load(path, DECLARATIONS)


def shared_object(text: str, extra: tuple[str, ...] = ()) -> Path:
    """The compiled unit, from the cache if it is there. CompilerError names the file kept for inspection."""
    return ccompiler.shared_object(_source(text, extra))


def loaded(text: str, hurry: bool = False) -> tuple[tuple[Any, Any], Later | None]:
    """(ffi, library) of a unit. In a `hurry`, if the cache does not have it yet, what runs packets is
    compiled quickly; and the optimised compilation, under way."""
    source = _source(text)
    if not hurry or len(source.parts) == 1 or source.made.exists():
        return _library(source), None
    packets, rest = source.parts
    quick = replace(source, parts=((*packets, *QUICK), rest))
    return _library(quick), Later(source, quick.made.with_suffix(".c"))


def _library(source: Source) -> tuple[Any, Any]:
    # What Python does for it is done while the compiler runs.
    with ThreadPoolExecutor(1) as pool:
        made = pool.submit(ccompiler.shared_object, source)
        ccompiler.declared(DECLARATIONS)
        return load(made.result())
