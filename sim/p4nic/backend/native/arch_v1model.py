"""v1model as BMv2's simple_switch runs it: parser, verify_checksum, ingress, egress, compute_checksum,
deparser in one function; a plain unicast packet falls through from ingress to egress.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from p4nic.backend.native import wide
from p4nic.backend.native.arch import CORE_ERRORS, REASONS, Resume, kept_fields, save, uses_op
from p4nic.backend.native.expr import Writer, wrapped
from p4nic.backend.native.flat import Flattener, Goto, Hook, Mark
from p4nic.backend.native.flow import Effect, bits
from p4nic.backend.native.variables import Variable, Variables
from p4nic.ir import ops
from p4nic.ir.ops import Ref
from p4nic.ir.program import Program

_ERROR, _PARSED, _EGRESS = "L_parser_error", "L_parsed", "L_egress"
_FIELDS = (
    "ingress_port", "egress_spec", "egress_port", "instance_type", "packet_length",
    "ingress_global_timestamp",
    "egress_global_timestamp", "enq_timestamp", "mcast_grp", "egress_rid", "parser_error",
)  # fmt: skip


@final
class V1ModelArch:
    """`intrinsic`: fields of the standard metadata that the program has."""

    header = "p4nic_v1model.h"
    resumes: tuple[Resume, ...] = (
        Resume("RESUME_AGAIN"),
        Resume("RESUME_PARSE", "L_parse"),
        Resume("RESUME_EGRESS", "L_egress", keeps_headers=True),
    )

    def __init__(self, program: Program) -> None:
        self.program = program
        self.clones = uses_op(program, ops.Clone)
        self.kept = kept_fields(program)
        self.intrinsic: dict[str, Ref] = {}
        # p4c puts everything into standard_metadata; programs of the P4_14 days split it.
        for name in _FIELDS:
            for header in ("standard_metadata", "intrinsic_metadata", "queueing_metadata"):
                instance = program.headers.get(header)
                if instance is not None and program.header_types[instance.type].field(name) is not None:
                    self.intrinsic.setdefault(name, Ref(header, name))
        self._copied = 0

    def hooked(self) -> tuple[Ref, ...]:
        return tuple(self.intrinsic.values()) + tuple(ref for fields in self.kept for ref in fields)

    def lay_out(self, flat: Flattener) -> None:
        flat.add(Hook("start"))
        flat.add(Mark("L_parse"))
        flat.block("parser", _ERROR)
        flat.add(Goto(_PARSED))
        flat.add(Mark(_ERROR))
        flat.add(Hook("parser_error"))
        flat.add(Mark(_PARSED))
        flat.add(Hook("parsed"))
        flat.block("verify_checksum", _ERROR)
        flat.block("ingress", _ERROR)
        flat.add(Hook("ingress_end"))
        flat.add(Mark(_EGRESS))
        flat.add(Hook("egress_start"))
        flat.block("egress", _ERROR)
        flat.add(Hook("egress_end"))
        flat.block("compute_checksum", _ERROR)
        flat.block("deparser", _ERROR)
        flat.add(Hook("send"))
        flat.add(Hook("stop"))

    # --- what the hooks read and write ---

    def _var(self, v: Variables, name: str) -> list[Variable]:
        ref = self.intrinsic.get(name)
        return [v.of_field(ref.header, ref.field)] if ref is not None else []

    def _vars(self, v: Variables, *names: str) -> int:
        return bits([x for name in names for x in self._var(v, name)])

    def _kept_bits(self, v: Variables) -> int:
        return bits([v.of_field(r.header, r.field) for fields in self.kept for r in fields])

    def effects(self, v: Variables) -> Mapping[str, Effect]:
        copied, kept = self._copied, self._kept_bits(v)
        unicast = self._vars(v, "instance_type", "egress_port", "enq_timestamp")
        start = self._vars(v, "ingress_port", "packet_length", "ingress_global_timestamp")
        egress = self._vars(v, "egress_global_timestamp", "egress_spec", "packet_length")
        return {
            "start": Effect(0, start, start),
            "parser_error": Effect(0, self._vars(v, "parser_error"), self._vars(v, "parser_error")),
            "parsed": Effect(copied if self.clones else 0),
            "ingress_end": Effect(
                self._vars(v, "mcast_grp", "egress_spec") | kept | copied, unicast, unicast
            ),
            "egress_start": Effect(self._vars(v, "egress_port"), egress, egress),
            "egress_end": Effect(self._vars(v, "egress_spec") | kept | (copied if self.clones else 0)),
            "send": Effect(kept),
            "stop": Effect(),
        }

    def exits(self, v: Variables) -> Mapping[str, int]:
        return {}

    def settle(self, v: Variables, before: Mapping[str, int]) -> None:
        """What a copy that starts at egress needs."""
        self._copied = before["egress_start"]

    def kept_always(self, v: Variables) -> list[Variable]:
        own = self._vars(v, "egress_rid", "instance_type", "egress_port", "enq_timestamp", "packet_length")
        wanted = self._copied | self._kept_bits(v) | own
        return [x for x in v.all() if wanted >> x.bit & 1]

    def error_code(self, name: str) -> int:
        return (CORE_ERRORS | dict(self.program.errors)).get(name, 0)

    def reasons(self) -> tuple[str, ...]:
        return REASONS

    # --- C ---

    def start(self, out: Writer, resume: Resume) -> list[Variable]:
        match resume.macro:
            case "RESUME_EGRESS":
                return self.kept_always(out.v)
            case "RESUME_AGAIN":
                wanted = self._kept_bits(out.v) | self._vars(out.v, "instance_type", "packet_length")
                return [x for x in out.v.all() if wanted >> x.bit & 1]
            case _:
                return []

    def _set(self, out: Writer, name: str, text: str, bound: int | None = None) -> None:
        ref = self.intrinsic.get(name)
        if ref is not None:
            field = out.v.field(ref.header, ref.field)
            out.set(out.v.of_field(ref.header, ref.field), wrapped(text, field.width, field.signed, bound))

    def _get(self, out: Writer, name: str) -> str:
        ref = self.intrinsic.get(name)
        return out.v.of_field(ref.header, ref.field).name if ref is not None else "0u"

    def hook(self, out: Writer, name: str) -> None:
        match name:
            case "start":
                self._set(out, "ingress_port", "p->port")
                self._set(out, "packet_length", "p->length")
                self._set(out, "ingress_global_timestamp", "w->now_ns / 1000")
            case "parser_error":
                self._set(out, "parser_error", "failure")
            case "parsed":
                if self.clones:
                    self._save_copy(out, "p->parse_only", "return ST_GONE;")
            case "ingress_end":
                self._ingress_end(out)
            case "egress_start":
                out.line(f"p->transmit = (i64){self._get(out, 'egress_port')};")
                self._set(out, "egress_global_timestamp", "w->now_ns / 1000")
                # simple_switch: anything but the drop port, so that the egress block decides anew.
                self._set(out, "egress_spec", "e->drop_port + 1")
                self._set(out, "packet_length", "p->length")
            case "egress_end":
                if self.clones:
                    self._save_copy(out, "p->cloned", "egress_clones(w, c);")
                self._drop(out)
            case "send":
                self._send(out)
            case _:
                return

    def _save_copy(self, out: Writer, condition: str, then: str) -> None:
        out.line(f"if (unlikely({condition})) {{")
        out.line("    p->position = pos;")
        for line in save(self.kept_always(out.v)):
            out.line(f"    {line}")
        out.line(f"    {then}")
        out.line("}")

    def _drop(self, out: Writer) -> None:
        out.line(f"if ({self._get(out, 'egress_spec')} == e->drop_port) {{")
        out.line("    p->reason = REASON_DROP_ACTION;")
        out.line("    return ST_DROPPED;")
        out.line("}")

    def _ingress_end(self, out: Writer) -> None:
        group, spec = self._get(out, "mcast_grp"), self._get(out, "egress_spec")
        out.line(f"if (unlikely(p->cloned || p->resubmitted || {group})) {{")
        out.line("    if (p->speculative)")
        out.line("        goto L_slow;")
        out.line("    p->position = pos;")
        for line in save(self.kept_always(out.v)):
            out.line(f"    {line}")
        out.line(f"    ingress_requests(w, c, {group}, {spec});")
        out.line("    return ST_GONE;")
        out.line("}")
        self._drop(out)
        self._set(out, "instance_type", "NORMAL_PACKET")
        self._set(out, "egress_port", spec)
        self._set(out, "enq_timestamp", "w->now_ns / 1000")

    def _send(self, out: Writer) -> None:
        out.line("finish_frame(p, olen, pos);")
        if uses_op(self.program, ops.Recirculate):
            out.line("if (p->recirculated) {")
            kept = self._kept_bits(out.v)
            for line in save([x for x in out.v.all() if kept >> x.bit & 1]):
                out.line(f"    {line}")
            out.line("    recirculate(w, c);")
            out.line("    return ST_GONE;")
            out.line("}")
        out.line("if (!port_exists(e, (u32)p->transmit)) {")
        out.line("    p->reason = REASON_NO_PORT;")
        out.line("    return ST_DROPPED;")
        out.line("}")
        out.line("p->reason = REASON_NONE;")
        out.line("return ST_SENT;")

    def finished(self, out: Writer) -> None:
        out.line("return ST_GONE; /* nothing of v1model goes here */")

    def helpers(self, v: Variables, saved: set[str]) -> list[str]:
        lines = []
        for function, parts in (
            ("set_replication(struct ctx *c, u64 rid)", (("egress_rid", "rid"),)),
            (
                "set_enqueued(struct ctx *c, u64 port, u64 us)",
                (("egress_port", "port"), ("enq_timestamp", "us")),
            ),
            ("set_instance_type(struct ctx *c, u64 type)", (("instance_type", "type"),)),
            ("set_packet_length(struct ctx *c, u64 length)", (("packet_length", "length"),)),
        ):
            lines += [f"UNUSED static void {function}", "{", "    (void)c;"]
            for name, argument in parts:
                ref = self.intrinsic.get(name)
                variable = v.of_field(ref.header, ref.field) if ref is not None else None
                lines.append(f"    (void){argument};")
                if variable is not None and ref is not None and variable.name in saved:
                    width = v.field(ref.header, ref.field).width
                    lines.append(f"    c->s.{variable.name} = {wrapped(argument, width, False, None)};")
            lines += ["}", ""]
        lines += self._keep(v, saved)
        return lines

    def _keep(self, v: Variables, saved: set[str]) -> list[str]:
        """Zero the metadata of a copy but for the kept fields, which have the values of the original."""
        lines = ["UNUSED static void keep_metadata(struct ctx *c, const struct ctx *of, u32 kept)", "{"]
        lines += ["    (void)c, (void)of, (void)kept;"]
        for header in sorted(v.metadata):
            for variable in v.parts(header):
                if variable.name in saved:
                    lines.append(f"    c->s.{variable.name} = {wide.zero(variable.type)};")
        for number, fields in enumerate(self.kept):
            named = [v.of_field(r.header, r.field).name for r in fields if r.header in v.metadata]
            if named:
                lines.append(f"    if (kept == {number}) {{")
                lines += [f"        c->s.{name} = of->s.{name};" for name in named]
                lines.append("    }")
        return [*lines, "}", ""]
