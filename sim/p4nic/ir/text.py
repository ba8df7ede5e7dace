"""A Program as text for people: deterministic, in the Program's own order, with P4 positions as comments.

In: a Program. Out: lines such as

    block ingress control
      node_2:                                        // lb.p4:36
        if valid(ipv4) == 1w0x0 goto node_7          // lb.p4:36
        t1:bit<9> = ipv4.ttl + 8w0x1                 // lb.p4:40

Constants are written as in P4 (16w0x800, 8s-0x1), parameters as $name, temporaries with their type where
written. Called by `p4nic dump` and by golden tests. The text is not read back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from p4nic.ir.ops import Code, Label
from p4nic.ir.program import (
    ActionCall,
    Any,
    Exact,
    Lpm,
    Match,
    Program,
    Range,
    Table,
    Ternary,
)
from p4nic.ir.text_op import op_text, operand_text
from p4nic.ir.types import Field, Source

_COLUMN = 56
"""Where comments begin, unless the line is longer."""


def dump(program: Program) -> str:
    """The whole program; equal Programs give equal text."""
    sections: list[Iterable[str]] = [
        [f"program {program.name} ({program.architecture})"],
        _layout(program),
        _state(program),
    ]
    for table in program.tables.values():
        sections.append(_table(table))
    for action in program.actions.values():
        params = ", ".join(f"{p.name} {p.width}" for p in action.params)
        head = _line(f"action {action.name}({params})", action.source)
        sections.append([head, *code_lines(action.code)])
    for block in program.blocks.values():
        sections.append([_line(f"block {block.name} {block.kind}", block.source), *code_lines(block.code)])
    texts = ["\n".join(lines) for lines in map(list, sections) if lines]
    return "\n\n".join(texts) + "\n"


def code_lines(code: Code) -> Iterator[str]:
    """One line for each instruction; labels stand out to the left."""
    for op in code:
        if isinstance(op, Label):
            kind = "" if op.kind == "plain" else f"{op.kind} "
            yield _line(f"  {kind}{op.name}:", op.source)
        else:
            yield _line(f"    {op_text(op)}", op.source)


def _line(text: str, source: Source) -> str:
    if not source.line:
        return text
    return f"{text:<{_COLUMN}}// {source}" if len(text) < _COLUMN else f"{text} // {source}"


# --- layout and state --------------------------------------------------------------------------------


def _layout(program: Program) -> Iterator[str]:
    for type_ in program.header_types.values():
        yield f"header type {type_.name}"
        yield from (f"  {_field(field)}" for field in type_.fields)
    for header in program.headers.values():
        yield f"{'metadata' if header.metadata else 'header'} {header.name} {header.type}"
    for stack in program.stacks.values():
        yield f"stack {stack.name} {stack.type}[{stack.size}]"
    for union in program.unions.values():
        yield f"union {union.name} = {' | '.join(union.members)}"


def _field(field: Field) -> str:
    if field.varbit:
        return f"{field.name} varbit<{field.width}>"
    return f"{field.name} {'int' if field.signed else 'bit'}<{field.width}>"


def _state(program: Program) -> Iterator[str]:
    for name, number in program.errors.items():
        yield f"error {name} = {number}"
    for value_set in program.value_sets.values():
        widths = ", ".join(map(str, value_set.widths))
        yield f"value set {value_set.name} ({widths}) size {value_set.size}"
    for counter in program.counters.values():
        yield f"counter {counter.name} {counter.unit} {_extent(counter.table, counter.size)}"
    for meter in program.meters.values():
        yield f"meter {meter.name} {meter.unit} {_extent(meter.table, meter.size)}"
    for register in program.registers.values():
        sign = "int" if register.signed else "bit"
        initial = f" initial {register.initial:#x}" if register.initial else ""
        yield f"register {register.name} {sign}<{register.width}>[{register.size}]{initial}"
    for digest in program.digests.values():
        fields = ", ".join(f"{name} {width}" for name, width in digest.fields)
        yield f"digest {digest.name} ({fields})"
    for profile in program.action_profiles.values():
        text = f"action profile {profile.name} size {profile.size}"
        if profile.max_group_size:
            text += f" groups of {profile.max_group_size}"
        if profile.selector_algorithm is not None:
            order = " host order" if profile.selector_host_order else ""
            inputs = ", ".join(map(operand_text, profile.selector_inputs))
            text += f" selected by {profile.selector_algorithm}{order}({inputs})"
            text += f" in {profile.selector_slots} places" if profile.selector_slots else ""
        yield text


def _extent(table: str | None, size: int) -> str:
    return f"direct of {table}" if table is not None else f"size {size}"


# --- tables ------------------------------------------------------------------------------------------


def _table(table: Table) -> Iterator[str]:
    yield _line(f"table {table.name} size {table.size}", table.source)
    for key in table.keys:
        mask = "" if key.mask is None else f" & {key.mask:#x}"
        yield f"  key {key.name} {key.kind} {key.width} = {operand_text(key.operand)}{mask}"
    for ref in table.actions:
        scope = "" if ref.scope == "both" else f" {ref.scope.replace('_', ' ')}"
        yield f"  action {ref.action}{scope}"
    yield f"  default {call_text(table.default)}{' const' if table.default_is_const else ''}"
    if table.implementation is not None:
        yield f"  implementation {table.implementation}"
    if table.counter is not None:
        yield f"  counter {table.counter}{' on hit' if table.counts_on_hit else ''}"
    if table.meter is not None:
        result = "" if table.meter_result is None else f" to {operand_text(table.meter_result)}"
        yield f"  meter {table.meter}{result}"
    if table.idle_timeout:
        yield "  idle timeout"
    if table.is_learner:
        yield f"  learns, timeouts {', '.join(map(str, table.learner_timeouts))} s"
    for entry in table.const_entries:
        const = "const entry" if table.entries_are_const else "entry"
        priority = f" priority {entry.priority}" if entry.priority else ""
        yield f"  {const} ({', '.join(map(match_text, entry.key))}) {call_text(entry.call)}{priority}"


def call_text(call: ActionCall) -> str:
    return f"{call.action}({', '.join(f'{a:#x}' for a in call.args)})"


def match_text(match: Match) -> str:
    """A match as P4 writes it: 0x1, 0x10/8, 0x1 &&& 0xff, 0x1..0x5, _."""
    match match:
        case Exact(value):
            return f"{value:#x}"
        case Lpm(value, length):
            return f"{value:#x}/{length}"
        case Ternary(value, mask):
            return f"{value:#x} &&& {mask:#x}"
        case Range(low, high):
            return f"{low:#x}..{high:#x}"
        case Any():
            return "_"


def spell_match(match: Match) -> str:
    """As messages, traces and entries files spell it: `0x50`, `0xa0/8`, `0x50&&&0xff`, `0x1..0x9` or `*`."""
    match match:
        case Exact(value):
            return f"{value:#x}"
        case Lpm(value, length):
            return f"{value:#x}/{length}"
        case Ternary(value, bits):
            return f"{value:#x}&&&{bits:#x}"
        case Range(low, high):
            return f"{low:#x}..{high:#x}"
        case Any():
            return "*"
        case _:
            assert_never(match)
