"""What a `.spec` says, object by object, before anything is resolved. Out of `parse`; into `profiles`,
`bind` and `build`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, final

from p4nic.load.spec.lines import Line


@final
@dataclass(frozen=True, slots=True)
class FieldDecl:
    name: str
    width: int
    varbit: bool


@final
@dataclass(frozen=True, slots=True)
class StructDecl:
    name: str
    fields: tuple[FieldDecl, ...]
    line: Line


@final
@dataclass(frozen=True, slots=True)
class HeaderDecl:
    name: str
    struct: str
    line: Line


@final
@dataclass(frozen=True, slots=True)
class Instruction:
    """`LABEL : mnemonic args`. A label may stand alone; then `mnemonic` is ""."""

    line: Line
    label: str | None
    mnemonic: str
    args: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class ActionDecl:
    name: str
    struct: str | None
    body: tuple[Instruction, ...]
    line: Line


@final
@dataclass(frozen=True, slots=True)
class KeyDecl:
    name: str
    kind: Literal["exact", "wildcard", "lpm"]
    line: Line


@final
@dataclass(frozen=True, slots=True)
class ActionUse:
    name: str
    scope: Literal["both", "table_only", "default_only"]
    line: Line


@final
@dataclass(frozen=True, slots=True)
class DefaultDecl:
    """`args` are (name, value) as written."""

    action: str
    args: tuple[tuple[str, int], ...]
    const: bool
    line: Line


@final
@dataclass(frozen=True, slots=True)
class TableDecl:
    """A `table` or a `learner` (then with `timeouts`, seconds). `implementation` names a ProfileDecl, set by
    `profiles`."""

    name: str
    keys: tuple[KeyDecl, ...]
    actions: tuple[ActionUse, ...]
    default: DefaultDecl
    size: int | None
    timeouts: tuple[int, ...]
    line: Line
    implementation: str | None = None


@final
@dataclass(frozen=True, slots=True)
class SelectorDecl:
    name: str
    group_field: str
    fields: tuple[str, ...]
    member_field: str
    groups: int
    members_per_group: int
    line: Line


@final
@dataclass(frozen=True, slots=True)
class ProfileDecl:
    """An action profile as `profiles` found it: the member table's name and size, and its selector if it has
    one."""

    name: str
    size: int | None
    selector: SelectorDecl | None
    line: Line


@final
@dataclass(frozen=True, slots=True)
class ArrayDecl:
    """A regarray or a metarray."""

    name: str
    size: int
    initial: int
    line: Line


@final
@dataclass(frozen=True, slots=True)
class SpecFile:
    """Everything a `.spec` says; `file` is its name for messages, `metadata` the struct's name."""

    file: str
    structs: Mapping[str, StructDecl]
    headers: Mapping[str, HeaderDecl]
    metadata: str
    actions: Mapping[str, ActionDecl]
    tables: Mapping[str, TableDecl]
    selectors: Mapping[str, SelectorDecl]
    regarrays: Mapping[str, ArrayDecl]
    metarrays: Mapping[str, ArrayDecl]
    rss: Mapping[str, Line]
    apply: tuple[Instruction, ...]
    profiles: Mapping[str, ProfileDecl] = field(default_factory=dict)

    def params(self, action: ActionDecl) -> tuple[FieldDecl, ...]:
        """The fields of the action's struct, () if it has none (or names one that does not exist, which
        `build` reports)."""
        struct = self.structs.get(action.struct) if action.struct else None
        return struct.fields if struct else ()
