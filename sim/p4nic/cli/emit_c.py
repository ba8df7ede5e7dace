"""`p4nic emit-c`: print the C that the native backend compiles for a program.

Called by `__main__`. The text goes to standard output, what to compile it with to a comment in its first
lines.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from p4nic.cli.common import add_artifact_arguments, add_switch_arguments, load, options

HELP = "print the C that the native backend compiles"
EXAMPLES = """examples:
  p4nic emit-c                            the shipped load balancer
  p4nic emit-c prog.json > prog.c         then: cc -std=gnu11 -O2 -shared -fPIC -I$(p4nic emit-c --include)
  prog.c p4nic emit-c --include                  the folder of the runtime's headers"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_artifact_arguments(parser)
    add_switch_arguments(parser)
    parser.add_argument(
        "--include", action="store_true", help="print the folder of the headers it includes, and stop"
    )


def run(args: argparse.Namespace) -> int:
    from p4nic.backend.native import emit
    from p4nic.backend.native.compiler import RUNTIME

    if args.include:
        print(Path(RUNTIME))
        return 0
    program = load(args)
    print(emit(program, options(args, program)).text, end="")
    return 0
