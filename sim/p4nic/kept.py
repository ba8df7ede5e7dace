"""What was once made of the same input: pickles in the cache, beside the shared objects.

In: a kind and all that went into it. Out: what was made of it. Called by `load.known` (Programs), by
`backend.native` (emitted units, declarations) and by `ccompiler` (which compiler this is), so that a second
start makes nothing again. A name is the hash of the input, of Python's version and of p4nic's own source:
nothing kept is ever wrong, only unused. Whoever can write into the cache can run code here; its shared
objects say so already.
"""

from __future__ import annotations

import contextlib
import copyreg
import hashlib
import os
import pickle
import sys
import tempfile
import weakref
from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

T = TypeVar("T")

MOST = 256
"""Pickles of one kind that stay; the oldest go."""
_FOLDERS = ("", "ir", "load", "load/bmv2", "load/spec", "backend", "backend/native")
"""Of p4nic: the source that decides what is made."""


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "p4nic"


def key(kind: str, parts: Sequence[str | bytes]) -> str:
    """The name of what is made of these parts."""
    digest = hashlib.sha256(f"{kind} {sys.version} {_source()}".encode())
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(b"%d " % len(data) + data)
    return f"{kind}-{digest.hexdigest()[:32]}"


def made(kind: type[T], name: str, make: Callable[[], T]) -> T:
    """What is kept under `name`, a `key`; else what `make` makes, kept from now on. A cache that cannot be
    read or written only costs time."""
    path = cache_folder() / f"{name}.kept"
    try:
        found = pickle.loads(path.read_bytes())
    except Exception:  # noqa: BLE001  (absent, cut off, of another time: a pickle may fail in any way)
        found = None
    if not isinstance(found, kind):
        found = make()
        with contextlib.suppress(OSError):
            _keep(path, found)
    return found


def _keep(path: Path, what: object) -> None:
    buffer = BytesIO()
    pickler = pickle.Pickler(buffer, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _REDUCERS
    pickler.dump(what)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".kept", delete=False) as output:
        output.write(buffer.getbuffer())
    Path(output.name).replace(path)  # at once: another process may be doing the same
    kind = path.name.rpartition("-")[0]
    old = sorted(path.parent.glob(f"{kind}-*.kept"), key=lambda other: other.stat().st_mtime_ns)
    for other in old[:-MOST]:
        other.unlink(missing_ok=True)


def _proxy(of: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(of)


_REDUCERS = {**copyreg.dispatch_table, MappingProxyType: lambda proxy: (_proxy, (dict(proxy),))}


@cache
def _source() -> str:
    """The hash of p4nic's own source."""
    digest = hashlib.sha256()
    package = Path(__file__).parent
    for folder in _FOLDERS:
        for path in sorted((package / folder).glob("*.py")):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


# --- what an object was made of -------------------------------------------------------------------

_names: dict[int, tuple[weakref.ref[Any], str]] = {}


def remember(what: object, name: str) -> None:
    """`what` never changes, and is what `name`, a `key`, stands for. A changed copy is another object."""
    number = id(what)
    _names[number] = weakref.ref(what, lambda _gone: _names.pop(number, None)), name


def name_of(what: object) -> str | None:
    """As remembered."""
    of, name = _names.get(id(what), (lambda: None, None))
    return name if of() is what else None
