"""Two engines for a comparison, of the same meaning of the program.

In: a Program, the engines' names. Out: Engines. Called by `jobs`. Real DPDK reads short frames its own way,
and leaves in the metadata what earlier packets wrote: the reference takes its meaning of short frames, and
DPDK is given metadata of zeros, unless the program recirculates packets, which keep theirs.
"""

from __future__ import annotations

from p4nic.backend.api import Backend, Options, Semantics
from p4nic.backend.swx import SwxBackend
from p4nic.cli.common import backend
from p4nic.differential.engines import Engine
from p4nic.errors import UnsupportedError
from p4nic.ir.program import Program


def engine_pair(program: Program, reference: str, other: str) -> tuple[Engine, Engine]:
    """The reference and the other; UnsupportedError where DPDK does not take the program."""
    options = Options(semantics=Semantics.DPDK if other == "swx" else Semantics.SPEC)
    made = Engine(_other(program, other, options), program, options)
    return Engine(backend(reference), program, options), made


def _other(program: Program, name: str, options: Options) -> Backend:
    if name != "swx":
        return backend(name)
    cleared = SwxBackend(clear_metadata=True)
    try:
        cleared.build(program, options).close()
    except UnsupportedError:
        return SwxBackend()
    return cleared
