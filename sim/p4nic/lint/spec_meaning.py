"""What a `.spec` that loads will do otherwise than its P4 says, on DPDK; and otherwise than PNA says.

In: a Model. Out: findings. Called by `targets`. The patterns are p4c-dpdk's, seen in packets on DPDK 22.11.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from p4nic.lint.finding import Finding
from p4nic.lint.spec_model import Model, Step, is_constant
from p4nic.load.spec.lines import number

_REACH = 255
_MOST_PORT = 0xFFFF


def findings(model: Model) -> Iterator[Finding]:
    """What goes wrong on DPDK, whatever one expects of PNA."""
    yield from _beyond_reach(model)
    yield from _lost_keys(model)
    yield from _never_written(model)
    yield from _lost_swaps(model)
    yield from _wide_equality(model)
    yield from _meters(model)
    yield from _ports(model)
    yield from _learners(model)
    yield from _short_packets(model)


def specification_findings(model: Model) -> Iterator[Finding]:
    """Where DPDK does what it says, and the PNA specification says something else."""
    yield from _lost_keys(model)
    yield from _lost_swaps(model)
    yield from _wide_equality(model)
    yield from _meters(model)
    yield from _learners(model)
    yield from _drops(model)
    yield from _checksums(model)


def _beyond_reach(model: Model) -> Iterator[Finding]:
    """Instructions address metadata with 8 bits (struct instr_operand.offset is uint8_t, 22.11 to 26.07)."""
    beyond = {name: (first, last) for name, first, last in model.metadata_offsets() if last > _REACH}
    for step in model.steps:
        for operand in step.fields():
            if operand in beyond:
                first = beyond.pop(operand)[0]
                yield Finding(
                    "error", "metadata-reach", step.where, f"{operand} lies at byte {first} of the metadata",
                    f"DPDK's instructions reach bytes 0 to 255 and silently use byte {first % 256} in its "
                    "place; table keys use the true byte",
                    "make the metadata smaller: fewer temporaries, headers instead of metadata, or put what "
                    "only keys use last",
                )  # fmt: skip


def _lost_keys(model: Model) -> Iterator[Finding]:
    for table in model.spec.tables.values():
        for key in table.keys:
            if key.name.startswith("m.") and key.name not in model.written:
                yield Finding(
                    "error", "lost-key", f"{key.line.file}:{key.line.number}",
                    f"{key.name} is a key of table {table.name}, and no instruction writes it",
                    "the table matches what an earlier packet left there: p4c-dpdk drops the only assignment "
                    "to a field that is used as a key",
                    "assign the field in two places, for example in both arms of an if",
                )  # fmt: skip


def _never_written(model: Model) -> Iterator[Finding]:
    told: set[str] = set()
    for step in model.steps:
        for operand in step.reads():
            if not operand.startswith("m.") or operand in model.written or operand in told:
                continue
            told.add(operand)
            if operand.endswith("_parser_error"):
                yield Finding(
                    "error", "parser-error", step.where, f"{operand} is read, and nothing sets it",
                    "DPDK has no parser errors; verify() writes another field, and extract takes any length",
                    "test header validity and lengths in the control",
                )  # fmt: skip
            else:
                yield Finding(
                    "warning", "never-written", step.where,
                    f"{operand} is read, and no instruction writes it",
                    "DPDK does not clear metadata between packets: the value is an earlier packet's",
                    "assign the field on every path before it is read",
                )  # fmt: skip


def _lost_swaps(model: Model) -> Iterator[Finding]:
    for first, second in pairwise(model.steps):
        a, b = first.instruction, second.instruction
        if (
            a.mnemonic == b.mnemonic == "mov"
            and first.action is second.action
            and len(a.args) == 2
            and a.args == b.args[::-1]
            and b.label is None
        ):
            yield Finding(
                "error", "lost-swap", second.where, f"{a.args[0]} and {a.args[1]} are moved onto each other",
                "both end with the same value: p4c-dpdk removed the local header that held the old one",
                "swap through a scalar variable of each field's type",
            )  # fmt: skip


def _wide_equality(model: Model) -> Iterator[Finding]:
    """`xor X.upper Y.upper; xor X.lower Y.lower; xor X.upper X.lower`, and the result compared with 0."""
    steps = model.steps
    for at in range(len(steps) - 2):
        three = [s.instruction for s in steps[at : at + 3]]
        if any(i.mnemonic != "xor" or len(i.args) != 2 for i in three):
            continue
        upper, lower = three[0].args[0], three[1].args[0]
        if (
            three[2].args == (upper, lower)
            and upper.endswith(".upper_half")
            and lower.endswith(".lower_half")
        ):
            yield Finding(
                "error", "wide-equality", steps[at].where, "two fields of 128 bits are compared",
                "they compare equal whenever their upper and lower halves differ by the same bits: p4c-dpdk "
                "joins the halves with xor where it needs or",
                "compare the two halves as fields of 64 bits, or use a table key",
            )  # fmt: skip


def _meters(model: Model) -> Iterator[Finding]:
    for step in model.steps:
        args = step.instruction.args
        if step.instruction.mnemonic != "meter" or len(args) != 5:
            continue
        if model.is_pna:
            yield Finding(
                "error", "meter-colors", step.where, f"meter {args[0]} of a PNA program",
                "DPDK counts green 0, yellow 1, red 2 and p4c-dpdk converts PSA's enumeration only: "
                "PNA_MeterColor_t.RED is DPDK's green",
                "compare with the number DPDK gives: (bit<32>) colour 0 is green, 1 yellow, 2 red",
            )  # fmt: skip
        if is_constant(args[3]) and number(args[3]) == 1:
            yield Finding(
                "error", "meter-colorblind", step.where, f"meter {args[0]} is executed without a colour",
                "p4c-dpdk passes yellow as the packet's colour so far, and the meter never answers green",
                "pass green: dpdk_execute(index, PNA_MeterColor_t.RED, length) on PNA, ….GREEN on PSA",
            )  # fmt: skip


def _ports(model: Model) -> Iterator[Finding]:
    ports = {step.reads()[0] for step in model.steps if step.instruction.mnemonic == "tx" and step.reads()}
    for step in model.steps:
        args = step.instruction.args
        if step.instruction.mnemonic == "mov" and len(args) == 2 and args[0] in ports:
            value = number(args[1])
            if value is not None and value > _MOST_PORT:
                yield Finding(
                    "error", "port-crash", step.where, f"the packet is sent to port {args[1]}",
                    "DPDK does not test the number and reads beyond its list of ports: the process crashes",
                    "send to a port that exists; recirculate() is the way to a second pass",
                )  # fmt: skip


def _learners(model: Model) -> Iterator[Finding]:
    for table in model.spec.tables.values():
        if not table.timeouts:
            continue
        names = [use.name for use in table.actions]
        bodies = [model.spec.actions[name].body for name in names if name in model.spec.actions]
        if not any(i.mnemonic == "rearm" for body in bodies for i in body):
            yield Finding(
                "warning", "learner-without-rearm", f"{table.line.file}:{table.line.number}",
                f"no action of learner {table.name} restarts the timer of its entry",
                "a learned entry disappears when its timeout has passed since it was learned, traffic or not",
                "set idle_timeout_with_auto_delete = true and call restart_expire_timer() in the hit action",
            )  # fmt: skip


def _first(model: Model, mnemonics: tuple[str, ...]) -> Step | None:
    return next((step for step in model.steps if step.instruction.mnemonic in mnemonics), None)


def _short_packets(model: Model) -> Iterator[Finding]:
    if step := _first(model, ("extract",)):
        yield Finding(
            "note", "short-packets", step.where, "the parser takes headers without looking at the length",
            "a packet shorter than its headers is not refused: what lies in the buffer fills the fields",
            "compare the packet's length fields; p4nic's --semantics spec shows the difference",
        )  # fmt: skip


def _drops(model: Model) -> Iterator[Finding]:
    if step := _first(model, ("drop",)):
        yield Finding(
            "warning", "immediate-drop", step.where, "drop_packet() became the instruction drop",
            "the packet ends there at once; by the specification a later send_to_port() would still send it",
            "call drop_packet() last on its path",
        )  # fmt: skip


def _checksums(model: Model) -> Iterator[Finding]:
    if step := _first(model, ("ckadd", "cksub")):
        yield Finding(
            "note", "checksum-zero", step.where, "the program computes a one's complement checksum",
            "DPDK writes 0xffff where the sum is 0; the specification's InternetChecksum gives 0x0000",
            "accept both where the checksum is compared with an expected value",
        )  # fmt: skip
