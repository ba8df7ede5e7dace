"""Reads p4c-dpdk's context JSON, for the one thing it knows best: which P4 object became which name of the
`.spec`.

Called by `load.dpdk_spec`; used by `bind` before it compares names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

from p4nic.errors import ArtifactError


@final
@dataclass(frozen=True, slots=True)
class Context:
    """P4 name → p4c's name for it, before p4c numbers copies."""

    tables: Mapping[str, str]
    externs: Mapping[str, str]


def is_context(document: object) -> bool:
    """Is this JSON document a context JSON of p4c-dpdk?"""
    return isinstance(document, dict) and document.get("target") == "DPDK" and "tables" in document


def read_context(text: str, file: str) -> Context:
    """Parse it; raises ArtifactError if it is not the context JSON of p4c-dpdk."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{file} is not a context JSON: {error}") from None
    if not is_context(document):
        raise ArtifactError(f"{file} is JSON, but not the context JSON of p4c-dpdk (--context)")
    return Context(_pairs(document.get("tables")), _pairs(document.get("externs")))


def _pairs(objects: Any) -> dict[str, str]:
    listed: Iterable[Any] = objects if isinstance(objects, list) else ()
    return {
        each["name"]: each["target_name"]
        for each in listed
        if isinstance(each, dict)
        and isinstance(each.get("name"), str)
        and isinstance(each.get("target_name"), str)
    }
