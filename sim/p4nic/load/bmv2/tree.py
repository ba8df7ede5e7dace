"""Checked access to a JSON document, so that nothing but an `ArtifactError` can come out of a bad one.

In: the text of a file. Out: `Node`s, each a JSON value that knows its place
(`$.actions[3].primitives[0].op`). Every accessor checks what it returns; the error names file, place, what
was found and what was expected.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any, final

from p4nic.errors import ArtifactError, UnsupportedError
from p4nic.ir.types import Source

_HEX = re.compile(r"(-?)0x([0-9a-fA-F]+)")
MAX_BITS = 1 << 16
"""Widest field or constant accepted; p4c itself stops at 2048 bits by default."""


def parse(path: Path) -> Node:
    """The document at `path`. Raises ArtifactError if it cannot be read or is not a JSON object."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ArtifactError(f"{path}: is not text in UTF-8, so it is no BMv2 JSON.") from None
    return parse_text(text, path.name)


def parse_text(text: str, name: str) -> Node:
    """Like `parse`, of a text already in memory; `name` stands for the file in messages."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        ended = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        cut = " The file is cut short." if ended else ""
        raise ArtifactError(f"{name}:{error.lineno}:{error.colno}: is not JSON: {error.msg}.{cut}") from None
    except (ValueError, RecursionError):  # a number of thousands of digits, or nesting beyond all reason
        raise ArtifactError(
            f"{name}: is not JSON that p4c writes: a number or the nesting is out of bounds."
        ) from None
    root = Node(document, name, None, "$")
    if not isinstance(document, dict):
        raise root.wrong("an object")
    return root


@final
class Node:
    """One JSON value and where it stands."""

    __slots__ = ("file", "key", "parent", "value")

    def __init__(self, value: Any, file: str, parent: Node | None, key: str | int) -> None:
        self.value = value
        self.file = file
        self.parent = parent
        self.key = key

    # --- place and errors -----------------------------------------------------------------------------------

    @property
    def path(self) -> str:
        parts: list[str] = []
        node: Node | None = self
        while node is not None:
            key = node.key
            parts.append(f"[{key}]" if isinstance(key, int) else key if node.parent is None else f".{key}")
            node = node.parent
        return "".join(reversed(parts))

    def source(self) -> Source:
        """The nearest P4 position at or above this value."""
        node: Node | None = self
        while node is not None:
            if isinstance(node.value, dict) and isinstance(info := node.value.get("source_info"), dict):
                return _source(info)
            node = node.parent
        return Source()

    def fail(self, sentence: str) -> ArtifactError:
        """An error about this value; `sentence` goes on after the place."""
        return ArtifactError(f"{self.file}: {self.path}: {sentence}")

    def wrong(self, expected: str) -> ArtifactError:
        return self.fail(f"expected {expected}, found {_shown(self.value)}.")

    def unsupported(self, construct: str, way_out: str) -> UnsupportedError:
        """A construct we know and refuse: named, with its P4 position, and what to do instead."""
        source = self.source()
        where = f" at {source}" if source.line else ""
        return UnsupportedError(f"{self.file}: {self.path}: {construct}{where} is not supported; {way_out}.")

    def unknown(self, what: str, name: str, known: Iterable[str]) -> ArtifactError:
        """A dangling reference, with the nearest names that exist."""
        near = get_close_matches(name, list(known), 3, 0.5)
        hint = f"; did p4c mean {' or '.join(repr(n) for n in near)}?" if near else "."
        return self.fail(f"there is no {what} named {name!r}{hint}")

    # --- checked access -------------------------------------------------------------------------------------

    def get(self, key: str) -> Node:
        node = self.opt(key)
        if node is None:
            missing = "is null" if key in self.value else "is missing"
            raise self.fail(f"the key {key!r} {missing}.")
        return node

    def opt(self, key: str) -> Node | None:
        """The member, or None where it is missing or null."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        value = self.value.get(key)
        return None if value is None else Node(value, self.file, self, key)

    def has(self, key: str) -> bool:
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def items(self, key: str | None = None) -> list[Node]:
        """The elements of this array, or of the array under `key` (none if that is missing)."""
        if key is not None:
            node = self.opt(key)
            return [] if node is None else node.items()
        if not isinstance(self.value, list):
            raise self.wrong("an array")
        return [Node(v, self.file, self, i) for i, v in enumerate(self.value)]

    def members(self) -> list[tuple[str, Node]]:
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return [(k, Node(v, self.file, self, k)) for k, v in self.value.items()]

    def pair(self) -> tuple[Node, Node]:
        items = self.items()
        if len(items) != 2:
            raise self.wrong("an array of two")
        return items[0], items[1]

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.wrong("a string")
        return self.value

    def integer(self, low: int = 0, high: int = (1 << 31) - 1) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.wrong("a whole number")
        if not low <= self.value <= high:
            raise self.wrong(f"a whole number from {low} to {high}")
        return self.value

    def boolean(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def flag(self, key: str, default: bool = False) -> bool:
        node = self.opt(key)
        return default if node is None else node.boolean()

    def hexint(self) -> int:
        """A hexstr such as "0x0a" or "-0x1" as a number."""
        match = _HEX.fullmatch(self.text())
        if not match or len(match[2]) > MAX_BITS // 4:
            raise self.wrong("a hexadecimal string such as '0x0a'")
        number = int(match[2], 16)
        return -number if match[1] else number

    def name(self) -> str:
        return self.get("name").text()


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if value is None:
        return "null"
    text = json.dumps(value) if not isinstance(value, int) or isinstance(value, bool) else hex_if_long(value)
    return text if len(text) <= 60 else text[:57] + "..."


def hex_if_long(value: int) -> str:
    """Python refuses to print integers of thousands of digits; hexadecimal has no such limit."""
    return str(value) if value.bit_length() < 256 else hex(value)


def _source(info: dict[str, Any]) -> Source:
    """source_info is decoration: a value of the wrong type counts as unknown."""
    file, line, column = info.get("filename"), info.get("line"), info.get("column")
    fragment = info.get("source_fragment")
    return Source(
        file if isinstance(file, str) else "",
        line if isinstance(line, int) and 0 <= line < 1 << 31 else 0,
        column if isinstance(column, int) and 0 <= column < 1 << 31 else 0,
        fragment if isinstance(fragment, str) else "",
    )
