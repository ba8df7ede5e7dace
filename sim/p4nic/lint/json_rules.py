"""What BMv2 1.15 does with a JSON that p4c wrote: refusals, crashes, and what p4c silently left out.

In: the JSON as Python data, its architecture, its P4Info if there is one. Out: findings. Called by `targets`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal
from typing import Any as Json

from p4nic.lint.finding import Finding

if TYPE_CHECKING:
    from p4nic.load.p4info import P4Info

Architecture = Literal["v1model", "psa", "pna"]
_SWITCH = {"v1model": "simple_switch", "psa": "psa_switch", "pna": "pna_nic"}
_CORE = {
    "assign", "assign_VL", "assign_header", "assign_union", "assign_header_stack", "assign_union_stack",
    "push", "pop", "exit", "assert", "assume", "log_msg", "_jump_if_zero", "_jump",
}  # fmt: skip
_PNA_HAS = _CORE | {"send_to_port", "add_header", "remove_header"}
_PNA_LACKS = {
    "add_entry": "learn by digest and control plane on v1model, or use p4c-dpdk",
    "add_entry_if": "learn by digest and control plane on v1model, or use p4c-dpdk",
    "set_entry_expire_time": "use an idle timeout on v1model, or p4c-dpdk",
    "restart_expire_timer": "use an idle timeout on v1model, or p4c-dpdk",
    "drop_packet": "use mark_to_drop() on v1model, or p4c-dpdk",
    "mirror_packet": "use clone() on v1model, or p4c-dpdk",
}
_OBJECTS = ("header", "header_stack", "header_union", "header_union_stack", "stack", "regular")


def findings(document: Json, architecture: Architecture, p4info: P4Info | None) -> Iterator[Finding]:
    """All of them, in the order of the document."""
    switch = _SWITCH[architecture]
    yield from _primitives(document, architecture, switch)
    yield from _undeclared(document, switch)
    yield from _algorithms(document, architecture, switch)
    if p4info is not None:
        yield from _left_out(document, p4info)
        yield from _runtime(document, p4info, architecture)


def walk(value: Json, source: str = "") -> Iterator[tuple[Mapping[str, Json], str]]:
    """Every object of the document with the P4 position at or above it."""
    stack = [(value, source)]
    while stack:
        node, at = stack.pop()
        if isinstance(node, dict):
            info = node.get("source_info")
            if isinstance(info, dict) and info.get("line"):
                at = f"{info.get('filename', '')}:{info['line']}"
            yield node, at
            stack += [(child, at) for key, child in reversed(node.items()) if key != "source_info"]
        elif isinstance(node, list):
            stack += [(child, at) for child in reversed(node)]


def _primitives(document: Json, architecture: Architecture, switch: str) -> Iterator[Finding]:
    if architecture != "pna":
        return
    told: set[str] = set()
    for node, where in walk(document):
        op = node.get("op")
        if not isinstance(op, str) or not isinstance(node.get("parameters"), list) or op in told:
            continue
        if op == "_Meter_execute":
            told.add(op)
            if len(node["parameters"]) != 3:
                yield _refused(
                    where, op, switch, "_Meter_execute: expected 3 parameters", "assign its result"
                )
        elif op not in _PNA_HAS and not op.startswith("_") and not _is_parser_op(op):
            told.add(op)
            instead = _PNA_LACKS.get(op, "use v1model and simple_switch, or p4c-dpdk")
            yield _refused(where, op, switch, f"Unknown primitive action: {op}", instead)


def _is_parser_op(op: str) -> bool:
    return op in ("extract", "extract_VL", "set", "verify", "shift", "advance", "primitive")


def _refused(where: str, op: str, switch: str, message: str, instead: str) -> Finding:
    return Finding(
        "error", "unknown-primitive", where, f"the program calls {op}",
        f"{switch} refuses the file ({message})", instead,
    )  # fmt: skip


def _undeclared(document: Json, switch: str) -> Iterator[Finding]:
    """p4c-bm2-psa and -pna name stacks and local headers that they declare nowhere."""
    known = {
        entry.get("name")
        for section in ("headers", "header_stacks", "header_unions", "header_union_stacks")
        for entry in document.get(section) or []
        if isinstance(entry, dict)
    }
    told: set[str] = set()
    for node, where in walk(document):
        name = node.get("value")
        if node.get("type") == "field" and isinstance(name, list) and name:
            name = name[0]
        elif node.get("type") not in _OBJECTS:
            continue
        if isinstance(name, str) and name not in known and name not in told:
            told.add(name)
            yield Finding(
                "error", "undeclared-header", where, f"the file uses {name} and declares no such header",
                f"{switch} refuses the file (Invalid reference to object of type 'header…')",
                "use separate headers instead of a stack, and no local variables of a header type",
            )  # fmt: skip


def _algorithms(document: Json, architecture: Architecture, switch: str) -> Iterator[Finding]:
    for node, where in walk(document):
        attributes = node.get("attribute_values")
        algorithm = node.get("algo")
        if isinstance(attributes, list):
            algorithm = next(
                (a.get("value") for a in attributes if isinstance(a, dict) and a.get("name") == "algo"), None
            )
        if algorithm == "<null>":
            yield Finding(
                "error", "no-algorithm", where, f"{node.get('name')} has an algorithm p4c has no name for",
                f"{switch} crashes at the first packet",
                "use CRC16 or CRC32; for a one's complement sum use InternetChecksum",
            )  # fmt: skip
        elif algorithm == "random" and architecture == "v1model":
            yield Finding(
                "error", "no-algorithm", where, f"{node.get('name')} uses HashAlgorithm.random",
                f"{switch} does not know it and refuses the file", "call random() instead",
            )  # fmt: skip


def _tables(document: Json) -> Iterator[tuple[Mapping[str, Json], str]]:
    for pipeline in document.get("pipelines") or []:
        if isinstance(pipeline, dict):
            for table in pipeline.get("tables") or []:
                if isinstance(table, dict):
                    yield next(walk(table))


def _left_out(document: Json, p4info: P4Info) -> Iterator[Finding]:
    """Properties that the P4Info has and the JSON has not: p4c-bm2-psa and -pna look for v1model's names."""
    for table, where in _tables(document):
        info = p4info.tables.get(str(table.get("name")))
        if info is None:
            continue
        told: list[tuple[str, str, str]] = []
        if info.implementation and table.get("type") == "simple":
            told.append(("implementation", "entries carry actions; no member or group can be chosen",
                         "state `implementation` as well as psa_/pna_implementation"))  # fmt: skip
        if info.idle_timeout and not table.get("support_timeout"):
            told.append(("idle timeout", "no entry ever ages, and no notification comes",
                         "use v1model's support_timeout = true"))  # fmt: skip
        for what, effect, instead in told:
            yield Finding(
                "error", "left-out", where,
                f"table {info.name} has its {what} in the P4Info, and not in the JSON",
                effect, instead,
            )  # fmt: skip


def _runtime(document: Json, p4info: P4Info, architecture: Architecture) -> Iterator[Finding]:
    """What BMv2's P4Runtime server (simple_switch_grpc) cannot do with the program."""
    if architecture != "v1model":
        yield Finding(
            "warning", "no-p4runtime", "", f"the program is for {_SWITCH[architecture]}",
            "it has no P4Runtime server, Thrift only", "use v1model and simple_switch_grpc for P4Runtime",
        )  # fmt: skip
        return
    for table, where in _tables(document):
        info = p4info.tables.get(str(table.get("name")))
        if info is not None and table.get("entries") and not info.is_const:
            yield Finding(
                "warning", "initial-entries", where, f"table {info.name} has entries that are not const",
                "simple_switch_grpc installs them and does not know them: reading the table is INTERNAL, "
                "deleting NOT_FOUND",
                "make the entries const, or let the control plane insert them",
            )  # fmt: skip
    for kind, count in (("registers", len(p4info.registers)), ("value sets", len(p4info.value_sets))):
        if count:
            yield Finding(
                "warning", "unimplemented", "", f"the program has {count} {kind}",
                f"simple_switch_grpc answers UNIMPLEMENTED for {kind}", "set them over Thrift",
            )  # fmt: skip
