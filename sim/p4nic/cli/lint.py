"""`p4nic lint`: what an artifact will do wrongly, or why it will not load, on a real target.

In: an artifact and a target. Out: findings on stdout, as text or JSON. Exit code 1 if one is an error.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from p4nic.cli.common import add_artifact_arguments

if TYPE_CHECKING:
    from p4nic.lint.finding import Finding

_TARGETS = ("dpdk-22.11", "dpdk-26.07", "bmv2-1.15", "pna-spec")

EXAMPLES = """examples:
  p4nic lint my.spec --target dpdk-22.11          does Debian 12's DPDK load it, and do what the P4 says?
  p4nic lint my.spec --target pna-spec            where does it differ from the PNA specification?
  p4nic lint my.json my.p4info.txtpb --target bmv2-1.15
  p4nic lint --target dpdk-22.11 --json           the shipped load balancer, for a script

An error is a file that does not load, or a result that is wrong; a warning is what surprises; a note is what
one should know.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_artifact_arguments(parser)
    parser.add_argument("--target", choices=_TARGETS, required=True, help="what shall run it")
    parser.add_argument("--json", action="store_true", help="print a JSON list")


def run(args: argparse.Namespace) -> int:
    from p4nic.lint.targets import lint
    from p4nic.load.shipped import shipped

    paths, p4info = args.artifact, args.p4info
    if not paths:
        files = shipped("json" if args.target == "bmv2-1.15" else "spec")
        paths, p4info = list(files.paths), p4info or files.p4info
    findings = lint(paths, p4info, args.target)
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print(findings, args.target)
    return 1 if any(finding.level == "error" for finding in findings) else 0


def _print(findings: list[Finding], target: str) -> None:
    for finding in findings:
        where = f" at {finding.where}" if finding.where else ""
        print(f"{finding.level}: {finding.what}{where} [{finding.rule}]")
        print(f"    will happen: {finding.effect}")
        print(f"    instead:     {finding.instead}")
    counts = [
        f"{n} {level}{'s' if n != 1 else ''}"
        for level in ("error", "warning", "note")
        if (n := sum(finding.level == level for finding in findings))
    ]
    print(f"{target}: {', '.join(counts) or 'nothing found'}")
