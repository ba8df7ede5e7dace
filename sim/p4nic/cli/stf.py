"""`p4nic stf`: run STF files on a program and say which expectations failed.

In: an artifact and `.stf` files. Out: a line per file and per failure, JUnit XML with --junit. Exit code 1 if
an expectation failed, 2 if a file is no STF or names what the program does not have. Every file starts with a
fresh switch.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from p4nic.cli.common import add_artifact_arguments, add_switch_arguments, build, load
from p4nic.errors import InputError

if TYPE_CHECKING:
    from p4nic.ir.program import Program
    from p4nic.stf.junit import Case
    from p4nic.stf.runner import Verdict

EXAMPLES = """examples:
  p4nic stf my.json my.stf                     one test
  p4nic stf my.spec my.p4info.txtpb tests/*.stf --junit result.xml
  p4nic stf smoke.stf                          on the shipped load balancer

docs/stf.md lists the statements.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_artifact_arguments(parser)
    parser.add_argument("--junit", metavar="F", type=Path, help="also write the verdicts as JUnit XML")
    parser.add_argument("--traced", action="store_true", help="run packets as `p4nic explain` does")
    add_switch_arguments(parser)


def run(args: argparse.Namespace) -> int:
    scripts = [path for path in args.artifact if path.suffix == ".stf"]
    args.artifact = [path for path in args.artifact if path.suffix != ".stf"]
    if not scripts:
        raise InputError("stf needs a test to run; name one or more files that end in .stf")
    program = load(args)
    codes, cases = [], []
    for path in scripts:
        code, case = _one(args, program, path)
        codes.append(code)
        cases.append(case)
    if len(scripts) > 1:
        print(f"{codes.count(0)} passed, {codes.count(1)} failed, {codes.count(2)} could not be run")
    if args.junit is not None:
        _write(args.junit, cases)
    return max(codes)


def _one(args: argparse.Namespace, program: Program, path: Path) -> tuple[int, Case]:
    from p4nic.stf.junit import Case

    try:
        verdict = _verdict(args, program, path)
    except InputError as error:
        print(f"error  {path}\n       {error}")
        return 2, Case(program.name, path.name, "error", str(error))
    if verdict.passed:
        print(f"passed {path} ({verdict.packets} packets, {verdict.expects} expected)")
        return 0, Case(program.name, path.name, "passed")
    lines = [f"{path}:{failure.line}: {failure.sentence}" for failure in verdict.failures]
    print(f"failed {path}", *lines, sep="\n       ")
    return 1, Case(program.name, path.name, "failed", "\n".join(lines))


def _verdict(args: argparse.Namespace, program: Program, path: Path) -> Verdict:
    from p4nic.clock import ManualClock
    from p4nic.stf.runner import run_text
    from p4nic.target.switch import Switch

    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text; an STF file is UTF-8") from None
    with Switch(build(args, program), ManualClock()) as switch:
        return run_text(text, str(path), switch, traced=args.traced)


def _write(path: Path, cases: list[Case]) -> None:
    from p4nic.stf.junit import document

    try:
        path.write_text(document(cases), encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
