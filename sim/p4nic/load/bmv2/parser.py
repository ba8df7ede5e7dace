"""Parsers to blocks: one Label of kind "state" per parser state, in the order of the document.

In: `parsers` of the document. Out: a `Block` of kind "parser", and the ValueSets its transitions name.
A transition to null is accept: a jump to the end. A select without a default that matches nothing accepts, as
in simple_switch and psa_switch; in PNA it is error.NoMatch, as the language has it. (p4c writes `transition
reject` as accept, so that one is lost to us.)
"""

from __future__ import annotations

from typing import final

from p4nic.bits import byte_count, mask, wrap
from p4nic.ir.ops import (
    Advance,
    Binary,
    Branch,
    Case,
    Extract,
    Jump,
    Label,
    Operand,
    Switch,
    Verify,
)
from p4nic.ir.program import Block, ValueSet
from p4nic.load.bmv2 import places, values
from p4nic.load.bmv2.emit import Emitter, const
from p4nic.load.bmv2.layout import COUNT_BITS
from p4nic.load.bmv2.primitives import lower_primitive
from p4nic.load.bmv2.scope import Scope
from p4nic.load.bmv2.tree import MAX_BITS, Node

ACCEPT = "accept"
_OPS = {"extract": 1, "extract_VL": 2, "set": 2, "verify": 2, "shift": 1, "advance": 1, "primitive": 1}
"""The parser operations and their numbers of parameters."""


def load_parser(node: Node, scope: Scope, block: str, value_sets: dict[str, ValueSet]) -> Block:
    """The parser as block `block`; adds to `value_sets` those that its transitions use."""
    return _Parser(node, scope, value_sets).block(block)


@final
class _Parser:
    def __init__(self, node: Node, scope: Scope, value_sets: dict[str, ValueSet]) -> None:
        self.node = node
        self.scope = scope
        self.value_sets = value_sets
        self.em = Emitter(scope, parser=True)
        self.states = {state.name(): state for state in node.items("parse_states")}
        self.accept = ACCEPT if ACCEPT not in self.states else "$accept"

    def block(self, name: str) -> Block:
        self.em.source = self.node.source()
        start = self.node.get("init_state")
        if len(self.states) != len(self.node.items("parse_states")):
            raise self.node.fail("two parser states have the same name.")
        self.em.add(Jump(self._state(start)))
        for state in self.states.values():
            self._lower_state(state)
        self.em.label(self.accept)
        return Block(name, "parser", self.em.code(), self.node.source())

    def _state(self, node: Node) -> str:
        name = node.text()
        if name not in self.states:
            raise node.unknown("parser state", name, self.states)
        return name

    def _lower_state(self, state: Node) -> None:
        em = self.em
        em.source = state.source()
        em.add(Label(state.name(), "state"))
        for op in state.items("parser_ops"):
            em.source = op.source()
            self._lower_op(op)
        em.source = state.source()
        self._transition(state)

    def _lower_op(self, op: Node) -> None:
        kind, params = op.get("op"), op.items("parameters")
        if kind.text() not in _OPS:
            known = ", ".join(sorted(_OPS))
            raise kind.unsupported(f"the parser operation {kind.text()!r}", f"p4nic has {known}")
        if len(params) != _OPS[kind.text()]:
            raise op.fail(f"{kind.text()!r} takes {_OPS[kind.text()]} parameters, found {len(params)}.")
        match kind.text():
            case "extract" | "extract_VL":
                self._extract(params[0], params[1] if len(params) > 1 else None)
            case "set":
                dst, field = places.place(self.em, params[0])
                values.store(self.em, dst, field, params[1])
            case "verify":
                self._verify(params[0], params[1])
            case "shift":
                self.em.add(Advance(const(8 * params[0].integer(0, MAX_BITS), 32)))
            case "advance":
                self.em.add(Advance(values.operand(self.em, params[0]).operand))
            case _:
                lower_primitive(self.em, params[0])

    # --- extract and verify ---------------------------------------------------------------------------------

    def _extract(self, target: Node, length: Node | None) -> None:
        em, layout = self.em, self.scope.layout
        kind, value = target.get("type"), target.get("value")
        bits = None if length is None else values.operand(em, length).operand
        match kind.text():
            case "regular":
                header = layout.header(value)
                self._check_varbit(target, header.type, bits)
                em.add(Extract(header.name, bits))
            case "stack":
                stack = layout.stack(value)
                self._check_varbit(target, stack.type, bits)
                em.add(Extract(stack.name, bits))
            case "union_stack":
                self._extract_union(target, value, bits)
            case _:
                raise kind.wrong("'regular', 'stack' or 'union_stack'")

    def _check_varbit(self, target: Node, type_name: str, bits: Operand | None) -> None:
        has_varbit = any(f.varbit for f in self.scope.layout.types[type_name].fields)
        if has_varbit and bits is None:
            raise target.fail(f"the header type {type_name!r} has a varbit, so 'extract_VL' is needed.")
        if bits is not None and not has_varbit:
            raise target.fail(f"the header type {type_name!r} has no varbit, so 'extract_VL' makes no sense.")

    def _extract_union(self, target: Node, value: Node, bits: Operand | None) -> None:
        """Extract into the next union of a stack: a chain of branches on the stack's count."""
        em = self.em
        stack_node, member = value.pair()
        stack, _ = self.scope.layout.union_stack(stack_node)
        headers = self.scope.layout.union_stack_member(stack, member)
        self._check_varbit(target, self.scope.layout.headers[headers[0]].type, bits)
        count, done = places.union_count(stack), em.fresh_label("extracted")
        for i, header in enumerate(headers):
            skip = em.fresh_label("next")
            em.add(Branch("ne", count, const(i, COUNT_BITS), skip))
            em.add(Extract(header, bits))
            em.add(Jump(done))
            em.label(skip)
        if "StackOutOfBounds" in self.scope.errors:
            em.add(Verify(const(0, 1), "StackOutOfBounds"))
        em.label(done)
        em.add(Binary(count, "add", count, const(1, COUNT_BITS)))

    def _verify(self, cond: Node, error: Node) -> None:
        condition = values.operand(self.em, cond).operand
        if isinstance(error.value, int):  # as old compilers wrote it
            number = error.integer()
        else:
            constant = places.unwrap(error)
            if constant.get("type").value != "hexstr":
                self.em.add(Verify(condition, values.operand(self.em, error).operand))
                return
            number = constant.get("value").hexint()
        names = {n: name for name, n in self.scope.errors.items()}
        # p4c-bm2-psa leaves the list of errors out; the number still means something to the program.
        if number in names:
            self.em.add(Verify(condition, names[number]))
        else:
            self.em.add(Verify(condition, const(number, 32)))

    # --- transitions ----------------------------------------------------------------------------------------

    def _transition(self, state: Node) -> None:
        em = self.em
        transitions = state.items("transitions")
        defaults = [t for t in transitions if _kind(t) == "default"]
        first = transitions.index(defaults[0]) if defaults else len(transitions)
        selected = transitions[:first]  # what follows the default can never match
        default = self._next(defaults[0]) if defaults else None
        if default is None and self.scope.accepts_no_match:
            default = self.accept
        if not selected:
            em.add(Jump(self.accept if default is None else default))
            return
        keys, widths = self._keys(state)
        cases = tuple(self._case(t, widths) for t in selected)
        em.add(Switch(keys, cases, default))

    def _next(self, transition: Node) -> str:
        node = transition.opt("next_state")
        return self.accept if node is None else self._state(node)

    def _keys(self, state: Node) -> tuple[tuple[Operand, ...], tuple[int, ...]]:
        operands: list[Operand] = []
        widths: list[int] = []
        for entry in state.items("transition_key"):
            hidden = entry.has("value") and places.ends_with(entry.get("value"), places.VALID)
            if entry.get("type").value in ("field", "stack_field") and not hidden:
                found, field = places.place(self.em, entry)
                operands.append(found)
                widths.append(field.width)
            else:
                value = values.operand(self.em, entry)
                operands.append(value.operand)
                widths.append(max(1, value.high.bit_length()))
        if not operands:
            raise state.fail("there are transitions on values, but 'transition_key' is empty.")
        return tuple(operands), tuple(widths)

    def _case(self, transition: Node, widths: tuple[int, ...]) -> Case:
        target = self._next(transition)
        if _kind(transition) == "parse_vset":
            if transition.has("mask"):
                raise transition.unsupported("a mask on a value set", "match the value set without one")
            return Case((), (), target, self._value_set(transition.get("value"), widths))
        value = _split(transition.get("value"), widths)
        mask_node = transition.opt("mask")
        if mask_node is None:
            return Case(value, tuple(-1 for _ in widths), target)
        masks = _split(mask_node, widths)
        exact = tuple(-1 if m == mask(w) else m for m, w in zip(masks, widths, strict=True))
        return Case(tuple(v & m for v, m in zip(value, masks, strict=True)), exact, target)

    def _value_set(self, node: Node, widths: tuple[int, ...]) -> str:
        declared = self.scope.lookup(self.scope.value_sets, "parser value set", node)
        name = node.text()
        if declared.width != sum(widths):
            raise node.fail(
                f"the value set {name!r} has {declared.width} bits, but the key has {sum(widths)}."
            )
        known = self.value_sets.setdefault(name, ValueSet(name, widths, declared.size))
        if known.widths != widths:
            raise node.fail(f"the value set {name!r} is used with keys of different widths.")
        return name


def _kind(transition: Node) -> str:
    """The type of a transition; old documents say "value": "default" instead."""
    kind = transition.opt("type")
    if kind is None or kind.value == "hexstr":
        return "default" if transition.get("value").value == "default" else "hexstr"
    if kind.value not in ("default", "parse_vset"):
        raise kind.wrong("'default', 'hexstr' or 'parse_vset'")
    return kind.text()


def _split(node: Node, widths: tuple[int, ...]) -> tuple[int, ...]:
    """A value of all keys together, each padded to whole bytes, as one number per key."""
    number, total = node.hexint(), 8 * sum(byte_count(w) for w in widths)
    if not -(1 << total) < number < 1 << total:
        raise node.wrong(f"a value of {total // 8} bytes")
    number = wrap(number, total)
    parts: list[int] = []
    for width in reversed(widths):
        parts.append(number & mask(width))
        number >>= 8 * byte_count(width)
    return tuple(reversed(parts))
