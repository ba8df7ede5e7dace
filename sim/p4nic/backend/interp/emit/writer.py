"""The text of one module being generated: lines, indentation, and names for the objects it refers to.

Called by the emitters of this folder. Nothing from an artifact enters the text but numbers, `repr` of
strings and sanitised identifiers, so that a hostile artifact cannot inject Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any as Json
from typing import final


@final
class ModuleText:
    """Lines of Python and the namespace they run in."""

    def __init__(self, namespace: dict[str, Json], traced: bool) -> None:
        self.namespace = namespace
        self.traced = traced
        self._lines: list[str] = []
        self._late: list[str] = []
        self._depth = 0
        self._identifiers: dict[tuple[str, str], str] = {}
        self._used: set[str] = set(namespace)

    def line(self, text: str) -> None:
        """Add a line at the current indentation."""
        self._lines.append("    " * self._depth + text)

    def later(self, text: str) -> None:
        """Add a line at the end of the module, where all functions exist."""
        self._late.append(text)

    @contextmanager
    def inside(self, header: str) -> Iterator[None]:
        """Lines under `header:`."""
        self.line(header)
        self._depth += 1
        yield
        self._depth -= 1

    def source(self) -> str:
        """The whole text."""
        return "\n".join([*self._lines, *self._late]) + "\n"

    def identifier(self, kind: str, name: str) -> str:
        """The Python name for something of the program, always the same for one (kind, name)."""
        known = self._identifiers.get((kind, name))
        if known is None:
            stem = re.sub(r"\W+", "_", f"{kind}_{name}", flags=re.ASCII).strip("_")[:60]
            known = stem
            while known in self._used:
                known = f"{stem}_{len(self._used)}"
            self._used.add(known)
            self._identifiers[kind, name] = known
        return known

    def bind(self, kind: str, name: str, value: Json) -> str:
        """Make an object known to the text and return its identifier."""
        identifier = self.identifier(kind, name)
        self.namespace[identifier] = value
        return identifier


def comment(name: str) -> str:
    """A name from an artifact as it may stand behind `#`."""
    return re.sub(r"[^\w.\[\]-]+", "_", name)
