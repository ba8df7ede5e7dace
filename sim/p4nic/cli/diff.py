"""`p4nic diff`: the same entries and the same packets through several engines; every difference is shown.

In: an artifact, engines, entries and captures or a seed. Out: a line per difference and a summary on stdout;
for each difference a small scenario that shows it, in a folder. Exit code 1 if engines differ.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from p4nic.cli.common import add_artifact_arguments, backend, load, split_numbered
from p4nic.errors import InputError

if TYPE_CHECKING:
    from p4nic.backend.api import Backend
    from p4nic.differential.engines import Target
    from p4nic.differential.scenario import Packet, Update
    from p4nic.ir.program import Program

EXAMPLES = """examples:
  p4nic diff --targets interp,swx --random 5000 --seed 1
  p4nic diff my.spec --p4info my.p4info.txtpb --targets interp,swx --entries my.yaml --random 1000
  p4nic diff --targets interp,native --entries lb.yaml --pcap 1=clients.pcap --pcap 2=pods.pcap
  p4nic diff --targets interp,native,swx --corpus tests/programs/build --random 300 --keep-going

The first target named is the reference. swx is real DPDK and runs a .spec (make setup-dpdk), bmv2 is real
BMv2 and runs a JSON. Compared are the frames each packet makes, their ports and their order, then what was
learned and what short arrays hold. The reason of a drop is not: DPDK gives none. Where a target is free to
choose (a member of a group, a random number), every answer the program allows is right. Random frames are
those networks carry, with values the entries have.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_artifact_arguments(parser)
    parser.add_argument(
        "--targets", metavar="A,B", default="interp,swx", help="interp, native, swx, bmv2 (interp,swx)"
    )
    parser.add_argument(
        "--entries", metavar="F", type=Path, help="tables' entries, YAML or JSON (default: random ones)"
    )
    parser.add_argument(
        "--pcap", metavar="[N=]F", dest="captures", action="append", default=[],
        help="frames that arrive at port N (0); may be repeated, merged by time stamp",
    )  # fmt: skip
    parser.add_argument("--random", metavar="N", type=int, default=0, help="that many random frames")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="seed of everything random (0)")
    parser.add_argument(
        "--run-length", metavar="N", type=int, default=50, help="random frames between fresh starts (50)"
    )
    parser.add_argument(
        "--order", choices=("exact", "any"), default="exact", help="of the frames one packet makes (exact)"
    )
    parser.add_argument(
        "--clear-metadata",
        action="store_true",
        help="have swx begin every packet with metadata of zeros, which DPDK itself does not",
    )
    parser.add_argument(
        "--corpus", metavar="DIR", type=Path,
        help="random packets through every .spec and .json of a folder, with the P4Info beside it",
    )  # fmt: skip
    parser.add_argument("--keep-going", action="store_true", help="do not stop at the first run that differs")
    parser.add_argument(
        "--out", metavar="DIR", type=Path, default=Path("diff"), help="where reproducers go (diff)"
    )
    parser.add_argument(
        "--semantics",
        choices=("spec", "dpdk"),
        help="how interp and native take short frames of a .spec (default: interp as swx does)",
    )


def run(args: argparse.Namespace) -> int:
    from p4nic.cli.diff_session import Differ

    _check(args)
    if args.corpus is not None:
        from p4nic.cli.diff_corpus import run_corpus

        return run_corpus(args)
    if not args.artifact and "bmv2" in args.targets.split(","):
        _take_json(args)
    program = load(args)
    targets = make_targets(args, program)
    updates = _updates(args, program)
    session = Differ(args, program, targets)
    if args.captures:
        session.replay(updates or (), _packets(args.captures))
    else:
        session.randomly(updates)
    return session.summary()


def _check(args: argparse.Namespace) -> None:
    if args.corpus is not None and (args.artifact or args.entries or args.captures):
        raise InputError("--corpus takes its programs from a folder and random packets: leave the rest out")
    if bool(args.captures) == bool(args.random):
        raise InputError("diff needs packets: give either --pcap F or --random N")
    if args.random < 0 or args.run_length < 1:
        raise InputError("--random and --run-length are numbers above 0")


def _take_json(args: argparse.Namespace) -> None:
    """BMv2 runs the shipped load balancer's JSON."""
    from p4nic.load.shipped import shipped

    files = shipped("json")
    args.artifact, args.p4info = list(files.paths), files.p4info


def make_targets(args: argparse.Namespace, program: Program) -> list[Target]:
    """The targets that `args` names, each known to take the program."""
    from p4nic.backend.api import Semantics
    from p4nic.cli.real_dpdk import explained
    from p4nic.differential.engines import Engine
    from p4nic.differential.targets import Artifact, make

    targets = make(
        args.targets.split(","),
        Artifact(program, tuple(args.artifact), args.p4info),
        partial(_backend, clear_metadata=args.clear_metadata),
        Semantics(args.semantics) if args.semantics is not None else None,
    )
    for target in targets:
        if isinstance(target, Engine):  # what cannot work at all is said at once
            explained(target.backend, program, target.options).close()
    return targets


def _backend(name: str, clear_metadata: bool) -> Backend:
    if name == "swx" and clear_metadata:
        from p4nic.backend.swx import SwxBackend

        return SwxBackend(clear_metadata=True)
    return backend(name)


def _updates(args: argparse.Namespace, program: Program) -> tuple[Update, ...] | None:
    if args.entries is None:
        return None
    from p4nic.cli.entries_file import read_updates

    return tuple((operation, entity) for _, operation, entity in read_updates(args.entries, program))


def _packets(texts: list[str]) -> list[Packet]:
    from p4nic.cli.run import Capture
    from p4nic.differential.scenario import Packet

    inputs = []
    for text in texts:
        port, path = (0, text) if "=" not in text else split_numbered(text, "--pcap", "N=F or F")
        inputs.append((port, Path(path)))
    capture = Capture(inputs)
    found = list(capture)
    if capture.broken is not None:
        raise capture.broken
    start = found[0][0] if found else 0
    return [Packet(max(time_ns - start, 0), port, frame) for time_ns, port, frame in found]
