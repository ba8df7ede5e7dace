"""Primitive calls (of actions, parsers and deparsers) to instructions.

In: {"op": ..., "parameters": [...]} objects. Out: instructions in the Emitter. One function per primitive,
found by name in `PRIMITIVES` together with the number of parameters; jumps inside an action are `actions`'
business. PSA's and PNA's extern methods are in `externs`.
"""

from __future__ import annotations

from collections.abc import Callable

from p4nic.ir.ops import (
    Assert,
    Binary,
    BinaryOp,
    Branch,
    Clone,
    Const,
    CopyHeader,
    Count,
    Digest,
    Exit,
    Hash,
    Jump,
    LogMessage,
    Meter,
    Move,
    Operand,
    PacketLength,
    Pop,
    Push,
    Random,
    Recirculate,
    Ref,
    RegisterRead,
    RegisterWrite,
    Resubmit,
    SetInvalid,
    SetValid,
    Truncate,
)
from p4nic.load.bmv2 import places, pna, values
from p4nic.load.bmv2.emit import Emitter, const
from p4nic.load.bmv2.externs import METHODS, lower_method
from p4nic.load.bmv2.scope import ALGORITHMS
from p4nic.load.bmv2.tree import Node

DROP_PORT = 511
"""What mark_to_drop writes to egress_spec: simple_switch's default drop port, the largest bit<9>."""

Handler = Callable[[Emitter, Node, list[Node]], None]


def lower_primitive(em: Emitter, call: Node) -> None:
    """Add the instructions of one call. Raises UnsupportedError for a primitive that p4nic does not have."""
    op = call.get("op")
    em.source = call.source()
    entry = PRIMITIVES.get(op.text())
    if op.text() in METHODS:
        entry = METHODS[op.text()], lower_method
    elif op.text() in pna.PRIMITIVES:
        entry = (pna.PRIMITIVES[op.text()],), pna.lower
    if entry is None:
        known = ", ".join(sorted(PRIMITIVES))
        raise call.unsupported(f"the primitive {op.text()!r}", f"p4nic has {known}")
    counts, handler = entry
    params = call.items("parameters")
    if len(params) not in counts:
        raise call.fail(
            f"{op.text()!r} takes {' or '.join(map(str, counts))} parameters, found {len(params)}."
        )
    handler(em, call, params)


def _typed(node: Node, *kinds: str) -> Node:
    """The value of a parameter that must be of one of these types."""
    kind = node.get("type")
    if kind.value not in kinds:
        raise kind.wrong(" or ".join(repr(k) for k in kinds))
    return node.get("value")


# --- assignments --------------------------------------------------------------------------------------------


def _assign(em: Emitter, call: Node, params: list[Node]) -> None:
    dst, field = places.place(em, params[0])
    values.store(em, dst, field, params[1])


def _assign_varbit(em: Emitter, call: Node, params: list[Node]) -> None:
    dst, to = places.place(em, params[0])
    src, of = places.place(em, params[1])
    if not (to.varbit and of.varbit):
        raise call.fail("assign_VL copies one varbit field to another.")
    em.add(Move(dst, src))


def _assign_header(em: Emitter, call: Node, params: list[Node]) -> None:
    dst, src = places.header(em, params[0]), places.header(em, params[1])
    if dst.type.name != src.type.name:
        raise call.fail(
            f"a header of type {src.type.name!r} cannot be assigned to one of type {dst.type.name!r}."
        )
    if dst.index is None and src.index is None:
        em.add(CopyHeader(dst.name, src.name))
        return
    # A run-time element: field by field, which CopyHeader cannot name.
    invalid, done = em.fresh_label("invalid"), em.fresh_label("copied")
    em.add(Branch("eq", src.valid, const(0), invalid))
    em.add(SetValid(dst.name, dst.index))
    for field in dst.type.fields:
        em.add(Move(dst.field(field), src.field(field)))
    em.add(Jump(done))
    em.label(invalid)
    em.add(SetInvalid(dst.name, dst.index))
    em.label(done)


def _assign_stack(em: Emitter, call: Node, params: list[Node]) -> None:
    dst, src = (em.layout.stack(_typed(p, "header_stack")) for p in params)
    if (dst.type, dst.size) != (src.type, src.size):
        raise call.fail(f"the stacks {dst.name!r} and {src.name!r} differ in type or size.")
    em.add(CopyHeader(dst.name, src.name))


def _assign_union(em: Emitter, call: Node, params: list[Node]) -> None:
    dst, src = (places.union(em, p) for p in params)
    if em.layout.union_types[dst] != em.layout.union_types[src]:
        raise call.fail(f"the unions {dst!r} and {src!r} differ in type.")
    em.add(CopyHeader(dst, src))


def _assign_union_stack(em: Emitter, call: Node, params: list[Node]) -> None:
    (dst, to), (src, of) = (em.layout.union_stack(_typed(p, "header_union_stack")) for p in params)
    if len(to) != len(of) or em.layout.union_stacks[dst][0] != em.layout.union_stacks[src][0]:
        raise call.fail(f"the union stacks {dst!r} and {src!r} differ in type or size.")
    for a, b in zip(to, of, strict=True):
        em.add(CopyHeader(a, b))
    em.add(Move(places.union_count(dst), places.union_count(src)))


def _arithmetic(op: BinaryOp, in_place: bool) -> Handler:
    """P4_14's add_to_field(dst, b) and add(dst, a, b)."""

    def lower(em: Emitter, call: Node, params: list[Node]) -> None:
        dst, _ = places.place(em, params[0])
        a: Operand = dst if in_place else values.operand(em, params[1]).operand
        em.add(Binary(dst, op, a, values.operand(em, params[-1]).operand))

    return lower


# --- headers ------------------------------------------------------------------------------------------------


def _add_header(em: Emitter, call: Node, params: list[Node]) -> None:
    header = places.header(em, params[0])
    em.add(SetValid(header.name, header.index))


def _remove_header(em: Emitter, call: Node, params: list[Node]) -> None:
    if places.unwrap(params[0]).get("type").value == "header_union":
        for member in em.layout.unions[places.union(em, params[0])].members:
            em.add(SetInvalid(member))
        return
    header = places.header(em, params[0])
    em.add(SetInvalid(header.name, header.index))


def _push(em: Emitter, call: Node, params: list[Node]) -> None:
    em.add(Push(*_shifted_stack(em, call, params)))


def _pop(em: Emitter, call: Node, params: list[Node]) -> None:
    em.add(Pop(*_shifted_stack(em, call, params)))


def _shifted_stack(em: Emitter, call: Node, params: list[Node]) -> tuple[str, int]:
    if params[0].get("type").value == "header_union_stack":
        raise call.unsupported("push_front or pop_front on a stack of unions", "use a stack of headers")
    stack = em.layout.stack(_typed(params[0], "header_stack"))
    count = _typed(params[1], "hexstr")
    if not 0 <= count.hexint() <= 1 << 16:
        raise count.wrong("a count of elements")
    return stack.name, min(count.hexint(), stack.size)


# --- where the packet goes ----------------------------------------------------------------------------------


def _drop(em: Emitter, call: Node, params: list[Node]) -> None:
    """mark_to_drop: egress_spec = the drop port, mcast_grp = 0."""
    if params:
        header = places.header(em, params[0])
        name = header.name
    else:
        name = "standard_metadata"
    type_ = em.layout.types[em.layout.headers[name].type] if name in em.layout.headers else None
    egress = type_.field("egress_spec") if type_ else None
    if type_ is None or egress is None:
        raise call.fail(f"dropping needs a field 'egress_spec' in {name!r}.")
    values.store_operand(em, Ref(name, "egress_spec"), egress, DROP_PORT)
    group = type_.field("mcast_grp")
    if group is not None:
        values.store_operand(em, Ref(name, "mcast_grp"), group, 0)


def _field_list(em: Emitter, node: Node) -> tuple[Ref, ...]:
    """The fields of a list by id; list 0 is BMv2's empty list."""
    number = _typed(node, "hexstr")
    if number.hexint() == 0:
        return ()
    if number.hexint() not in em.scope.field_lists:
        raise number.fail(f"there is no field list with id {number.hexint()}.")
    return em.scope.field_lists[number.hexint()]


def _clone_ingress(em: Emitter, call: Node, params: list[Node]) -> None:
    fields = _field_list(em, params[1]) if len(params) > 1 else ()
    em.add(Clone("i2e", values.operand(em, params[0]).operand, fields))


def _clone_egress(em: Emitter, call: Node, params: list[Node]) -> None:
    fields = _field_list(em, params[1]) if len(params) > 1 else ()
    em.add(Clone("e2e", values.operand(em, params[0]).operand, fields))


def _resubmit(em: Emitter, call: Node, params: list[Node]) -> None:
    em.add(Resubmit(_field_list(em, params[0])))


def _recirculate(em: Emitter, call: Node, params: list[Node]) -> None:
    em.add(Recirculate(_field_list(em, params[0]) if params else ()))  # PNA's takes none


def _truncate(em: Emitter, call: Node, params: list[Node]) -> None:
    em.add(Truncate(values.operand(em, params[0]).operand))


def _digest(em: Emitter, call: Node, params: list[Node]) -> None:
    number = _typed(params[1], "hexstr")
    if number.hexint() not in em.scope.learn_lists:
        raise number.fail(f"there is no learn list with id {number.hexint()}.")
    name, fields = em.scope.learn_lists[number.hexint()]
    em.add(Digest(name, fields))


def _exit(em: Emitter, call: Node, params: list[Node]) -> None:
    em.add(Exit())


def _nothing(em: Emitter, call: Node, params: list[Node]) -> None:
    pass


# --- state --------------------------------------------------------------------------------------------------


def _hash(em: Emitter, call: Node, params: list[Node]) -> None:
    dst, _ = places.place(em, params[0])
    calculation = em.scope.lookup(em.scope.calculations, "calculation", _typed(params[2], "calculation"))
    base: Operand | None = values.operand(em, params[1]).operand
    modulus: Operand | None = values.operand(em, params[3]).operand
    if _is_whole(calculation.algorithm, base, modulus):
        base = modulus = None
    em.add(
        Hash(
            dst, calculation.algorithm, calculation.inputs, base, modulus,
            with_payload=calculation.with_payload, skip_invalid=calculation.skip_invalid,
        )
    )  # fmt: skip


def _is_whole(algorithm: str, base: Operand | None, modulus: Operand | None) -> bool:
    """Whether base and modulus are such that every hash stays itself: p4c's idiom for a plain hash."""
    if not isinstance(base, Const) or not isinstance(modulus, Const):
        return False
    return base.value == 0 and modulus.value >= 1 << ALGORITHMS[algorithm]


def _random(em: Emitter, call: Node, params: list[Node]) -> None:
    dst, _ = places.place(em, params[0])
    em.add(Random(dst, values.operand(em, params[1]).operand, values.operand(em, params[2]).operand))


def _count(em: Emitter, call: Node, params: list[Node]) -> None:
    counter = em.scope.lookup(em.scope.counters, "counter array", _typed(params[0], "counter_array"))
    if counter.table is not None:
        raise params[0].fail(f"the counter {counter.name!r} is direct: it counts by itself.")
    em.add(Count(counter.name, values.operand(em, params[1]).operand, Const(1, 32), PacketLength()))


def _meter(em: Emitter, call: Node, params: list[Node]) -> None:
    meter = em.scope.lookup(em.scope.meters, "meter array", _typed(params[0], "meter_array"))
    if meter.table is not None:
        raise params[0].fail(f"the meter {meter.name!r} is direct: it is executed by its table.")
    dst, _ = places.place(em, params[2])
    em.add(Meter(dst, meter.name, values.operand(em, params[1]).operand))


def _register_read(em: Emitter, call: Node, params: list[Node]) -> None:
    dst, _ = places.place(em, params[0])
    register = em.scope.lookup(em.scope.registers, "register array", _typed(params[1], "register_array"))
    em.add(RegisterRead(dst, register.name, values.operand(em, params[2]).operand))


def _register_write(em: Emitter, call: Node, params: list[Node]) -> None:
    register = em.scope.lookup(em.scope.registers, "register array", _typed(params[0], "register_array"))
    index = values.operand(em, params[1]).operand
    em.add(RegisterWrite(register.name, index, values.operand(em, params[2], register.width).operand))


# --- messages -----------------------------------------------------------------------------------------------


def _log(em: Emitter, call: Node, params: list[Node]) -> None:
    text = _typed(params[0], "string").text()
    vector = _typed(params[1], "parameters_vector")
    # p4c writes an empty *object* for a message without values.
    items = [] if vector.value == {} else vector.items()
    em.add(LogMessage(text, tuple(values.operand(em, item).operand for item in items)))


def _assert(em: Emitter, call: Node, params: list[Node]) -> None:
    cond = values.operand(em, params[0]).operand
    em.add(Assert(cond, em.source.fragment or call.get("op").text()))


PRIMITIVES: dict[str, tuple[tuple[int, ...], Handler]] = {
    "assign": ((2,), _assign),
    "set": ((2,), _assign),
    "modify_field": ((2,), _assign),
    "assign_VL": ((2,), _assign_varbit),
    "assign_header": ((2,), _assign_header),
    "copy_header": ((2,), _assign_header),
    "assign_header_stack": ((2,), _assign_stack),
    "assign_union": ((2,), _assign_union),
    "assign_union_stack": ((2,), _assign_union_stack),
    "add_to_field": ((2,), _arithmetic("add", True)),
    "subtract_from_field": ((2,), _arithmetic("sub", True)),
    "add": ((3,), _arithmetic("add", False)),
    "subtract": ((3,), _arithmetic("sub", False)),
    "bit_and": ((3,), _arithmetic("and", False)),
    "bit_or": ((3,), _arithmetic("or", False)),
    "bit_xor": ((3,), _arithmetic("xor", False)),
    "shift_left": ((3,), _arithmetic("shl", False)),
    "shift_right": ((3,), _arithmetic("shr", False)),
    "add_header": ((1,), _add_header),
    "add_header_fast": ((1,), _add_header),
    "remove_header": ((1,), _remove_header),
    "push": ((2,), _push),
    "pop": ((2,), _pop),
    "mark_to_drop": ((1,), _drop),
    "drop": ((0,), _drop),
    "clone_ingress_pkt_to_egress": ((1, 2), _clone_ingress),
    "clone_egress_pkt_to_egress": ((1, 2), _clone_egress),
    "resubmit": ((1,), _resubmit),
    "recirculate": ((0, 1), _recirculate),
    "truncate": ((1,), _truncate),
    "generate_digest": ((2,), _digest),
    "exit": ((0,), _exit),
    "no_op": ((0,), _nothing),
    "modify_field_with_hash_based_offset": ((4,), _hash),
    "modify_field_rng_uniform": ((3,), _random),
    "count": ((2,), _count),
    "execute_meter": ((3,), _meter),
    "register_read": ((3,), _register_read),
    "register_write": ((3,), _register_write),
    "log_msg": ((2,), _log),
    "assert": ((1,), _assert),
    "assume": ((1,), _assert),
}
