"""Invariants of ARCHITECTURE.md that no other check covers: names in the IR, verification, one writer."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from p4nic.backend.api import Pipeline
from p4nic.errors import ArtifactError
from p4nic.ir import ops, program, types, verify
from p4nic.load.artifact import load_program

ROOT = Path(__file__).resolve().parent.parent
SIMULATOR = ROOT / "sim/p4nic"
BUILT = ROOT / "pipeline/build"

WRITERS = {
    name
    for name, _ in inspect.getmembers(Pipeline, inspect.isfunction)
    if name in ("insert", "modify", "delete") or name.startswith("set_")
} | {"write_rows"}
"""Methods of a Pipeline that change state."""

FILLS_A_NEW_ONE = "server/reconcile.py"
"""Carries learned flows with their age into a pipeline that is not in the switch yet."""
MEASURES_ENGINES = "bench/"
"""Fills an engine, or a peer, that no switch has, and measures it alone."""


def ir_classes() -> Iterator[type]:
    for module in (ops, program, types):
        for _, found in inspect.getmembers(module, inspect.isclass):
            if dataclasses.is_dataclass(found) and found.__module__ == module.__name__:
                yield found


def test_the_ir_refers_by_name() -> None:
    """I2: no field of the IR is a number that stands for a thing."""
    assert len(list(ir_classes())) > 60
    named = [f"{c.__name__}.{f.name}" for c in ir_classes() for f in dataclasses.fields(c)]
    assert [n for n in named if n.lower().endswith((".id", "_id", "_ids"))] == []


@pytest.mark.parametrize("files", [["k8s_lb.json"], ["k8s_lb.spec", "k8s_lb.context.json"]])
def test_what_does_not_verify_is_not_loaded(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """I3: the one door to Programs asks the verifier, and obeys."""
    monkeypatch.setattr(verify, "problems", lambda loaded: [("table t", "is broken for this test")])
    with pytest.raises(ArtifactError, match="table t: is broken for this test"):
        load_program([BUILT / name for name in files])


def calls_on_pipelines(path: Path) -> Iterator[str]:
    """`FILE:LINE` of calls such as `x.pipeline.insert(…)` or `pipeline.set_counter(…)`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        holder = node.func.value
        name = holder.attr if isinstance(holder, ast.Attribute) else getattr(holder, "id", "")
        if node.func.attr in WRITERS and name in ("pipeline", "_pipeline"):
            yield f"{path.relative_to(SIMULATOR)}:{node.lineno}"


def test_only_the_target_changes_data_plane_state() -> None:
    """I4: outside `target` (and the backends themselves) nobody calls a Pipeline's writing methods."""
    found = [call for path in SIMULATOR.rglob("*.py") for call in calls_on_pipelines(path)]
    inside = [call for call in found if call.startswith("target/")]
    assert inside, "the search finds the calls there are"
    allowed = ("target/", "backend/", FILLS_A_NEW_ONE, MEASURES_ENGINES)
    assert [call for call in found if not call.startswith(allowed)] == []
