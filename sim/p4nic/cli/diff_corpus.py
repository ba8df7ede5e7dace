"""`p4nic diff --corpus DIR`: random packets through every program of a folder, on all targets.

In: a folder of `.spec` and `.json` files, each with its P4Info beside it if there is one. Out: a line per
program, then sums: how many programs and runs were comparable. Exit code 1 if one differs. Called by
`cli.diff`.
"""

from __future__ import annotations

import argparse
import copy
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from p4nic.cli.common import load
from p4nic.cli.diff import make_targets
from p4nic.cli.diff_session import Counts, Differ
from p4nic.errors import ArtifactError, InputError, P4nicError

if TYPE_CHECKING:
    from p4nic.ir.program import Program


def run_corpus(args: argparse.Namespace) -> int:
    programs = find(args.corpus)
    if not programs:
        raise InputError(f"--corpus {args.corpus}: there is no .spec and no BMv2 .json in that folder")
    total, refused, differing = Counts(), 0, []
    kinds: Counter[str] = Counter()
    for path in programs:
        line, counts = _one(args, path)
        print(f"{path.name}: {line}", flush=True)
        if counts is None:
            refused += 1
            continue
        total += counts
        kinds["comparable" if counts.comparable else "with no comparable run"] += 1
        if counts.different:
            differing.append(path.name)
    told = ", ".join(f"{count} {what}" for what, count in sorted(kinds.items()))
    print(
        f"{len(programs)} programs: {told or 'none comparable'}, {refused} that a target refuses; "
        f"{total.runs} runs, {total.comparable} comparable, "
        f"{total.packets} packets ({total.answered} forwarded); "
        f"{len(differing)} programs differ{': ' if differing else ''}{', '.join(differing)}"
    )
    return 1 if differing else 0


def find(folder: Path) -> list[Path]:
    """Programs of a folder; p4c leaves other JSON files beside them."""
    programs = [path for path in folder.glob("*.json") if b'"header_types"' in path.read_bytes()]
    return sorted([*folder.glob("*.spec"), *programs])


def _one(args: argparse.Namespace, path: Path) -> tuple[str, Counts | None]:
    """A line about one program, and what was run; None if a target does not take it."""
    own = copy.copy(args)
    own.artifact, own.out = [path], args.out / path.stem
    try:
        differ, said = _differ(own, path)
        differ.randomly(None)
    except P4nicError as error:
        return f"refused: {error}", None
    counts = differ.counts
    reasons = "".join(f"; {reason}" for reason in [*differ.reasons[:3], *said])
    return (
        f"{own.targets}: {counts.comparable} of {counts.runs} runs comparable, "
        f"{counts.different} different{reasons}",
        counts,
    )


def _differ(args: argparse.Namespace, path: Path) -> tuple[Differ, list[str]]:
    """Of the targets that take the program, and what the others say.

    With its P4Info where that fits: p4c-dpdk leaves things out of a .spec that the P4Info promises.
    """
    stems = (path.stem, path.stem.removesuffix(".p4"), path.name)
    candidates = (path.with_name(f"{stem}.p4info.txtpb") for stem in stems)
    args.p4info = next((candidate for candidate in candidates if candidate.exists()), None)
    try:
        program = load(args)
    except ArtifactError:
        if args.p4info is None:
            raise
        args.p4info = None
        program = load(args)
    other_kind = "bmv2" if path.suffix == ".spec" else "swx"
    names, said = [], []
    for name in (name for name in args.targets.split(",") if name != other_kind):
        if sentence := _refusal(args, name, program):
            said.append(f"{name} left out: {sentence}")
        else:
            names.append(name)
    if len(names) < 2:
        raise ArtifactError(said[0] if said else f"only {names} takes a {path.suffix}")
    args.targets = ",".join(names)
    return Differ(args, program, make_targets(args, program)), said


def _refusal(args: argparse.Namespace, name: str, program: Program) -> str:
    """Why a target does not take the program, "" if it does."""
    pair = copy.copy(args)
    pair.targets = f"interp,{name}"
    try:
        if name != "interp":
            make_targets(pair, program)
    except ArtifactError as error:
        if not (name == "swx" and args.clear_metadata):
            return str(error)
        args.clear_metadata = False  # a program that recirculates keeps its metadata
        return _refusal(args, name, program)
    return ""
