"""What several commands share: artifact and backend options, and the switch they make.

In: parsed arguments. Out: a Program, a Pipeline, a Switch. The one place that knows the backends by name.
Everything heavy is imported inside the functions: `--help` must not pay for it.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from p4nic.errors import InputError

if TYPE_CHECKING:
    from p4nic.backend.api import Backend, Options, Pipeline
    from p4nic.clock import Clock
    from p4nic.ir.program import Program
    from p4nic.target.switch import Switch

FLOW_TABLE = "Lb.flow_table"
"""The load balancer's learner, whose expiries the control plane wants to hear of."""


BACKENDS = ("interp", "native", "swx")


def add_artifact_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "artifact",
        metavar="ARTIFACT",
        nargs="*",
        type=Path,
        help="BMv2 JSON, or .spec with its context JSON (default: the shipped load balancer)",
    )
    parser.add_argument(
        "--p4info", metavar="F", type=Path, help="P4Info of the artifact (.txtpb, binary or .json)"
    )


def add_switch_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--backend", choices=BACKENDS, default="interp",
        help="what executes it: interp (the definition), native, swx (real DPDK) (default: interp)",
    )  # fmt: skip
    parser.add_argument(
        "--semantics",
        choices=("spec", "dpdk"),
        default="spec",
        help="where PNA and DPDK differ on a .spec, whose meaning holds (default: spec)",
    )
    parser.add_argument(
        "--table-size",
        metavar="TABLE=N",
        action="append",
        default=[],
        help="entries a table takes, in place of the artifact's figure; may be repeated",
    )
    parser.add_argument(
        "--cpu-port", metavar="N", type=int, default=510, help="port of packet-in and packet-out (510)"
    )
    parser.add_argument(
        "--seed", metavar="N", type=int, default=0, help="seed of the program's random numbers (0)"
    )
    parser.add_argument(
        "--notify",
        metavar="TABLE",
        action="append",
        default=[],
        help="tell the control plane when a learned entry of TABLE expires; may be repeated "
        f"(default: {FLOW_TABLE}, where the program has it; 'none' for no table)",
    )


def load(args: argparse.Namespace) -> Program:
    """The program of `args.artifact`, verified."""
    from p4nic.load.known import load_known

    return load_known(args.artifact, args.p4info)


def options(args: argparse.Namespace, program: Program) -> Options:
    """Options of a pipeline as the arguments say."""
    from p4nic.backend.api import Options, Semantics

    sizes = {}
    for text in args.table_size:
        name, _, size = text.partition("=")
        if not size.isdecimal() or int(size) < 1:
            raise InputError(
                f'--table-size "{text}" is not TABLE=N with N above 0, for example Lb.flow_table=1000000'
            )
        sizes[resolve("table", name, program.tables)] = int(size)
    return Options(
        cpu_port=args.cpu_port, seed=args.seed, semantics=Semantics(args.semantics), table_sizes=sizes or None
    )


def build(args: argparse.Namespace, program: Program, hurry: bool = False) -> Pipeline:
    """The program made executable by the chosen backend. `hurry`: packets soon, and fast later."""
    if args.backend == "swx":
        from p4nic.cli.real_dpdk import build_swx

        return build_swx(args, program, options(args, program))
    return backend(args.backend, hurry).build(program, options(args, program))


def is_compiled(pipeline: Pipeline) -> bool:
    """Whether it forwards between ports by itself, in C."""
    from p4nic.backend.wires import Forwards

    return isinstance(pipeline, Forwards)


def backend(name: str, hurry: bool = False) -> Backend:
    """The backend of that name; InputError where this installation has none."""
    module, factory = {
        "interp": ("p4nic.backend.interp", "InterpreterBackend"),
        "native": ("p4nic.backend.native", "NativeBackend"),
        "swx": ("p4nic.backend.swx", "SwxBackend"),
    }[name]
    try:
        make = getattr(import_module(module), factory)
        made: Backend = make(hurry=True) if hurry and name == "native" else make()
    except (ImportError, AttributeError):
        raise InputError(f"--backend {name} is not part of this installation; use --backend interp") from None
    missing = getattr(made, "missing", "")
    if missing:
        print(f"p4nic: {missing}; the interpreter serves instead, much slower", file=sys.stderr)
        return backend("interp")
    return made


def notified(args: argparse.Namespace, program: Program) -> list[str]:
    """Learners to be notified about."""
    if args.notify == ["none"]:
        return []
    if args.notify:
        learners = {name: table for name, table in program.tables.items() if table.is_learner}
        return [resolve("learner", name, learners) for name in args.notify]
    table = program.tables.get(FLOW_TABLE)
    return [FLOW_TABLE] if table is not None and table.is_learner else []


def make_switch(args: argparse.Namespace, clock: Clock) -> Switch:
    """Load, build, and put into a switch."""
    from p4nic.target.switch import Switch

    program = load(args)
    return Switch(build(args, program, hurry=True), clock, notify=notified(args, program))


def resolve(what: str, name: str, names: Collection[str]) -> str:
    """A full name from itself or from its last parts (`flow_table` for `Lb.flow_table`), if only one fits."""
    if name in names:
        return name
    fitting = [full for full in names if full.endswith(f".{name}")]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise InputError(f'{what} "{name}" is ambiguous: it may be {" or ".join(sorted(fitting))}')
    close = difflib.get_close_matches(name, [*names, *(n.rpartition(".")[2] for n in names)], n=1)
    if close:
        raise InputError(f'there is no {what} "{name}"; did you mean "{close[0]}"?')
    listed = ", ".join(sorted(names)) or "the program has none"
    raise InputError(f'there is no {what} "{name}"; choose one of {listed}')


def split_numbered(text: str, option: str, example: str) -> tuple[int, str]:
    """`N=VALUE` of an option."""
    number, equals, value = text.partition("=")
    if not equals or not number.isdecimal() or not value:
        raise InputError(f'{option} "{text}" is not {example}')
    return int(number), value


def unhex(text: str) -> bytes:
    """A frame from hex digits, with spaces, colons or 0x if one likes."""
    digits = text.removeprefix("0x").replace(":", "").replace(" ", "").replace("\n", "")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        bad = next((c for c in digits if c not in "0123456789abcdefABCDEF"), None)
        why = f'"{bad}" is no hex digit' if bad else f"{len(digits)} digits make no whole bytes"
        raise InputError(f"--hex cannot be read as bytes: {why}") from None
