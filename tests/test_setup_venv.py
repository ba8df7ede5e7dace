"""`make setup` says what is missing in one sentence, and redoes its work only when a dependency changed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import setup_venv

PYPROJECT = """
[build-system]
requires = ["hatchling"]
[project]
dependencies = [%s]
[tool.hatch.build.targets.wheel]
packages = ["sim/p4nic"]
[tool.ruff]
line-length = %d
"""


def fingerprint(monkeypatch: pytest.MonkeyPatch, root: Path, dependency: str, line_length: int) -> str:
    (root / "pyproject.toml").write_text(PYPROJECT % (f'"{dependency}"', line_length))
    monkeypatch.setattr(setup_venv, "ROOT", str(root))
    return setup_venv.fingerprint()


def test_a_dependency_changes_the_fingerprint_and_a_tool_setting_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = fingerprint(monkeypatch, tmp_path, "scapy>=2.5", 110)
    assert fingerprint(monkeypatch, tmp_path, "scapy>=2.5", 80) == first
    assert fingerprint(monkeypatch, tmp_path, "scapy>=2.6", 110) != first


def test_an_old_python_is_refused_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    assert setup_venv.main() == 2
    assert capsys.readouterr().err == (
        "p4nic needs Python 3.11 or newer, and /usr/bin/python3 is 3.9: "
        "name a newer one with PYTHON=python3.11.\n"
    )


def test_a_python_without_venv_names_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)  # as Debian ships it without python3-venv
    assert setup_venv.main() == 2
    assert capsys.readouterr().err == (
        "This Python cannot make virtual environments: run `sudo apt-get install python3-venv` first.\n"
    )


def test_nothing_is_run_when_the_stamp_matches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def run(*_: object, **__: object) -> int:
        raise AssertionError("set-up ran again")

    stamp = tmp_path / "stamp"
    stamp.write_text(setup_venv.fingerprint())
    monkeypatch.setattr(setup_venv, "STAMP", str(stamp))
    monkeypatch.setattr(subprocess, "call", run)
    assert setup_venv.main() == 0


def test_a_failed_step_leaves_no_stamp(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stamp = tmp_path / "stamp"
    monkeypatch.setattr(setup_venv, "STAMP", str(stamp))
    monkeypatch.setattr(subprocess, "call", lambda *_, **__: 1)
    assert setup_venv.main() == 2
    assert not stamp.exists()
    assert capsys.readouterr().err.startswith("Set-up failed at: ")
