"""The results in words: lines on the terminal, and the page docs/conformance.md. Called by `__main__`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import final

from conformance.results import Result, Verdict

_VERDICTS: tuple[Verdict, ...] = ("passed", "failed", "known", "not applicable")
_MOST_NAMES = 12


@final
@dataclass(frozen=True, slots=True)
class Facts:
    """What the page says about the run. `commit`: p4nic's; "" where nobody knows."""

    p4c: str
    commit: str
    date: str
    engines: tuple[str, ...]
    packets: int
    optimise: str


def lines(results: Sequence[Result]) -> Iterator[str]:
    """Everything that did not pass, with its reason, then the totals."""
    for result in results:
        if result.verdict != "passed":
            engine = f" on {result.engine}" if result.engine else ""
            yield f"{result.verdict}: {result.suite}: {result.name}{engine}: {result.reason}"
    yield ""
    for (suite, engine), counts in _totals(results).items():
        shown = ", ".join(f"{counts[verdict]} {verdict}" for verdict in _VERDICTS if counts[verdict])
        yield f"{suite}{f' ({engine})' if engine else ''}: {shown}"
    interp = sum(r.seconds for r in results if r.suite.startswith("STF") and r.engine == "interp")
    yield f"all STF tests on the interpreter: {interp:.1f} s (one core)"


def page(results: Sequence[Result], facts: Facts) -> str:
    """docs/conformance.md."""
    return "\n".join([*_head(facts), *_table(results), "", *_details(results)]).rstrip() + "\n"


def _totals(results: Sequence[Result]) -> dict[tuple[str, str], Counter[str]]:
    """Counts by suite and engine. What is not applicable to any engine counts for each of the suite's."""
    engines: dict[str, dict[str, None]] = defaultdict(dict)
    for result in results:
        if result.engine:
            engines[result.suite][result.engine] = None
    totals: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for result in results:
        for engine in [result.engine] if result.engine else list(engines[result.suite]) or [""]:
            totals[result.suite, engine][result.verdict] += 1
    return dict(sorted(totals.items()))


def _head(facts: Facts) -> list[str]:
    return [
        "# Conformance: p4c's own corpora",
        "",
        "Written by `make conformance P4C=<checkout of p4c with built binaries>`; do not edit. Nothing",
        "of p4c is in this repository.",
        f"p4c {facts.p4c}; p4nic at commit {facts.commit or 'unknown'};",
        f"run on {facts.date}; engines {', '.join(facts.engines)}; the native",
        f'engine\'s C compiled with -O{facts.optimise} (-O2 as shipped; `ARGS="--optimise 0"` saves time).',
        "",
        "*passed*: as p4c's test says. *known*: the expectation is wrong, the evidence is below.",
        "*not applicable*: not a test of ours, or refused at load with a sentence; the reasons are below.",
        f"“Engines agree” sends up to {facts.packets} seeded random packets through each program, half of",
        "them with random table entries, and compares every frame that comes out.",
        "",
    ]


def _table(results: Sequence[Result]) -> Iterator[str]:
    yield "| Suite | Engine | passed | failed | known | not applicable |"
    yield "|---|---|---|---|---|---|"
    for (suite, engine), counts in _totals(results).items():
        yield f"| {suite} | {engine} | " + " | ".join(str(counts[v]) for v in _VERDICTS) + " |"


def _details(results: Sequence[Result]) -> Iterator[str]:
    for verdict, title in (("failed", "Failed"), ("known", "Known"), ("not applicable", "Not applicable")):
        chosen = [result for result in results if result.verdict == verdict]
        if not chosen:
            continue
        yield f"## {title}"
        yield ""
        yield from _grouped(chosen) if verdict == "not applicable" else _listed(chosen)
        yield ""


def _listed(results: Sequence[Result]) -> Iterator[str]:
    by_reason: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for result in results:
        by_reason[result.suite, result.name, result.reason].append(result.engine)
    for (suite, name, reason), engines in by_reason.items():
        on = f" ({'; '.join(e for e in engines if e)})" if any(engines) else ""
        yield f"- {suite}, `{name}`{on}: {_cell(reason)}"


def _grouped(results: Sequence[Result]) -> Iterator[str]:
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for result in results:
        groups[result.suite, result.engine, result.group or result.reason].append(result.name)
    for (suite, engine, group), names in sorted(groups.items()):
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        listed = ", ".join(f"`{name}`" for name in names[:_MOST_NAMES])
        where = f"{suite}, {engine}" if engine else suite
        yield f"- {where}: {_cell(group)} ({len(names)}): {listed}{more}"


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")
