"""Header types, headers, stacks and unions of a BMv2 JSON document.

In: the document. Out: a `Layout`, from which every later part looks up headers and fields.
An element of a stack gets the IR's name `stack[i]` whatever the document calls it (p4c calls it that, too).
A *union stack* has no counterpart in the IR: its element i is the union `stack[i]`, and the number of
extracted elements is kept in a hidden metadata field (see `UNION_STACK_COUNTS`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import final

from p4nic.bits import byte_count
from p4nic.ir.ops import Ref
from p4nic.ir.types import Field, Header, HeaderType, Stack, Union
from p4nic.load.bmv2.tree import MAX_BITS, Node

UNION_STACK_COUNTS = "$union_stacks"
"""Hidden metadata: one field per union stack, counting its extracted elements (BMv2's `next`)."""
COUNT_BITS = 32
MAX_STACK = 4096


@final
@dataclass(slots=True)
class Layout:
    """Everything that has a place in the packet's headers and metadata, by name."""

    types: dict[str, HeaderType] = field(default_factory=dict)
    headers: dict[str, Header] = field(default_factory=dict)
    stacks: dict[str, Stack] = field(default_factory=dict)
    unions: dict[str, Union] = field(default_factory=dict)
    union_members: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Of a union type: (member, header type)."""
    union_types: dict[str, str] = field(default_factory=dict)
    """The type of each union instance."""
    union_stacks: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """Of a union stack: its union type and its unions, in order."""
    renamed: dict[str, str] = field(default_factory=dict)
    """Names of the document that differ from the IR's."""
    fields: dict[tuple[str, str], Field] = field(default_factory=dict)
    """(header, field) -> Field, filled by `field_of`."""

    def header(self, node: Node) -> Header:
        """The header that a string names."""
        name = node.text()
        header = self.headers.get(self.renamed.get(name, name))
        if header is None:
            raise node.unknown("header", name, self.headers)
        return header

    def field_of(self, header: str, node: Node) -> Field:
        """The field of `header` that a string names."""
        name = node.text()
        found = self.fields.get((header, name))
        if found is None:
            if header not in self.headers:  # the first element of a stack that has none
                raise node.unknown("header", header, self.headers)
            type_ = self.types[self.headers[header].type]
            found = type_.field(name)
            if found is None:
                raise node.unknown(f"field in header {header!r}", name, (f.name for f in type_.fields))
            self.fields[header, name] = found
        return found

    def ref(self, node: Node) -> tuple[Ref, Field]:
        """The field that ["header", "field"] names; hidden fields are the caller's business."""
        header_node, field_node = node.pair()
        header = self.header(header_node).name
        found = self.field_of(header, field_node)
        return Ref(header, found.name), found

    def stack(self, node: Node) -> Stack:
        name = node.text()
        if name not in self.stacks:
            raise node.unknown("header stack", name, self.stacks)
        return self.stacks[name]

    def stack_type(self, stack: str) -> HeaderType:
        return self.types[self.stacks[stack].type]

    def union(self, node: Node) -> Union:
        name = node.text()
        union = self.unions.get(self.renamed.get(name, name))
        if union is None:
            raise node.unknown("header union", name, self.unions)
        return union

    def union_stack(self, node: Node) -> tuple[str, tuple[str, ...]]:
        """Its name and its unions."""
        name = node.text()
        if name not in self.union_stacks:
            raise node.unknown("header union stack", name, self.union_stacks)
        return name, self.union_stacks[name][1]

    def union_stack_member(self, stack: str, node: Node) -> list[str]:
        """The header that a member's name means in each element of a union stack."""
        type_name, unions = self.union_stacks[stack]
        names = [name for name, _ in self.union_members[type_name]]
        if node.text() not in names:
            raise node.unknown(f"member in header union {type_name!r}", node.text(), names)
        position = names.index(node.text())
        return [self.unions[union].members[position] for union in unions]


def load_layout(root: Node) -> Layout:
    layout = Layout()
    for node in root.items("header_types"):
        type_ = _header_type(node)
        if type_.name in layout.types:
            raise node.fail(f"there are two header types named {type_.name!r}.")
        layout.types[type_.name] = type_
    elements = dict(_stack_elements(root))
    ids: dict[int, str] = {}
    for node in root.items("headers"):
        header, number = _header(node, layout, elements)
        ids[number] = header.name
    for node in root.items("header_stacks"):
        _stack(node, layout, ids)
    _unions(root, layout, ids)
    return layout


def _header_type(node: Node) -> HeaderType:
    fields: list[Field] = []
    varbit_at: int | None = None
    for entry in node.items("fields"):
        parts = entry.items()
        if len(parts) not in (2, 3):
            raise entry.wrong("an array of name, width and sign")
        name = parts[0].text()
        if any(f.name == name for f in fields):
            raise entry.fail(f"there are two fields named {name!r}.")
        if parts[1].value == "*":
            if varbit_at is not None:
                raise entry.fail("a header type may have one varbit field only.")
            varbit_at = len(fields)
            fields.append(Field(name, 0, varbit=True))
        else:  # the sign is true, false, or (p4c, for bool) 0
            signed = len(parts) == 3 and parts[2].value is True
            fields.append(Field(name, parts[1].integer(0, MAX_BITS), signed))
    if varbit_at is not None:
        if node.has("length_exp"):
            raise node.unsupported(
                "a varbit whose length is an expression of the header type (P4_14)",
                "compile with p4c, which writes extract_VL instead",
            )
        width = 8 * node.get("max_length").integer(0, MAX_BITS // 8) - sum(f.width for f in fields)
        if width < 0:
            raise node.fail("'max_length' is less than the fixed fields need.")
        fields[varbit_at] = Field(fields[varbit_at].name, width, varbit=True)
    return HeaderType(node.name(), tuple(fields))


def _stack_elements(root: Node) -> Iterator[tuple[int, str]]:
    """Which header is which element of which stack: (id, "stack[i]")."""
    for node in root.items("header_stacks"):
        for i, element in enumerate(node.items("header_ids")):
            yield element.integer(), f"{node.name()}[{i}]"


def _header(node: Node, layout: Layout, elements: dict[int, str]) -> tuple[Header, int]:
    number = node.get("id").integer()
    written = node.name()
    name = elements.get(number, written)
    type_node = node.get("header_type")
    if type_node.text() not in layout.types:
        raise type_node.unknown("header type", type_node.text(), layout.types)
    if name in layout.headers:
        raise node.fail(f"there are two headers named {name!r}.")
    if name != written:
        layout.renamed[written] = name
    header = Header(name, type_node.text(), node.flag("metadata"))
    width = layout.types[header.type].width
    if not header.metadata and byte_count(width) * 8 != width:
        raise type_node.fail(f"a header must be whole bytes, but {header.type!r} has {width} bits.")
    layout.headers[name] = header
    return header, number


def _stack(node: Node, layout: Layout, ids: dict[int, str]) -> None:
    name, type_name = node.name(), node.get("header_type").text()
    elements = node.items("header_ids")
    if name in layout.stacks or not 0 < len(elements) <= MAX_STACK:
        raise node.fail(f"the stack {name!r} must be named once and have 1 to {MAX_STACK} elements.")
    for element in elements:
        found = ids.get(element.integer())
        if found is None:
            raise element.fail(f"there is no header with id {element.value}.")
        if layout.headers[found].type != type_name or layout.headers[found].metadata:
            raise element.fail(f"the header {found!r} is not of the stack's type {type_name!r}.")
    layout.stacks[name] = Stack(name, type_name, len(elements))


def _unions(root: Node, layout: Layout, ids: dict[int, str]) -> None:
    for node in root.items("header_union_types"):
        members = [entry.pair() for entry in node.items("headers")]
        layout.union_members[node.name()] = tuple((m.text(), t.text()) for m, t in members)
    stacked: dict[int, str] = {}
    for node in root.items("header_union_stacks"):
        for i, element in enumerate(node.items("header_union_ids")):
            stacked[element.integer()] = f"{node.name()}[{i}]"
    numbers: dict[int, str] = {}
    for node in root.items("header_unions"):
        name = stacked.get(node.get("id").integer(), node.name())
        if name != node.name():
            layout.renamed[node.name()] = name
        numbers[node.get("id").integer()] = name
        type_node = node.get("union_type")
        if type_node.text() not in layout.union_members:
            raise type_node.unknown("header union type", type_node.text(), layout.union_members)
        layout.unions[name] = Union(name, _members(node, layout, type_node.text(), ids))
        layout.union_types[name] = type_node.text()
    counts: list[Field] = []
    for node in root.items("header_union_stacks"):
        elements = node.items("header_union_ids")
        for element in elements:
            if element.integer() not in numbers:
                raise element.fail(f"there is no header union with id {element.value}.")
        unions = tuple(numbers[e.integer()] for e in elements)
        type_node = node.get("union_type")
        for union in unions:
            if layout.union_types[union] != type_node.text():
                raise node.fail(f"the union {union!r} is not of the stack's type {type_node.text()!r}.")
        if node.name() in layout.union_stacks:
            raise node.fail(f"there are two header union stacks named {node.name()!r}.")
        layout.union_stacks[node.name()] = (type_node.text(), unions)
        counts.append(Field(node.name(), COUNT_BITS))
    if counts:
        layout.types[UNION_STACK_COUNTS] = HeaderType(UNION_STACK_COUNTS, tuple(counts))
        layout.headers[UNION_STACK_COUNTS] = Header(UNION_STACK_COUNTS, UNION_STACK_COUNTS, True)


def _members(node: Node, layout: Layout, type_name: str, ids: dict[int, str]) -> tuple[str, ...]:
    entries = node.items("header_ids")
    wanted = layout.union_members[type_name]
    if len(entries) != len(wanted):
        raise node.fail(
            f"the union has {len(entries)} headers, but its type {type_name!r} has {len(wanted)}."
        )
    names = []
    for entry, (_, header_type) in zip(entries, wanted, strict=True):
        name = ids.get(entry.integer())
        if name is None or layout.headers[name].type != header_type:
            raise entry.fail(f"id {entry.value} is not a header of type {header_type!r}.")
        names.append(name)
    return tuple(names)
