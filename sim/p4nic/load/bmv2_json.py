"""Loads BMv2 JSON, as p4c-bm2-ss, p4c-bm2-psa and p4c-bm2-pna write it, into a Program.

In: a path. Out: a Program, not yet verified. Called by `load.artifact`. The parts are in `load.bmv2`.
Raises ArtifactError for a document that is not what p4c writes, UnsupportedError for a construct that p4nic
refuses.

Format 2.x is documented in BMv2's docs/JSON_format.md; where that is silent (learn_lists, source_info), p4c's
writer decides. `__meta__.version` says who wrote it: major 2 is needed, and minors after 2.24 are refused,
because a new minor means new constructs that we could overlook.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from p4nic.ir.program import (
    Any,
    Architecture,
    Block,
    ConstEntry,
    Exact,
    Match,
    Program,
    Table,
    Ternary,
    ValueSet,
)
from p4nic.load.bmv2 import pna, undeclared
from p4nic.load.bmv2.actions import load_actions
from p4nic.load.bmv2.checksum import load_checksums, load_deparser
from p4nic.load.bmv2.control import Controls
from p4nic.load.bmv2.layout import load_layout
from p4nic.load.bmv2.parser import load_parser
from p4nic.load.bmv2.pna_side import Timers
from p4nic.load.bmv2.scope import Scope, load_scope
from p4nic.load.bmv2.tree import Node, parse, parse_text

NEWEST = (2, 24)
_NONE: Mapping[str, Timers] = MappingProxyType({})

KNOWN_KEYS = {
    "__meta__", "program", "header_types", "headers", "header_stacks", "header_union_types", "header_unions",
    "header_union_stacks", "field_lists", "errors", "enums", "parsers", "parse_vsets", "deparsers",
    "meter_arrays", "counter_arrays", "register_arrays", "calculations", "learn_lists", "actions",
    "pipelines", "checksums", "force_arith", "extern_instances", "field_aliases", "config_options",
}  # fmt: skip


def load(
    path: Path, optional_keys: Collection[tuple[str, str]] = (), timers: Mapping[str, Timers] = _NONE
) -> Program:
    """The program at `path`.

    `optional_keys` are (table, key) pairs that P4Info calls optional: the JSON writes them as ternary.
    `timers` are what a PNA program's side file says about its tables.
    """
    return _load(parse(path), path.stem, optional_keys, timers)


def load_text(
    text: str,
    name: str = "program.json",
    optional_keys: Collection[tuple[str, str]] = (),
    timers: Mapping[str, Timers] = _NONE,
) -> Program:
    """Like `load`, of a document already in memory."""
    return _load(parse_text(text, name), name.removesuffix(".json"), optional_keys, timers)


def is_bmv2_json(text: str) -> bool:
    """Whether a file's text looks like BMv2 JSON rather than another JSON (a context file, a P4Info)."""
    return text.lstrip().startswith("{") and '"header_types"' in text and '"pipelines"' in text


def _load(
    root: Node, name: str, optional_keys: Collection[tuple[str, str]], timers: Mapping[str, Timers]
) -> Program:
    try:
        return _with_optional(_program(root, name, timers), optional_keys)
    except RecursionError:
        raise root.fail("expressions are nested too deeply.") from None


def _program(root: Node, name: str, timers: Mapping[str, Timers]) -> Program:
    _check_version(root)
    for key in root.value:
        if key not in KNOWN_KEYS:
            raise root.unsupported(f"the section {key!r}", "p4nic reads BMv2 JSON up to version 2.24")
    layout = load_layout(root)
    architecture = _architecture(root)
    if architecture != "v1model":
        undeclared.declare(root, layout)
    scope = load_scope(root, layout)
    if architecture == "v1model":
        _check_v1model(root, scope)
    if architecture == "pna":
        scope.accepts_no_match, scope.timers = False, timers
        pna.prepare(root, scope)
    elif timers:
        raise root.fail(f"this is a {architecture} program; a side file belongs to a PNA program.")
    actions = load_actions(root, scope)
    value_sets: dict[str, ValueSet] = {}
    controls = Controls(scope, actions)
    blocks = _blocks(root, scope, controls, value_sets, architecture)
    if architecture == "pna":
        blocks["main_parser"] = pna.with_direction(blocks["main_parser"], scope)
        pna.check_side(controls.tables, scope, root)
    for unused, declared in scope.value_sets.items():
        value_sets.setdefault(unused, ValueSet(unused, (declared.width,), declared.size))
    program = root.opt("program")
    return Program(
        PurePosixPath(program.text()).stem if program is not None and program.text() else name,
        architecture,
        layout.types,
        layout.headers,
        blocks,
        actions.by_name,
        controls.tables,
        stacks=layout.stacks,
        unions=layout.unions,
        action_profiles=controls.profiles,
        counters=scope.counters,
        meters=scope.meters,
        registers=scope.registers,
        digests=scope.digests,
        value_sets=value_sets,
        errors=scope.errors,
    )


def _check_version(root: Node) -> None:
    meta = root.opt("__meta__")
    if meta is None:
        raise root.fail(
            "the key '__meta__' is missing, so this is no BMv2 JSON of version 2.x; compile with p4c."
        )
    major_node, minor_node = meta.get("version").pair()
    major, minor = major_node.integer(), minor_node.integer()
    if major != NEWEST[0] or minor > NEWEST[1]:
        raise meta.fail(
            f"version {major}.{minor} is not supported; p4nic reads 2.0 to {NEWEST[0]}.{NEWEST[1]}."
        )


# --- blocks -------------------------------------------------------------------------------------------------

_NAMES: dict[Architecture, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "v1model": (("parser",), ("ingress", "egress"), ("deparser",)),
    "psa": (
        ("ingress_parser", "egress_parser"),
        ("ingress", "egress"),
        ("ingress_deparser", "egress_deparser"),
    ),
    "pna": (("main_parser",), ("main_control",), ("main_deparser",)),
}
"""The parsers, pipelines and deparsers of each architecture; the IR's blocks have the same names."""


def _architecture(root: Node) -> Architecture:
    names = {n.name() for n in root.items("parsers")}
    for architecture, (parsers, _, _) in _NAMES.items():
        if names == set(parsers):
            return architecture
    known = "; ".join(f"{a} has {', '.join(p)}" for a, (p, _, _) in _NAMES.items())
    raise root.fail(f"the parsers {sorted(names)} belong to no architecture p4nic knows: {known}.")


def _blocks(
    root: Node, scope: Scope, controls: Controls, value_sets: dict[str, ValueSet], architecture: Architecture
) -> dict[str, Block]:
    """The blocks in the order a packet goes through them."""
    parsers, pipelines, deparsers = _NAMES[architecture]
    made = {
        "parsers": _each(root, "parsers", parsers, lambda n, b: load_parser(n, scope, b, value_sets)),
        "pipelines": _each(root, "pipelines", pipelines, controls.load),
        "deparsers": _each(root, "deparsers", deparsers, lambda n, b: load_deparser(n, scope, b)),
    }
    if architecture == "v1model":
        verify, compute = load_checksums(root, scope)
        order = [*made["parsers"], verify, *made["pipelines"], compute, *made["deparsers"]]
    else:
        if root.items("checksums"):
            raise root.get("checksums").fail(f"{architecture} has no checksum controls.")
        order = [
            b
            for stage in zip(made["parsers"], made["pipelines"], made["deparsers"], strict=True)
            for b in stage
        ]
    return {block.name: block for block in order}


def _each(root: Node, key: str, names: tuple[str, ...], load: Callable[[Node, str], Block]) -> list[Block]:
    by_name = {node.name(): node for node in root.items(key)}
    if len(by_name) != len(root.items(key)):
        raise root.get(key).fail("two entries have the same name.")
    for name, node in by_name.items():
        if name not in names:
            raise node.fail(
                f"{name!r} is not among the {key} of this architecture, which are {', '.join(names)}."
            )
    for name in names:
        if name not in by_name:
            raise root.fail(f"{key} lacks {name!r}.")
    return [load(by_name[name], name) for name in names]


def _check_v1model(root: Node, scope: Scope) -> None:
    """The fields of standard_metadata without which no packet can go through."""
    header = scope.layout.headers.get("standard_metadata")
    if header is None or not header.metadata:
        raise root.fail("v1model needs the metadata header 'standard_metadata'.")
    for name in ("ingress_port", "egress_spec", "egress_port", "packet_length", "instance_type"):
        if scope.layout.types[header.type].field(name) is None:
            raise root.fail(f"v1model needs the field 'standard_metadata.{name}'.")
    for node in root.items("extern_instances"):
        raise node.unsupported(f"the extern {node.get('type').text()!r}", "v1model's own externs need none")


# --- optional keys ------------------------------------------------------------------------------------------


def _with_optional(program: Program, wanted: Collection[tuple[str, str]]) -> Program:
    """Ternary keys turned into optional ones, entries included."""
    if not wanted:
        return program
    return replace(program, tables={n: _optional_table(t, wanted) for n, t in program.tables.items()})


def _optional_table(table: Table, wanted: Collection[tuple[str, str]]) -> Table:
    chosen = [(table.name, k.name) in wanted and k.kind == "ternary" for k in table.keys]
    if not any(chosen):
        return table
    keys = tuple(replace(k, kind="optional") if c else k for k, c in zip(table.keys, chosen, strict=True))
    entries = tuple(
        ConstEntry(
            tuple(_optional(m) if c else m for m, c in zip(e.key, chosen, strict=True)), e.call, e.priority
        )
        for e in table.const_entries
    )
    return replace(table, keys=keys, const_entries=entries)


def _optional(match: Match) -> Match:
    return Exact(match.value) if isinstance(match, Ternary) else match if isinstance(match, Exact) else Any()
