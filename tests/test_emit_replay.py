"""`make replay`: the same p4nic emits the same C, other C is shown, and a commit that is none is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conformance.replay import ROOT, committed, compare, emitted


def test_the_corpus_holds_the_shipped_artifacts_and_the_fixtures() -> None:
    names = {path.name for path in committed()}
    assert {"k8s_lb.spec", "k8s_lb.json", "flows.spec"} <= names
    assert not {name for name in names if "context" in name or "fingerprint" in name}


def test_the_same_c_is_no_difference_and_another_is_shown(tmp_path: Path) -> None:
    artifacts = [p for p in committed() if p.name in ("flows.spec", "forwarding.json")]
    first, second = (emitted(ROOT, tmp_path / name, artifacts, 1) for name in ("one", "two"))
    assert len(list(first.iterdir())) == len(artifacts) == 2
    assert compare(first, second) == ""
    changed = next(second.glob("*flows*"))
    changed.write_text(changed.read_text() + "/* one line more */\n")
    assert "+/* one line more */" in compare(first, second)


def test_a_commit_that_is_none_is_told() -> None:
    command = [sys.executable, "-m", "conformance.replay", "no-such-commit"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot check out no-such-commit: ")
