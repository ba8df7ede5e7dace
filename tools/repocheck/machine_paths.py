"""Nothing committed depends on the machine it was written on. Called by repocheck.__main__.

Compilers write the paths of their sources into their outputs, and logs pasted into documents carry them too.
The patterns are spelt so that this file does not match itself.
"""

from __future__ import annotations

import re

from repocheck.repository import Problem, Repository

FORBIDDEN = (
    (re.compile(r"(?<![\w.$})/-])/(?:home|root|Users|work)/[\w.-]+"), "a path of one machine"),
    (re.compile(r"\b(?:pypi|pythonhosted)\.org\b"), "a package registry's address"),
    (re.compile(r"\b(?:registry\.npmjs|proxy\.golang)\.org\b"), "a package registry's address"),
    (re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE), "a merge conflict marker"),
)


def check(repository: Repository) -> list[Problem]:
    found: list[Problem] = []
    for path in repository.files:
        text = repository.text(path)
        if text is None:
            continue
        for pattern, what in FORBIDDEN:
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                found.append(
                    Problem(path, line, f"{what} ({match.group().strip()}) does not belong in a commit")
                )
    return found
