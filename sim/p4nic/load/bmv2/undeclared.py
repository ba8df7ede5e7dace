"""Headers and stacks that a document uses without declaring them.

p4c-bm2-psa and p4c-bm2-pna leave out local header variables and every header stack; BMv2 refuses such a
document. Most of them can be made good, because the rest of the document leaves one possibility:

- elements `seg[0]`, `seg[1]`, … of one type, without a stack `seg`: the stack;
- a header that is assigned to or from a declared one: that one's type;
- a header of which exactly the fields of one type are used: that type (p4c's expansion of a lookahead);
- a header that is only ever made invalid: nothing can tell, so it has no fields.

What is left is refused by name. In: the document and the declared part of its `Layout`, which is extended.
Called by `bmv2_json`, not for v1model, whose compiler declares everything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, final

from p4nic.ir.types import Header, HeaderType, Stack
from p4nic.load.bmv2.layout import MAX_STACK, Layout
from p4nic.load.bmv2.tree import Node

ABSENT = "$absent"
"""The type of headers that are only ever made invalid."""
_ELEMENT = re.compile(r"(.+)\[(\d+)\]")
_SECTIONS = ("parsers", "actions", "pipelines", "deparsers")
_COPIES = ("assign_header", "copy_header")


@final
@dataclass(slots=True)
class _Use:
    """What the document does with one undeclared header."""

    first: Node
    fields: set[str] = field(default_factory=set)
    same: set[str] = field(default_factory=set)
    """Headers it is copied to or from."""
    needs_type: bool = False


def declare(root: Node, layout: Layout) -> None:
    """Add what is missing; UnsupportedError for a header whose type cannot be told."""
    _stacks(layout)
    uses: dict[str, _Use] = {}
    for section in _SECTIONS:
        node = root.opt(section)
        if node is not None:
            _collect(node, layout, uses)
    while found := [(name, t) for name, use in uses.items() if (t := _type_of(use, layout)) is not None]:
        for name, type_name in found:
            del uses[name]
            layout.headers[name] = Header(name, type_name)
    for name, use in uses.items():
        if use.needs_type:
            raise use.first.unsupported(
                f"the undeclared header {name!r}",
                "make it a member of the headers struct, or load the .spec that p4c-dpdk makes",
            )
        layout.types.setdefault(ABSENT, HeaderType(ABSENT, ()))
        layout.headers[name] = Header(name, ABSENT)


def _stacks(layout: Layout) -> None:
    elements: dict[str, dict[int, Header]] = {}
    for header in layout.headers.values():
        if (match := _ELEMENT.fullmatch(header.name)) and not header.metadata:
            elements.setdefault(match[1], {})[int(match[2])] = header
    for name, found in elements.items():
        types = {header.type for header in found.values()}
        whole = set(found) == set(range(len(found))) and len(types) == 1 and len(found) <= MAX_STACK
        if whole and name not in layout.stacks and name not in layout.headers:
            layout.stacks[name] = Stack(name, types.pop(), len(found))


def _collect(node: Node, layout: Layout, uses: dict[str, _Use]) -> None:
    """Go through a part of the document; every typed value that names an undeclared header is a use."""
    if isinstance(node.value, list):
        for item in node.items():
            _collect(item, layout, uses)
        return
    if not isinstance(node.value, dict):
        return
    members = node.value
    params = members.get("parameters")
    if members.get("op") in _COPIES and isinstance(params, list):
        _copy([p.get("value") for p in node.items("parameters") if _is_header(p.value)], layout, uses)
    elif members.get("op") == "remove_header":
        for param in (p for p in node.items("parameters") if _is_header(p.value)):
            _use(param.get("value"), layout, uses)
    elif (use := _named(node, layout, uses)) is not None:
        use.needs_type = True
    else:
        for _, member in node.members():
            _collect(member, layout, uses)


def _is_header(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") == "header" and isinstance(value.get("value"), str)


def _copy(names: list[Node], layout: Layout, uses: dict[str, _Use]) -> None:
    for at in names:
        use = _use(at, layout, uses)
        if use is not None:
            use.needs_type = True
            use.same.update(other.text() for other in names)


def _named(node: Node, layout: Layout, uses: dict[str, _Use]) -> _Use | None:
    """The use that {"type": ..., "value": ...} is, if it is one of an undeclared header."""
    kind, value = node.value.get("type"), node.value.get("value")
    if kind in ("header", "regular") and isinstance(value, str):
        return _use(node.get("value"), layout, uses)
    if kind == "field" and isinstance(value, list) and len(value) == 2 and isinstance(value[0], str):
        use = _use(node.get("value").items()[0], layout, uses)
        if use is not None and isinstance(value[1], str) and value[1] != "$valid$":
            use.fields.add(value[1])
        return use
    return None


def _use(name: Node, layout: Layout, uses: dict[str, _Use]) -> _Use | None:
    text = name.text()
    if text in layout.headers or text in layout.renamed or text in layout.unions or text in layout.stacks:
        return None
    return uses.setdefault(text, _Use(name))


def _type_of(use: _Use, layout: Layout) -> str | None:
    for other in sorted(use.same):
        if other in layout.headers:
            return layout.headers[other].type
    real = {header.type for header in layout.headers.values() if not header.metadata}
    fitting = [
        name for name in real if use.fields and {f.name for f in layout.types[name].fields} == use.fields
    ]
    return fitting[0] if len(fitting) == 1 else None
