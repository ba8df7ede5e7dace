"""`p4nic dump`: load, verify, print the IR. Out: text on stdout, the same for the same artifact."""

from __future__ import annotations

import argparse

from p4nic.cli.common import add_artifact_arguments, load

EXAMPLES = """examples:
  p4nic dump                                   the shipped load balancer
  p4nic dump build/my.json                     what p4c-bm2-ss wrote
  p4nic dump my.spec my.context.json --p4info my.p4info.txtpb
  p4nic dump my.spec | grep -A20 'table Lb.route'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_artifact_arguments(parser)


def run(args: argparse.Namespace) -> int:
    program = load(args)
    from p4nic.ir.text import dump

    print(dump(program), end="")
    return 0
