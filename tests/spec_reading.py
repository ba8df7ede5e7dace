"""A deliberately dumb reader of `.spec` files, for the tests that guard them: lines and tokens, no meaning.

Not the simulator's loader: a guard that shared its parser would share its mistakes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

JUMPS_ON_TWO = ("jmpeq", "jmpneq", "jmplt", "jmpgt")


@dataclass(slots=True)
class Block:
    """An action or the apply block: instructions as token lists, labels separate."""

    name: str
    instructions: list[list[str]] = field(default_factory=list)
    labels: dict[int, str] = field(default_factory=dict)


@dataclass(slots=True)
class Table:
    kind: str
    keys: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Spec:
    structs: dict[str, list[tuple[str, str, int]]] = field(default_factory=dict)
    metadata: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, Block] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)

    def metadata_fields(self) -> dict[str, tuple[int, int]]:
        """Field -> (offset, width) in bits, in the order of the struct."""
        offset, fields = 0, {}
        for name, _, width in self.structs[self.metadata]:
            fields[f"m.{name}"] = (offset, width)
            offset += width
        return fields


def read_spec(path: Path) -> Spec:
    spec = Spec()
    lines = [line.split(";")[0].strip() for line in path.read_text().splitlines()]
    lines = [line for line in lines if line]
    at = 0
    while at < len(lines):
        words = lines[at].split()
        spec.tokens.update(words)
        if words[-1] == "{":
            body, at = body_of(lines, at + 1)
            spec.tokens.update(word for line in body for word in line.split())
            read_block(spec, words, body)
        elif words[0] == "metadata":
            spec.metadata = words[2]
        at += 1
    return spec


def body_of(lines: list[str], at: int) -> tuple[list[str], int]:
    """The lines up to the brace that closes the block, and where that brace is."""
    depth, start = 1, at
    while True:
        depth += lines[at].endswith("{") - (lines[at] == "}")
        if depth == 0:
            return lines[start:at], at
        at += 1


def read_block(spec: Spec, head: list[str], body: list[str]) -> None:
    match head[0]:
        case "struct":
            rows = (re.fullmatch(r"(bit|varbit)<(\d+)> (\S+)", line) for line in body)
            spec.structs[head[1]] = [(row[3], row[1], int(row[2])) for row in rows if row]
        case "action" | "apply":
            name = head[1] if head[0] == "action" else "apply"
            spec.arguments[name] = head[4] if "instanceof" in head else ""
            block = Block(name)
            for line in body:
                label, colon, rest = line.rpartition(" :")
                if colon:
                    block.labels[len(block.instructions)] = label.strip()
                block.instructions.append(rest.split())
            spec.blocks[name] = block
        case "table" | "learner":
            table = Table(head[0])
            section = ""
            for line in body:
                if line.endswith("{"):
                    section = line.split()[0]
                elif line == "}":
                    section = ""
                elif section == "key":
                    table.keys.append(line.split()[0])
                elif section == "actions":
                    table.actions.append(line.split()[0])
            spec.tables[head[1]] = table
        case _:
            pass


def writes(words: list[str]) -> list[str]:
    """Operands an instruction writes."""
    match words[0]:
        case "mov" | "add" | "sub" | "and" | "or" | "xor" | "shl" | "shr" | "ckadd" | "cksub":
            return [words[1]]
        case "rx" | "entryid" | "regrd":
            return [words[1]]
        case "hash":
            return [words[2]]
        case _:
            return []


def reads(words: list[str]) -> list[str]:
    """Operands an instruction reads; of a hash, only the two that bound the range."""
    match words[0]:
        case "mov":
            return [words[2]]
        case "add" | "sub" | "and" | "or" | "xor" | "shl" | "shr" | "ckadd" | "cksub":
            return words[1:3]
        case "jmpeq" | "jmpneq" | "jmplt" | "jmpgt":
            return words[2:4]
        case "hash":
            return words[3:5]
        case "tx" | "rearm":
            return words[1:2]
        case "learn" | "extract":
            return words[2:]
        case "regadd" | "regwr":
            return words[2:4]
        case "regrd":
            return [words[3]]
        case _:
            return []
