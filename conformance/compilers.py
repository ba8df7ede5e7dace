"""Runs p4c. In: a Source. Out: the JSON and its P4Info in the work folder, or why there is none. Called by
`jobs` and `__main__`."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import final

from conformance.corpora import Source

TIMEOUT_S = 300
_BUILD_FOLDERS = ("build", "build/backends/bmv2", ".")


@final
@dataclass(frozen=True, slots=True)
class Compiled:
    """`json` None: `reason` is p4c's first error."""

    json: Path | None
    p4info: Path | None = None
    reason: str = ""


def find(checkout: Path, name: str) -> str | None:
    """The binary in the checkout's build folder, else on PATH."""
    for folder in _BUILD_FOLDERS:
        candidate = checkout / folder / name
        if candidate.is_file():
            return str(candidate)
    return shutil.which(name)


def version(binary: str) -> str:
    """ "1.2.5.16, commit 34b86e9bac"."""
    done = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"Version\s+(\S+)\s+\(SHA:\s+(\w+)", done.stdout + done.stderr)
    return f"{found[1]}, commit {found[2]}" if found else "of unknown version"


def compile_source(source: Source, binary: str, work: Path) -> Compiled:
    """Compile once; a work folder that is kept saves the second time."""
    stem = work / f"{source.suite.replace(', ', '-')}-{source.name.replace('/', '-')}"
    json, p4info, failed = (stem.with_name(stem.name + e) for e in (".json", ".p4info.txtpb", ".failed"))
    if not json.exists() and not failed.exists():
        command = [binary, *source.options, "--Wdisable", "-o", str(json)]
        reason = _run([*command, "--p4runtime-files", str(p4info), str(source.path)])
        if not json.exists():
            reason = _run([*command, str(source.path)])  # some programs have no P4Info: ids that clash
            p4info.unlink(missing_ok=True)
        if not json.exists():
            failed.write_text(reason, encoding="utf-8")
    if json.exists():
        return Compiled(json, p4info if p4info.exists() else None)
    return Compiled(None, reason=failed.read_text(encoding="utf-8"))


def _run(command: list[str]) -> str:
    """Run p4c; its first error, should it have failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"no end after {TIMEOUT_S} s"
    return _first_error(done.stderr, done.returncode)


def _first_error(text: str, code: int) -> str:
    found = re.search(r"(?:error|Error|Compiler Bug|fatal error): *(.+)", text)
    if found:
        return found[1].strip()[:160]
    return "killed" if code < 0 else f"exit code {code}"
