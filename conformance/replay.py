"""`python -m conformance.replay BASE`: the C emitted for the whole corpus at a commit and now, compared.

    commit BASE ──git worktree──▶ its p4nic ──emit_corpus──▶ base/*.c ┐
    this checkout ───────────────▶ this p4nic ─emit_corpus─▶ now/*.c  ┴▶ the diff; a refactor shows none

The corpus: the artifacts committed here and, with --p4c, what p4c makes of its own samples. The runtime's
headers are compared as well. Exit code 1 if anything differs, 2 if BASE cannot be checked out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from conformance.compilers import compile_source, find
from conformance.corpora import goldens, sources

ROOT = Path(__file__).resolve().parent.parent
PARTS = 8
"""Pieces into which the corpus is cut for processes side by side."""


def committed() -> list[Path]:
    """The artifacts in this repository."""
    found = [*ROOT.glob("*/build/*"), *ROOT.glob("*/programs/build/*"), *ROOT.glob("*/programs/*/build/*")]
    return sorted(p for p in found if p.suffix == ".spec" or (p.suffix == ".json" and _is_program(p)))


def _is_program(path: Path) -> bool:
    return path.name != "fingerprint.json" and not path.name.endswith(".context.json")


def samples(checkout: Path, work: Path) -> list[Path]:
    """p4c's own: its golden .spec, and its samples compiled for BMv2."""
    artifacts = [golden.path for golden in goldens(checkout)]
    for source in sources(checkout):
        binary = find(checkout, source.compiler) if source.compiler else None
        compiled = compile_source(source, binary, work) if binary is not None else None
        if compiled is not None and compiled.json is not None:
            artifacts.append(compiled.json)
    return artifacts


def emitted(root: Path, out: Path, artifacts: list[Path], jobs: int) -> Path:
    """Emit everything with the p4nic of a checkout; the folder of the C."""
    out.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "sim"), str(ROOT)])}
    command = [sys.executable, "-P", "-m", "conformance.emit_corpus", str(out)]

    def run(part: list[Path]) -> None:
        if part:
            subprocess.run([*command, *map(str, part)], env=environment, cwd=out, check=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, [artifacts[i::PARTS] for i in range(PARTS)]))
    return out


def compare(base: Path, now: Path) -> str:
    """The difference of two folders or files; "" if there is none."""
    command = ["git", "diff", "--no-index", "--stat", "--patch", str(base), str(now)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def main() -> int:
    parser = argparse.ArgumentParser(prog="conformance.replay", description=__doc__)
    parser.add_argument("base", help="a commit")
    parser.add_argument(
        "--p4c", type=Path, help="a checkout of p4c with its binaries, whose samples count too"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes (2)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="p4nic-replay-") as folder:
        work = Path(folder)
        git = ["git", "-C", str(ROOT), "worktree"]
        made = subprocess.run(
            [*git, "add", "--quiet", "--detach", str(work / "tree"), asked.base],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if made.returncode:
            print(f"error: cannot check out {asked.base}: {made.stderr.strip()}", file=sys.stderr)
            return 2
        try:
            return _report(work, asked.base, _corpus(asked.p4c, work), asked.jobs)
        finally:
            subprocess.run([*git, "remove", "--force", str(work / "tree")], check=False)


def _corpus(p4c: Path | None, work: Path) -> list[Path]:
    if p4c is None:
        return committed()
    (work / "samples" / "p4c").mkdir(parents=True)
    return committed() + samples(p4c, work / "samples" / "p4c")


def _report(work: Path, base: str, artifacts: list[Path], jobs: int) -> int:
    before = emitted(work / "tree", work / "base", artifacts, jobs)
    after = emitted(ROOT, work / "now", artifacts, jobs)
    runtime = Path("sim/p4nic/runtime")
    changed = compare(before, after) + compare(work / "tree" / runtime, ROOT / runtime)
    print(changed.replace(str(work), ""), end="")
    verdict = "they differ" if changed else "no difference"
    print(f"{len(artifacts)} programs emitted at {base} and now: {verdict}")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
