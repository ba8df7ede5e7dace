"""The files a check looks at, and what it reports. In: a root directory. Used by every check here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SKIPPED_FOLDERS = frozenset({".git", ".venv", "__pycache__", "dist", "reports"})


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing to change: `path` relative to the root, `line` from 1 (0: the whole file), and a sentence."""

    path: str
    line: int
    sentence: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.sentence}" if self.line else f"{self.path}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class Repository:
    """A tree to check. `exceptions` maps "path" or "path::function" to the reason its size is accepted."""

    root: Path
    files: tuple[str, ...]
    exceptions: dict[str, str] = field(default_factory=dict)

    def text(self, path: str) -> str | None:
        """The content of a file, or None when it is not UTF-8 text."""
        try:
            return (self.root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            return None

    def python_files(self, under: str = "") -> Iterator[str]:
        return (path for path in self.files if path.endswith(".py") and path.startswith(under))


def list_files(root: Path) -> tuple[str, ...]:
    """What is, or is about to be, committed; without git, everything but generated folders."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (root / ".git").exists():
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
        paths = [path for path in listed if path and (root / path).is_file()]
    else:
        relative = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        paths = [str(path) for path in relative if not SKIPPED_FOLDERS & set(path.parts)]
    return tuple(sorted(set(paths)))
