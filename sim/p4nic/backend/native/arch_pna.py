"""PNA around a BMv2 JSON: main_parser, main_control, main_deparser in one function; mirror copies and further
passes are SWX's (runtime/p4nic_swx.h).

`$pna` holds what the program asked for last, drop or a port (the loader's note).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from p4nic.backend.native.arch import CORE_ERRORS, REASONS, Resume, drop_without_port, save, uses_op
from p4nic.backend.native.expr import Writer, wrapped
from p4nic.backend.native.flat import Flattener, Goto, Hook, Mark
from p4nic.backend.native.flow import Effect, bits
from p4nic.backend.native.variables import Variable, Variables
from p4nic.ir import ops
from p4nic.ir.ops import Ref
from p4nic.ir.program import Program

_ERROR, _PARSED = "L_parser_error", "L_parsed"
_PARSER_INPUT, _CONTROL_INPUT, _VERDICT = "pna_main_parser_input_metadata", "pna_main_input_metadata", "$pna"
_TOLD = {
    "input_port": "p->port",
    "pass": "p->passes",
    "recirculated": "p->passes > 0",
    "timestamp": "w->now_ns / 1000",
    "parser_error": "0u",
}
"""What parser and control are told about the packet, as C."""


@final
class PnaArch:
    """`told`: fields of the intrinsic metadata that the program has, with their C."""

    header = "p4nic_swx.h"
    resumes: tuple[Resume, ...] = (Resume("RESUME_AGAIN"),)

    def __init__(self, program: Program) -> None:
        self.program = program
        self.recirculates = uses_op(program, ops.Recirculate)
        self.requests = self.recirculates or uses_op(program, ops.Mirror)
        self.told = {
            Ref(header, name): text
            for header in (_PARSER_INPUT, _CONTROL_INPUT)
            for name, text in _TOLD.items()
            if self._has(header, name)
            and (header == _CONTROL_INPUT or name not in ("timestamp", "parser_error"))
        }

    def _has(self, header: str, name: str) -> bool:
        instance = self.program.headers.get(header)
        return instance is not None and self.program.header_types[instance.type].field(name) is not None

    def hooked(self) -> tuple[Ref, ...]:
        return (*self.told, *(Ref(_VERDICT, n) for n in ("dropped", "port") if self._has(_VERDICT, n)))

    def lay_out(self, flat: Flattener) -> None:
        flat.add(Hook("start"))
        flat.add(Hook("pass"))
        flat.block("main_parser", _ERROR)
        flat.add(Goto(_PARSED))
        flat.add(Mark(_ERROR))
        flat.add(Hook("parser_error"))
        flat.add(Mark(_PARSED))
        flat.block("main_control", _ERROR)
        flat.block("main_deparser", _ERROR)
        flat.add(Hook("send"))
        flat.add(Hook("stop"))

    # --- what the hooks read and write ---

    def _metadata(self, v: Variables) -> list[Variable]:
        """Lives on in the next pass, a port chosen earlier among it."""
        if not self.recirculates:
            return []
        return [p for h in sorted(v.metadata) for p in v.parts(h)]

    def effects(self, v: Variables) -> Mapping[str, Effect]:
        told = bits([v.of_field(r.header, r.field) for r in self.told])
        error = bits([v.of_field(r.header, r.field) for r in self.told if r.field == "parser_error"])
        verdict = bits([v.of_field(r.header, r.field) for r in self.hooked() if r.header == _VERDICT])
        return {
            "start": Effect(),
            "pass": Effect(0, told, told),
            "parser_error": Effect(0, error, error),
            "send": Effect(verdict | bits(self._metadata(v))),
            "stop": Effect(),
        }

    def exits(self, v: Variables) -> Mapping[str, int]:
        return {}

    def settle(self, v: Variables, before: Mapping[str, int]) -> None:
        return

    def kept_always(self, v: Variables) -> list[Variable]:
        return self._metadata(v)

    def error_code(self, name: str) -> int:
        return (CORE_ERRORS | dict(self.program.errors)).get(name, 0)

    def reasons(self) -> tuple[str, ...]:
        return REASONS

    # --- C ---

    def start(self, out: Writer, resume: Resume) -> list[Variable]:
        return self._metadata(out.v)

    def _set(self, out: Writer, ref: Ref, text: str) -> None:
        field = out.v.field(ref.header, ref.field)
        out.set(out.v.of_field(ref.header, ref.field), wrapped(text, field.width, field.signed, None))

    def _verdict(self, out: Writer, name: str) -> str:
        return out.v.of_field(_VERDICT, name).name if self._has(_VERDICT, name) else "0u"

    def hook(self, out: Writer, name: str) -> None:
        match name:
            case "pass":
                for ref, text in self.told.items():
                    self._set(out, ref, text)
            case "parser_error":
                for ref in self.told:
                    if ref.field == "parser_error":
                        self._set(out, ref, "failure")
            case "send":
                self._send(out)
            case _:
                return

    def _send(self, out: Writer) -> None:
        out.line("finish_frame(p, olen, pos);")
        dropped, port = self._verdict(out, "dropped"), self._verdict(out, "port")
        out.line(f"p->transmit = {dropped} ? -1 : (i64)(u64){port};")
        if self.requests:
            out.line("if (p->mirrored || p->recirculated) {")
            for line in save(self._metadata(out.v)):
                out.line(f"    {line}")
            out.line("    return ST_REQUESTS;")
            out.line("}")
        drop_without_port(out)
        out.line("return ST_SENT;")

    def finished(self, out: Writer) -> None:
        out.line("return ST_GONE; /* nothing of PNA's JSON goes here */")

    def helpers(self, v: Variables, saved: set[str]) -> list[str]:
        return []
