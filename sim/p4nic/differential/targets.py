"""Targets by the names the command line gives them.

In: names, a Program, its files. Out: Targets, the first of which is the reference. Called by `cli.diff`.
A `.spec` has two meanings where frames are short (`Semantics`): DPDK has the one, the native engine the
other. Where both are asked for, each is compared with the interpreter of its own meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import final

from p4nic.backend.api import Backend, Options, Semantics
from p4nic.differential.engines import Engine, Profile, Target
from p4nic.errors import InputError
from p4nic.ir.program import Program

OWN = ("interp", "native", "swx")
NAMES = (*OWN, "bmv2")


@final
@dataclass(frozen=True, slots=True)
class Artifact:
    """What targets are made of. `paths` and `p4info` are for those that read files themselves."""

    program: Program
    paths: tuple[Path, ...]
    p4info: Path | None


def make(
    names: Sequence[str],
    artifact: Artifact,
    backend: Callable[[str], Backend],
    semantics: Semantics | None = None,
) -> list[Target]:
    """The targets; `backend` makes one of ours. InputError for one that is not there or cannot run this kind
    of artifact; `semantics` None chooses for each."""
    for name in names:
        if name not in NAMES:
            raise InputError(f'--targets has "{name}"; engines are {", ".join(NAMES)}')
    if len(set(names)) < 2:
        raise InputError(f"--targets {','.join(names)} names one engine; a comparison needs two")
    unique = list(dict.fromkeys(names))
    is_spec = artifact.program.image is not None
    if "bmv2" in unique and is_spec:
        raise InputError(f"BMv2 runs a JSON, and {artifact.program.name} is a .spec; leave bmv2 out")
    meanings = {name: semantics or _meaning(name, unique) for name in unique}
    made: list[Target] = []
    for name in unique:
        if name == "bmv2":
            made.append(_bmv2(artifact))
            continue
        # Two meanings at once: each has its reference.
        if is_spec and len(set(meanings.values())) > 1:
            made += _reference(made, meanings[name], artifact.program, backend)
            if name == "interp":
                continue
        profile = Profile(semantics=meanings[name].value if is_spec else "")
        made.append(Engine(backend(name), artifact.program, _options(meanings[name]), profile))
    return made


def _meaning(name: str, names: Sequence[str]) -> Semantics:
    """swx has DPDK's, the native engine the specification's; the interpreter the one that is asked for."""
    if name == "native" or "swx" not in names:
        return Semantics.SPEC
    return Semantics.DPDK


def _options(semantics: Semantics) -> Options:
    return Options(semantics=semantics)


def _reference(
    made: Sequence[Target], semantics: Semantics, program: Program, backend: Callable[[str], Backend]
) -> list[Target]:
    """The interpreter of this meaning, unless it is there already."""
    if any(target.profile.semantics == semantics.value for target in made):
        return []
    label = f"interp ({semantics.value})"
    profile = Profile(semantics=semantics.value)
    return [Engine(backend("interp"), program, _options(semantics), profile, label)]


def _bmv2(artifact: Artifact) -> Target:
    """The module is a stranger's door (gRPC), so it is asked for by name, and only here."""
    try:
        module = import_module("p4nic.differential.bmv2")
    except ImportError:
        raise InputError("bmv2 is not part of this installation; leave it out of --targets") from None
    target: Target = module.bmv2_target(artifact.program, artifact.paths, artifact.p4info)
    return target
