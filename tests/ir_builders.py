"""Small Programs by hand, for tests of engines: headers from keyword arguments, one code, and what came out.

Used by test_engine_*.py and test_interp_*.py; nothing here knows how an engine works.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from p4nic.backend.api import Backend, Entry, Options, Outcome, Pipeline, Semantics
from p4nic.errors import ErrorKind, StateError, UnsupportedError
from p4nic.ir import verify
from p4nic.ir.ops import Code, Emit, Extract, Move, Op, Operand, Receive, Ref, SetValid, Transmit
from p4nic.ir.ops import Const as _Const
from p4nic.ir.program import (
    Action,
    ActionCall,
    ActionParam,
    ActionProfile,
    ActionRef,
    Block,
    Counter,
    DigestList,
    Key,
    MeterArray,
    Program,
    Register,
    Table,
    ValueSet,
)
from p4nic.ir.types import Field, Header, HeaderType, Stack, Union

ERRORS = {
    "NoError": 0, "PacketTooShort": 1, "NoMatch": 2, "StackOutOfBounds": 3, "HeaderTooShort": 4,
    "ParserTimeout": 5, "ParserInvalidArgument": 6, "Unlucky": 7,
}  # fmt: skip

STANDARD = {
    "ingress_port": 9, "egress_spec": 9, "egress_port": 9, "instance_type": 32, "packet_length": 32,
    "enq_timestamp": 32, "enq_qdepth": 19, "deq_timedelta": 32, "deq_qdepth": 19,
    "ingress_global_timestamp": 48, "egress_global_timestamp": 48, "mcast_grp": 16, "egress_rid": 16,
    "checksum_error": 1, "parser_error": 32, "priority": 3,
}  # fmt: skip


def const(value: int, width: int = 32, signed: bool = False) -> _Const:
    return _Const(value, width, signed)


def m(field: str) -> Ref:
    """A field of the metadata instance `m` that every built program has."""
    return Ref("m", field)


def std(field: str) -> Ref:
    return Ref("standard_metadata", field)


def fields(**widths: int) -> tuple[Field, ...]:
    """Fields by name and width; a negative width is a signed field."""
    return tuple(Field(name, abs(width), signed=width < 0) for name, width in widths.items())


def header_type(name: str, **widths: int) -> HeaderType:
    return HeaderType(name, fields(**widths))


def action(name: str, code: Sequence[Op] = (), **params: int) -> Action:
    return Action(name, tuple(ActionParam(n, w) for n, w in params.items()), tuple(code))


def key(operand: Ref, width: int, kind: str = "exact", mask: int | None = None) -> Key:
    return Key(operand.field, kind, operand, width, mask)  # type: ignore[arg-type]


def table(
    name: str,
    keys: Sequence[Key],
    actions: Sequence[str],
    default: str | ActionCall = "NoAction",
    **more: object,
) -> Table:
    call = default if isinstance(default, ActionCall) else ActionCall(default)
    refs = tuple(ActionRef(a) for a in dict.fromkeys((*actions, call.action)))
    return Table(name, tuple(keys), refs, call, **more)  # type: ignore[arg-type]


def program(
    architecture: str,
    blocks: Mapping[str, Code],
    *,
    metadata: Mapping[str, int] | None = None,
    types: Sequence[HeaderType] = (),
    headers: Mapping[str, str] | None = None,
    stacks: Sequence[Stack] = (),
    unions: Sequence[Union] = (),
    actions: Sequence[Action] = (),
    tables: Sequence[Table] = (),
    profiles: Sequence[ActionProfile] = (),
    counters: Sequence[Counter] = (),
    meters: Sequence[MeterArray] = (),
    registers: Sequence[Register] = (),
    digests: Sequence[DigestList] = (),
    value_sets: Sequence[ValueSet] = (),
) -> Program:
    """A Program with metadata `m` (and `standard_metadata` for v1model) and an action NoAction."""
    all_types = {t.name: t for t in types}
    all_types["m_t"] = header_type("m_t", **(metadata or {}))
    instances = {"m": Header("m", "m_t", metadata=True)}
    if architecture == "v1model":
        all_types["standard_t"] = header_type("standard_t", **STANDARD)
        instances["standard_metadata"] = Header("standard_metadata", "standard_t", metadata=True)
    instances |= {name: Header(name, type_) for name, type_ in (headers or {}).items()}
    for stack in stacks:
        for i in range(stack.size):
            instances[f"{stack.name}[{i}]"] = Header(f"{stack.name}[{i}]", stack.type)
    kinds = {"parser": "parser", "deparser": "deparser", "pipeline": "pipeline"}
    built = Program(
        name="test",
        architecture=architecture,  # type: ignore[arg-type]
        header_types=all_types,
        headers=instances,
        blocks={n: Block(n, kinds.get(n, "control"), tuple(c)) for n, c in blocks.items()},  # type: ignore[arg-type]
        actions={a.name: a for a in (action("NoAction"), *actions)},
        tables={t.name: t for t in tables},
        stacks={s.name: s for s in stacks},
        unions={u.name: u for u in unions},
        action_profiles={p.name: p for p in profiles},
        counters={c.name: c for c in counters},
        meters={x.name: x for x in meters},
        registers={r.name: r for r in registers},
        digests={d.name: d for d in digests},
        value_sets={v.name: v for v in value_sets},
        errors=ERRORS,
    )
    verify.check(built)
    return built


def swx(code: Sequence[Op], **more: object) -> Program:
    """A `.spec`-like program: metadata get `in_port`, the code runs between rx and whatever it ends with."""
    metadata = {"in_port": 32, **dict(more.pop("metadata", None) or {})}  # type: ignore[call-overload]
    return program("swx", {"pipeline": (Receive(m("in_port")), *code)}, metadata=metadata, **more)  # type: ignore[arg-type]


def v1model(
    ingress: Sequence[Op] = (),
    *,
    parser: Sequence[Op] = (),
    verify: Sequence[Op] = (),
    egress: Sequence[Op] = (),
    compute: Sequence[Op] = (),
    deparser: Sequence[Op] = (),
    **more: object,
) -> Program:
    """A v1model program of the given blocks."""
    blocks = {
        "parser": parser, "verify_checksum": verify, "ingress": ingress, "egress": egress,
        "compute_checksum": compute, "deparser": deparser,
    }  # fmt: skip
    return program("v1model", {n: tuple(c) for n, c in blocks.items()}, **more)  # type: ignore[arg-type]


NOT_NATIVE = (
    "outside of an action of a learner",
    "is used outside of its table's actions",
    "a run-time error number in verify",
)
"""What the native engine refuses (LIMITATIONS.md). Any other refusal fails a test."""


def build(backend: Backend, built: Program, options: Options) -> Pipeline:
    """The program made executable; skips the test where the engine is known not to run such programs."""
    try:
        return backend.build(built, options)
    except UnsupportedError as error:
        if backend.name == "native" and any(known in str(error) for known in NOT_NATIVE):
            pytest.skip(str(error))
        raise


def pipeline(backend: Backend, built: Program, **options: object) -> Pipeline:
    """The program made executable; options as of api.Options."""
    return build(backend, built, Options(**options))  # type: ignore[arg-type]


def one(running: Pipeline, frame: bytes = b"", port: int = 1, now_ns: int = 0) -> Outcome:
    """Process one frame."""
    return running.process([(port, frame)], now_ns)[0]


def traced(running: Pipeline, frame: bytes = b"", port: int = 1, now_ns: int = 0) -> Outcome:
    """Process one frame with every step told; plainly where the engine cannot tell."""
    try:
        return running.trace(port, frame, now_ns)[0]
    except StateError as error:
        if error.kind is not ErrorKind.UNIMPLEMENTED:
            raise
        return one(running, frame, port, now_ns)


def entry(table_name: str, match: Sequence[object], action_name: str, *args: int, **more: object) -> Entry:
    return Entry(table_name, tuple(match), ActionCall(action_name, args), **more)  # type: ignore[arg-type]


def value_of(
    backend: Backend,
    ops: Sequence[Op],
    result: Operand,
    width: int = 64,
    frame: bytes = b"",
    semantics: Semantics = Semantics.SPEC,
    **more: object,
) -> int:
    """Run `ops`, then move `result` into a header of `width` bits and send that: its number."""
    types = [*more.pop("types", ()), header_type("result_t", value=width)]  # type: ignore[misc]
    headers = {**dict(more.pop("headers", None) or {}), "result": "result_t"}  # type: ignore[call-overload]
    out = (*ops, SetValid("result"), Move(Ref("result", "value"), result), Emit("result"), Transmit(const(0)))
    running = pipeline(backend, swx(out, types=types, headers=headers, **more), semantics=semantics)
    again = pipeline(backend, swx(out, types=types, headers=headers, **more), semantics=semantics)
    outcome = one(running, frame)
    assert outcome == traced(again, frame), "the traced build disagrees"
    assert outcome.drop_reason == "", outcome
    return int.from_bytes(outcome.sent[0][1][: width // 8], "big")


def parse_and_forward(*headers: str) -> tuple[Op, ...]:
    """Extract these headers one after another (swx)."""
    return tuple(Extract(h) for h in headers)
