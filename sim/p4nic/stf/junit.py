"""Verdicts as a JUnit XML file, for CI systems. In: verdicts and their seconds. Out: text. Called by
`p4nic stf` and the conformance run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final
from xml.sax.saxutils import escape, quoteattr

_CONTROL = {chr(code): "?" for code in range(32) if chr(code) not in "\t\n\r"}


@final
@dataclass(frozen=True, slots=True)
class Case:
    """One test: `outcome` with the reason in `message` where it did not pass."""

    suite: str
    name: str
    outcome: Literal["passed", "failed", "error", "skipped"]
    message: str = ""
    seconds: float = 0.0


def document(cases: Sequence[Case]) -> str:
    """The whole file; one testsuite per `suite`, in order of first appearance."""
    suites: dict[str, list[Case]] = {}
    for case in cases:
        suites.setdefault(case.suite, []).append(case)
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<testsuites>"]
    for name, members in suites.items():
        lines.append(f"  <testsuite name={_quoted(name)} {_totals(members)}>")
        lines += [line for case in members for line in _case(case)]
        lines.append("  </testsuite>")
    lines.append("</testsuites>")
    return "\n".join(lines) + "\n"


def _totals(cases: list[Case]) -> str:
    def count(outcome: str) -> int:
        return sum(case.outcome == outcome for case in cases)

    seconds = sum(case.seconds for case in cases)
    return (
        f'tests="{len(cases)}" failures="{count("failed")}" errors="{count("error")}" '
        f'skipped="{count("skipped")}" time="{seconds:.3f}"'
    )


def _case(case: Case) -> list[str]:
    head = (
        f'    <testcase classname={_quoted(case.suite)} name={_quoted(case.name)} time="{case.seconds:.3f}"'
    )
    if case.outcome == "passed":
        return [head + "/>"]
    tag = {"failed": "failure", "error": "error", "skipped": "skipped"}[case.outcome]
    first = case.message.partition("\n")[0]
    body = escape(case.message, _CONTROL)
    return [head + ">", f"      <{tag} message={_quoted(first)}>{body}</{tag}>", "    </testcase>"]


def _quoted(text: str) -> str:
    return quoteattr(text, _CONTROL)
