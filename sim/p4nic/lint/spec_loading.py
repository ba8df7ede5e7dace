"""Why DPDK will not build a `.spec`. Each rule was tried on DPDK 22.11: its one-line program is refused.

In: lines, or a Model, and the release. Out: findings of level error. Called by `targets`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from p4nic.lint.finding import Finding
from p4nic.lint.spec_model import Model, Step, is_constant, is_data
from p4nic.load.spec.lines import Line

Release = Literal["22.11", "26.07"]
_MOST_TOKEN = 63
_WIDE = 64
_JUMPS = ("jmpeq", "jmpneq", "jmplt", "jmpgt")


def line_findings(lines: Sequence[Line], release: Release) -> Iterator[Finding]:
    """What can be seen before anything is understood."""
    for line in lines:
        where = f"{line.file}:{line.number}"
        for token in line.tokens:
            if len(token) > _MOST_TOKEN:
                yield Finding(
                    "error", "long-token", where, f'the name "{token[:40]}…" has {len(token)} characters',
                    "DPDK reads tokens of up to 63 characters and refuses the file (Token too big)",
                    "give the P4 parameter, state or structure a shorter name",
                )  # fmt: skip
        if line.tokens[0] == "rss" and release == "22.11":
            yield Finding(
                "error", "rss-unknown", where, "the program uses a Toeplitz hash (rss)",
                "DPDK 22.11 does not know the statement and refuses the file; 23.11 does",
                "use PNA_HashAlgorithm_t.CRC32, or a newer DPDK",
            )  # fmt: skip
        if len(line.tokens) == 2 and line.tokens[1] == "selector":
            yield Finding(
                "error", "selector-key", where, f"{line.tokens[0]} is a table key of kind selector",
                "DPDK has no such kind and refuses the file (Invalid match field statement)",
                "give the table an ActionSelector as pna_implementation or psa_implementation",
            )  # fmt: skip


def findings(model: Model, release: Release) -> Iterator[Finding]:
    """What DPDK refuses when it configures the pipeline."""
    yield from _odd_fields(model)
    yield from _key_without_header(model)
    for step in model.steps:
        yield from _constants(step)
        if is_data(step):
            yield from _without_header(model, step)
            yield from _wide(model, step, release)


def _odd_fields(model: Model) -> Iterator[Finding]:
    for struct in model.spec.structs.values():
        for field in struct.fields:
            if field.width % 8:
                yield Finding(
                    "error", "odd-width", f"{struct.line.file}:{struct.line.number}",
                    f"field {field.name} of {struct.name} has {field.width} bits",
                    "DPDK takes whole bytes only and refuses the file (Invalid struct field size)",
                    "widen the field, or merge it with its neighbours",
                )  # fmt: skip


def _constants(step: Step) -> Iterator[Finding]:
    args, mnemonic = step.instruction.args, step.instruction.mnemonic
    if mnemonic in _JUMPS and len(args) == 3 and is_constant(args[1]):
        yield Finding(
            "error", "constant-jump", step.where,
            f"{mnemonic} compares the constant {args[1]} with {args[2]}",
            "DPDK wants a field first and refuses the file",
            "write the variable on the left (x > 5, not 5 < x), and compare no constants with each other",
        )  # fmt: skip
    if mnemonic == "hash" and len(args) == 4 and not args[1].startswith("m."):
        yield Finding(
            "error", "hash-destination", step.where, f"the hash is stored in {args[1]}",
            "DPDK stores a hash in metadata only and refuses the file",
            "store it in a metadata field that is used again, and copy that",
        )  # fmt: skip
    if mnemonic == "meter" and len(args) == 5 and is_constant(args[2]):
        yield Finding(
            "error", "constant-meter-length", step.where, f"the meter is given the constant length {args[2]}",
            "DPDK wants a field there and refuses the file",
            "put the length into a metadata field that has two assignments, and pass the field",
        )  # fmt: skip


def _key_without_header(model: Model) -> Iterator[Finding]:
    for table in model.spec.tables.values():
        for key in table.keys:
            if _lacks_header(key.name, model):
                yield _headerless(f"{key.line.file}:{key.line.number}", key.name)


def _without_header(model: Model, step: Step) -> Iterator[Finding]:
    for operand in step.fields():
        if _lacks_header(operand, model):
            yield _headerless(step.where, operand)


def _lacks_header(operand: str, model: Model) -> bool:
    return operand.startswith("h.") and operand.count(".") == 1 and operand[2:] not in model.spec.headers


def _headerless(where: str, operand: str) -> Finding:
    return Finding(
        "error", "field-without-header", where, f"{operand} is a header field without its header",
        "DPDK finds no such field and refuses the file",
        "make the parser's header parameter a struct that holds the header",
    )  # fmt: skip


def _wide(model: Model, step: Step, release: Release) -> Iterator[Finding]:
    """Operands of more than 64 bits: DPDK 22.11 moves them between fields of one width, and nothing else."""
    mnemonic, operands = step.instruction.mnemonic, step.fields()
    widths = [model.width(operand, step) for operand in operands]
    if not any(width is not None and width > _WIDE for width in widths):
        return
    if mnemonic == "mov" and len(set(widths)) == 1:
        return
    constant = any(is_constant(operand) for operand in operands)
    if mnemonic in ("mov", "movh") and release != "22.11" and not constant:
        return
    if mnemonic in ("learn", "hash"):
        return  # they take a range of bytes, whatever the fields in it
    newer = mnemonic in ("mov", "movh") and not constant
    yield Finding(
        "error", "wide-operand", step.where, f"{mnemonic} has an operand of more than 64 bits",
        "DPDK 22.11 refuses the file; 26.07 does not"
        if newer
        else "DPDK computes in 64 bits and refuses the file",
        "copy such fields whole, as keys, action parameters or to fields of the same width; "
        "compute on fields of 64 bits or less",
    )  # fmt: skip
