"""Lines, tokens and numbers of a `.spec`, and the errors that point at them.

In: the file's text. Out: `Line`s with at least one token. Called by `parse`; the error makers by the whole
front end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import final

from p4nic.errors import ArtifactError, UnsupportedError
from p4nic.ir.types import Source


@final
@dataclass(frozen=True, slots=True)
class Line:
    """One line with something on it. `note` is the text of a `;oldname:` comment that stood before it."""

    file: str
    number: int
    tokens: tuple[str, ...]
    text: str
    note: str = ""

    @property
    def source(self) -> Source:
        return Source(self.file, self.number)

    def error(self, sentence: str) -> ArtifactError:
        """The artifact is wrong here."""
        return ArtifactError(f"{self.file}:{self.number}: {sentence}, in `{_shown(self.text)}`")

    def unsupported(self, sentence: str) -> UnsupportedError:
        """The artifact is right, and p4nic refuses it."""
        return UnsupportedError(f"{self.file}:{self.number}: {sentence}, in `{_shown(self.text)}`")


def split(text: str, file: str) -> list[Line]:
    """The lines that hold tokens; `#`, `;` and `//` start a comment where a token may start."""
    lines = []
    note = ""
    for number, raw in enumerate(text.split("\n"), 1):
        tokens = []
        for token in raw.split():
            if token[0] in "#;" or token.startswith("//"):
                if token.startswith(";oldname:"):
                    note = token.removeprefix(";oldname:")
                break
            tokens.append(token)
        if tokens:
            lines.append(Line(file, number, tuple(tokens), " ".join(tokens), note))
            note = ""
    return lines


_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")


def number(token: str) -> int | None:
    """A constant as C's strtoull(…, 0) reads it: hexadecimal, octal with a leading zero, or decimal. None:
    not a number."""
    if not _NUMBER.fullmatch(token) or len(token) > 64:
        return None
    try:
        return int(token, 8) if token[0] == "0" and token.isdigit() else int(token, 0)
    except ValueError:
        return None


def nearest(name: str, names: Iterable[str], kind: str) -> str:
    """The end of a sentence about a name that is not there: what may have been meant, or what there is."""
    known = list(dict.fromkeys(names))
    near = get_close_matches(name, known, n=3, cutoff=0.4)
    if near:
        return (
            f"; the nearest {kind} are {', '.join(near)}"
            if len(near) > 1
            else f"; the nearest of the {kind} is {near[0]}"
        )
    if not known:
        return f"; there are no {kind}"
    return f"; the {kind} are {', '.join(known[:5])}{', …' if len(known) > 5 else ''}"


def _shown(text: str) -> str:
    return text if len(text) <= 100 else text[:97] + "..."
