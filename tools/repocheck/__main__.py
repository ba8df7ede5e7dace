"""Run every check on the repository and print what to change, one a line. Exit code 1 if anything."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from repocheck import basenames, imports, machine_paths, sizes
from repocheck.repository import Problem, Repository, list_files

CHECKS = (sizes.check, basenames.check, machine_paths.check, imports.check)


def load(root: Path) -> Repository:
    """The repository at `root` with the size exceptions of its pyproject.toml."""
    config = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    exceptions = config.get("tool", {}).get("repocheck", {}).get("size_exceptions", {})
    return Repository(root, list_files(root), exceptions)


def run(repository: Repository) -> list[Problem]:
    return sorted(problem for check in CHECKS for problem in check(repository))


def main() -> int:
    repository = load(Path(__file__).resolve().parents[2])
    problems = run(repository)
    for problem in problems:
        print(problem)
    print(f"repocheck: {len(repository.files)} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
