"""Import rules for files import-linter does not see, being no package. Called by repocheck.__main__.

ptf_tests knows packets and P4Runtime only, so that the same file runs against hardware. The Maglev table is
pure arithmetic and needs nothing but the standard library.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from fnmatch import fnmatch

from repocheck.repository import Problem, Repository

STANDARD_LIBRARY_ONLY = ("controlplane/lbctl/maglev.py",)


def check(repository: Repository) -> list[Problem]:
    found: list[Problem] = []
    for path in repository.python_files():
        for line, module in imported_modules(repository.text(path) or ""):
            top = module.partition(".")[0]
            if path.startswith("ptf_tests/") and top == "p4nic":
                found.append(
                    Problem(path, line, f"imports {module}: PTF tests know packets and P4Runtime only")
                )
            if any(fnmatch(path, glob) for glob in STANDARD_LIBRARY_ONLY) and not is_standard(top):
                found.append(
                    Problem(path, line, f"imports {module}: this file uses the standard library only")
                )
    return found


def imported_modules(text: str) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of each import, wherever it stands, and of import_module("literal")."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return  # ruff reports it, with the position
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from ((node.lineno, alias.name) for alias in names)
            case ast.ImportFrom(module=module, level=level):
                yield node.lineno, "." * level + (module or "")
            case ast.Call(func=function, args=[ast.Constant(value=str() as name), *_]):
                if ast.unparse(function).endswith(("import_module", "__import__")):
                    yield node.lineno, name
            case _:
                pass


def is_standard(top: str) -> bool:
    return top in sys.stdlib_module_names
