"""`p4nic bench NAME`: measure one workload. Out: a table, or with --json exactly one JSON object, on stdout;
progress on stderr. Without NAME: the workloads, a line each.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from p4nic.cli.common import BACKENDS, backend
from p4nic.errors import InputError

if TYPE_CHECKING:
    from p4nic.bench.api import Options, Result

EXAMPLES = """examples:
  p4nic bench
  p4nic bench lb-established --flows 1000000
  p4nic bench lb-established --backend interp --trials 3 --seconds 0.5
  p4nic bench lb-established --frame-size imix --json

Mpps are of CPU time, so that what else the machine does counts as little as can be; the wall clock's stand
beside them. Peers (floor: hand-written C; swx: real DPDK; bmv2: simple_switch) run in the same trials, in
turn.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="the workload; left out: list them")
    parser.add_argument("--flows", metavar="N", type=int, help="connections (the workload's default)")
    parser.add_argument("--rules", metavar="N", type=int, help="policy rules, where the workload has them")
    parser.add_argument("--masks", metavar="N", type=int, help="different masks of the policy's rules (34)")
    parser.add_argument("--backend", choices=BACKENDS, default="native", help="what is measured (native)")
    parser.add_argument("--workers", metavar="W", type=int, default=1, help="threads that forward (1)")
    parser.add_argument(
        "--frame-size", choices=("64", "imix", "1518"), default="64", help="bytes, with the FCS (64)"
    )
    parser.add_argument("--trials", metavar="N", type=int, default=5, help="trials (5); medians are told")
    parser.add_argument("--seconds", metavar="S", type=float, default=1.0, help="of one trial (1)")
    parser.add_argument(
        "--peers", metavar="A,B", default="floor,swx,bmv2", help="floor, swx, bmv2 or none (all three)"
    )
    parser.add_argument(
        "--swx-source", metavar="DIR", type=Path,
        help="DPDK's own sources: swx runs the C that DPDK generates, not its interpreter",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    from p4nic.bench.registry import workload, workloads

    if args.name is None:
        known = workloads()
        width = max(map(len, known))
        for name, one in known.items():
            print(f"{name.ljust(width)}  {one.ABOUT}")
        return 0
    chosen = workload(args.name)
    options = _options(args)
    from p4nic.bench import machine

    before = machine.facts()
    result = chosen.run(options, lambda line: print(f"{args.name}: {line}", file=sys.stderr, flush=True))
    before["load_after"] = machine.load()
    if args.json:
        print(json.dumps({**result.as_json(), "machine": before}))
    else:
        _print(result, before)
    return 0


def _options(args: argparse.Namespace) -> Options:
    from p4nic.bench.api import PEERS, Options

    for option in ("flows", "rules", "masks", "workers", "trials"):
        value = getattr(args, option)
        if value is not None and value < 1:
            raise InputError(f"--{option} {value} is not a number above 0")
    if not args.seconds > 0:
        raise InputError(f"--seconds {args.seconds:g} is not above 0")
    if args.workers > 1 and args.backend != "native":
        raise InputError(f"--workers {args.workers}: the {args.backend} backend has one worker")
    peers = () if args.peers == "none" else tuple(args.peers.split(","))
    for peer in peers:
        if peer not in PEERS:
            raise InputError(f'--peers has "{peer}"; peers are {", ".join(PEERS)}, or none')
    return Options(
        backend, args.flows, args.rules, backend(args.backend).name, args.workers, args.trials, args.seconds,
        args.frame_size, peers, args.swx_source, args.masks,
    )  # fmt: skip


def _print(result: Result, machine: dict[str, object]) -> None:
    told = ", ".join(f"{name} {value}" for name, value in result.parameters.items())
    print(f"{result.name}: {told}")
    for name, measured in {result.backend: result.own, **result.peers}.items():
        spread = f"median of {len(measured.samples)}, spread {measured.spread:.0%}"
        each = f"{measured.cycles_per_packet:8.0f} cycles" if measured.cycles_per_packet else ""
        print(f"  {name:8} {measured.mpps:9.4g} {measured.unit} {each}  ({spread})")
        for figure, value in measured.figures.items():
            print(f"  {'':8} {figure} {value}")
    for name, why in result.absent.items():
        print(f"  {name:8} not measured: {why}")
    print(f"  {machine['processor']}, {machine['cores']} cores, load {machine['load']}, {machine['commit']}")
