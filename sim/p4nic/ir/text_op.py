"""One instruction, or one operand, as text. Called by `text`; good for comments in generated code as well."""

from __future__ import annotations

from typing import assert_never

from p4nic.ir.ops import (
    Advance,
    Apply,
    Assert,
    Binary,
    Branch,
    BranchAction,
    BranchHit,
    Call,
    Case,
    ChecksumAdd,
    Choose,
    Clone,
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
    Hash,
    Jump,
    Label,
    Learn,
    LogMessage,
    Lookahead,
    Meter,
    Mirror,
    Move,
    Op,
    Operand,
    PacketLength,
    Param,
    Place,
    Pop,
    Push,
    Random,
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
    Return,
    SetInvalid,
    SetValid,
    StackIndex,
    StackRef,
    StackValid,
    Switch,
    Temp,
    Transmit,
    Truncate,
    Unary,
    Valid,
    Verify,
)

_SYMBOLS = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "mod": "%", "and": "&", "or": "|", "xor": "^",
    "shl": "<<", "shr": ">>", "sat_add": "|+|", "sat_sub": "|-|", "eq": "==", "ne": "!=", "lt": "<",
    "le": "<=", "gt": ">", "ge": ">=", "land": "&&", "lor": "||", "not": "~", "neg": "-", "lnot": "!",
}  # fmt: skip


def operand_text(operand: Operand) -> str:
    match operand:
        case Const(value, width, signed):
            return f"{width}{'s' if signed else 'w'}{value:#x}"
        case Ref(header, field):
            return f"{header}.{field}"
        case StackRef(stack, index, field):
            return f"{stack}[{_index(index)}].{field}"
        case Temp(name):
            return name
        case Param(name):
            return f"${name}"
        case Valid(header):
            return f"valid({header})"
        case StackValid(stack, index):
            return f"valid({stack}[{_index(index)}])"
        case PacketLength():
            return "packet_length"
        case StackIndex(stack, how):
            return f"{how}_index({stack})"
        case _:
            assert_never(operand)


def place_text(place: Place) -> str:
    """Like an operand, but a temporary shows its type."""
    if isinstance(place, Temp):
        return f"{place.name}:{'int' if place.signed else 'bit'}<{place.width}>"
    return operand_text(place)


def op_text(op: Op) -> str:
    """The instruction without its position."""
    match op:
        case Move() | Unary() | Binary() | Choose() | Hash() | ChecksumAdd() | Random():
            return _compute(op)
        case SetValid() | SetInvalid() | CopyHeader() | Push() | Pop():
            return _header(op)
        case Extract() | Lookahead() | Advance() | Verify() | Reject() | Emit():
            return _parse(op)
        case Label() | Jump() | Branch() | Switch() | BranchHit() | BranchAction() | Return() | Exit():
            return _flow(op)
        case Apply(table):
            return f"apply {table}"
        case Call(action, args):
            return f"call {action}({_list(args)})"
        case Learn() | Rearm() | Forget() | EntryId() | Count() | CountDirect() | Meter():
            return _table_state(op)
        case RegisterRead(dst, register, index):
            return f"{place_text(dst)} = {register}[{operand_text(index)}]"
        case RegisterWrite(register, index, src):
            return f"{register}[{operand_text(index)}] = {operand_text(src)}"
        case RegisterAdd(register, index, src):
            return f"{register}[{operand_text(index)}] += {operand_text(src)}"
        case _:
            return _packet(op)


def _compute(op: Move | Unary | Binary | Choose | Hash | ChecksumAdd | Random) -> str:
    dst = place_text(op.dst)
    match op:
        case Move(_, src):
            return f"{dst} = {operand_text(src)}"
        case Unary(_, name, a):
            return f"{dst} = {_SYMBOLS[name]}{operand_text(a)}"
        case Binary(_, name, a, b):
            return f"{dst} = {operand_text(a)} {_SYMBOLS[name]} {operand_text(b)}"
        case Choose(_, cond, a, b):
            return f"{dst} = {operand_text(cond)} ? {operand_text(a)} : {operand_text(b)}"
        case Hash(_, algorithm, inputs, base, modulus, host_order, with_payload, skip_invalid):
            order = " host order" if host_order else ""
            payload = ", payload" if with_payload else ""
            skip = "valid " if skip_invalid else ""
            text = f"{algorithm}{order}({skip}{_list(inputs)}{payload})"
            if modulus is not None:
                text = f"({text} % {operand_text(modulus)})"
            return f"{dst} = {text}" if base is None else f"{dst} = {operand_text(base)} + {text}"
        case ChecksumAdd(_, src, subtract):
            source = src if isinstance(src, str) else operand_text(src)
            return f"{dst} = checksum {'without' if subtract else 'with'} {source}"
        case Random(_, low, high):
            return f"{dst} = random({operand_text(low)}, {operand_text(high)})"
        case _:
            assert_never(op)


def _header(op: SetValid | SetInvalid | CopyHeader | Push | Pop) -> str:
    match op:
        case SetValid(header, index):
            return f"validate {_element(header, index)}"
        case SetInvalid(header, index):
            return f"invalidate {_element(header, index)}"
        case CopyHeader(dst, src):
            return f"copy {dst} = {src}"
        case Push(stack, count):
            return f"push {stack} by {count}"
        case Pop(stack, count):
            return f"pop {stack} by {count}"
        case _:
            assert_never(op)


def _parse(op: Extract | Lookahead | Advance | Verify | Reject | Emit) -> str:
    match op:
        case Extract(header, bits):
            return f"extract {header}" + ("" if bits is None else f" varbit {operand_text(bits)}")
        case Lookahead(dst, offset):
            target = dst if isinstance(dst, str) else place_text(dst)
            return f"{target} = lookahead at {offset}"
        case Advance(bits):
            return f"advance {operand_text(bits)}"
        case Verify(cond, error):
            name = error if isinstance(error, str) else operand_text(error)
            return f"verify {operand_text(cond)} else error {name}"
        case Reject(error):
            return f"reject {error}"
        case Emit(header):
            return f"emit {header}"
        case _:
            assert_never(op)


def _flow(op: Label | Jump | Branch | Switch | BranchHit | BranchAction | Return | Exit) -> str:
    match op:
        case Label(name):
            return f"{name}:"
        case Jump(target):
            return f"goto {target}"
        case Branch(name, a, b, target):
            return f"if {operand_text(a)} {_SYMBOLS[name]} {operand_text(b)} goto {target}"
        case Switch(keys, cases, default):
            arms = [_case(case) for case in cases]
            arms.append(f"_: {default or 'error NoMatch'}")
            return f"select ({_list(keys)}) {{ {'; '.join(arms)} }}"
        case BranchHit(target, hit):
            return f"if {'hit' if hit else 'miss'} goto {target}"
        case BranchAction(action, target, ran):
            return f"if {'ran' if ran else 'did not run'} {action} goto {target}"
        case Return():
            return "return"
        case Exit():
            return "exit"
        case _:
            assert_never(op)


def _case(case: Case) -> str:
    if case.value_set is not None:
        return f"{case.value_set}: {case.target}"
    pairs = zip(case.values, case.masks, strict=False)
    parts = [f"{v:#x}" if m == -1 else "_" if m == 0 else f"{v:#x} &&& {m:#x}" for v, m in pairs]
    return f"{', '.join(parts)}: {case.target}"


def _table_state(op: Learn | Rearm | Forget | EntryId | Count | CountDirect | Meter) -> str:
    match op:
        case Learn(action, args, profile):
            return f"learn {action}({_list(args)}) profile {operand_text(profile)}"
        case Rearm(profile):
            return "rearm" + ("" if profile is None else f" profile {operand_text(profile)}")
        case Forget():
            return "forget"
        case EntryId(dst):
            return f"{place_text(dst)} = entry_id"
        case Count(counter, index, packets, amount):
            return f"count {counter}[{operand_text(index)}]{_amounts(packets, amount)}"
        case CountDirect(counter, packets, amount):
            return f"count {counter}{_amounts(packets, amount)}"
        case Meter(dst, meter, index, length, color):
            at = "" if index is None else f"[{operand_text(index)}]"
            extra = "" if length is None else f" length {operand_text(length)}"
            extra += "" if color is None else f" color {operand_text(color)}"
            return f"{place_text(dst)} = meter {meter}{at}{extra}"
        case _:
            assert_never(op)


_Packet = (
    Digest | Clone | Resubmit | Recirculate | RecirculationId | Mirror | Truncate | Receive | Transmit
    | Drop | LogMessage | Assert
)  # fmt: skip


def _packet(op: _Packet) -> str:
    match op:
        case Digest(digest, values):
            return f"digest {digest}({_list(values)})"
        case Clone(kind, session, fields):
            return f"clone {kind} session {operand_text(session)} keeping ({_list(fields)})"
        case Resubmit(fields):
            return f"resubmit keeping ({_list(fields)})"
        case Recirculate(fields):
            return f"recirculate keeping ({_list(fields)})"
        case RecirculationId(dst):
            return f"{place_text(dst)} = recirculation_id"
        case Mirror(slot, session):
            return f"mirror slot {operand_text(slot)} session {operand_text(session)}"
        case Truncate(length):
            return f"truncate to {operand_text(length)}"
        case Receive(dst):
            return f"{place_text(dst)} = receive"
        case Transmit(port):
            return f"transmit {operand_text(port)}"
        case Drop():
            return "drop"
        case LogMessage(text, values):
            return f"log {text!r} ({_list(values)})"
        case Assert(cond, text):
            return f"assert {operand_text(cond)} {text!r}"
        case _:
            assert_never(op)


def _list(operands: tuple[Operand, ...]) -> str:
    return ", ".join(map(operand_text, operands))


def _index(index: Operand | str) -> str:
    return index if isinstance(index, str) else operand_text(index)


def _element(header: str, index: Operand | None) -> str:
    return header if index is None else f"{header}[{operand_text(index)}]"


def _amounts(packets: Operand | None, amount: Operand | None) -> str:
    parts = []
    if packets is not None:
        parts.append(f"packets {operand_text(packets)}")
    if amount is not None:
        parts.append(f"bytes {operand_text(amount)}")
    return f" by {', '.join(parts)}"
