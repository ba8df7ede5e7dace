"""What an STF file says, statement by statement. Out of `parse`; into `runner` and `apply`. Numbers stay text
where their digits matter (`0x0*` as a ternary key); names are as written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

Relation = Literal["==", "!=", "<", "<=", ">", ">="]


@final
@dataclass(frozen=True, slots=True)
class Value:
    """A match value: `digits`, and after an operator (`/`, `&&&`, `..`) the second number."""

    digits: str
    operator: str = ""
    second: str = ""


@final
@dataclass(frozen=True, slots=True)
class CallText:
    """`action(name:1, 2)`: arguments are (name or "", number)."""

    action: str
    args: tuple[tuple[str, int], ...]


@final
@dataclass(frozen=True, slots=True)
class Target:
    """`-> member 3` or `-> group 1`, where an entry names no action."""

    kind: Literal["member", "group"]
    number: int


@final
@dataclass(frozen=True, slots=True)
class Check:
    """`packets == 3`; kind is "" where there is only one number to compare."""

    kind: Literal["packets", "bytes", ""]
    relation: Relation
    number: int


@final
@dataclass(frozen=True, slots=True)
class Add:
    line: int
    table: str
    priority: int | None
    matches: tuple[tuple[str, Value], ...]
    action: CallText | Target
    id: str


@final
@dataclass(frozen=True, slots=True)
class Remove:
    """`remove all`, or of one entry by the id `add … = ID` gave it."""

    line: int
    id: str | None


@final
@dataclass(frozen=True, slots=True)
class SetDefault:
    line: int
    table: str
    call: CallText


@final
@dataclass(frozen=True, slots=True)
class Packet:
    line: int
    port: int
    data: bytes


@final
@dataclass(frozen=True, slots=True)
class Expect:
    """`pattern`: hex digits and `*`; "" is any content. `exact`: `$` stood at the end, nothing may follow."""

    line: int
    port: int
    pattern: str
    exact: bool


@final
@dataclass(frozen=True, slots=True)
class NoPacket:
    """The packet before it sent nothing (to `port`, or at all)."""

    line: int
    port: int | None


@final
@dataclass(frozen=True, slots=True)
class Wait:
    line: int
    nanoseconds: int


@final
@dataclass(frozen=True, slots=True)
class CheckCounter:
    """`index` is a cell's number, or the id of an entry (`$A`) for a direct counter. `check` None: it
    exists."""

    line: int
    counter: str
    index: int | str
    check: Check | None


@final
@dataclass(frozen=True, slots=True)
class CheckRegister:
    line: int
    register: str
    index: int
    check: Check | None


@final
@dataclass(frozen=True, slots=True)
class CheckEntries:
    """How many entries a table holds, learned ones included."""

    line: int
    table: str
    check: Check


@final
@dataclass(frozen=True, slots=True)
class ExpectDigest:
    line: int
    digest: str
    values: tuple[int, ...]


@final
@dataclass(frozen=True, slots=True)
class ValueSetAdd:
    line: int
    value_set: str
    values: tuple[Value, ...]


@final
@dataclass(frozen=True, slots=True)
class MemberAdd:
    line: int
    profile: str
    member: int
    call: CallText


@final
@dataclass(frozen=True, slots=True)
class GroupAdd:
    """Members as (member id, weight)."""

    line: int
    profile: str
    group: int
    members: tuple[tuple[int, int], ...]


@final
@dataclass(frozen=True, slots=True)
class Rates:
    """Meter rates as simple_switch_CLI takes them: (units per microsecond, burst) for CIR and PIR. `index`
    None is every cell, a text the id of an entry with a direct meter."""

    line: int
    meter: str
    index: int | str | None
    rates: tuple[tuple[float, int], ...]


@final
@dataclass(frozen=True, slots=True)
class Command:
    """A statement handed to the switch's command line in p4c's harness: a name, then numbers."""

    line: int
    name: str
    object: str
    numbers: tuple[int, ...]


StateStatement = (
    Add | Remove | SetDefault | ValueSetAdd | MemberAdd | GroupAdd | Rates | Command
)  # fmt: skip
CheckStatement = CheckCounter | CheckRegister | CheckEntries
Statement = StateStatement | CheckStatement | Packet | Expect | NoPacket | Wait | ExpectDigest
