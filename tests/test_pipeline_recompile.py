"""`pipeline/recompile.py` without p4c: one sentence and exit code 2, and the committed outputs untouched."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FINGERPRINT = ROOT / "pipeline" / "build" / "fingerprint.json"


def test_missing_compiler_is_one_sentence(tmp_path: Path) -> None:
    before = FINGERPRINT.read_bytes()
    done = subprocess.run(
        [sys.executable, str(ROOT / "pipeline" / "recompile.py")],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "recompile: p4c-dpdk is not on PATH. Install p4c (https://github.com/p4lang/p4c) or use the image "
        "that has it; the committed outputs in build/ need no compiler.\n"
    )
    assert FINGERPRINT.read_bytes() == before


def test_compilers_of_different_commits_are_refused(tmp_path: Path) -> None:
    for name, commit in (("p4c-dpdk", "aaaaaaaaaa"), ("p4c-bm2-ss", "bbbbbbbbbb")):
        fake = tmp_path / name
        fake.write_text(f"#!/bin/sh\necho 'Version 1.2.5 (SHA: {commit} BUILD: Release)'\n")
        fake.chmod(0o755)
    done = subprocess.run(
        [sys.executable, str(ROOT / "pipeline" / "recompile.py")],
        env={"PATH": f"{tmp_path}:/bin:/usr/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "recompile: p4c-dpdk is of commit aaaaaaaaaa, p4c-bm2-ss of bbbbbbbbbb; use one build.\n"
    )
