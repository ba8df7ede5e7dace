"""The checklist of docs/p4runtime.md: each test it names is there, in a file that cites the section."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CHECKLIST = (
    (ROOT / "docs" / "p4runtime.md").read_text().partition("## The checklist")[2].partition("\n## ")[0]
)
ROWS = [line.strip("| ").split(" | ") for line in CHECKLIST.splitlines() if "::" in line]


def test_there_are_rows() -> None:
    assert len(ROWS) > 35


@pytest.mark.parametrize(("point", "sections", "tests"), ROWS, ids=[row[0][:60] for row in ROWS])
def test_named_tests_are_there_and_cite_the_section(point: str, sections: str, tests: str) -> None:
    cited = set()
    for file, name in re.findall(r"`(tests/\w+\.py)::(\w+)`", tests):
        text = (ROOT / file).read_text()
        assert re.search(rf"^def {name}\(", text, re.M), f"{point}: {name} is not in {file}"
        cited |= set(re.findall(r"§[\dA][\d.]*\d|§\d+", text))
    for section in re.findall(r"§[\dA][\d.]*\d|§\d+", sections):
        covered = any(one == section or one.startswith(f"{section}.") for one in cited)
        assert covered, f"{point}: no named file cites {section}, only {sorted(cited)}"
