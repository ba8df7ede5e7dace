"""YAML that people write, refused with one sentence that names the file, the key and the way out.

In: paths and values. Out: checked values, or ValueError. Called by `profile` and `testbed`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml


def read_yaml(path: Path, noun: str) -> dict[str, Any]:
    """The mapping a file holds."""
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path}: there is no such {noun} ({error.strerror})") from None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        said = str(error).splitlines()[0]
        raise ValueError(f"{path}: this is not YAML ({said})") from None
    if not isinstance(body, dict):
        raise ValueError(f"{path}: a {noun} is a mapping of keys to values, not {type(body).__name__}")
    return mapping(body, str(path))


def mapping(value: Any, where: str) -> dict[str, Any]:
    """`value` as a mapping with names as keys; absent counts as empty."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ValueError(f"{where}: write `name: value` pairs, not {value!r}")
    return value


def only(body: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """No other keys than these."""
    unknown = sorted(set(body) - set(known))
    if unknown:
        raise ValueError(f"{where}: unknown key {unknown[0]!r}; write one of {', '.join(sorted(known))}")


def sentence(value: Any, where: str) -> str:
    """Text of at least three words: a reason that can be printed."""
    if not isinstance(value, str) or len(value.split()) < 3:
        raise ValueError(f"{where}: say it in a sentence, not {value!r}")
    return value


def one_of(value: Any, choices: Collection[str], where: str) -> str:
    """One of a few words."""
    if value not in choices:
        raise ValueError(f"{where} is {value!r}; write one of {', '.join(choices)}")
    return str(value)


def texts(value: Any, where: str) -> tuple[str, ...]:
    """A list of strings."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str | int | float) for item in value):
        raise ValueError(f"{where}: write a list of words, not {value!r}")
    return tuple(str(item) for item in value)


def number(value: Any, where: str, least: int = 0) -> int:
    """A whole number."""
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f"{where} is {value!r}; write a whole number, {least} or more")
    return value
