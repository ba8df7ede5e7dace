"""The rules of the IR. A Program that breaks one is our loader's mistake, and no backend has to expect it.

In: a Program. Out: every broken rule as (place, sentence); nothing is raised by `problems`, which also
survives any nonsense in the Program. Called by `load.artifact` after loading, and by tests. The rules of code
are in `verify_code`, those of tables and other state in `verify_state`; here are the layout, the blocks, and
the order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from p4nic.errors import VerifyError
from p4nic.ir.program import Architecture, BlockKind, Program
from p4nic.ir.verify_code import code_problems
from p4nic.ir.verify_state import state_problems

Problem = tuple[str, str]

_BLOCKS: dict[Architecture, dict[str, BlockKind]] = {
    "v1model": {
        "parser": "parser", "verify_checksum": "control", "ingress": "control", "egress": "control",
        "compute_checksum": "control", "deparser": "deparser",
    },
    "psa": {
        "ingress_parser": "parser", "ingress": "control", "ingress_deparser": "deparser",
        "egress_parser": "parser", "egress": "control", "egress_deparser": "deparser",
    },
    "pna": {"main_parser": "parser", "main_control": "control", "main_deparser": "deparser"},
    "swx": {"pipeline": "pipeline"},
}  # fmt: skip
"""The blocks an architecture has, all of them, and their kinds."""


def problems(program: Program) -> list[Problem]:
    """Every rule the program breaks, in the order of the program; [] if it verifies."""
    found = [*_layout(program), *_blocks(program)]
    if found:  # without a sound layout, everything below would repeat its problems
        return found
    found += state_problems(program)
    for action in program.actions.values():
        found += code_problems(program, f"action {action.name}", action.code, "action", action.params)
    for block in program.blocks.values():
        found += code_problems(program, f"block {block.name}", block.code, block.kind)
    return found


def check(program: Program) -> None:
    """Raises VerifyError, with all problems, if the program breaks a rule."""
    found = problems(program)
    if found:
        raise VerifyError(found)


def _layout(program: Program) -> Iterator[Problem]:
    yield from _named("header type", program.header_types)
    yield from _named("header", program.headers)
    yield from _named("stack", program.stacks)
    yield from _named("union", program.unions)
    for type_ in program.header_types.values():
        place = f"header type {type_.name}"
        names = [f.name for f in type_.fields]
        for name in sorted({n for n in names if names.count(n) > 1}):
            yield place, f"has the field {name!r} twice"
        for field in type_.fields:
            if field.width < 0:
                yield place, f"the field {field.name!r} has a width of {field.width}"
        if sum(f.varbit for f in type_.fields) > 1:
            yield place, "has more than one varbit"
    for header in program.headers.values():
        found = program.header_types.get(header.type)
        if found is None:
            yield f"header {header.name}", f"is of the unknown type {header.type!r}"
        elif not header.metadata and found.width % 8:
            yield f"header {header.name}", f"has {found.width} bits, which are no whole bytes"
    for stack in program.stacks.values():
        if stack.size < 1:
            yield f"stack {stack.name}", f"has {stack.size} elements"
        for i in range(stack.size):
            element = program.headers.get(f"{stack.name}[{i}]")
            if element is None or element.type != stack.type or element.metadata:
                yield f"stack {stack.name}", f"element {i} is no header of type {stack.type!r}"
    for union in program.unions.values():
        for member in union.members:
            if member not in program.headers:
                yield f"union {union.name}", f"the member {member!r} does not exist"


def _blocks(program: Program) -> Iterator[Problem]:
    yield from _named("block", program.blocks)
    wanted = _BLOCKS[program.architecture]
    for name, kind in wanted.items():
        block = program.blocks.get(name)
        if block is None:
            yield "program", f"{program.architecture} needs the block {name!r}"
        elif block.kind != kind:
            yield f"block {name}", f"must be of kind {kind!r}, not {block.kind!r}"
    for name in program.blocks:
        if name not in wanted:
            yield f"block {name}", f"does not belong to {program.architecture}"


def _named(what: str, objects: Mapping[str, object]) -> Iterator[Problem]:
    for name, thing in objects.items():
        if getattr(thing, "name", name) != name:
            yield f"{what} {name}", f"calls itself {getattr(thing, 'name', None)!r}"
