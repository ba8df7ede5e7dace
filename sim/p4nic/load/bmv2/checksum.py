"""Deparsers, and v1model's checksum controls, to blocks.

In: `deparsers` and `checksums` of the document. Out: blocks `deparser`, `verify_checksum`,
`compute_checksum`. BMv2 skips the verification of a checksum whose header is invalid; so do we.
"""

from __future__ import annotations

from p4nic.ir.ops import Branch, Emit, Hash, Place, Ref, Valid
from p4nic.ir.program import Block
from p4nic.ir.types import Field, Source
from p4nic.load.bmv2 import values
from p4nic.load.bmv2.emit import Emitter, const
from p4nic.load.bmv2.primitives import lower_primitive
from p4nic.load.bmv2.scope import ALGORITHMS, Calculation, Scope
from p4nic.load.bmv2.tree import Node

CHECKSUM_ERROR = Ref("standard_metadata", "checksum_error")


def load_deparser(node: Node, scope: Scope, block: str) -> Block:
    em = Emitter(scope)
    for call in node.items("primitives"):
        lower_primitive(em, call)
    em.source = node.source()
    for entry in node.items("order"):
        em.add(Emit(scope.layout.header(entry).name))
    return Block(block, "deparser", em.code(), node.source())


def load_checksums(root: Node, scope: Scope) -> tuple[Block, Block]:
    """The blocks verify_checksum and compute_checksum, empty where the program has no checksums."""
    verify, compute = Emitter(scope), Emitter(scope)
    checksums = root.items("checksums")
    for node in checksums:
        if node.flag("verify", True):
            _verify(verify, node)
        if node.flag("update", True):
            _update(compute, node)
    source = checksums[0].source() if checksums else Source()
    return (
        Block("verify_checksum", "control", verify.code(), source),
        Block("compute_checksum", "control", compute.code(), source),
    )


def _parts(em: Emitter, node: Node) -> tuple[Ref, Field, Calculation]:
    em.source = node.source()
    kind = node.get("type")
    if kind.text() != "generic":
        raise node.unsupported(
            f"a checksum of type {kind.text()!r}", "compile with p4c, which writes 'generic'"
        )
    target, field = em.layout.ref(node.get("target"))
    return target, field, em.scope.lookup(em.scope.calculations, "calculation", node.get("calculation"))


def _condition(em: Emitter, node: Node, skip: str) -> None:
    cond = node.opt("if_cond")
    if cond is not None and not (cond.has("type") and cond.get("value").value is True):
        values.branch_unless(em, cond, skip)


def _update(em: Emitter, node: Node) -> None:
    target, _, calculation = _parts(em, node)
    skip = em.fresh_label("skip")
    _condition(em, node, skip)
    em.add(_hash(target, calculation))
    em.label(skip)


def _verify(em: Emitter, node: Node) -> None:
    target, field, calculation = _parts(em, node)
    flag = _error_flag(em)
    if flag is None:  # P4_14's metadata: nothing could ever see the result
        return
    skip = em.fresh_label("skip")
    if not em.layout.headers[target.header].metadata:
        em.add(Branch("eq", Valid(target.header), const(0), skip))
    _condition(em, node, skip)
    computed = em.temp(max(field.width, ALGORITHMS[calculation.algorithm]))
    em.add(_hash(computed, calculation))
    em.add(Branch("eq", computed, target, skip))
    values.store_operand(em, CHECKSUM_ERROR, flag, 1)
    em.label(skip)


def _hash(dst: Place, calculation: Calculation) -> Hash:
    return Hash(
        dst,
        calculation.algorithm,
        calculation.inputs,
        with_payload=calculation.with_payload,
        skip_invalid=calculation.skip_invalid,
    )


def _error_flag(em: Emitter) -> Field | None:
    header = em.layout.headers.get(CHECKSUM_ERROR.header)
    return em.layout.types[header.type].field(CHECKSUM_ERROR.field) if header else None
