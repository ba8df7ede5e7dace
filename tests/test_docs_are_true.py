"""The documents name only files and make targets that exist; ARCHITECTURE.md has every invariant."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "LIMITATIONS.md")
HOW_TO = tuple(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))
COMPONENTS = (
    ".ci",
    "benchmarks",
    "controlplane",
    "docs",
    "manifests",
    "pipeline",
    "ptf_tests",
    "sim",
    "tests",
    "tools",
    "traffic",
)

CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#:]+)\)")


def missing_paths(text: str, folder: Path) -> list[str]:
    """Paths named in code spans (from the root) and in links (from `folder`) that do not exist."""
    named = [(ROOT, span) for span in CODE.findall(text) if re.fullmatch(r"[\w./-]+", span)]
    in_repository = [(base, path) for base, path in named if "/" in path and path.split("/")[0] in COMPONENTS]
    links = [(folder, path) for path in LINK.findall(text)]
    return [path for base, path in in_repository + links if not (base / path).exists()]


def unknown_targets(text: str) -> list[str]:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    used = re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)
    return [target for target in used if target not in targets]


@pytest.mark.parametrize("name", DOCUMENTS + HOW_TO)
def test_every_path_and_make_target_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert missing_paths(text, (ROOT / name).parent) == []
    assert unknown_targets(text) == []


def test_what_does_not_exist_is_found() -> None:
    text = (
        "see `tests/test_nothing.py`, [that](gone.md) and `sim/p4nic/ir`; run `make nothing` or `make test`"
    )
    assert missing_paths(text, ROOT) == ["tests/test_nothing.py", "gone.md"]
    assert unknown_targets(text) == ["nothing"]


def test_architecture_is_short_and_has_every_invariant() -> None:
    lines = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    rows = [line.split("|")[1:4] for line in lines if re.match(r"\| I\d+ \|", line)]
    assert [row[0].strip() for row in rows] == [f"I{number}" for number in range(1, 12)]
    for number, _, check in rows:
        assert re.search(r"`|contract|no check yet", check), f"{number.strip()} names no check"


def test_contracts_quoted_in_architecture_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    names = re.findall(r'^name = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    quoted = [
        part for line in text.splitlines() if "contract" in line for part in re.findall(r'"([^"]+)"', line)
    ]
    assert quoted
    assert [part for part in quoted if not any(part in name for name in names)] == []
