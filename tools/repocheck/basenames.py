"""Test files have names that are unique in the whole repository. Called by repocheck.__main__.

Neither tests/ nor ptf_tests/ is a package (ptf imports its tests by bare name), so two files of one name
would be one module: the second is silently not collected, or shadows the first.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath

from repocheck.repository import Problem, Repository

TEST_FOLDERS = ("tests/", "ptf_tests/")
SHARED_NAMES = frozenset({"conftest.py"})  # pytest tells these apart itself


def check(repository: Repository) -> list[Problem]:
    by_name: dict[str, list[str]] = defaultdict(list)
    found: list[Problem] = []
    for path in repository.python_files():
        name = PurePosixPath(path).name
        in_test_folder = path.startswith(TEST_FOLDERS)
        if in_test_folder and name == "__init__.py":
            found.append(Problem(path, 0, "test folders are not packages: remove __init__.py"))
        elif name not in SHARED_NAMES and (in_test_folder or name.startswith("test_")):
            by_name[name].append(path)
    for first, *others in by_name.values():
        found += [
            Problem(path, 0, f"has the name of {first}; test files need unique names") for path in others
        ]
    return found
