"""PSA as BMv2's psa_switch runs it: ingress and egress, each parser → control → deparser, one after the other
in one function. The driver (runtime/p4nic_psa.h) takes the deparsed frame from ingress to egress.

A frame is parsed twice, from two buffers, so nothing of a packet can wait at a lookup: packets run one after
the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from p4nic.backend.native.arch import CORE_ERRORS, REASONS, Resume, kept_fields, save
from p4nic.backend.native.expr import Writer, wrapped
from p4nic.backend.native.flat import Flattener, Goto, Hook, Mark
from p4nic.backend.native.flow import Effect, bits
from p4nic.backend.native.variables import Variable, Variables
from p4nic.ir.ops import Ref
from p4nic.ir.program import Program

_ERROR, _EGRESS_ERROR = "L_parser_error", "L_egress_parser_error"
_IN, _EGRESS_IN = "ingress_parser_input", "egress_parser_input"
_OUT, _EGRESS_OUT = "ingress_output", "egress_output"
_CLEARED = ("class_of_service", "clone", "resubmit", "multicast_group")
_LEAVES_BY = "(u64)p->transmit"
_INGRESS_OUTPUTS = {
    "out_clone": "clone", "out_session": "clone_session_id", "out_drop": "drop", "out_resubmit": "resubmit",
    "out_group": "multicast_group", "out_port": "egress_port", "out_class": "class_of_service",
}  # fmt: skip
_EGRESS_OUTPUTS = {"egress_clone": "clone", "egress_session": "clone_session_id", "egress_drop": "drop"}
"""C functions with which the driver asks for a decision, and the field that holds it."""


@final
class PsaArch:
    """`_live`: the metadata that egress reads before it writes it."""

    header = "p4nic_psa.h"
    resumes: tuple[Resume, ...] = (Resume("RESUME_AGAIN"), Resume("RESUME_EGRESS", "L_egress"))

    def __init__(self, program: Program) -> None:
        self.program = program
        self._live = 0

    def _ref(self, header: str, name: str) -> Ref | None:
        """A field of the architecture's metadata, if the program has it."""
        instance = self.program.headers.get(f"psa_{header}_metadata")
        if instance is None or self.program.header_types[instance.type].field(name) is None:
            return None
        return Ref(instance.name, name)

    def hooked(self) -> tuple[Ref, ...]:
        own = (
            Ref(instance.name, field.name)
            for instance in self.program.headers.values()
            if instance.name.startswith("psa_") and instance.name.endswith("_metadata")
            for field in self.program.header_types[instance.type].fields
        )
        return (*own, *(ref for fields in kept_fields(self.program) for ref in fields))

    def lay_out(self, flat: Flattener) -> None:
        flat.add(Hook("start"))
        flat.add(Hook("ingress_start"))
        flat.block("ingress_parser", _ERROR)
        flat.add(Goto("L_parsed"))
        flat.add(Mark(_ERROR))
        flat.add(Hook("ingress_error"))
        flat.add(Mark("L_parsed"))
        flat.add(Hook("ingress_parsed"))
        flat.block("ingress", _ERROR)
        flat.add(Hook("ingress_end"))
        flat.block("ingress_deparser", _ERROR)
        flat.add(Hook("ingress_send"))
        flat.add(Hook("stop"))
        flat.add(Mark("L_egress"))
        flat.add(Hook("egress_start"))
        flat.block("egress_parser", _EGRESS_ERROR)
        flat.add(Goto("L_egress_parsed"))
        flat.add(Mark(_EGRESS_ERROR))
        flat.add(Hook("egress_error"))
        flat.add(Mark("L_egress_parsed"))
        flat.add(Hook("egress_parsed"))
        flat.block("egress", _EGRESS_ERROR)
        flat.add(Hook("egress_end"))
        flat.block("egress_deparser", _EGRESS_ERROR)
        flat.add(Hook("egress_send"))
        flat.add(Hook("stop"))

    # --- what the hooks read and write ---

    def _bits(self, v: Variables, header: str, *names: str) -> int:
        refs = [ref for name in names if (ref := self._ref(header, name)) is not None]
        return bits([v.of_field(ref.header, ref.field) for ref in refs])

    def _decisions(self, v: Variables) -> int:
        return self._bits(v, _OUT, *_INGRESS_OUTPUTS.values())

    def effects(self, v: Variables) -> Mapping[str, Effect]:
        arrived = self._bits(v, _IN, "ingress_port", "packet_path")
        leaving = self._bits(v, _EGRESS_IN, "packet_path")
        port = self._bits(v, "egress_deparser_input", "egress_port")

        def writes(header: str, *names: str) -> int:
            return self._bits(v, header, *names)

        def sets(written: int, uses: int = 0) -> Effect:
            return Effect(uses, written, written)

        cleared = writes(_OUT, *_CLEARED, "drop") | writes("ingress_input", "ingress_port", "packet_path")
        started = writes(_EGRESS_OUT, "clone", "drop") | writes("egress_input", "egress_port", "packet_path")
        return {
            "start": sets(arrived),
            "ingress_start": sets(writes("ingress_input", "ingress_timestamp", "parser_error")),
            "ingress_error": sets(writes("ingress_input", "parser_error")),
            "ingress_parsed": sets(cleared, arrived),
            "ingress_end": Effect(self._decisions(v) | arrived | self._live),
            "ingress_send": Effect(self._decisions(v) | self._live),
            "egress_start": sets(writes("egress_input", "egress_timestamp", "parser_error")),
            "egress_error": sets(writes("egress_input", "parser_error")),
            "egress_parsed": sets(started, leaving),
            "egress_end": sets(port),
            "egress_send": Effect(self._bits(v, _EGRESS_OUT, *_EGRESS_OUTPUTS.values())),
            "stop": Effect(),
        }

    def exits(self, v: Variables) -> Mapping[str, int]:
        return {}

    def settle(self, v: Variables, before: Mapping[str, int]) -> None:
        """What goes from ingress to egress: metadata, never headers."""
        self._live = before["egress_start"] & bits([p for h in sorted(v.metadata) for p in v.parts(h)])

    def kept_always(self, v: Variables) -> list[Variable]:
        wanted = self._live | self._decisions(v) | self._bits(v, _IN, "ingress_port", "packet_path")
        wanted |= self._bits(v, _EGRESS_IN, "egress_port", "packet_path")
        wanted |= self._bits(v, "egress_input", "instance", "class_of_service")
        wanted |= self._bits(v, _EGRESS_OUT, *_EGRESS_OUTPUTS.values())
        return [x for x in v.all() if wanted >> x.bit & 1]

    def error_code(self, name: str) -> int:
        return (CORE_ERRORS | dict(self.program.errors)).get(name, 0)

    def reasons(self) -> tuple[str, ...]:
        return REASONS

    # --- C ---

    def start(self, out: Writer, resume: Resume) -> list[Variable]:
        wanted = self._bits(out.v, _IN, "ingress_port", "packet_path")
        if resume.macro == "RESUME_EGRESS":
            wanted = self._live
        return [x for x in out.v.all() if wanted >> x.bit & 1]

    def _set(self, out: Writer, header: str, name: str, text: str) -> None:
        ref = self._ref(header, name)
        if ref is not None:
            field = out.v.field(ref.header, ref.field)
            out.set(out.v.of_field(ref.header, ref.field), wrapped(text, field.width, field.signed, None))

    def _get(self, out: Writer, header: str, name: str) -> str:
        ref = self._ref(header, name)
        return out.v.of_field(ref.header, ref.field).name if ref is not None else "0u"

    def hook(self, out: Writer, name: str) -> None:
        match name:
            case "start":
                out.line("(void)e, (void)w;")  # without timestamps and tables nobody reads it
                out.line("if (p->speculative)")
                out.line("    goto L_slow;")
                self._set(out, _IN, "ingress_port", "p->port")
                self._set(out, _IN, "packet_path", "0u")
            case "ingress_start" | "egress_start":
                side = name.partition("_")[0]
                self._set(out, f"{side}_input", f"{side}_timestamp", "w->now_ns / 1000")
                self._set(out, f"{side}_input", "parser_error", "0u")
            case "ingress_error" | "egress_error":
                self._set(out, f"{name.partition('_')[0]}_input", "parser_error", "failure")
            case "ingress_parsed":
                for field in ("ingress_port", "packet_path"):
                    self._set(out, "ingress_input", field, self._get(out, _IN, field))
                for field in _CLEARED:
                    self._set(out, _OUT, field, "0u")
                self._set(out, _OUT, "drop", "1u")
            case "egress_parsed":
                self._set(out, "egress_input", "egress_port", _LEAVES_BY)
                self._set(out, "egress_input", "packet_path", self._get(out, _EGRESS_IN, "packet_path"))
                for field in ("clone", "drop"):
                    self._set(out, _EGRESS_OUT, field, "0u")
            case "egress_end":
                self._set(out, "egress_deparser_input", "egress_port", _LEAVES_BY)
            case _:
                self._leave(out, name)

    def _leave(self, out: Writer, name: str) -> None:
        """Give the packet to the driver, with its decisions; dropped and resubmitted ones undeparsed."""
        match name:
            case "ingress_end":
                drop, again = self._get(out, _OUT, "drop"), self._get(out, _OUT, "resubmit")
                out.line(f"if ({drop} || {again}) {{")
                for line in save(self.kept_always(out.v)):
                    out.line(f"    {line}")
                out.line("    return ST_INGRESS;")
                out.line("}")
            case "ingress_send" | "egress_send":
                out.line("finish_frame(p, olen, pos);")
                for line in save(self.kept_always(out.v)):
                    out.line(line)
                out.line(f"return ST_{name.partition('_')[0].upper()};")
            case _:
                return

    def finished(self, out: Writer) -> None:
        out.line("return ST_GONE; /* nothing of PSA goes here */")

    def helpers(self, v: Variables, saved: set[str]) -> list[str]:
        """How the driver asks for a packet's decisions, and starts it at ingress or egress."""

        def kept(header: str, name: str) -> str:
            ref = self._ref(header, name)
            variable = v.of_field(ref.header, ref.field).name if ref is not None else ""
            return f"c->s.{variable}" if variable in saved else ""

        lines = []
        for functions, header in ((_INGRESS_OUTPUTS, _OUT), (_EGRESS_OUTPUTS, _EGRESS_OUT)):
            for function, name in functions.items():
                lines += [
                    f"UNUSED static u32 {function}(const struct ctx *c)", "{",
                    "    (void)c;", f"    return {kept(header, name) or '0u'};", "}",
                ]  # fmt: skip
        for function, parts in (
            ("start_ingress(struct ctx *c, u32 port, u32 path)",
             ((_IN, "ingress_port", "port"), (_IN, "packet_path", "path"))),
            ("start_egress(struct ctx *c, u32 port, u32 path, u32 instance, u32 service)",
             ((_EGRESS_IN, "egress_port", "port"), (_EGRESS_IN, "packet_path", "path"),
              ("egress_input", "instance", "instance"), ("egress_input", "class_of_service", "service"))),
        ):  # fmt: skip
            lines += [f"UNUSED static void {function}", "{", "    (void)c;"]
            for header, name, argument in parts:
                lines.append(f"    (void){argument};")
                if place := kept(header, name):
                    ref = self._ref(header, name)
                    assert ref is not None
                    width = v.field(ref.header, ref.field).width
                    lines.append(f"    {place} = {wrapped(argument, width, False, None)};")
            lines += ["}", ""]
        return lines
