"""From files to a verified Program, whatever p4c wrote: the one entry to `load`.

In: paths of a BMv2 JSON (with a PNA program's side file) or a `.spec` (with its context JSON), and a P4Info,
in any order, or the bytes a client sent. Out: a Program that verifies, with the P4Info's names, checked
against it. Called by the command line and the server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, final

from p4nic.errors import ArtifactError, VerifyError
from p4nic.ir import verify
from p4nic.ir.program import Program
from p4nic.load.bmv2.pna_side import Timers, is_side, read_side
from p4nic.load.files import decode, read_bytes
from p4nic.load.p4info_check import check
from p4nic.load.p4info_dead import with_unreachable
from p4nic.load.shipped import shipped
from p4nic.load.spec.const_entries import EntriesFile
from p4nic.load.spec.context import Context, is_context, read_context

if TYPE_CHECKING:
    from p4nic.load.p4info import P4Info

Kind = Literal["json", "spec", "context", "p4info", "side", "entries"]

_NAMES: Mapping[Kind, str] = {
    "context": "context JSON", "p4info": "P4Info", "side": "side file", "entries": "file of table entries",
}  # fmt: skip
_WHAT = "artifact (BMv2 JSON or .spec)"
_TAKES = "p4nic loads the JSON of p4c-bm2-ss, -psa or -pna and the .spec of p4c-dpdk"
_SPEC_WORDS = (
    *(b"extobj", b"struct", b"header", b"metadata", b"action", b"table", b"selector", b"learner"),
    *(b"regarray", b"metarray", b"rss", b"apply"),
)
_P4INFO_WORDS = (
    *(b"pkg_info", b"tables", b"actions", b"action_profiles", b"counters", b"direct_counters", b"meters"),
    *(b"direct_meters", b"controller_packet_metadata", b"value_sets", b"registers", b"digests", b"type_info"),
)


def load_program(paths: Sequence[Path], p4info: Path | None = None) -> Program:
    """Load one program from `paths` (none: the shipped load balancer) and verify it.

    `p4info` may also be among the paths. Without one, a `.spec` keeps p4c-dpdk's names and a JSON its own.
    Raises ArtifactError (or UnsupportedError) with one sentence for anything wrong with the files.
    """
    if not paths:
        files = shipped()
        paths, p4info = files.paths, p4info or files.p4info
    found, entries = _sort(paths)
    if p4info is not None:
        if "p4info" in found:
            raise ArtifactError(f"{found['p4info'].path} and {p4info} are both P4Info; give one")
        found["p4info"] = _File(p4info, b"")
    info = _p4info(found["p4info"].path) if "p4info" in found else None
    context = found.get("context")
    if entries and "spec" not in found:
        raise ArtifactError(f"{entries[0].path} belongs to a .spec of p4c-dpdk; give that too")
    if "json" in found:
        if context is not None:
            raise ArtifactError(
                f"{context.path} belongs to a .spec, not to {found['json'].path}; leave it out"
            )
        timers = read_side(found["side"].text(), str(found["side"].path)) if "side" in found else {}
        return _load("json", found["json"].text(), found["json"].path.name, info, None, timers)
    if "side" in found:
        raise ArtifactError(f"{found['side'].path} belongs to the JSON of p4c-bm2-pna; leave it out")
    if "spec" in found:
        told = read_context(context.text(), str(context.path)) if context is not None else None
        return _load(
            "spec",
            found["spec"].text(),
            found["spec"].path.name,
            info,
            told,
            entries=[e.entries() for e in entries],
        )
    given = ", ".join(str(file.path) for file in found.values())
    raise ArtifactError(f"{given} alone is no program; add the JSON or the .spec of the same p4c run")


def load_config(data: bytes, info: P4Info, name: str = "the device config") -> Program:
    """Load a BMv2 JSON or a `.spec` given as bytes, as a P4Runtime client sends it; errors as
    `load_program`."""
    if not data.strip():
        raise ArtifactError(f"{name} is empty; send the JSON or the .spec that p4c wrote")
    kind = _kind(data, name)
    if kind == "json" or kind == "spec":
        return _load(kind, decode(data, name, "program"), name, info, None)
    raise ArtifactError(f"{name} is a {_NAMES[kind]}, not a program; {_TAKES}")


def _load(
    kind: Literal["json", "spec"],
    text: str,
    name: str,
    info: P4Info | None,
    context: Context | None,
    timers: Mapping[str, Timers] = MappingProxyType({}),
    entries: Sequence[EntriesFile] = (),
) -> Program:
    # Imported late: who loads the one does not wait for the other.
    if kind == "json":
        from p4nic.load import bmv2_json

        program = bmv2_json.load_text(text, name, _optional_keys(info), timers)
        if info is not None:
            program = with_unreachable(program, info)
    else:
        from p4nic.load import dpdk_spec

        program = dpdk_spec.load_text(text, name, info, context, entries)
    if info is not None:
        check(program, info)  # first: a foreign P4Info is the user's mistake, and would not verify either
        program = _with_table_rules(_with_group_rules(program, info), info)
    try:
        verify.check(program)
    except VerifyError as error:
        # Nothing unverified goes on (I3); of what p4c writes nothing gets here, so the file was changed.
        raise ArtifactError(
            f"{name} is not as p4c writes it: {error}. Compile the P4 program again"
        ) from error
    return program


def _with_group_rules(program: Program, info: P4Info) -> Program:
    """What only the P4Info says of action selectors: how sizes are counted, and which weights there are."""
    profiles = dict(program.action_profiles)
    for name, told in info.profiles.items():
        if name in profiles and told.with_selector:
            profiles[name] = replace(
                profiles[name],
                max_group_size=told.max_group_size or profiles[name].max_group_size,
                sum_of_members=told.sum_of_members,
                max_member_weight=told.max_member_weight,
                weights_disallowed=told.weights_disallowed,
            )
    return replace(program, action_profiles=MappingProxyType(profiles))


def _with_table_rules(program: Program, info: P4Info) -> Program:
    """What BMv2's JSON does not say of tables: `@tableonly` and `@defaultonly`, and whether entries that are
    there from the start may be changed."""
    tables = dict(program.tables)
    for told in info.tables.values():
        if told.name not in tables:
            continue
        table = tables[told.name]
        scopes = {ref.action: ref.scope for ref in told.actions if ref.scope != "both"}
        refs = tuple(replace(ref, scope=scopes.get(ref.action, ref.scope)) for ref in table.actions)
        const = table.entries_are_const and (told.is_const or not told.has_initial_entries)
        if (refs, const) != (table.actions, table.entries_are_const):
            tables[told.name] = replace(table, actions=refs, entries_are_const=const)
    return replace(program, tables=MappingProxyType(tables))


def _optional_keys(info: P4Info | None) -> frozenset[tuple[str, str]]:
    """Keys that are optional in P4: BMv2's JSON calls them ternary."""
    tables = info.tables.values() if info is not None else ()
    return frozenset((t.name, f.name) for t in tables for f in t.match_fields if f.kind == "optional")


def _p4info(path: Path) -> P4Info:
    # Imported late: the protobuf stubs take longer to import than an artifact takes to load.
    from p4nic.load.p4info import load_p4info

    return load_p4info(path)


# --- what is this file? ---------------------------------------------------------------------------


@final
@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    data: bytes

    def text(self) -> str:
        return decode(self.data, str(self.path), "program or context JSON")

    def entries(self) -> EntriesFile:
        return EntriesFile(str(self.path), self.path.name.partition(".")[0], self.text())


def _sort(paths: Sequence[Path]) -> tuple[dict[Kind, _File], list[_File]]:
    """Files by kind, and the files of entries, of which there may be several."""
    found: dict[Kind, _File] = {}
    entries: list[_File] = []
    rivals: dict[Kind, Kind] = {"json": "spec", "spec": "json"}
    for path in paths:
        data = read_bytes(path, _WHAT)
        kind = _kind(data, str(path))
        if kind == "entries":
            entries.append(_File(path, data))
            continue
        other = found.get(kind) or found.get(rivals.get(kind, kind))
        if other is not None:
            raise ArtifactError(
                f"{other.path} and {path} cannot be loaded together: a target runs one program; "
                f"give one of them"
            )
        found[kind] = _File(path, data)
    return found, entries


def _kind(data: bytes, name: str) -> Kind:
    """Tell by content, not by name: users rename files."""
    start = data.lstrip()[:1]
    if start in (b"{", b"["):
        return _json_kind(data, name)
    if b"\0" in data[:4096]:
        return "p4info" if _is_binary_p4info(data) else _unknown(name, "a binary file of another kind")
    if re.search(rb"^[ \t]*#include\b", data, re.M) or name.endswith((".p4", ".p4i")):
        raise ArtifactError(
            f"{name} is P4 source; compile it first: p4c-dpdk --arch pna -o OUT.spec, or p4c-bm2-ss "
            f"-o OUT.json"
        )
    word = re.search(rb"^[ \t]*(?!#|;|//)(\w+)", data, re.M)
    if word is not None and word[1] in _P4INFO_WORDS:
        return "p4info"
    if word is not None and word[1] == b"match":
        return "entries"
    if name.endswith(".spec") or (word is not None and word[1] in _SPEC_WORDS):
        return "spec"
    return _unknown(name, "text of another kind")


def _json_kind(data: bytes, name: str) -> Kind:
    if b'"header_types"' in data:
        return "json"
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            f"{name} is not whole JSON ({error}); it was cut off, compile the P4 program again"
        ) from None
    if is_context(document):
        return "context"
    if is_side(document):
        return "side"
    if isinstance(document, dict):
        if "pkgInfo" in document or "pkg_info" in document:
            return "p4info"
        if "schema_version" in document and "tables" in document:
            raise ArtifactError(f"{name} is a bf-rt schema, which p4nic does not need; leave it out")
    return _unknown(name, "JSON of another kind")


def _is_binary_p4info(data: bytes) -> bool:
    from p4nic.load.p4info import parse_p4info

    try:
        message = parse_p4info(data, "")
    except ArtifactError:
        return False
    return bool(message.tables or message.actions or message.HasField("pkg_info"))


def _unknown(name: str, what: str) -> Kind:
    raise ArtifactError(f"{name} is {what}; {_TAKES}, with a P4Info and p4c-dpdk's context JSON")
