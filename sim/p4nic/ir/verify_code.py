"""Rules of code: references, labels, temporaries, and which instruction may stand where.

In: one piece of code (of a block or an action) with its Program. Out: (place, sentence) pairs. Called by
`verify`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, assert_never, final

from p4nic.bits import wrap
from p4nic.ir.ops import (
    Advance,
    Apply,
    BranchAction,
    BranchHit,
    Call,
    ChecksumAdd,
    Clone,
    Code,
    Const,
    CopyHeader,
    Count,
    CountDirect,
    Digest,
    Drop,
    Emit,
    EntryId,
    Exit,
    Extract,
    Forget,
    Label,
    Learn,
    Lookahead,
    Meter,
    Mirror,
    Move,
    Op,
    Operand,
    PacketLength,
    Param,
    Pop,
    Push,
    Rearm,
    Receive,
    Recirculate,
    RecirculationId,
    Ref,
    RegisterAdd,
    RegisterRead,
    RegisterWrite,
    Reject,
    Resubmit,
    SetInvalid,
    SetValid,
    StackIndex,
    StackRef,
    StackValid,
    Switch,
    Temp,
    Transmit,
    Truncate,
    Valid,
    Verify,
)
from p4nic.ir.program import ActionParam, BlockKind, Program
from p4nic.ir.types import Field, HeaderType
from p4nic.ir.walk import falls_through, reads, targets, temps, written

Problem = tuple[str, str]
CodeKind = BlockKind | Literal["action"]

_CONTROL: frozenset[CodeKind] = frozenset({"control", "pipeline"})
_PARSER: frozenset[CodeKind] = frozenset({"parser", "pipeline"})
_STATE: frozenset[CodeKind] = frozenset({"control", "action", "pipeline"})
_ALLOWED: dict[type[object], frozenset[CodeKind]] = {
    **dict.fromkeys((Extract, Lookahead, Advance, Verify, Reject, Switch), _PARSER),
    Emit: frozenset({"deparser", "pipeline"}),
    **dict.fromkeys((Apply, BranchHit, BranchAction, Call), _CONTROL),
    **dict.fromkeys((Learn, Rearm, Forget, EntryId, CountDirect, Clone, Resubmit, Recirculate), _STATE),
    **dict.fromkeys((Count, Meter, RegisterWrite, RegisterAdd, Truncate, Exit), _STATE),
    RegisterRead: _STATE | _PARSER,
    **dict.fromkeys((Mirror, RecirculationId, Drop), frozenset({"action", "pipeline"})),
    **dict.fromkeys((Receive, Transmit), frozenset({"pipeline"})),
    Digest: frozenset({"control", "action", "pipeline", "deparser"}),
}
"""Where an instruction may stand; those not listed may stand anywhere."""


def code_problems(
    program: Program, where: str, code: Code, kind: CodeKind, params: tuple[ActionParam, ...] = ()
) -> list[Problem]:
    """Every rule that this code breaks. `params` are those of the action it belongs to."""
    checker = _Checker(program, {p.name: p for p in params})
    found: list[Problem] = [(where, s) for s in _label_problems(code)]
    for i, op in enumerate(code):
        place = f"{where}[{i}]"
        if op.source.line:
            place += f" ({op.source})"
        name = type(op).__name__
        allowed = _ALLOWED.get(type(op))
        if allowed is not None and kind not in allowed:
            here = "an action" if kind == "action" else f"a {kind}"
            found.append((place, f"{name} may not stand in {here}, only in {', '.join(sorted(allowed))}"))
        found += [(place, f"{name}: {sentence}") for sentence in checker.op(op)]
    found += [(where, s) for s in _temp_problems(code)]
    if any(isinstance(op, Receive) for op in code[1:]):
        found.append((where, "Receive must be the first instruction"))
    return found


# --- labels and temporaries ------------------------------------------------------------------------


def _label_problems(code: Code) -> Iterator[str]:
    labels: set[str] = set()
    for op in code:
        if isinstance(op, Label):
            if op.name in labels:
                yield f"the label {op.name!r} stands twice"
            labels.add(op.name)
    for op in code:
        for target in targets(op):
            if target not in labels:
                yield f"{type(op).__name__} goes to the unknown label {target!r}"


def _temp_problems(code: Code) -> Iterator[str]:
    types: dict[str, Temp] = {}
    for temp in temps(code):
        known = types.setdefault(temp.name, temp)
        if known != temp:
            yield f"the temporary {temp.name!r} has two widths or signs, {known.width} and {temp.width}"
        elif known is temp and temp.width < 1:
            yield f"the temporary {temp.name!r} has a width of {temp.width}"
    unwritten = dict.fromkeys(_read_before_written(code, {name: i for i, name in enumerate(types)}))
    for name in unwritten:
        yield f"the temporary {name!r} may be read before it is written"


def _read_before_written(code: Code, numbers: dict[str, int]) -> Iterator[str]:
    """Temporaries read on some path that did not write them: forward data flow with one bit for each, where a
    label keeps what *every* path to it has written."""
    everything = (1 << len(numbers)) - 1
    at_label = {op.name: everything for op in code if isinstance(op, Label)}
    changed = True
    while changed:
        before = dict(at_label)
        for _ in _pass(code, numbers, at_label, everything):
            pass
        changed = before != at_label
    yield from _pass(code, numbers, at_label, everything)


def _pass(code: Code, numbers: dict[str, int], at_label: dict[str, int], everything: int) -> Iterator[str]:
    written_now = 0
    for op in code:
        if isinstance(op, Label):
            at_label[op.name] &= written_now
            written_now = at_label[op.name]
        for operand in reads(op):
            if isinstance(operand, Temp) and not written_now >> numbers[operand.name] & 1:
                yield operand.name
        place = written(op)
        if isinstance(place, Temp):
            written_now |= 1 << numbers[place.name]
        for target in targets(op):
            if target in at_label:
                at_label[target] &= written_now
        if not falls_through(op):
            written_now = everything  # nothing comes from here, so it takes nothing away


# --- references ------------------------------------------------------------------------------------


@final
class _Checker:
    """Checks one instruction after the other; every method yields sentences."""

    def __init__(self, program: Program, params: dict[str, ActionParam]) -> None:
        self.program = program
        self.params = params

    def op(self, op: Op) -> Iterator[str]:
        for operand in reads(op):
            yield from operand_problems(self.program, operand, self.params)
        place = written(op)
        if place is not None:
            yield from operand_problems(self.program, place, self.params)
        yield from self._meaning(op)

    def _meaning(self, op: Op) -> Iterator[str]:
        """What the instruction's own fields must fulfil beyond their operands."""
        match op:
            case Move(dst, src):
                if _is_varbit(self.program, dst) != _is_varbit(self.program, src):
                    yield "a varbit moves to a varbit only"
            case Extract() | Emit() | SetValid() | SetInvalid() | CopyHeader() | Lookahead() | Push() | Pop():
                yield from self._headers(op)
            case ChecksumAdd(_, src) if isinstance(src, str):
                yield from self._known("header", src, self.program.headers)
            case Switch():
                yield from self._switch(op)
            case Verify(_, error) | Reject(error):
                if isinstance(error, str):
                    yield from self._known("error", error, self.program.errors)
            case Apply(table):
                yield from self._known("table", table, self.program.tables)
            case BranchAction(action):
                yield from self._known("action", action, self.program.actions)
            case Call(action, args) | Learn(action, args):
                yield from self._call(action, args)
            case _:
                yield from self._state(op)

    def _known(self, what: str, name: str, among: object) -> Iterator[str]:
        if name not in among:  # type: ignore[operator]  # every caller passes a mapping
            yield f"there is no {what} {name!r}"

    def _call(self, action: str, args: tuple[Operand, ...]) -> Iterator[str]:
        found = self.program.actions.get(action)
        if found is None:
            yield f"there is no action {action!r}"
        elif len(found.params) != len(args):
            yield f"the action {action!r} takes {len(found.params)} arguments, not {len(args)}"

    def _headers(
        self, op: Extract | Emit | SetValid | SetInvalid | CopyHeader | Lookahead | Push | Pop
    ) -> Iterator[str]:
        program = self.program
        match op:
            case Extract(name, bits):
                type_ = _packet_header(program, name)
                if name in program.stacks:
                    type_ = program.header_types[program.stacks[name].type]
                if type_ is None:
                    yield f"{name!r} is neither a packet header nor a stack"
                elif any(f.varbit for f in type_.fields) != (bits is not None):
                    yield f"{name!r} needs a varbit length if, and only if, it has a varbit"
            case Emit(name):
                if _packet_header(program, name) is None:
                    yield f"{name!r} is no packet header"
            case SetValid(name, index) | SetInvalid(name, index):
                if index is None and _packet_header(program, name) is None:
                    yield f"{name!r} is no packet header"
                elif index is not None:
                    yield from self._known("stack", name, program.stacks)
            case CopyHeader(dst, src):
                kinds = _copy_kind(program, dst), _copy_kind(program, src)
                if None in kinds or kinds[0] != kinds[1]:
                    yield f"{src!r} and {dst!r} are not of one type of header, stack or union"
            case Lookahead(dst, offset):
                if isinstance(dst, str) and _packet_header(program, dst) is None:
                    yield f"{dst!r} is no packet header"
                if offset < 0:
                    yield f"the offset {offset} is negative"
            case Push(stack, count) | Pop(stack, count):
                if stack not in program.stacks:
                    yield f"there is no stack {stack!r}"
                elif not 0 <= count <= program.stacks[stack].size:
                    yield f"a shift by {count} is beyond the stack {stack!r}"
            case _:
                assert_never(op)

    def _switch(self, op: Switch) -> Iterator[str]:
        widths = [operand_width(self.program, k, self.params) for k in op.keys]
        if not op.keys:
            yield "there are no keys"
        for case in op.cases:
            if case.value_set is not None:
                value_set = self.program.value_sets.get(case.value_set)
                if value_set is None:
                    yield f"there is no value set {case.value_set!r}"
                elif len(value_set.widths) not in (1, len(op.keys)):
                    count = len(value_set.widths)
                    yield f"the value set {case.value_set!r} has {count} keys, not {len(op.keys)}"
                continue
            if not len(case.values) == len(case.masks) == len(op.keys):
                counts = f"{len(case.values)} values and {len(case.masks)} masks"
                yield f"a case has {counts} for {len(op.keys)} keys"
                continue
            for value, width in zip(case.values, widths, strict=True):
                if width is not None and not 0 <= value < 1 << max(1, width):
                    yield f"the case value {value} does not fit the key's {width} bits"

    def _state(self, op: Op) -> Iterator[str]:
        """Counters, meters, registers, digests and field lists."""
        program = self.program
        match op:
            case Count(counter):
                found = program.counters.get(counter)
                if found is None or found.table is not None:
                    yield f"there is no indexed counter {counter!r}"
            case CountDirect(counter):
                direct = program.counters.get(counter)
                if direct is None or direct.table is None:
                    yield f"there is no direct counter {counter!r}"
            case Meter(_, meter, index):
                array = program.meters.get(meter)
                if array is None or (array.table is None) != (index is not None):
                    yield f"there is no {'direct' if index is None else 'indexed'} meter {meter!r}"
            case RegisterRead(_, register) | RegisterWrite(register) | RegisterAdd(register):
                yield from self._known("register", register, program.registers)
            case Digest(digest, values):
                if digest not in program.digests:
                    yield f"there is no digest {digest!r}"
                elif len(program.digests[digest].fields) != len(values):
                    count = len(program.digests[digest].fields)
                    yield f"the digest {digest!r} has {count} fields, not {len(values)}"
            case Clone() | Resubmit() | Recirculate():
                for ref in op.fields:
                    header = program.headers.get(ref.header)
                    if header is not None and not header.metadata:
                        yield f"{ref.header}.{ref.field} is no metadata, so it cannot be kept"
            case _:
                return


# --- operands, shared with verify_state --------------------------------------------------------------


def operand_problems(program: Program, operand: Operand, params: dict[str, ActionParam]) -> Iterator[str]:
    """Whether everything an operand names exists, and a constant fits its width."""
    match operand:
        case Const(value, width, signed):
            if width < 1 or wrap(value, width, signed) != value:
                yield f"the constant {value} does not fit {width} bits"
        case Ref(header, field):
            if header not in program.headers:
                yield f"there is no header {header!r}"
            elif _field(program, header, field) is None:
                yield f"the header {header!r} has no field {field!r}"
        case StackRef(stack, _, field):
            if stack not in program.stacks:
                yield f"there is no stack {stack!r}"
            elif program.header_types[program.stacks[stack].type].field(field) is None:
                yield f"the stack {stack!r} has no field {field!r}"
        case Param(name):
            if name not in params:
                yield f"there is no parameter {name!r}"
        case Valid(header):
            if header not in program.headers and header not in program.unions:
                yield f"there is no header or union {header!r}"
        case StackValid(stack, _) | StackIndex(stack, _):
            if stack not in program.stacks:
                yield f"there is no stack {stack!r}"
        case Temp() | PacketLength():
            return
        case _:
            assert_never(operand)


def operand_width(program: Program, operand: Operand, params: dict[str, ActionParam]) -> int | None:
    """Bits, or None where the operand names something absent."""
    match operand:
        case Const(_, width) | Temp(_, width):
            return width
        case Ref() | StackRef():
            field = _field_of(program, operand)
            return None if field is None else field.width
        case Param(name):
            return params[name].width if name in params else None
        case Valid() | StackValid():
            return 1
        case PacketLength() | StackIndex():
            return 32
        case _:
            assert_never(operand)


def _field(program: Program, header: str, field: str) -> Field | None:
    found = program.headers.get(header)
    return program.header_types[found.type].field(field) if found is not None else None


def _field_of(program: Program, operand: Ref | StackRef) -> Field | None:
    if isinstance(operand, Ref):
        return _field(program, operand.header, operand.field)
    stack = program.stacks.get(operand.stack)
    return program.header_types[stack.type].field(operand.field) if stack is not None else None


def _is_varbit(program: Program, operand: Operand) -> bool:
    field = _field_of(program, operand) if isinstance(operand, Ref | StackRef) else None
    return field is not None and field.varbit


def _packet_header(program: Program, name: str) -> HeaderType | None:
    header = program.headers.get(name)
    return program.header_types[header.type] if header is not None and not header.metadata else None


def _copy_kind(program: Program, name: str) -> tuple[object, ...] | None:
    """What must agree between source and destination of a CopyHeader."""
    if name in program.stacks:
        return "stack", program.stacks[name].type, program.stacks[name].size
    if name in program.unions:
        return "union", tuple(program.headers[m].type for m in program.unions[name].members)
    return ("header", program.headers[name].type) if name in program.headers else None
