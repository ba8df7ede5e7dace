"""Reads an artifact file or says in one sentence why it cannot be read. Called by every loader."""

from __future__ import annotations

from pathlib import Path

from p4nic.errors import ArtifactError


def read_bytes(path: Path, what: str) -> bytes:
    """The bytes of `path`, at least one; `what` ("P4Info", ".spec") names the expected content in the
    ArtifactError."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist; give the {what} file that p4c wrote") from None
    except IsADirectoryError:
        raise ArtifactError(f"{path} is a directory; give the {what} file inside it") from None
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise ArtifactError(f"{str(path)!r} is not a file name: {error}") from None
    if not data.strip():
        raise ArtifactError(f"{path} is empty; compile the P4 program again to get its {what}")
    return data


def read_text(path: Path, what: str) -> str:
    """Like `read_bytes`, decoded as UTF-8; ArtifactError where it is not text."""
    return decode(read_bytes(path, what), str(path), what)


def decode(data: bytes, name: str, what: str) -> str:
    """UTF-8 bytes as text; ArtifactError with the line where they are not."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ArtifactError(f"{name} is not a {what}: line {line} is not UTF-8 text") from None
