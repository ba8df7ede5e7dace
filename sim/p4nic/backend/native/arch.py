"""What the architectures put around a program's blocks in the emitted function.

An Arch lays out the Items (blocks and hooks), says what its hooks read and write, and writes their C. The
rest of an architecture, what concerns more than one pass of a packet, is in runtime/p4nic_swx.h and
p4nic_v1model.h.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, final

from p4nic.backend.native.expr import Writer
from p4nic.backend.native.flat import Flattener
from p4nic.backend.native.flow import Effect
from p4nic.backend.native.variables import Variable, Variables
from p4nic.ir import ops
from p4nic.ir.ops import Ref
from p4nic.ir.program import Program

REASONS = (
    "", "drop action", "egress port does not exist", "multicast group has no member", "recirculation limit",
    "instruction limit", "packet too short", "drop port", "neither tx nor drop",
)  # fmt: skip
REASON_MACROS = (
    "NONE", "DROP_ACTION", "NO_PORT", "NO_MEMBER", "TOO_MANY_PASSES", "LOOP", "TOO_SHORT", "DROP_PORT",
    "NO_VERDICT"
)  # fmt: skip


CORE_ERRORS = {
    "NoError": 0, "PacketTooShort": 1, "NoMatch": 2, "StackOutOfBounds": 3, "HeaderTooShort": 4,
    "ParserTimeout": 5, "ParserInvalidArgument": 6,
}  # fmt: skip
"""core.p4's errors in BMv2's numbering, for an artifact that leaves the list out."""


@final
@dataclass(frozen=True, slots=True)
class Resume:
    """A place where the driver starts step() besides the beginning. `macro`: its number's name in C.
    `keeps_headers`: headers are as the packet left them, not zeros."""

    macro: str
    label: str = "L_again"
    keeps_headers: bool = False


class Arch(Protocol):
    """One architecture, for one program."""

    header: str
    """The runtime header with its driver."""
    resumes: tuple[Resume, ...]

    def hooked(self) -> tuple[Ref, ...]:
        """Fields it reads or writes itself."""
        ...

    def lay_out(self, flat: Flattener) -> None: ...

    def effects(self, v: Variables) -> Mapping[str, Effect]: ...

    def exits(self, v: Variables) -> Mapping[str, int]:
        """Variables read at L_finished."""
        ...

    def error_code(self, name: str) -> int:
        """What `failure` is for a parser error."""
        ...

    def reasons(self) -> tuple[str, ...]: ...

    def start(self, out: Writer, resume: Resume) -> list[Variable]:
        """Variables that are loaded when the driver starts there."""
        ...

    def hook(self, out: Writer, name: str) -> None: ...

    def finished(self, out: Writer) -> None:
        """What stands at L_finished."""
        ...

    def helpers(self, v: Variables, saved: set[str]) -> list[str]:
        """C functions between step's declaration and the driver; `saved`: names of fields that are kept."""
        ...

    def settle(self, v: Variables, before: Mapping[str, int]) -> None:
        """After the first flow analysis: the variables live at each hook."""
        ...

    def kept_always(self, v: Variables) -> list[Variable]:
        """Variables the driver saves and loads."""
        ...


def uses_op(program: Program, *kinds: type) -> bool:
    """Whether any code has such an instruction."""
    codes = [b.code for b in program.blocks.values()] + [a.code for a in program.actions.values()]
    return any(isinstance(op, kinds) for code in codes for op in code)


def kept_fields(program: Program) -> list[tuple[Ref, ...]]:
    """The field lists of clones and of packets that start over, each once: their index is their number."""
    codes = [b.code for b in program.blocks.values()] + [a.code for a in program.actions.values()]
    found: dict[tuple[Ref, ...], None] = {(): None}
    for code in codes:
        for op in code:
            if isinstance(op, ops.Clone | ops.Resubmit | ops.Recirculate):
                found[op.fields] = None
    return list(found)


def save(variables: list[Variable], to: str = "c->s") -> list[str]:
    return [f"{to}.{v.name} = {v.name};" for v in variables]


def drop_without_port(out: Writer) -> None:
    """The end of a packet with one verdict, `p->transmit`: dropped, with its reason, if that is no port."""
    for condition, reason in (
        ("p->transmit < 0", "DROP_ACTION"),
        ("p->transmit == e->drop_port", "DROP_PORT"),
        ("p->transmit > UINT32_MAX || !port_exists(e, (u32)p->transmit)", "NO_PORT"),
    ):
        out.line(f"if ({condition}) {{")
        out.line(f"    p->reason = REASON_{reason};")
        out.line("    return ST_DROPPED;")
        out.line("}")
    out.line("p->reason = REASON_NONE;")
