"""`make bench`: every workload in turn, one HTML report with plots, JSON beside it, the history kept.

In: `--quick` (a part, short trials), `--only TEXT` (runs whose name contains it), `--swx-source DIR`. Out:
reports/bench/report.html, results.json, and a line in reports/bench/history.jsonl. Progress on stderr; exit
code 1 if a run failed (a goal that is missed is a row of the report, not a failure).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from profile_unit import profile
from report import page
from suite import GOALS, RUNS, Run

from p4nic.bench import machine

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "reports" / "bench"
TRIALS = {True: ("--trials", "3", "--seconds", "0.2"), False: ("--trials", "3", "--seconds", "1")}


def main() -> int:
    """Run them; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="a part of it, with short trials: 1 to 2 minutes"
    )
    parser.add_argument("--only", metavar="TEXT", help="runs whose name contains TEXT")
    parser.add_argument(
        "--swx-source", metavar="DIR", help="DPDK's sources: its generated code, not its interpreter"
    )
    arguments = parser.parse_args()
    chosen = [r for r in RUNS if r.quick or not arguments.quick]
    if os.geteuid() != 0:
        print("bench: not root, so nothing over veth pairs", file=sys.stderr)
        chosen = [r for r in chosen if not r.root]
    else:
        _install_search()
    chosen = [r for r in chosen if arguments.only is None or arguments.only in r.key]
    if not chosen:
        print(f'bench: no run has "{arguments.only}" in its name; there are', file=sys.stderr)
        print(", ".join(run.key for run in RUNS), file=sys.stderr)
        return 2
    extra = list(TRIALS[arguments.quick])
    if arguments.swx_source:
        extra += ["--swx-source", arguments.swx_source]
    facts = {
        **machine.facts(),
        "quick": arguments.quick,
        "swx": "generated C" if arguments.swx_source else "interpreted",
    }
    speeds: list[float] = []
    answers, failed = _answers(chosen, extra, speeds)
    facts["sha256_mb_per_s"] = speeds
    facts["load_after"] = machine.load()
    _write(facts, answers, failed)
    return 1 if failed else 0


def _install_search() -> None:
    """MLRsearch, the one package that only a benchmark needs: not part of `make setup`."""
    if find_spec("MLRsearch") is None:
        print("bench: installing MLRsearch", file=sys.stderr)
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, "MLRsearch>=1.2"], check=False)  # without it, its run says what is missing


def _answers(
    chosen: list[Run], extra: list[str], speeds: list[float]
) -> tuple[dict[str, Any], dict[str, str]]:
    """JSON objects by key, and the sentence of each that failed. `speeds` gets the machine's before each."""
    answers: dict[str, Any] = {}
    failed: dict[str, str] = {}
    started = time.monotonic()
    for number, run in enumerate(chosen, start=1):
        spent = time.monotonic() - started
        speeds.append(machine.speed())
        print(f"[{number}/{len(chosen)}, {spent:.0f} s] {run.key}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "p4nic", "bench", *extra, *run.words, "--json"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            failed[run.key] = f"p4nic bench {' '.join(run.words)} ended with exit code {done.returncode}"
            print(f"bench: {failed[run.key]}", file=sys.stderr)
        else:
            answers[run.key] = json.loads(done.stdout)
    return answers, failed


def _to_profile(answers: dict[str, Any]) -> list[Run]:
    """Runs of our engine alone, in packets, behind a goal that is missed."""
    missed = {
        goal.key
        for goal in GOALS
        if goal.key in answers
        and (value := goal.value(answers[goal.key])) is not None
        and not goal.met(value)
    }
    return [run for run in RUNS if run.key in missed and run.profiled]


def _write(facts: dict[str, Any], answers: dict[str, Any], failed: dict[str, str]) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    history = OUT / "history.jsonl"
    values = {
        goal.text: value
        for goal in GOALS
        if goal.key in answers and (value := goal.value(answers[goal.key])) is not None
    }
    with history.open("a") as lines:
        lines.write(json.dumps({"machine": facts, "goals": values}) + "\n")
    past = [json.loads(line) for line in history.read_text().splitlines()]
    profiles = {run.key: rows for run in _to_profile(answers) if (rows := profile(run.words))}
    results = {"machine": facts, "runs": answers, "failed": failed, "profile": profiles}
    (OUT / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (OUT / "report.html").write_text(page(results, past), "utf-8")
    for goal in GOALS:
        if goal.text in values:
            value = values[goal.text]
            verdict = "met   " if goal.met(value) else "missed"
            sign = "≥" if goal.direction == "least" else "≤"
            told = f"{value:.3g} {goal.unit} (goal {sign} {goal.target:g}, {goal.part(value):.0%})"
            print(f"{verdict} {goal.text}: {told}")
    print(f"report: {(OUT / 'report.html').relative_to(ROOT)}, JSON beside it")


if __name__ == "__main__":
    sys.exit(main())
