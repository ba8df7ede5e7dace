"""Reads the objects of a `.spec`. In: lines. Out: a `SpecFile`, every statement checked for its form, no
name resolved yet.

The grammar is line by line: a statement is one line, a block runs from a line ending in `{` to a line that
is `}`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from p4nic.errors import ArtifactError
from p4nic.load.spec.lines import Line, nearest, number, split
from p4nic.load.spec.syntax import (
    ActionDecl,
    ActionUse,
    ArrayDecl,
    DefaultDecl,
    FieldDecl,
    HeaderDecl,
    Instruction,
    KeyDecl,
    SelectorDecl,
    SpecFile,
    StructDecl,
    TableDecl,
)

_FIELD = re.compile(r"(var)?bit<([0-9]+)>")
_MAX_FIELD_BITS = 1 << 20
_SCOPES: Mapping[str, Literal["both", "table_only", "default_only"]] = {
    "@tableonly": "table_only",
    "@defaultonly": "default_only",
}


def parse(text: str, file: str) -> SpecFile:
    """Parse a whole `.spec`; raises ArtifactError with file, line number and line."""
    return _Parser(text, file).parse()


class _Parser:
    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.lines = split(text, file)
        self.position = 0
        self.structs: dict[str, StructDecl] = {}
        self.headers: dict[str, HeaderDecl] = {}
        self.metadata: str | None = None
        self.actions: dict[str, ActionDecl] = {}
        self.tables: dict[str, TableDecl] = {}
        self.selectors: dict[str, SelectorDecl] = {}
        self.regarrays: dict[str, ArrayDecl] = {}
        self.metarrays: dict[str, ArrayDecl] = {}
        self.rss: dict[str, Line] = {}
        self.apply: tuple[Instruction, ...] | None = None
        self.statements: Mapping[str, Callable[[Line], None]] = {
            "extobj": self.extobj, "struct": self.struct, "header": self.header, "metadata": self.metadata_,
            "action": self.action, "table": self.table, "learner": self.table, "selector": self.selector,
            "regarray": self.regarray, "metarray": self.metarray, "rss": self.rss_, "apply": self.apply_,
        }  # fmt: skip

    def parse(self) -> SpecFile:
        while self.position < len(self.lines):
            line = self.lines[self.position]
            self.position += 1
            statement = self.statements.get(line.tokens[0])
            if statement is None:
                hint = nearest(line.tokens[0], self.statements, "statements")
                raise line.error(f"{line.tokens[0]} is not a statement of a .spec{hint}")
            statement(line)
        if self.metadata is None:
            raise ArtifactError(
                f"{self.file} has no `metadata instanceof` line; it is not a whole .spec of p4c-dpdk"
            )
        if self.apply is None:
            raise ArtifactError(
                f"{self.file} has no `apply` block; it was cut off, compile the P4 program again"
            )
        return SpecFile(
            file=self.file,
            structs=self.structs,
            headers=self.headers,
            metadata=self.metadata,
            actions=self.actions,
            tables=self.tables,
            selectors=self.selectors,
            regarrays=self.regarrays,
            metarrays=self.metarrays,
            rss=self.rss,
            apply=self.apply,
        )

    # --- helpers --------------------------------------------------------------------------------------

    def block(self, opening: Line) -> Iterator[Line]:
        """The lines up to the closing `}`, which is consumed."""
        while self.position < len(self.lines):
            line = self.lines[self.position]
            self.position += 1
            if line.tokens == ("}",):
                return
            yield line
        raise opening.error("the file ends inside this block; it was cut off, compile the P4 program again")

    def add(self, objects: dict[str, Any], name: str, value: object, line: Line) -> None:
        if name in objects:
            raise line.error(f"{name} is declared twice")
        objects[name] = value

    def size(self, line: Line, token: str) -> int:
        value = number(token)
        if value is None or not 0 < value < 1 << 32:
            raise line.error(f"{token} is not a size; it must be a number from 1 to {2**32 - 1}")
        return value

    # --- statements -----------------------------------------------------------------------------------

    def extobj(self, line: Line) -> None:
        name = line.tokens[1] if len(line.tokens) > 1 else "it"
        raise line.unsupported(f"extern object {name} is code outside the .spec, which p4nic cannot run")

    def struct(self, line: Line) -> None:
        if len(line.tokens) != 3 or line.tokens[2] != "{":
            raise line.error("a struct starts with `struct NAME {`")
        fields: list[FieldDecl] = []
        for each in self.block(line):
            form = _FIELD.fullmatch(each.tokens[0])
            if len(each.tokens) != 2 or form is None:
                raise each.error("a field is `bit<WIDTH> NAME` or `varbit<WIDTH> NAME`")
            width = int(form[2]) if len(form[2]) < 9 else 0
            if not 0 < width <= _MAX_FIELD_BITS:
                raise each.error(f"a field of {form[2]} bits is not possible")
            if fields and fields[-1].varbit:
                raise each.error(f"varbit field {fields[-1].name} must be the last of its struct")
            if any(f.name == each.tokens[1] for f in fields):
                raise each.error(f"field {each.tokens[1]} is declared twice in struct {line.tokens[1]}")
            fields.append(FieldDecl(each.tokens[1], width, form[1] is not None))
        self.add(self.structs, line.tokens[1], StructDecl(line.tokens[1], tuple(fields), line), line)

    def header(self, line: Line) -> None:
        if len(line.tokens) != 4 or line.tokens[2] != "instanceof":
            raise line.error("a header is `header NAME instanceof STRUCT`")
        self.add(self.headers, line.tokens[1], HeaderDecl(line.tokens[1], line.tokens[3], line), line)

    def metadata_(self, line: Line) -> None:
        if len(line.tokens) != 3 or line.tokens[1] != "instanceof":
            raise line.error("metadata is `metadata instanceof STRUCT`")
        if self.metadata is not None:
            raise line.error("metadata is declared twice")
        if line.tokens[2] not in self.structs:
            raise line.error(
                f"there is no struct {line.tokens[2]}{nearest(line.tokens[2], self.structs, 'structs')}"
            )
        self.metadata = line.tokens[2]

    def action(self, line: Line) -> None:
        match line.tokens:
            case (_, name, "args", "none", "{"):
                struct = None
            case (_, name, "args", "instanceof", struct, "{"):
                pass
            case _:
                raise line.error(
                    "an action starts with `action NAME args none {` or `action NAME args "
                    "instanceof STRUCT {`"
                )
        body = tuple(self.instruction(each) for each in self.block(line))
        self.add(self.actions, name, ActionDecl(name, struct, body, line), line)

    def instruction(self, line: Line) -> Instruction:
        tokens = line.tokens
        label = None
        if len(tokens) >= 2 and tokens[1] == ":":
            label, tokens = tokens[0], tokens[2:]
        if not tokens:
            return Instruction(line, label, "", ())
        return Instruction(line, label, tokens[0], tokens[1:])

    def apply_(self, line: Line) -> None:
        if line.tokens != ("apply", "{"):
            raise line.error("the apply block starts with `apply {`")
        if self.apply is not None:
            raise line.error("there are two apply blocks")
        self.apply = tuple(self.instruction(each) for each in self.block(line))

    def table(self, line: Line) -> None:
        learner = line.tokens[0] == "learner"
        if len(line.tokens) != 3 or line.tokens[2] != "{":
            raise line.error(f"a {line.tokens[0]} starts with `{line.tokens[0]} NAME {{`")
        name = line.tokens[1]
        keys: list[KeyDecl] = []
        actions: list[ActionUse] = []
        timeouts: list[int] = []
        default: DefaultDecl | None = None
        size: int | None = None
        for each in self.block(line):
            match each.tokens:
                case ("key", "{"):
                    keys.extend(self.key(part, learner) for part in self.block(each))
                case ("actions", "{"):
                    actions.extend(self.action_use(part) for part in self.block(each))
                case ("timeout", "{") if learner:
                    timeouts.extend(self.timeout(part) for part in self.block(each))
                case ("default_action", action, "args", *rest):
                    if default is not None:
                        raise each.error(f"table {name} has two default actions")
                    default = self.default(each, action, rest)
                case ("size", token):
                    size = self.size(each, token)
                case ("hash" | "instanceof" | "pragma", _):
                    pass  # how DPDK stores the table, not what it does
                case _:
                    raise each.error(
                        f"a {line.tokens[0]} has no such statement; it has key, actions, default_action, "
                        f"hash, size{' and timeout' if learner else ', instanceof and pragma'}"
                    )
        if default is None or not actions:
            raise line.error(f"table {name} has no {'default_action' if actions else 'actions'}")
        if learner and not timeouts:
            raise line.error(f"learner {name} has no timeouts; p4c-dpdk writes eight of them")
        table = TableDecl(name, tuple(keys), tuple(actions), default, size, tuple(timeouts), line)
        self.add(self.tables, name, table, line)

    def key(self, line: Line, learner: bool) -> KeyDecl:
        if learner and len(line.tokens) == 1:
            return KeyDecl(line.tokens[0], "exact", line)
        match line.tokens:
            case (name, "exact" | "wildcard" | "lpm" as kind) if not learner:
                return KeyDecl(name, kind, line)
            case (_, "selector") if not learner:
                raise line.unsupported(
                    "p4c-dpdk left a key of kind selector in an ordinary table, which nothing can match; "
                    "give the table an ActionSelector as its implementation"
                )
            case _:
                form = "`FIELD`" if learner else "`FIELD exact`, `FIELD wildcard` or `FIELD lpm`"
                raise line.error(f"a key is {form}")

    def action_use(self, line: Line) -> ActionUse:
        match line.tokens:
            case (name,):
                return ActionUse(name, "both", line)
            case (name, scope) if scope in _SCOPES:
                return ActionUse(name, _SCOPES[scope], line)
            case _:
                raise line.error("an action of a table is `NAME`, `NAME @tableonly` or `NAME @defaultonly`")

    def timeout(self, line: Line) -> int:
        value = number(line.tokens[0])
        if value is None or len(line.tokens) != 1 or not 0 < value < 1 << 32:
            raise line.error("a timeout is a whole number of seconds above 0")
        return value

    def default(self, line: Line, action: str, rest: list[str]) -> DefaultDecl:
        const = rest[-1:] == ["const"]
        words = rest[:-1] if const else rest
        if words == ["none"]:
            return DefaultDecl(action, (), const, line)
        if not words or len(words) % 2:
            raise line.error(
                "a default action is `default_action NAME args none` or `… args PARAMETER VALUE …`"
            )
        args = []
        for name, token in zip(words[::2], words[1::2], strict=True):
            value = number(token)
            if value is None:
                raise line.error(f"{token} is not a number for parameter {name}")
            args.append((name, value))
        return DefaultDecl(action, tuple(args), const, line)

    def selector(self, line: Line) -> None:
        if len(line.tokens) != 3 or line.tokens[2] != "{":
            raise line.error("a selector starts with `selector NAME {`")
        words: dict[str, str] = {}
        sizes: dict[str, int] = {}
        fields: list[str] = []
        for each in self.block(line):
            match each.tokens:
                case ("selector", "{"):
                    fields.extend(part.tokens[0] for part in self.block(each))
                case ("group_id" | "member_id" as what, name):
                    words[what] = name
                case ("n_groups_max" | "n_members_per_group_max" as what, token):
                    sizes[what] = self.size(each, token)
                case _:
                    raise each.error(
                        "a selector has group_id, selector, member_id, n_groups_max, n_members_per_group_max"
                    )
        if len(words) < 2 or len(sizes) < 2 or not fields:
            raise line.error(
                f"selector {line.tokens[1]} lacks one of group_id, selector, member_id, n_groups_max, "
                "n_members_per_group_max"
            )
        decl = SelectorDecl(
            name=line.tokens[1],
            group_field=words["group_id"],
            fields=tuple(fields),
            member_field=words["member_id"],
            groups=sizes["n_groups_max"],
            members_per_group=sizes["n_members_per_group_max"],
            line=line,
        )
        self.add(self.selectors, decl.name, decl, line)

    def regarray(self, line: Line) -> None:
        match line.tokens:
            case (_, name, "size", size, "initval", initial):
                value = number(initial)
                if value is None or value >= 1 << 64:
                    raise line.error(f"{initial} is not an initial value of 64 bits")
                self.add(self.regarrays, name, ArrayDecl(name, self.size(line, size), value, line), line)
            case _:
                raise line.error("a register array is `regarray NAME size SIZE initval VALUE`")

    def metarray(self, line: Line) -> None:
        match line.tokens:
            case (_, name, "size", size):
                self.add(self.metarrays, name, ArrayDecl(name, self.size(line, size), 0, line), line)
            case _:
                raise line.error("a meter array is `metarray NAME size SIZE`")

    def rss_(self, line: Line) -> None:
        if len(line.tokens) != 2:
            raise line.error("an RSS object is `rss NAME`")
        self.add(self.rss, line.tokens[1], line, line)
