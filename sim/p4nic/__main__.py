"""The command line `p4nic`: names the commands, runs one, turns every P4nicError into one sentence and exit
code 2.

In: argv. Out: the exit code: 0 fine, 1 a verdict failed, 2 usage or bad input. Each command is a module of
`p4nic.cli` with HELP, EXAMPLES, `add_arguments` and `run`; it is imported only when it is the one, so that
`--help` is instant.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from p4nic.errors import P4nicError

COMMANDS = {
    "dump": "load a program, verify it, print what p4nic understood",
    "emit-c": "print the C that the native backend compiles for a program",
    "run": "replay captures through a program, no server",
    "serve": "be a P4Runtime switch",
    "stf": "run STF tests on a program",
    "lint": "tell what a program will do wrongly on DPDK, BMv2 or by the PNA specification",
    "explain": "tell what happens to a packet, step by step, and why",
    "diff": "run the same packets on several engines and compare",
    "bench": "measure how fast it is, next to other engines",
    "doctor": "tell what this machine has and what that allows",
}

_ABOUT = """A software P4 NIC: runs what p4c wrote (BMv2 JSON or P4-DPDK .spec).

Wherever ARTIFACT is left out, the Kubernetes load balancer that comes with p4nic is taken.
`p4nic COMMAND --help` shows examples."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(words)
    except P4nicError as error:
        print(f"p4nic: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of our output has gone (`p4nic dump | head`): not an error. Keep Python from complaining
        # at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _dispatch(words: list[str]) -> int:
    name = words[0] if words else ""
    parser = argparse.ArgumentParser(
        "p4nic", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="store_true", help="print the version and stop")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    for command, about in COMMANDS.items():
        module = import_module(f"p4nic.cli.{command.replace('-', '_')}") if command == name else None
        sub = commands.add_parser(
            command,
            help=about,
            description=about[0].upper() + about[1:] + ".",
            epilog=module.EXAMPLES if module else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if module:
            module.add_arguments(sub)
    try:
        args = parser.parse_args(words)
    except SystemExit as stop:
        return int(stop.code or 0)
    if args.version:
        from importlib.metadata import version

        print(f"p4nic {version('p4nic')}")
        return 0
    if not args.command:
        parser.print_help()
        return 2
    code = import_module(f"p4nic.cli.{args.command.replace('-', '_')}").run(args)
    sys.stdout.flush()
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
