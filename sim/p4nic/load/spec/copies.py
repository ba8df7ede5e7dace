"""Are two actions of a `.spec` copies of each other? Called by `bind`.

p4c gives every table its own copy of an action. The copies' labels are numbered anew, and so are the
metadata fields that hold their local variables. Two bodies are equal if they are the same text once labels,
and the metadata fields used nowhere but in that one action, are replaced by the order in which they appear.
"""

from __future__ import annotations

from collections.abc import Iterable

from p4nic.load.spec.syntax import Instruction, SpecFile


def differing_copies(spec: SpecFile, one: str, other: str) -> bool:
    """True if the two actions do not do the same, as far as their text tells."""
    return _canonical(spec, one) != _canonical(spec, other)


def _canonical(spec: SpecFile, name: str) -> tuple[object, ...]:
    action = spec.actions[name]
    private = _fields(action.body) - _fields_elsewhere(spec, name)
    labels = {i.label for i in action.body if i.label is not None}
    order: dict[str, str] = {}

    def plain(token: str) -> str:
        if token in private or token in labels:
            return order.setdefault(token, f"#{len(order)}")
        return token

    body = tuple((plain(i.label) if i.label else None, i.mnemonic, *map(plain, i.args)) for i in action.body)
    return (body, spec.params(action))


def _fields(body: Iterable[Instruction]) -> set[str]:
    return {token for i in body for token in i.args if token.startswith("m.")}


def _fields_elsewhere(spec: SpecFile, name: str) -> set[str]:
    used = _fields(spec.apply)
    for action in spec.actions.values():
        if action.name != name:
            used |= _fields(action.body)
    for table in spec.tables.values():
        used.update(key.name for key in table.keys)
    return used
