"""The extern methods that p4c-bm2-psa and p4c-bm2-pna write as primitives: `_Hash_get_hash` and so on.

In: calls whose first parameter is {"type": "extern"}. Out: instructions in the Emitter. Called by
`primitives`. Counter and Meter instances become ordinary arrays (see `scope`). An InternetChecksum is a
16-bit one's complement sum in hidden metadata: csum16 over the old sum and the new words is the complement of
the new sum.
"""

from __future__ import annotations

from p4nic.ir.ops import Binary, Choose, Const, Count, Hash, Meter, Move, Operand, PacketLength, Ref, Unary
from p4nic.load.bmv2 import places, values
from p4nic.load.bmv2.emit import Emitter
from p4nic.load.bmv2.scope import CHECKSUM_STATE, check_algorithm, hash_inputs
from p4nic.load.bmv2.tree import Node

METHODS = {
    "_Counter_count": (2,), "_Meter_execute": (2, 3), "_Hash_get_hash": (3,), "_Hash_get_hash_mod": (5,),
    "_InternetChecksum_clear": (1,), "_InternetChecksum_add": (2,), "_InternetChecksum_subtract": (2,),
    "_InternetChecksum_get": (2,), "_InternetChecksum_get_state": (2,), "_InternetChecksum_set_state": (2,),
    "_InternetChecksum_get_verify": (3,),
}  # fmt: skip
"""The methods, and their numbers of parameters with the instance."""


def lower_method(em: Emitter, call: Node, params: list[Node]) -> None:
    """Add the instructions of one extern method; the number of parameters has been checked."""
    op = call.get("op").text()
    instance = params[0].get("value")
    if params[0].get("type").value != "extern":
        raise params[0].get("type").wrong("'extern'")
    extern = em.scope.lookup(em.scope.externs, "extern instance", instance)
    if not op.startswith(f"_{extern.type}_"):
        raise instance.fail(f"{instance.text()!r} is a {extern.type}, which has no method {op!r}.")
    match op:
        case "_Counter_count":
            index = values.operand(em, params[1]).operand
            em.add(Count(instance.text(), index, Const(1, 32), PacketLength()))
        case "_Meter_execute":
            _meter(em, instance.text(), params)
        case "_Hash_get_hash" | "_Hash_get_hash_mod":
            _hash(em, call, params, extern.arguments.get("algo", ""))
        case _:
            _checksum(em, op.removeprefix("_InternetChecksum_"), instance.text(), params)


def _meter(em: Emitter, name: str, params: list[Node]) -> None:
    """PSA_MeterColor_t counts RED 0, GREEN 1, YELLOW 2; psa_switch converts as is done here.

    p4c writes (index, result), where it loses a colour before; or, if nobody wants the result, (index) and
    (colour before, index). psa_switch takes the last for the first; p4nic does what the P4 program says.
    """
    colour, numbered, is_red = em.temp(2), em.temp(2), em.temp(1)
    if len(params) == 2:
        em.add(Meter(colour, name, values.operand(em, params[1]).operand))
        return
    if places.unwrap(params[2]).get("type").value in ("runtime_data", "hexstr"):
        before = values.operand(em, params[1]).operand
        em.add(Binary(is_red, "eq", before, Const(0, 2)))
        em.add(Binary(numbered, "sub", before, Const(1, 2)))
        em.add(Choose(colour, is_red, Const(2, 2), numbered))
        em.add(Meter(em.temp(2), name, values.operand(em, params[2]).operand, color=colour))
        return
    em.add(Meter(colour, name, values.operand(em, params[1]).operand))
    em.add(Binary(is_red, "eq", colour, Const(2, 2)))
    em.add(Binary(numbered, "add", colour, Const(1, 2)))
    em.add(Choose(places.place(em, params[2])[0], is_red, Const(0, 2), numbered))


def _hash(em: Emitter, call: Node, params: list[Node], algorithm: str) -> None:
    check_algorithm(Node(algorithm, call.file, call, "algo"))
    dst, _ = places.place(em, params[1])
    if len(params) == 3:
        em.add(Hash(dst, algorithm, _whole_bytes(em, _fields(em, params[2]))))
        return
    base, modulus = values.operand(em, params[2]).operand, values.operand(em, params[4]).operand
    em.add(Hash(dst, algorithm, _whole_bytes(em, _fields(em, params[3])), base, modulus))


def _whole_bytes(em: Emitter, inputs: tuple[Operand, ...]) -> tuple[Operand, ...]:
    """psa_switch fills up the first byte, where v1model's calculations fill up the last. (It also leaves out
    leading bytes that are zero, which shows with crc32; p4nic does not.)"""
    missing = -sum(_width(em, operand) for operand in inputs) % 8
    return (Const(0, missing), *inputs) if missing else inputs


def _fields(em: Emitter, node: Node) -> tuple[Operand, ...]:
    if node.get("type").value != "field_list":
        raise node.get("type").wrong("'field_list'")
    value = node.get("value")
    if isinstance(value.value, dict):  # p4c-bm2-psa, for a single field
        value = Node([value.value], value.file, node, "value")
    return hash_inputs(value, em.scope)[0]


def _checksum(em: Emitter, method: str, instance: str, params: list[Node]) -> None:
    state = Ref(CHECKSUM_STATE, instance)
    match method:
        case "clear":
            em.add(Move(state, Const(0, 16)))
        case "add":
            _add(em, state, _fields(em, params[1]))
        case "subtract":
            inverted: list[Operand] = []
            for operand in _fields(em, params[1]):
                temp = em.temp(_width(em, operand))
                em.add(Unary(temp, "not", operand))
                inverted.append(temp)
            _add(em, state, tuple(inverted))
        case "get":
            em.add(Unary(places.place(em, params[1])[0], "not", state))
        case "get_state":
            em.add(Move(places.place(em, params[1])[0], state))
        case "set_state":
            em.add(Move(state, values.operand(em, params[1], 16).operand))
        case _:
            checksum = em.temp(16)
            em.add(Unary(checksum, "not", state))
            dst, _ = places.place(em, params[1])
            em.add(Binary(dst, "eq", values.operand(em, params[2]).operand, checksum))


def _add(em: Emitter, state: Ref, words: tuple[Operand, ...]) -> None:
    checksum = em.temp(16)
    em.add(Hash(checksum, "csum16", (state, *words)))
    em.add(Unary(state, "not", checksum))


def _width(em: Emitter, operand: Operand) -> int:
    if isinstance(operand, Ref):
        field = em.layout.types[em.layout.headers[operand.header].type].field(operand.field)
        return field.width if field is not None else 1
    return operand.width if isinstance(operand, Const) else 1
