"""A Program from files, or from the cache if the same files have been loaded before.

In: as `load.artifact.load_program`. Out: the same Program. Called by the command line and the benchmarks. The
loaders, and protobuf for the P4Info, are imported only if something has to be loaded: with the verification
they take most of a start.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from p4nic import kept
from p4nic.ir.program import Program
from p4nic.load.shipped import shipped

_WARNINGS = "p4nic.load"
"""The logger of what loaders say of an artifact they take."""


def load_known(paths: Sequence[Path], p4info: Path | None = None) -> Program:
    """As `load_program`, warnings and errors included; its Program has a `kept.name_of`."""
    if not paths:
        files = shipped()
        paths, p4info = files.paths, p4info or files.p4info
    try:
        parts = [part for path in (*paths, p4info) for part in _parts(path)]
    except (OSError, ValueError):
        return _load(paths, p4info)[0]  # which says what is wrong
    name = kept.key("program", parts)
    loaded: list[Program] = []

    def make() -> tuple[Program, tuple[str, ...]]:
        program, told = _load(paths, p4info)
        loaded.append(program)
        return program, told

    program, told = kept.made(tuple, name, make)
    if not loaded:
        for line in told:
            logging.getLogger(_WARNINGS).warning(line)
    assert isinstance(program, Program)
    kept.remember(program, name)
    return program


def _parts(path: Path | None) -> tuple[bytes, ...]:
    """Positions and the program's name have the file's name in them."""
    return (b"", b"") if path is None else (path.name.encode(), path.read_bytes())


def _load(paths: Sequence[Path], p4info: Path | None) -> tuple[Program, tuple[str, ...]]:
    from p4nic.load.artifact import load_program

    heard = _Heard(logging.WARNING)
    logger = logging.getLogger(_WARNINGS)
    logger.addHandler(heard)
    try:
        return load_program(paths, p4info), tuple(heard.told)
    finally:
        logger.removeHandler(heard)


class _Heard(logging.Handler):
    """Keeps what is said while an artifact is loaded: it is as true the next time."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(record.getMessage())
