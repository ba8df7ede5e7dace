"""Files and functions stay small enough to read in one go. Called by repocheck.__main__.

A file that wants to grow past the limit usually holds two ideas. Where it does not, pyproject.toml carries
the exception with its reason ([tool.repocheck.size_exceptions]); one nobody needs any more is a problem too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repocheck.repository import Problem, Repository

MAX_FILE_LINES = 500
MAX_FUNCTION_LINES = 60
SOURCE_SUFFIXES = (".py", ".c", ".h", ".p4", ".sh")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def check(repository: Repository) -> list[Problem]:
    found: list[Problem] = []
    needed: set[str] = set()
    for name, problem in oversized(repository):
        needed.add(name)
        if name not in repository.exceptions:
            found.append(problem)
    for name in sorted(set(repository.exceptions) - needed):
        found.append(
            Problem("pyproject.toml", 0, f"size exception for {name} is not needed any more: remove it")
        )
    return found


def oversized(repository: Repository) -> Iterator[tuple[str, Problem]]:
    """Everything past a limit, with the name its exception would have."""
    for path in repository.files:
        if not path.endswith(SOURCE_SUFFIXES):
            continue
        text = repository.text(path) or ""
        lines = text.count("\n")
        if lines > MAX_FILE_LINES:
            yield path, Problem(path, 0, f"{lines} lines; a file holds one idea, in at most {MAX_FILE_LINES}")
        if path.endswith(".py"):
            yield from long_functions(path, text)


def long_functions(path: str, text: str) -> Iterator[tuple[str, Problem]]:
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return  # ruff reports it, with the position
    for node, name in functions(tree, ""):
        lines = (node.end_lineno or node.lineno) - node.lineno + 1 - docstring_lines(node)
        if lines > MAX_FUNCTION_LINES:
            sentence = f"{name} has {lines} lines without its docstring; the limit is {MAX_FUNCTION_LINES}"
            yield f"{path}::{name}", Problem(path, node.lineno, sentence)


def functions(node: ast.AST, prefix: str) -> Iterator[tuple[Function, str]]:
    """All functions below `node`, nested ones too, with their dotted names."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function):
            yield child, prefix + child.name
            yield from functions(child, f"{prefix}{child.name}.")
        elif isinstance(child, ast.ClassDef):
            yield from functions(child, f"{prefix}{child.name}.")
        else:
            yield from functions(child, prefix)


def docstring_lines(node: Function) -> int:
    if ast.get_docstring(node, clean=False) is None:
        return 0
    first = node.body[0]
    return (first.end_lineno or first.lineno) - first.lineno + 1
