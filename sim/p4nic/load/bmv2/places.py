"""Where a value can be read or stored, and which header an expression means.

In: type-value objects of the document ({"type": "field", ...}). Out: IR operands. Run-time indices are
evaluated into temporaries on the way, which is why these functions take the Emitter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from p4nic.ir.ops import (
    Binary,
    Branch,
    Const,
    Jump,
    Move,
    Operand,
    Place,
    Ref,
    StackIndex,
    StackRef,
    StackValid,
    Valid,
)
from p4nic.ir.types import Field, HeaderType
from p4nic.load.bmv2 import values
from p4nic.load.bmv2.emit import Emitter, const
from p4nic.load.bmv2.layout import COUNT_BITS, UNION_STACK_COUNTS
from p4nic.load.bmv2.tree import Node

VALID = "$valid$"
"""BMv2's hidden field that holds a header's validity."""


@final
@dataclass(frozen=True, slots=True)
class HeaderAt:
    """A header: `name`, or (index is not None) the element of stack `name` at a run-time index."""

    name: str
    type: HeaderType
    index: Operand | None = None

    def field(self, field: Field) -> Ref | StackRef:
        if self.index is None:
            return Ref(self.name, field.name)
        return StackRef(self.name, self.index, field.name)

    @property
    def valid(self) -> Operand:
        return Valid(self.name) if self.index is None else StackValid(self.name, self.index)


def unwrap(node: Node) -> Node:
    """Without the outer {"type": "expression"} objects that p4c wraps around expressions and stack fields."""
    while node.get("type").value == "expression":
        inner = node.get("value")
        if not isinstance(inner.value, dict) or "type" not in inner.value:
            return node
        node = inner
    return node


def ends_with(value: Node, name: str) -> bool:
    """Whether the last part of a reference such as ["h", "$valid$"] is this name."""
    items = value.items()
    return bool(items) and items[-1].value == name


def operation(node: Node) -> str | None:
    """The operator of an unwrapped expression, or None if it is no operation."""
    if node.get("type").value != "expression":
        return None
    return node.get("value").get("op").text()


def header(em: Emitter, node: Node) -> HeaderAt:
    """The header that a "header" or an expression yields."""
    node = unwrap(node)
    kind = node.get("type")
    if kind.text() == "header":
        found = em.layout.header(node.get("value"))
        return HeaderAt(found.name, em.layout.types[found.type])
    if kind.text() == "stack_field" and ends_with(node.get("value"), "last"):
        stack = em.layout.stack(node.get("value").pair()[0])
        return HeaderAt(stack.name, em.layout.types[stack.type], StackIndex(stack.name, "last"))
    match operation(node):
        case "dereference_header_stack" | "dereference_stack":
            return _element(em, node.get("value"))
        case "access_union_header":
            union = _union(em, node.get("value").get("left"))
            members = em.layout.unions[union].members
            name = members[node.get("value").get("right").integer(0, len(members) - 1)]
            return HeaderAt(name, em.layout.types[em.layout.headers[name].type])
        case _:
            raise kind.wrong("a header")


def _element(em: Emitter, value: Node) -> HeaderAt:
    left = unwrap(value.get("left"))
    if left.get("type").value != "header_stack":
        raise left.wrong("a header stack")
    stack = em.layout.stack(left.get("value"))
    type_ = em.layout.stack_type(stack.name)
    index = values.operand(em, value.get("right")).operand
    if isinstance(index, Const) and index.value < stack.size:
        return HeaderAt(f"{stack.name}[{index.value}]", type_)
    return HeaderAt(stack.name, type_, index)


def _union(em: Emitter, node: Node) -> str:
    """The union that an expression yields."""
    node = unwrap(node)
    if node.get("type").value == "header_union":
        return em.layout.union(node.get("value")).name
    if operation(node) != "dereference_union_stack":
        raise node.get("type").wrong("a header union")
    value = node.get("value")
    left = unwrap(value.get("left"))
    if left.get("type").value != "header_union_stack":
        raise left.wrong("a header union stack")
    unions = em.layout.union_stack(left.get("value"))[1]
    index = unwrap(value.get("right"))
    if index.get("type").value != "hexstr":
        raise node.unsupported("a union stack with a run-time index", "use a constant index")
    position = index.get("value").hexint()
    if not 0 <= position < len(unions):
        raise index.wrong(f"an index from 0 to {len(unions) - 1}")
    return unions[position]


union = _union


def place(em: Emitter, node: Node) -> tuple[Place, Field]:
    """A destination: a field, a field of a stack's last element, or of an element at a run-time index."""
    node = unwrap(node)
    kind = node.get("type")
    value = node.get("value")
    match kind.text():
        case "field":
            if ends_with(value, VALID):
                raise node.fail(
                    "the hidden field '$valid$' cannot be written; p4c writes add_header for that."
                )
            return em.layout.ref(value)
        case "stack_field":
            return last_field(em, value)
        case "expression" if operation(node) == "access_field":
            return field_at(em, value)
        case other:
            raise kind.unsupported(f"{other!r} as the destination of a value", "assign to a field")


def last_field(em: Emitter, value: Node) -> tuple[StackRef, Field]:
    """["stack", "field"]: a field of the newest extracted element."""
    stack_node, field_node = value.pair()
    stack = em.layout.stack(stack_node)
    field = em.layout.field_of(f"{stack.name}[0]", field_node)
    return StackRef(stack.name, "last", field.name), field


def field_at(em: Emitter, value: Node) -> tuple[Ref | StackRef, Field]:
    """access_field: the field number `right` of the header that `left` yields."""
    at = header(em, value.get("left"))
    field = at.type.fields[value.get("right").integer(0, len(at.type.fields) - 1)]
    return at.field(field), field


# --- union stacks: a count in hidden metadata, and a chain of branches on it --------------------------------


def union_count(stack: str) -> Ref:
    return Ref(UNION_STACK_COUNTS, stack)


def union_stack_field(em: Emitter, value: Node) -> tuple[Operand, Field]:
    """["stack", "member", "field"]: a field of the last union of a union stack, copied to a temporary."""
    items = value.items()
    if len(items) != 3:
        raise value.wrong("an array of union stack, member and field")
    stack, _ = em.layout.union_stack(items[0])
    members = em.layout.union_stack_member(stack, items[1])
    field = em.layout.field_of(members[0], items[2])
    result = em.temp(field.width, field.signed)
    em.add(Move(result, const(0, field.width)))
    done = em.fresh_label("last")
    for i, member in enumerate(members):
        skip = em.fresh_label("next")
        em.add(Branch("ne", union_count(stack), const(i + 1, COUNT_BITS), skip))
        em.add(Move(result, Ref(member, field.name)))
        em.add(Jump(done))
        em.label(skip)
    em.label(done)
    return result, field


def union_last_index(em: Emitter, stack: str) -> Operand:
    result = em.temp(COUNT_BITS)
    em.add(Binary(result, "sub", union_count(stack), const(1, COUNT_BITS)))
    return result
