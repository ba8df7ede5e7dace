"""The report of `make bench` as one HTML page: goals, plots, every number, who was absent, the history.

In: results as `run` writes them, and the history's objects. Out: the text. Nothing is loaded from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import svg
from suite import GOALS, Goal

Results = Mapping[str, Any]

STYLE = (Path(__file__).parent / "report.css").read_text("utf-8")


def page(results: Results, history: Sequence[Mapping[str, Any]]) -> str:
    """The whole page."""
    runs = results["runs"]
    parts = [
        _head(results["machine"]),
        _goals(runs),
        _throughput(runs),
        _over_flows(runs),
        _latency(runs),
        _writes(runs),
        _profile(results.get("profile")),
        _numbers(runs, results["failed"]),
        _absent(runs),
        _history(history),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>p4nic benchmarks</title>'
        f"<style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def _card(title: str, body: str) -> str:
    return f"<h2>{title}</h2><div class='card'>{body}</div>" if body else ""


def _row(*cells: str, tag: str = "td") -> str:
    """Cells that begin with ">" are numbers: to the right."""
    made = (
        f"<{tag} class='n'>{c[1:]}</{tag}>" if c.startswith(">") else f"<{tag}>{c}</{tag}>" for c in cells
    )
    return f"<tr>{''.join(made)}</tr>"


def _table(heads: Sequence[str], rows: Iterable[str]) -> str:
    return f"<table>{_row(*heads, tag='th')}{''.join(rows)}</table>"


def _head(facts: Mapping[str, Any]) -> str:
    before, after = (", ".join(map(str, facts[key])) for key in ("load", "load_after"))
    told = (
        f"{facts['time']}, commit {facts['commit']}; {facts['processor']}, {facts['cores']} cores, Linux "
        f"{facts['kernel']}, Python {facts['python']}. Load average {before} before, {after} after. DPDK's "
        f"SWX: {facts['swx']}."
    )
    if speeds := facts.get("sha256_mb_per_s"):
        told += (
            f" The same SHA-256 before each run: {min(speeds):,.0f} to {max(speeds):,.0f} MB/s of CPU time;"
            " so much the machine itself varied meanwhile."
        )
    if facts["quick"]:
        told += " A quick run: short trials, and not all workloads."
    how = (
        "Mpps are of the CPU time of the thread that forwards, frames in memory, medians of trials in which "
        "engines took turns. Latency, writes and start are by the wall clock: a busy machine shows in them."
    )
    return f"<h1>p4nic benchmarks</h1><p class='facts'>{escape(told)}</p><p class='facts'>{how}</p>"


def _goals(runs: Mapping[str, Any]) -> str:
    heads = ("Work", ">Goal", ">Measured", "", "Verdict")
    return _card("Goals", _table(heads, (_goal(goal, runs) for goal in GOALS)))


def _goal(goal: Goal, runs: Mapping[str, Any]) -> str:
    sign = "≥" if goal.direction == "least" else "≤"
    wanted = (escape(goal.text), f">{sign} {goal.target:g} {escape(goal.unit)}")
    value = goal.value(runs[goal.key]) if goal.key in runs else None
    if value is None:
        return _row(*wanted, "><span class='none'>not measured</span>", "", "")
    part, met = goal.part(value), goal.met(value)
    if met:
        verdict = "<span class='met'>met</span>"
    elif goal.direction == "least":
        verdict = f"<span class='missed'>missed: {part:.0%} of it</span>"
    else:
        verdict = f"<span class='missed'>missed: {1 / part:.3g} times as much</span>"
    bar = f"<i style='width:{min(part, 1):.0%};background:{'#10b981' if met else '#ef4444'}'></i>"
    measured = f">{svg.number(value)} {escape(goal.unit)}"
    return _row(*wanted, measured, f"<div class='track'>{bar}</div>", verdict)


def _engines(answer: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {answer["backend"]: answer, **answer["peers"]}


def _throughput(runs: Mapping[str, Any]) -> str:
    groups = {
        key: {name: found["mpps"] for name, found in _engines(answer).items()}
        for key, answer in runs.items()
        if answer["unit"] == "Mpps"
    }
    names = [n for n in svg.COLOURS if any(n in group for group in groups.values())]
    return _card("Packets per second", svg.legend(names) + svg.bars(groups, "Mpps") if names else "")


def _over_flows(runs: Mapping[str, Any]) -> str:
    series: dict[str, list[tuple[float, float]]] = {}
    for key in ("lb 1k", "lb 100k", "lb 1M", "lb 10M"):
        for name, found in _engines(runs[key]).items() if key in runs else ():
            series.setdefault(name, []).append((runs[key]["parameters"]["flows"], found["mpps"]))
    if not any(len(line) > 1 for line in series.values()):
        return ""
    plot = svg.lines(series, "established connections", "Mpps", log_x=True)
    return _card("Whole load balancer, over the number of connections", svg.legend(list(series)) + plot)


def _latency(runs: Mapping[str, Any]) -> str:
    answer = runs.get("latency")
    if answer is None:
        return ""
    rows = []
    for load in (10, 50, 90):
        times = (answer[f"{part}_us_at_{load}_percent"] for part in ("p50", "p99"))
        rows.append(_row(f"{load} %", *(f">{svg.number(time)} µs" for time in times)))
    return _card("Time of a frame under load", _table(("Load", ">p50", ">p99"), rows))


def _writes(runs: Mapping[str, Any]) -> str:
    answer = runs.get("table writes")
    if answer is None:
        return ""
    tenth = answer["parameters"]["entries"] / 10
    series = {answer["backend"]: [((i + 1) * tenth, rate * 1e3) for i, rate in enumerate(answer["samples"])]}
    plot = svg.lines(series, "entries in the table", "k/s")
    told = ""
    if "traffic_kept" in answer:
        alone, during = answer["traffic_alone_mpps"], answer["traffic_during_writes_mpps"]
        kept = f"{answer['traffic_kept']:.0%}"
        told = f"<p>Traffic beside them kept {kept} of its rate ({during} of {alone} Mpps, wall clock)"
        if "traffic_kept_against_control" in answer:  # reports of older runs have none
            control = f"{answer['traffic_kept_against_control']:.0%}"
            told += f"; {control} of its rate beside a writer of the same kind into another engine"
        told += ".</p>"
    return _card("Table writes as the table fills", plot + told)


def _profile(profile: Mapping[str, Any] | None) -> str:
    if not profile:
        return ""
    parts = []
    for key, symbols in profile.items():
        rows = [
            _row(f"<code>{escape(one['symbol'])}</code>", f">{one['percent']:.1f} %", f">{one['cycles']:.0f}")
            for one in symbols
        ]
        parts.append(f"<h3>{escape(key)}</h3>" + _table(("Function", ">Part", ">Cycles per packet"), rows))
    return _card("Where the cycles go", "".join(parts))


def _numbers(runs: Mapping[str, Any], failed: Mapping[str, str]) -> str:
    rows = []
    for key, answer in runs.items():
        for name, found in _engines(answer).items():
            cycles = found["cycles_per_packet"]
            spread = (max(found["samples"]) - min(found["samples"])) / found["mpps"] if found["mpps"] else 0
            numbers = (
                f">{svg.number(found['mpps'])}", escape(found["unit"]),
                ">" if cycles is None else f">{cycles:,.0f}", f">{spread:.0%} of {len(found['samples'])}",
            )  # fmt: skip
            rows.append(_row(escape(key), escape(name), *numbers))
    for key, why in failed.items():
        rows.append(_row(escape(key), f"<span class='missed'>{escape(why)}</span>", "", "", "", ""))
    return _card("All numbers", _table(("Run", "Engine", ">Median", "Unit", ">Cycles", ">Spread"), rows))


def _absent(runs: Mapping[str, Any]) -> str:
    reasons: dict[tuple[str, str], list[str]] = {}
    for key, answer in runs.items():
        for peer, why in answer["absent"].items():
            reasons.setdefault((peer, why), []).append(key)
    rows = [_row(escape(peer), escape(why), escape(", ".join(k))) for (peer, why), k in reasons.items()]
    return _card("Peers that were not there", _table(("Peer", "Why", "Runs"), rows) if rows else "")


def _history(history: Sequence[Mapping[str, Any]]) -> str:
    shown = [goal.text for goal in GOALS if sum(goal.text in past["goals"] for past in history) > 1]
    if not shown:
        return ""
    by_text = {goal.text: goal for goal in GOALS}
    series = {
        text: [
            (i + 1, min(100 * by_text[text].part(past["goals"][text]), 150))
            for i, past in enumerate(history)
            if text in past["goals"]
        ]
        for text in shown[:8]
    }
    plot = svg.lines(series, "run, oldest first", "% of goal")
    last = "; ".join(f"{i + 1}: {p['machine']['commit']}" for i, p in list(enumerate(history))[-12:])
    return _card("History", f"{svg.legend(list(series))}{plot}<p class='facts'>{escape(last)}</p>")
