"""Makes a small case of one that fails: fewer steps, fewer packets, less program, shorter frames.

In: a failing Case. Out: one that fails in the same way. Called by `__main__`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import final

from conformance.engine_fuzz.life import Step
from conformance.engine_fuzz.trial import Case, Report, run
from p4nic.differential.shrink import fewer
from p4nic.ir import verify
from p4nic.ir.ops import Code
from p4nic.ir.program import Program

Change = Callable[[Program], Program]


@final
class Shrinker:
    """`tries` bounds the work: each is a run, and a compilation where the program changes."""

    def __init__(self, case: Case, report: Report, tries: int = 400) -> None:
        self.case = case
        self.report = report
        self._left = tries

    def shrink(self) -> tuple[Case, Report]:
        """The small case and what it says."""
        if self.report.difference is not None:
            self._keep(replace(self.case, steps=self.case.steps[: self.report.difference.step + 1]))
        fewer(self.case.steps, lambda left: self._keep(replace(self.case, steps=left)))
        for number in range(len(self.case.steps)):
            self._packets(number)
        self._program()
        fewer(self.case.steps, lambda left: self._keep(replace(self.case, steps=left)))
        return self.case, self.report

    def _keep(self, candidate: Case) -> bool:
        """Take the candidate if it fails in the same way."""
        if self._left <= 0 or verify.problems(candidate.program):
            return False
        self._left -= 1
        report = run(candidate, 60)
        if report.kind != self.report.kind or report.text[:40] != self.report.text[:40]:
            return False
        self.case, self.report = candidate, report
        return True

    def _packets(self, number: int) -> None:
        step = self.case.steps[number]
        if step.method != "process":
            return

        def with_(packets: tuple[tuple[int, bytes], ...]) -> bool:
            steps = list(self.case.steps)
            steps[number] = Step("process", (list(packets), step.args[1]))
            return self._keep(replace(self.case, steps=tuple(steps)))

        packets = fewer(tuple(step.args[0]), with_)
        for i, (port, frame) in enumerate(packets):
            if len(packets) <= 3 and with_(
                (*packets[:i], (port, frame[: len(frame) // 2]), *packets[i + 1 :])
            ):
                packets = tuple(self.case.steps[number].args[0])

    # --- the program ---

    def _program(self) -> None:
        for name in list(self.case.program.tables):
            self._without(_no_table(name))
        for name, block in list(self.case.program.blocks.items()):
            fewer(block.code, self._with_code(_block, name))
        for name, action in list(self.case.program.actions.items()):
            fewer(action.code, self._with_code(_action, name))

    def _with_code(self, change: Callable[[str, Code], Change], name: str) -> Callable[[Code], bool]:
        return lambda code: self._without(change(name, code))

    def _without(self, change: Change) -> bool:
        changed = change(self.case.program)
        steps = tuple(s for s in self.case.steps if _fits(s, changed))
        return self._keep(replace(self.case, program=changed, steps=steps))


def _no_table(name: str) -> Change:
    return lambda p: replace(p, tables={k: v for k, v in p.tables.items() if k != name})


def _block(name: str, code: Code) -> Change:
    return lambda p: replace(p, blocks={**p.blocks, name: replace(p.blocks[name], code=code)})


def _action(name: str, code: Code) -> Change:
    return lambda p: replace(p, actions={**p.actions, name: replace(p.actions[name], code=code)})


def _fits(step: Step, program: Program) -> bool:
    """Whether a step names only tables there are."""
    named = getattr(step.args[0], "table", None) if step.args else None
    if step.method in ("entries", "entry_count", "lookup", "set_default_action"):
        named = step.args[0]
    return named is None or named in program.tables
