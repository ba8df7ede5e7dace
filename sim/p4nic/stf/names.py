"""Which object an STF name means, as p4c's harness resolves it: the whole name, else the end of just one.

In: a name as written, the names there are. Out: the full name, or InputError listing what there is. Called by
`apply` and `checks`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from p4nic.errors import InputError


def resolve(what: str, name: str, names: Iterable[str]) -> str:
    """The only one of `names` that is `name` or ends in it (at a dot if one does)."""
    known = list(names)
    if name in known:
        return name
    for fitting in ([n for n in known if n.endswith(f".{name}")], [n for n in known if n.endswith(name)]):
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            raise InputError(f'{what} "{name}" is ambiguous: it may be {" or ".join(sorted(fitting))}')
    last = [n for n in known if n.rpartition(".")[2] == name.rpartition(".")[2]]
    if len(last) == 1:
        return last[0]
    listed = ", ".join(sorted(known)) or "the program has none"
    raise InputError(f'there is no {what} "{name}"; choose one of {listed}')


def resolve_key(table: str, name: str, keys: list[str]) -> int:
    """Which key field is meant. STF files of P4-14 write `data.$valid` or `data.valid` for a validity key,
    `stack$1` for an element, and drop the header where the field is enough."""
    escaped = re.sub(r"\$(\d+)", r"[\1]", name)
    exact = [escaped, escaped + "$", escaped + ".$valid$"]
    if escaped.endswith(".valid"):
        exact.append(escaped[: -len("valid")] + "$valid$")
    if escaped.endswith((".$valid", ".$valid$")):
        exact.append(escaped.rpartition(".")[0] + ".isValid()")
    for candidate in exact:
        if candidate in keys:
            return keys.index(candidate)
    ends = [f".{candidate}" for candidate in exact]
    fitting = [n for n in keys if n.endswith(tuple(ends))]
    if not fitting and escaped == "valid":
        fitting = [n for n in keys if n.endswith("$valid$")]
    if not fitting:
        fitting = [n for n in keys if escaped.endswith(f".{n}")]
    if len(fitting) == 1:
        return keys.index(fitting[0])
    why = "is ambiguous in" if fitting else "is no key field of"
    raise InputError(f'"{name}" {why} table {table}; its key fields are {", ".join(keys) or "none"}')
