"""Runs a life on several engines side by side and compares every answer.

In: a Program, engines by name (the first is the definition), Steps. Out: a Verdict. Called by `trial` and
`shrink`.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any as Json
from typing import final

from conformance.engine_fuzz.life import Step
from p4nic.backend.api import Backend, Options, Outcome, Pipeline
from p4nic.errors import StateError, UnsupportedError
from p4nic.ir.program import Program

OPTIONS = Options(seed=1)
TRAPS = ("parser error", "packet too short", "recirculation limit")
FUEL = "instruction limit"
PATIENCE = 6
SECONDS = 6.0
"""Packets that loop until their fuel is burnt, and processor time, after which a life ends: the interpreter
takes long over such packets, and over each of their copies again."""


@final
@dataclass(frozen=True, slots=True)
class Difference:
    """`step` and, in a burst, `packet` number where engines part; what each of them says."""

    step: int
    packet: int | None
    answers: Mapping[str, str]


@final
@dataclass(slots=True)
class Verdict:
    """`refused`: why an engine does not run the program; "" if it does. `reasons`: of dropped packets."""

    refused: str = ""
    difference: Difference | None = None
    packets: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def trapped(self) -> int:
        """Packets that ended in a parser error or in too many passes."""
        return sum(n for reason, n in self.reasons.items() if reason.startswith(TRAPS))

    @property
    def out_of_fuel(self) -> int:
        return self.reasons[FUEL]


def judge(program: Program, engines: Sequence[Backend], steps: Sequence[Step]) -> Verdict:
    """Run all steps, up to the first difference."""
    verdict = Verdict()
    logging.disable()  # of false assertions there are thousands
    try:
        pipelines = {engine.name: engine.build(program, OPTIONS) for engine in engines}
    except UnsupportedError as error:
        verdict.refused = str(error)
        return verdict
    bounds: Mapping[str, Json] = {}
    started = time.process_time()
    try:
        for number, step in enumerate(steps):
            answers = {name: _answer(pipeline, step) for name, pipeline in pipelines.items()}
            first = next(iter(answers.values()))
            if step.method == "process":
                verdict.packets += len(step.args[0])
                verdict.reasons.update(o.drop_reason for o in first)
                if verdict.out_of_fuel > PATIENCE or time.process_time() - started > SECONDS:
                    break
            if step.method == "next_expiry_ns":
                bounds = answers
            elif step.method == "expire" and (late := _late(answers, bounds, step.args[0])):
                verdict.difference = Difference(number, None, late)
                break
            elif any(answer != first for answer in answers.values()):
                verdict.difference = _difference(number, step, answers)
                break
    finally:
        for pipeline in pipelines.values():
            pipeline.close()
    return verdict


def _answer(pipeline: Pipeline, step: Step) -> Json:
    try:
        found = getattr(pipeline, step.method)(*step.args)
    except StateError as error:
        return f"refused: {error.kind.value}"
    if step.method == "entries":
        return list(found)
    return dict(found) if step.method == "statistics" else found


def _late(answers: Mapping[str, Json], bounds: Mapping[str, Json], now_ns: int) -> dict[str, str]:
    """Engines that expire something before the time they said. How near that time is, is their affair."""
    said = {name: bound for name, bound in bounds.items() if bound is None or bound > now_ns}
    return {name: f"said {said[name]}, but expires {answers[name]}" for name in said if answers[name]}


def _difference(number: int, step: Step, answers: Mapping[str, Json]) -> Difference:
    if step.method != "process":
        return Difference(number, None, {name: _shown(answer, answers) for name, answer in answers.items()})
    first: list[Outcome] = next(iter(answers.values()))
    for i in range(len(first)):
        if any(answer[i] != first[i] for answer in answers.values()):
            return Difference(number, i, {name: str(answer[i]) for name, answer in answers.items()})
    raise AssertionError("answers of different lengths")


def _shown(answer: Json, answers: Mapping[str, Json]) -> str:
    """An answer, of long ones what is not in all of them."""
    if isinstance(answer, list):
        return str([x for x in answer if any(x not in other for other in answers.values())] or answer[:10])
    if isinstance(answer, dict):
        return str({k: v for k, v in answer.items() if any(o.get(k) != v for o in answers.values())})
    return str(answer)
