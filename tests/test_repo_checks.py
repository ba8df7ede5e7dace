"""The repository checks: each finds the mistake it is for, and accepts the neighbour that is fine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from repocheck import basenames, imports, machine_paths, sizes
from repocheck.__main__ import load, run
from repocheck.repository import Repository, list_files

ROOT = Path(__file__).resolve().parents[1]
HOME = "/" + "home/someone"  # spelt in two parts, or the check would find it here


def tree(root: Path, files: dict[str, str], exceptions: dict[str, str] | None = None) -> Repository:
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return Repository(root, list_files(root), exceptions or {})


def function_of(lines: int, docstring: int = 0) -> str:
    """A function whose body has `lines` - 1 statements after a docstring of `docstring` lines."""
    quoted = ['    """A', *["    line"] * (docstring - 2), '    """'] if docstring else []
    return "\n".join(["def long_one():", *quoted, *["    x = 1"] * (lines - 1)]) + "\n"


@pytest.mark.parametrize(
    ("path", "text", "sentence"),
    [
        ("a.py", "x = 1\n" * 501, "a.py: 501 lines; a file holds one idea, in at most 500"),
        ("a.c", "int x;\n" * 501, "a.c: 501 lines; a file holds one idea, in at most 500"),
        (
            "a.py",
            function_of(61),
            "a.py:1: long_one has 61 lines without its docstring; the limit is 60",
        ),
        (
            "a.py",
            "class C:\n" + "".join(f"    {line}\n" for line in function_of(61).splitlines()),
            "a.py:2: C.long_one has 61 lines without its docstring; the limit is 60",
        ),
    ],
)
def test_what_is_too_long_is_named(tmp_path: Path, path: str, text: str, sentence: str) -> None:
    assert [str(problem) for problem in sizes.check(tree(tmp_path, {path: text}))] == [sentence]


def test_sizes_at_the_limit_and_long_data_are_accepted(tmp_path: Path) -> None:
    files = {
        "a.py": "x = 1\n" * 500,
        "b.py": function_of(60),
        "c.py": function_of(60, docstring=9),
        "k8s.json": "[\n" * 900,
    }
    assert sizes.check(tree(tmp_path, files)) == []


def test_a_size_exception_silences_one_thing_and_must_be_needed(tmp_path: Path) -> None:
    repository = tree(
        tmp_path, {"a.py": function_of(61)}, {"a.py::long_one": "one table", "gone.py": "was long"}
    )
    found = [str(problem) for problem in sizes.check(repository)]
    assert found == ["pyproject.toml: size exception for gone.py is not needed any more: remove it"]


def test_two_test_files_of_one_name_are_found(tmp_path: Path) -> None:
    files = {"ptf_tests/arp.py": "", "tests/arp.py": "", "tests/conftest.py": "", "ptf_tests/conftest.py": ""}
    found = [str(problem) for problem in basenames.check(tree(tmp_path, files))]
    assert found == ["tests/arp.py: has the name of ptf_tests/arp.py; test files need unique names"]


def test_test_folders_are_not_packages(tmp_path: Path) -> None:
    found = basenames.check(tree(tmp_path, {"ptf_tests/__init__.py": "", "sim/p4nic/__init__.py": ""}))
    assert [problem.path for problem in found] == ["ptf_tests/__init__.py"]


@pytest.mark.parametrize(
    "line",
    [
        f'"filename": "{HOME}/p4/k8s_lb.p4"',
        "cd /" + "root/p4c",
        "see https://" + "pypi" + ".org/project/p4nic",
        "<" * 7 + " HEAD",
    ],
)
def test_traces_of_one_machine_are_found(tmp_path: Path, line: str) -> None:
    (found,) = machine_paths.check(tree(tmp_path, {"notes.md": f"first\n{line}\n"}))
    assert (found.path, found.line) == ("notes.md", 2)


def test_paths_that_hold_everywhere_are_accepted(tmp_path: Path) -> None:
    text = "build/root/x ../home/user $(HOME)/work/x /usr/local/bin /tmp/p4nic.sock https://p4.org/work/x\n"
    assert machine_paths.check(tree(tmp_path, {"notes.md": text})) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import p4nic.target",
        "from p4nic import clock",
        "def f():\n    import p4nic",
        'import importlib\nm = importlib.import_module("p4nic.ir")',
    ],
)
def test_ptf_tests_must_not_import_the_simulator(tmp_path: Path, statement: str) -> None:
    files = {"ptf_tests/arp.py": statement, "tests/fine.py": statement}
    assert [problem.path for problem in imports.check(tree(tmp_path, files))] == ["ptf_tests/arp.py"]


def test_maglev_uses_the_standard_library_only(tmp_path: Path) -> None:
    text = "import zlib\nfrom lbctl import model\n"
    (found,) = imports.check(tree(tmp_path, {"controlplane/lbctl/maglev.py": text}))
    assert (found.line, "lbctl" in found.sentence) == (2, True)


def test_git_decides_what_is_committed(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    files = {".gitignore": "generated/\n", "generated/x.py": HOME, "new.py": HOME}
    assert [problem.path for problem in machine_paths.check(tree(tmp_path, files))] == ["new.py"]


def test_problems_make_the_command_fail(tmp_path: Path) -> None:
    repository = tree(tmp_path, {"pyproject.toml": "", "a.py": f'x = "{HOME}"\n'})
    assert run(load(tmp_path)) == run(repository) != []


def test_the_command_runs_on_this_repository() -> None:
    """That it finds nothing is `make check`'s business; here it must run and count the files."""
    done = subprocess.run(
        [sys.executable, "-m", "repocheck"], cwd=ROOT / "tools", capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1].startswith("repocheck: ")
    assert done.stderr == ""
