"""docs/lbctl.md is true: its example output, its numbers, the fields of the node file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lbctl import nodefile
from lbctl.__main__ import main

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "lbctl.md").read_text()


def test_the_example_prints_what_the_page_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = re.search(r"\$ lbctl (.*)\n((?:.+\n)+)```", PAGE)
    assert found is not None
    monkeypatch.chdir(ROOT)
    assert main(found[1].split()) == 0
    assert capsys.readouterr().out == found[2]


def test_every_field_of_the_node_file_is_described() -> None:
    table = PAGE.split("## The node file")[1].split("## ")[0]
    for field in nodefile._FIELDS - {"metadata"}:
        assert re.search(rf"`{field}\b", table), field
