"""The engines that are compared, by name.

interp              the definition
native              one of the following for each program, drawn from MIX by its seed
native-as-used      compiled the way `serve` does it, in parts
native-handover     compiled twice, and each call runs in the code of the other one: what was compiled quickly
                    and what takes over must mean the same by the same state
native-O0 to -O3    compiled whole, with that optimisation
…-far               the same, where a packet waits at every table, as it does at large ones
…-large             and every table has what only large ones get (bitmaps of masks, tries, their arrays,
                    a thread that has memory ready)
…-shared            the way packets take where several workers run, on one, so that it is sure what comes out;
                    programs whose packets delete entries run as with one worker
…+dpdk              any of them, the interpreter too, under `--semantics dpdk`: one program in ten
sanitized           one of the following likewise
native-sanitized    under AddressSanitizer and UndefinedBehaviorSanitizer (preload them: see `sanitizers`)

Most programs are compiled with -O0: a second each, where -O1 takes two and -O2 and -O3 take four.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle
from typing import Any, final

from conformance.engine_fuzz.draw import Draw
from p4nic.backend.api import Backend, Options, Outcome, Pipeline, Semantics
from p4nic.backend.interp import InterpreterBackend
from p4nic.backend.native import NativePipeline, compiler, emit
from p4nic.ccompiler import CompilerError
from p4nic.errors import InputError
from p4nic.ir.ops import Forget
from p4nic.ir.program import Program

SANITIZE = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
MIX = (
    (15, "native-O0"),
    (20, "native-O0-far"),
    (20, "native-O0-large"),
    (10, "native-O0-shared"),
    (10, "native-O0-large-shared"),
    (5, "native-O1-large"),
    (3, "native-handover"),
    (5, "native-as-used"),
    (7, "native-O2-large"),
    (5, "native-O3-large"),
)
SANITIZED = ((7, "native-sanitized"), (3, "native-sanitized-shared"))


@final
@dataclass(slots=True)
class Native:
    """The native engine with flags of its own."""

    name: str
    flags: tuple[str, ...]

    def build(self, program: Program, options: Options) -> NativePipeline:
        unit = emit(program, options)
        flags = tuple(f for f in self.flags if f not in _SHARED or not _forgets(program))
        library = compiler.load(compiler.shared_object(unit.text, flags))
        pipeline = NativePipeline(program, options, unit, library)
        if self.name == HANDOVER:
            _in_turn(pipeline, library, compiler.load(compiler.shared_object(unit.text, compiler.QUICK)))
        return pipeline


def _in_turn(pipeline: NativePipeline, *libraries: tuple[Any, Any]) -> None:
    """Each call of process() runs in the code of the other compilation."""
    process, turns = pipeline.process, cycle(libraries)

    def handed_over(packets: Sequence[tuple[int, bytes]], now_ns: int) -> list[Outcome]:
        pipeline.take_over(next(turns))
        return process(packets, now_ns)

    pipeline.process = handed_over  # type: ignore[method-assign]


@final
@dataclass(slots=True)
class Padded:
    """An engine under `--semantics dpdk`."""

    name: str
    engine: Backend

    def build(self, program: Program, options: Options) -> Pipeline:
        return self.engine.build(program, replace(options, semantics=Semantics.DPDK))


DPDK = "+dpdk"
HANDOVER = "native-handover"
_FAR = ("-DFAR_BYTES=0",)
_LARGE = (
    *_FAR,
    "-DBITMAP_GROUPS=0",
    "-DLPM_GROUPS=0",
    "-DLPM_MANY=2",
    "-DLPM_MORE=4",
    "-DLPM_REMEMBERED=1",
    "-DREADY_ENTRIES=64",
    "-DREADY_STEP=16",
)
_SHARED = ("-DAS_ONE_OF_SEVERAL",)
_FLAGS: dict[str, tuple[str, ...]] = {
    "native-as-used": (),
    HANDOVER: ("-O0",),
    "native-O0-shared": ("-O0", *_SHARED),
    "native-O0-large-shared": ("-O0", *_LARGE, *_SHARED),
    "native-sanitized": ("-O0", *_LARGE, *SANITIZE),
    "native-sanitized-shared": ("-O0", *_LARGE, *_SHARED, *SANITIZE),
    **{
        f"native-O{level}{kind}": (f"-O{level}", *flags)
        for level in range(4)
        for kind, flags in (("", ()), ("-far", _FAR), ("-large", _LARGE))
    },
}
_MIXES = {"native": MIX, "sanitized": SANITIZED}
NAMES = ("interp", *_MIXES, *_FLAGS)

__all__ = ["MIX", "NAMES", "SANITIZE", "CompilerError", "Native", "drawn", "engine", "engines"]


def drawn(names: Sequence[str], seed: int | str) -> tuple[str, ...]:
    """With "native" and "sanitized" replaced by what the seed draws."""
    draw = Draw(f"engine {seed}")
    suffix = DPDK if draw.chance(0.1) else ""
    return tuple((draw.weighted(_MIXES[name]) if name in _MIXES else name) + suffix for name in names)


def engine(name: str) -> Backend:
    """InputError for a name that is none."""
    if name.endswith(DPDK):
        return Padded(name, engine(name.removesuffix(DPDK)))
    if name == "interp":
        return InterpreterBackend()
    if name not in NAMES:
        raise InputError(f"there is no engine {name}; there are {', '.join(NAMES)}")
    return Native(name, _FLAGS.get(name, ("-O0",)))


def _forgets(program: Program) -> bool:
    """Whether packets take entries out: with several workers, their room is free after the burst only."""
    codes = [b.code for b in program.blocks.values()] + [a.code for a in program.actions.values()]
    return any(isinstance(op, Forget) for code in codes for op in code)


def engines(names: Sequence[str]) -> list[Backend]:
    return [engine(name) for name in names]
