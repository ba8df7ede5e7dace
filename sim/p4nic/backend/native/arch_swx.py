"""The DPDK SWX pipeline: one block from rx to tx or drop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from p4nic.backend.native.arch import REASONS, Resume, drop_without_port, save, uses_op
from p4nic.backend.native.expr import Writer
from p4nic.backend.native.flat import Flattener, Hook, Mark
from p4nic.backend.native.flow import FINISHED, Effect, bits
from p4nic.backend.native.variables import Variable, Variables
from p4nic.ir import ops
from p4nic.ir.ops import Ref
from p4nic.ir.program import Program

_ERROR = "L_parser_error"


@final
class SwxArch:
    """`recirculates`: a second pass keeps the metadata of the first."""

    header = "p4nic_swx.h"
    resumes: tuple[Resume, ...] = (Resume("RESUME_AGAIN"),)

    def __init__(self, program: Program) -> None:
        self.program = program
        self.recirculates = uses_op(program, ops.Recirculate)
        self.requests = self.recirculates or uses_op(program, ops.Mirror)
        self.errors = ["PacketTooShort", *(n for n in program.errors if n != "PacketTooShort")]
        for name in ("NoMatch", "StackOutOfBounds", "HeaderTooShort", "ParserInvalidArgument"):
            if name not in self.errors:
                self.errors.append(name)

    def hooked(self) -> tuple[Ref, ...]:
        return ()

    def lay_out(self, flat: Flattener) -> None:
        flat.add(Hook("start"))
        flat.block("pipeline", _ERROR)
        flat.add(Hook("unfinished"))
        flat.add(Hook("stop"))
        flat.add(Mark(_ERROR))
        flat.add(Hook("parser_error"))
        flat.add(Hook("stop"))

    def _metadata(self, v: Variables) -> list[Variable]:
        if not self.recirculates:
            return []
        return [p for h in sorted(v.metadata) for p in v.parts(h)]

    def effects(self, v: Variables) -> Mapping[str, Effect]:
        return {name: Effect() for name in ("start", "unfinished", "stop", "parser_error")}

    def exits(self, v: Variables) -> Mapping[str, int]:
        return {FINISHED: bits(self._metadata(v))}

    def settle(self, v: Variables, before: Mapping[str, int]) -> None:
        return

    def kept_always(self, v: Variables) -> list[Variable]:
        return self._metadata(v)

    def error_code(self, name: str) -> int:
        if name == "PacketTooShort":
            return REASONS.index("packet too short")
        if name not in self.errors:
            self.errors.append(name)
        return len(REASONS) + self.errors.index(name)

    def reasons(self) -> tuple[str, ...]:
        return (*REASONS, *(f"parser error {name}" for name in self.errors))

    def start(self, out: Writer, resume: Resume) -> list[Variable]:
        return self._metadata(out.v)

    def hook(self, out: Writer, name: str) -> None:
        match name:
            case "unfinished":
                out.line("p->reason = REASON_NO_VERDICT;")
                out.line("return ST_DROPPED;")
            case "parser_error":
                out.line("p->reason = failure;")
                out.line("return ST_DROPPED;")
            case _:
                return

    def finished(self, out: Writer) -> None:
        if self.requests:
            out.line("if (p->mirrored || p->recirculated) {")
            way = "padded" if out.v.padded else "apart" if out.v.only_verbatim else "frame"
            out.line(f"    finish_{way}(p, olen, pos);")
            for line in save(self._metadata(out.v)):
                out.line(f"    {line}")
            out.line("    return ST_REQUESTS;")
            out.line("}")
        drop_without_port(out)
        way = "padded" if out.v.padded else "verbatim" if out.v.only_verbatim else "frame"
        out.line(f"finish_{way}(p, olen, pos);")
        out.line("return ST_SENT;")

    def helpers(self, v: Variables, saved: set[str]) -> list[str]:
        return []
