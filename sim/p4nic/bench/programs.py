"""The small programs engines are compared with (`benchmarks/programs`), and their entries by names.

In: a name. Out: a verified Program, entries. Called by the workloads.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from p4nic.backend.api import Entry
from p4nic.errors import ArtifactError
from p4nic.ir.program import ActionCall, Any, Match, Program
from p4nic.load.known import load_known


@cache
def load(name: str) -> Program:
    """The `.spec` of that name."""
    artifact, info = files(name, "spec")
    return load_known([artifact], info)


def files(name: str, suffix: str) -> tuple[Path, Path]:
    """Artifact and P4Info; a wheel carries them beside this file, a checkout in `benchmarks/programs`."""
    package = Path(__file__).resolve().parent
    for folder in (package / "programs", package.parents[2] / "benchmarks" / "programs" / "build"):
        if (folder / f"{name}.{suffix}").is_file():
            return folder / f"{name}.{suffix}", folder / f"{name}.p4info.txtpb"
    raise ArtifactError(f"{name}.{suffix} of the benchmarks is missing; run `make pipeline`")


def entry(program: Program, table: str, action: str, *args: int, **key: Match) -> Entry:
    """An entry by names; keys that are not given match anything, priority 1 where there is one."""
    spec = program.tables[table]
    matches = tuple(key.get(k.name, Any()) for k in spec.keys)
    return Entry(spec.name, matches, ActionCall(action, args), 1 if spec.has_priority else 0)
