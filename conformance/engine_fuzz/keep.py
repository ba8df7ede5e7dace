"""Writes a failing case down so that one command runs it again, and reads it back.

Out: a folder with `case.txt` (Program and steps, which is all that counts), `program.txt` (the dump a person
reads), `entries.txt`, `port-N.pcap` and `verdict.txt`. Called by `__main__`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any as Json

from conformance.engine_fuzz.life import Step
from conformance.engine_fuzz.trial import Case, Report
from p4nic.backend import api
from p4nic.errors import InputError
from p4nic.ir import ops, program, types
from p4nic.ir.text import dump
from p4nic.target.ports.pcap import PcapWriter

_CLASSES: Mapping[str, type[Json]] = {
    name: found for module in (api, ops, program, types) for name, found in vars(module).items()
    if isinstance(found, type)
} | {"Step": Step}  # fmt: skip


def keep(folder: Path, case: Case, report: Report, origin: str) -> None:
    """Write the files; `origin` says where the case is from."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [repr(list(case.engines)), repr(case.program), *(repr(step) for step in case.steps)]
    (folder / "case.txt").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "program.txt").write_text(dump(case.program), "utf-8")
    changes = [f"{i}: {_brief(s)}" for i, s in enumerate(case.steps)]
    (folder / "entries.txt").write_text("\n".join(changes) + "\n", "utf-8")
    _captures(folder, case)
    told = [f"{origin}: {report.kind} {report.text}".strip()]
    if report.difference is not None:
        where = "" if report.difference.packet is None else f", packet {report.difference.packet}"
        told.append(f"step {report.difference.step}{where}")
        told += [f"  {name}: {answer}" for name, answer in report.difference.answers.items()]
    told.append(f"again: {again(folder)}")
    (folder / "verdict.txt").write_text("\n".join(told) + "\n", "utf-8")


def again(folder: Path) -> str:
    """The command that runs a kept case."""
    return f".venv/bin/python -m conformance.engine_fuzz --replay {folder}"


def _brief(step: Step) -> str:
    if step.method == "process":
        return f"process {len(step.args[0])} packets at {step.args[1]} ns (port-N.pcap)"
    return f"{step.method}{step.args}"


def _captures(folder: Path, case: Case) -> None:
    writers: dict[int, PcapWriter] = {}
    number = 0
    for step in case.steps:
        for port, frame in step.args[0] if step.method == "process" else ():
            if port not in writers:
                writers[port] = PcapWriter(folder / f"port-{port}.pcap")
            writers[port].write(frame, number)
            number += 1
    for writer in writers.values():
        writer.close()


def load(folder: Path) -> Case:
    """A case that was kept; InputError if it is none."""
    try:
        names, made, *steps = (folder / "case.txt").read_text("utf-8").splitlines()
        return Case(_value(made), tuple(_value(step) for step in steps), tuple(_value(names)))
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{folder} holds no case that can be read: {error}") from None


def _value(text: str) -> Json:
    return _built(ast.parse(text, mode="eval").body)


def _built(node: ast.expr) -> Json:
    """The value of a display of literals and of the IR's classes, and of nothing else."""
    match node:
        case ast.Constant(value):
            return value
        case ast.UnaryOp(ast.USub(), ast.Constant(int(value))):
            return -value
        case ast.Tuple(items):
            return tuple(_built(i) for i in items)
        case ast.List(items):
            return [_built(i) for i in items]
        case ast.Dict(keys, values):
            return {_built(k): _built(v) for k, v in zip(keys, values, strict=True) if k is not None}
        case ast.Call(ast.Name(name), args, keywords) if name in _CLASSES:
            named = {k.arg: _built(k.value) for k in keywords if k.arg is not None}
            return _CLASSES[name](*(_built(a) for a in args), **named)
        case _:
            raise ValueError(f"{ast.unparse(node)[:60]} is neither a literal nor one of the IR's classes")
