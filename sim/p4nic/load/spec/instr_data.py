"""Instructions that move and compute: mov, movh, add … shr, ckadd, cksub, hash, rss."""

from __future__ import annotations

from collections.abc import Mapping

from p4nic.bits import mask
from p4nic.ir.ops import Binary, BinaryOp, ChecksumAdd, Const, Hash, Move, Operand
from p4nic.ir.types import Source
from p4nic.load.spec.code import Emitter, Mnemonic
from p4nic.load.spec.lines import nearest
from p4nic.load.spec.scope import Value
from p4nic.load.spec.syntax import Instruction

_HASHES = {"crc32": "crc32c", "jhash": "jhash"}
"""DPDK's names and ours: its `crc32` is rte_hash_crc, the Castagnoli polynomial, called with initial value
0."""


def _cut(value: Value, width: int) -> Operand:
    """An immediate cut to the destination's width; anything else as it is."""
    if isinstance(value.operand, Const):
        return Const(value.operand.value & mask(width), width)
    return value.operand


def _mov(e: Emitter, i: Instruction) -> None:
    dst, to = e.scope.place(i.args[0], i.line)
    e.emit(Move(dst, _cut(e.value(i, 1), to.width), i.line.source))


def _movh(e: Emitter, i: Instruction) -> None:
    """The upper 64 bits of a 128-bit field: written when the destination is the wide one, else read."""
    dst, to = e.scope.place(i.args[0], i.line)
    src = e.value(i, 1)
    source = i.line.source
    if to.width <= 64 < src.width:
        e.emit(Binary(dst, "shr", src.operand, Const(64, 8), source))
    elif src.width <= 64 < to.width:
        low, high = e.temp(to.width), e.temp(to.width)
        e.emit(Binary(low, "and", dst, Const(mask(64), to.width), source))
        e.emit(Binary(high, "shl", src.operand, Const(64, 8), source))
        e.emit(Binary(dst, "or", low, high, source))
    else:
        raise i.line.error(
            f"movh needs one operand of 128 bits and one of at most 64, not {to.width} and {src.width}"
        )


def _alu(op: BinaryOp) -> Mnemonic:
    def translate(e: Emitter, i: Instruction) -> None:
        dst, to = e.scope.place(i.args[0], i.line)
        src = e.value(i, 1)
        b = src.operand if op in ("shl", "shr") else _cut(src, to.width)
        e.emit(Binary(dst, op, dst, b, i.line.source))

    return (2,), translate


def _checksum(subtract: bool) -> Mnemonic:
    def translate(e: Emitter, i: Instruction) -> None:
        dst, to = e.scope.place(i.args[0], i.line)
        if to.kind != "h" or to.width != 16:
            raise i.line.error(f"{i.args[0]} must be a header field of 16 bits to hold a checksum")
        if i.args[1].count(".") == 1 and i.args[1].startswith("h.") and not subtract:
            e.emit(ChecksumAdd(dst, e.scope.header(i.args[1], i.line), source=i.line.source))
            return
        src = e.value(i, 1)
        if src.kind != "h":
            raise i.line.error(
                f"{i.args[1]} must be a header field or a header, whose bytes are in network order"
            )
        operand = src.operand
        if src.width % 16:
            # DPDK adds the bytes as they lie in memory: an odd last byte is the upper half of a 16-bit word.
            padded = e.temp(src.width + 8)
            e.emit(Binary(padded, "shl", operand, Const(8, 4), i.line.source))
            operand = padded
        e.emit(ChecksumAdd(dst, operand, subtract, i.line.source))

    return (2,), translate


def _hash(e: Emitter, i: Instruction) -> None:
    algorithm = _HASHES.get(i.args[0])
    if algorithm is None:
        raise i.line.unsupported(f"hash function {i.args[0]} is not known; p4nic has {' and '.join(_HASHES)}")
    _hash_fields(e, i, algorithm)


def _rss(e: Emitter, i: Instruction) -> None:
    if i.args[0] not in e.spec.rss:
        raise i.line.error(
            f"there is no RSS object {i.args[0]}{nearest(i.args[0], e.spec.rss, 'RSS objects')}"
        )
    _hash_fields(e, i, "toeplitz")


def _hash_fields(e: Emitter, i: Instruction, algorithm: str) -> None:
    """Hash the bytes from the first to the last named field of one struct, as they lie in memory."""
    dst, _ = e.scope.place(i.args[1], i.line)
    first = e.scope.value(i.args[2], i.line)
    last = e.value(i, 3)
    if first.struct is None or first.kind == "i" or first.kind != last.kind or _owner(first) != _owner(last):
        raise i.line.error(f"{i.args[2]} and {i.args[3]} must be fields of one header or of the metadata")
    if last.position < first.position:
        raise i.line.error(f"{i.args[3]} lies before {i.args[2]}")
    prefix = i.args[2].rpartition(".")[0]
    fields = first.struct.fields[first.position : last.position + 1]
    inputs: list[Operand] = []
    for field in fields:
        value = e.scope.scalar(f"{prefix}.{field.name}", i.line)
        if value.width % 8:
            raise i.line.error(f"{prefix}.{field.name} is not whole bytes and cannot be hashed")
        if first.kind != "h" and value.width > 64:
            inputs.extend(_bytes(e, value.operand, value.width, i.line.source))
        else:
            inputs.append(value.operand)
    e.emit(Hash(dst, algorithm, tuple(inputs), host_order=first.kind != "h", source=i.line.source))


def _owner(value: Value) -> str:
    return getattr(value.operand, "header", "")


def _bytes(e: Emitter, operand: Operand, width: int, source: Source) -> list[Operand]:
    """The bytes of a wide field, first byte first: DPDK keeps fields above 64 bits in network order even in
    metadata."""
    parts: list[Operand] = []
    for shift in range(width - 8, -1, -8):
        part = e.temp(8)
        e.emit(Binary(part, "shr", operand, Const(shift, 16), source))
        parts.append(part)
    return parts


MNEMONICS: Mapping[str, Mnemonic] = {
    "mov": ((2,), _mov), "movh": ((2,), _movh),
    "add": _alu("add"), "sub": _alu("sub"), "and": _alu("and"), "or": _alu("or"), "xor": _alu("xor"),
    "shl": _alu("shl"), "shr": _alu("shr"), "ckadd": _checksum(False), "cksub": _checksum(True),
    "hash": ((4,), _hash), "rss": ((4,), _rss),
}  # fmt: skip
