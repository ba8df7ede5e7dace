"""Random programs under AddressSanitizer and UndefinedBehaviorSanitizer, a slice of `make sanitize`; and that
an error planted in the emitted C is a crash that names itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conformance.engine_fuzz.sanitizers import environment, libraries

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(not libraries(), reason="this compiler has no sanitizers")

_PLANTED = """
import sys
from dataclasses import replace
from conformance.engine_fuzz import engines

honest = engines.emit
def planted(program, options):
    unit = honest(program, options)
    first, rest = unit.text.split("    switch (p->resume) {", 1)
    wrong = "    ((volatile u8 *)malloc(len + 1))[len + 1] = 1;\\n"
    return replace(unit, text=first + wrong + "    switch (p->resume) {" + rest)
engines.emit = planted
from conformance.engine_fuzz import __main__
"""


def fuzz(*options: object, script: str = "") -> subprocess.CompletedProcess[str]:
    how = ["-c", script] if script else ["-m", "conformance.engine_fuzz"]
    asked = [sys.executable, *how, "--engines", "interp,sanitized", "--jobs", "1", "--tries", "0"]
    return subprocess.run(
        [*asked, *(str(o) for o in options)],
        cwd=ROOT, env=dict(environment()), capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_random_programs_give_the_sanitizers_nothing_to_say(tmp_path: Path) -> None:
    done = fuzz("--count", 1_000, "--packets", 500, "--lives", 1, "--seed", 70_000, "--out", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def test_an_error_in_the_c_is_a_crash_that_names_itself(tmp_path: Path) -> None:
    done = fuzz("--packets", 10, "--most", 1, "--out", tmp_path, script=_PLANTED)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "crashed exit code 1; " in done.stderr
    assert "AddressSanitizer: heap-buffer-overflow" in done.stderr
