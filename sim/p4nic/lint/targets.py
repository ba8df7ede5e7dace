"""Lints an artifact for a target: chooses the rules and runs them.

In: paths of an artifact, optionally its P4Info, a target's name. Out: findings, errors first. ArtifactError
if a file cannot be read as what it is, InputError if it is not for the target. Called by `cli.lint`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast
from typing import Any as Json

from p4nic.errors import ArtifactError, InputError
from p4nic.lint import json_rules, spec_loading, spec_meaning
from p4nic.lint.finding import Finding
from p4nic.lint.spec_model import Model
from p4nic.load import bmv2_json
from p4nic.load.files import read_text
from p4nic.load.spec.lines import split
from p4nic.load.spec.parse import parse

if TYPE_CHECKING:
    from p4nic.load.p4info import P4Info

Target = Literal["dpdk-22.11", "dpdk-26.07", "bmv2-1.15", "pna-spec"]
TARGETS: tuple[Target, ...] = ("dpdk-22.11", "dpdk-26.07", "bmv2-1.15", "pna-spec")
_ORDER = {"error": 0, "warning": 1, "note": 2}


def lint(paths: Sequence[Path], p4info: Path | None, target: Target) -> list[Finding]:
    """Findings about the artifact, errors first, otherwise in its order."""
    program, info = _files(paths, p4info)
    text = read_text(program, "artifact")
    if text.lstrip()[:1] == "{":
        found = _json(text, program.name, info, target)
    else:
        found = _spec(text, program.name, target)
    return sorted(dict.fromkeys(found), key=lambda finding: _ORDER[finding.level])


def why_refused(text: str, name: str) -> Finding | None:
    """The construct for which DPDK 22.11 does not build this `.spec`, if a rule knows it."""
    early = next(spec_loading.line_findings(split(text, name), "22.11"), None)
    if early is not None:
        return early
    try:
        model = Model(parse(text, name))
    except ArtifactError:
        return None
    return next(spec_loading.findings(model, "22.11"), None)


def _files(paths: Sequence[Path], p4info: Path | None) -> tuple[Path, P4Info | None]:
    """The program's file, and the P4Info if there is one; a context JSON is not needed."""
    from p4nic.load.p4info import load_p4info

    programs = []
    for path in paths:
        if "p4info" in path.name and p4info is None:
            p4info = path
        elif "context" not in path.name:
            programs.append(path)
    if len(programs) != 1:
        raise InputError(f"lint takes one program, a BMv2 JSON or a .spec; {len(programs)} are given")
    return programs[0], load_p4info(p4info) if p4info is not None else None


def _spec(text: str, name: str, target: Target) -> Iterator[Finding]:
    if target == "bmv2-1.15":
        raise InputError(f"{name} is a .spec of p4c-dpdk; lint it for dpdk-22.11, dpdk-26.07 or pna-spec")
    release: spec_loading.Release = "22.11" if target != "dpdk-26.07" else "26.07"
    early = [] if target == "pna-spec" else list(spec_loading.line_findings(split(text, name), release))
    yield from early
    try:
        spec = parse(text, name)
        if spec.metadata not in spec.structs:
            raise ArtifactError(f"{name}: the metadata struct {spec.metadata} is declared nowhere")
    except ArtifactError:
        if early:
            return  # what stops our reader is what stops DPDK's
        raise
    model = Model(spec)
    if target == "pna-spec":
        if not model.is_pna:
            raise InputError(f"{name} is of a PSA program, not of PNA; lint it for dpdk-22.11")
        yield from spec_meaning.specification_findings(model)
    else:
        yield from spec_loading.findings(model, release)
        yield from spec_meaning.findings(model)


def _json(text: str, name: str, info: P4Info | None, target: Target) -> Iterator[Finding]:
    if not bmv2_json.is_bmv2_json(text):
        kinds = "that of p4c-bm2-ss, p4c-bm2-psa or p4c-bm2-pna"
        raise ArtifactError(f"{name} is JSON of another kind; lint takes {kinds}")
    document: Json = json.loads(text)
    architecture = _architecture(document)
    if target.startswith("dpdk"):
        raise InputError(f"{name} is a JSON for BMv2; lint it for bmv2-1.15, or compile with p4c-dpdk")
    if target == "pna-spec":
        if architecture != "pna":
            raise InputError(f"{name} is of a {architecture} program, not of PNA; lint it for bmv2-1.15")
        yield from _pna_json(document)
        return
    yield from json_rules.findings(document, architecture, info)


def _architecture(document: Json) -> json_rules.Architecture:
    names = {p.get("name") for p in document.get("pipelines") or [] if isinstance(p, dict)}
    parsers = {p.get("name") for p in document.get("parsers") or [] if isinstance(p, dict)}
    kind = "pna" if "main_control" in names else "psa" if "ingress_parser" in parsers else "v1model"
    return cast(json_rules.Architecture, kind)


def _pna_json(document: Json) -> Iterator[Finding]:
    for node, where in json_rules.walk(document):
        if node.get("op") == "add_entry":
            yield Finding(
                "warning", "unmarked-learner", where, "the action adds an entry on a miss",
                "the JSON does not say that the table is add-on-miss, nor its idle timeout and expiry "
                "profiles: p4nic takes what the program implies and the usual times",
                "state them in the side file beside the JSON (docs/run-your-own-p4.md)",
            )  # fmt: skip
