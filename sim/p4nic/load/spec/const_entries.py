"""The entries of a P4 program's tables, which p4c-dpdk writes beside the `.spec`: TABLE.txtpb, in the folder
it ran in (text for DPDK's command line, not protobuf, whatever the ending says).

    match 0x2 0x1181/0xffff priority 0x3 action a_with_control_params x 0x2

In: the Program of the `.spec`, and these files. Out: the Program with the entries. Called by
`load.dpdk_spec`. Priorities: p4c gives the first entry, which wins in P4, the greatest number, and so it wins
here. DPDK 22.11 takes 0 for the best: loaded there by hand, such a file means the reverse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import final

from p4nic.bits import mask
from p4nic.errors import ArtifactError
from p4nic.ir.program import ActionCall, Any, ConstEntry, Exact, Key, Lpm, Match, Program, Table, Ternary
from p4nic.load.spec.names import Names


@final
@dataclass(frozen=True, slots=True)
class EntriesFile:
    """`table` is the file's name without its ending: what the `.spec` calls the table."""

    path: str
    table: str
    text: str


def with_entries(program: Program, names: Names, files: Sequence[EntriesFile]) -> Program:
    """Put the entries in; ArtifactError names the file and the line."""
    tables = dict(program.tables)
    for file in files:
        table = tables.get(names.table(file.table))
        if table is None or table.is_learner:
            raise ArtifactError(
                f"{file.path} is named after the table {file.table}, which {program.name} has not; it has "
                f"{', '.join(sorted(tables))}. Keep the name p4c-dpdk gave the file"
            )
        info = names.tables.get(file.table)
        if info is not None and any(field.kind == "range" for field in info.match_fields):
            raise ArtifactError(
                f"{file.path}: p4c-dpdk writes ranges as LOW/HIGH, which DPDK takes for VALUE/MASK; let the "
                f"control plane insert the entries of {table.name}"
            )
        reader = _Reader(program, table, names, file.path)
        tables[table.name] = replace(
            table,
            const_entries=tuple(reader.entries(file.text)),
            entries_are_const=info is not None and info.is_const,
        )
    return replace(program, tables=tables)


@final
@dataclass(frozen=True, slots=True)
class _Reader:
    program: Program
    table: Table
    names: Names
    path: str

    def entries(self, text: str) -> Iterator[ConstEntry]:
        for number, line in enumerate(text.splitlines(), 1):
            words = line.partition("#")[0].split()
            if words:
                yield self._entry(words, f"{self.path}:{number}")

    def _entry(self, words: list[str], where: str) -> ConstEntry:
        keys = self.table.keys
        head, values, rest = words[0], words[1 : 1 + len(keys)], words[1 + len(keys) :]
        priority = 0
        if rest[:1] == ["priority"] and len(rest) > 1:
            priority, rest = self._number(rest[1], 31, where), rest[2:]
        if head != "match" or len(values) != len(keys) or rest[:1] != ["action"] or len(rest) < 2:
            raise ArtifactError(
                f"{where}: an entry of {self.table.name} is `match` and {len(keys)} keys, `priority` and its "
                f"number, `action` and its name with arguments; found {' '.join(words)!r}"
            )
        matches = tuple(self._match(k, v, where) for k, v in zip(keys, values, strict=True))
        priority = priority if self.table.has_priority else 0
        return ConstEntry(matches, self._call(rest[1], rest[2:], where), priority)

    def _match(self, key: Key, text: str, where: str) -> Match:
        value_text, _, mask_text = text.partition("/")
        full = mask(key.width)
        value = self._number(value_text, key.width, where)
        bits = self._number(mask_text, key.width, where) if mask_text else full
        match key.kind:
            case "exact" if bits == full:
                return Exact(value)
            case "lpm" if bits == full & ~(full >> bits.bit_count()):
                return Lpm(value & bits, bits.bit_count())
            case "ternary" | "optional":
                if bits in (0, full) and key.kind == "optional":
                    return Exact(value) if bits else Any()
                return Ternary(value & bits, bits) if bits else Any()
            case kind:
                raise ArtifactError(f"{where}: {text} cannot be matched by the {kind} key {key.name}")

    def _call(self, name: str, words: list[str], where: str) -> ActionCall:
        known = {ref.action for ref in self.table.actions}
        found = {self.names.action(name)} & known or {a for a in known if a.rpartition(".")[2] == name}
        if len(found) != 1:
            raise ArtifactError(
                f"{where}: {self.table.name} has no action {name}; it has {', '.join(sorted(known))}"
            )
        action = self.program.actions[found.pop()]
        given = self._arguments(words, where)
        if given.keys() != {p.name for p in action.params}:
            raise ArtifactError(
                f"{where}: {action.name} takes ({', '.join(p.name for p in action.params)}), found "
                f"({', '.join(given)})"
            )
        return ActionCall(
            action.name, tuple(self._number(given[p.name], p.width, where) for p in action.params)
        )

    def _arguments(self, words: list[str], where: str) -> Mapping[str, str]:
        if len(words) % 2:
            raise ArtifactError(f"{where}: arguments are names with values; {words[-1]!r} stands alone")
        return dict(zip(words[::2], words[1::2], strict=True))

    def _number(self, text: str, width: int, where: str) -> int:
        try:
            value = int(text, 0)
        except ValueError:
            raise ArtifactError(f"{where}: {text!r} is no number") from None
        if not 0 <= value <= mask(width):
            raise ArtifactError(f"{where}: {text} does not fit {width} bits")
        return value
