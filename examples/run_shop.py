"""`make run`: the load balancer end to end on an application of a dozen services, and the evidence.

Starts a target, lets lbctl program it from manifests/shop, drives every service, policy and tunnel, prints
the table of verdicts and writes an HTML report with the topology, the verdicts and one explained packet. With
--pcap FILE it sends a capture through the same set-up, and says of each packet what happened and why.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from shop_bench import Bench, Verdict
from shop_explain import Explanation, explain
from shop_replay import replay
from shop_report import print_table, write_report
from shop_scenarios import run_all
from shop_target import ROOT, BenchError, Target

from lbctl.controller import Controller
from lbctl.errors import LbctlError
from lbctl.kube import load_manifests
from lbctl.nodefile import load_node_config
from lbctl.plan import Plan
from lbtraffic.errors import TrafficError

MANIFESTS = ROOT / "manifests/shop"
NODE = MANIFESTS / "node-a.yaml"


def main() -> int:
    """Run; exit code 0 if every verdict is ok, 1 if one is not, 2 for bad input."""
    options = _options()
    try:
        return _replay(options) if options.pcap else _run(options)
    except (LbctlError, TrafficError, BenchError) as error:
        print(f"run: {error}", file=sys.stderr)
        return 2


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--artifact", choices=("spec", "json", "both"), default="both")
    add("--backend", choices=("interp", "native"), default="interp")
    add("--pcap", type=Path, metavar="FILE", help="replay a capture instead")
    add(
        "--port",
        type=int,
        default=7,
        metavar="N",
        help="with --pcap: where it comes in (7: the load generator)",
    )
    add("--out", type=Path, default=ROOT / "reports/run", metavar="DIR")
    options = parser.parse_args()
    if options.pcap and options.artifact == "both":
        options.artifact = "spec"
    return options


def _run(options: argparse.Namespace) -> int:
    cluster, node = load_manifests([MANIFESTS]), load_node_config(NODE)
    results: dict[str, list[Verdict]] = {}
    explained: Explanation | None = None
    plan: Plan | None = None
    for artifact in ("spec", "json") if options.artifact == "both" else (options.artifact,):
        print(
            f"{artifact}: starting the target, programming it from {MANIFESTS.relative_to(ROOT)}", flush=True
        )
        with (
            Target(artifact, options.backend) as target,
            Controller(target.address, node=node) as controller,
        ):
            outcome = controller.apply(cluster)
            print(f"{artifact}: {outcome.inserted} entries written by lbctl; driving traffic", flush=True)
            bench = Bench(target, controller, node)
            run_all(bench, cluster)
            results[artifact], plan = bench.verdicts, controller.plan
            explained = explained or explain(target, controller, *bench.sent[0], options.out)
        print_table(artifact, bench.verdicts)
    assert plan is not None
    assert explained is not None
    page = write_report(options.out, results, cluster, node, plan, explained)
    failed = sum(not v.ok for verdicts in results.values() for v in verdicts)
    total = sum(len(verdicts) for verdicts in results.values())
    print(f"\n{total - failed} passed, {failed} failed")
    print(f"report: {page}")
    return 1 if failed else 0


def _replay(options: argparse.Namespace) -> int:
    cluster, node = load_manifests([MANIFESTS]), load_node_config(NODE)
    with (
        Target(options.artifact, options.backend) as target,
        Controller(target.address, node=node) as controller,
    ):
        controller.apply(cluster)
        replay(options.pcap, options.port, target, controller)
    return 0


if __name__ == "__main__":
    sys.exit(main())
