"""The body of `step`: every Item in turn, the labels somebody goes to, and the places where a packet may
wait.

Find(flow_table)   →   if (p->waits && e->tables[12].big) { keep what is live; return ST_SUSPENDED; }
                       R_3:
                       e7 = index_find(…);
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import final

from p4nic.backend.native import emit_compute, emit_headers, facts, order, wide
from p4nic.backend.native.arch import Arch, kept_fields, save
from p4nic.backend.native.emit_state import StateWriter, prefix_key
from p4nic.backend.native.expr import Writer, literal
from p4nic.backend.native.flat import Bind, Find, Goto, Hook, Item, Key, Mark, Scope, Site
from p4nic.backend.native.flow import FINISHED, Analysis, bits
from p4nic.backend.native.layout import MAX_WIDTH, Packing, c_type
from p4nic.backend.native.variables import Variable, Variables
from p4nic.bits import wrap
from p4nic.errors import UnsupportedError
from p4nic.ir import ops
from p4nic.ir.program import Program
from p4nic.ir.types import Source

_LABEL = "\0label "


def context_variables(v: Variables, before: list[int]) -> list[Variable]:
    """Variables of headers that must start as zeros: they live in the packet's context."""
    metadata = {x.name for h in v.metadata for x in v.parts(h)}
    live = before[0] if before else 0
    return [x for x in v.all() if live >> x.bit & 1 and x.name not in metadata and x.name[0] in "fvoln"]


@final
class BodyWriter:
    """Writes the statements of `step` into `lines`."""

    def __init__(
        self, program: Program, v: Variables, arch: Arch, analysis: Analysis, items: list[Item],
        suspends: frozenset[str], keys: Mapping[str, Packing],
    ) -> None:  # fmt: skip
        self.program = program
        self.v = v
        self.arch = arch
        self.items = items
        self.before, self.after = analysis.live(items)
        self.out = Writer(v)
        self.state = StateWriter(self.out, program, suspends, keys)
        self.counters: dict[int, int] = {}
        self.waits: list[Site] = []
        self.errors: set[str] = set()
        self.saved: dict[Variable, None] = {}
        self.lines: list[str] = []
        self._kept = kept_fields(program)
        self._at = 0
        self._position = {i.op.label: n for n, i in enumerate(items) if isinstance(i.op, Mark)}
        self._sums: dict[str, str] = {}
        self._resumes: list[str] = []
        self._waiting: dict[int, list[Variable]] = {}
        self._told: dict[int, Mapping[Variable, str]] = {}
        follow = [inside for inside, _ in analysis.successors(items)]
        self.context = context_variables(v, self.before)
        rank = order.ranks(follow)
        self._loops = order.looping(follow)
        self.state.looping = {op.site.number for at in self._loops if isinstance(op := items[at].op, Find)}
        found: dict[str, list[tuple[int, int]]] = {}
        for at, i in enumerate(items):
            if isinstance(i.op, Find) and i.op.site.table.name in suspends and at not in self._loops:
                found.setdefault(i.op.site.table.name, []).append((rank[at], i.op.site.number))
        # Only the first lookups in a table wait: each place costs code. Of a learner two, because a packet
        # that learns a connection looks for its reverse too.
        learners = {t.name for t in program.tables.values() if t.is_learner}
        waits = [
            site for name, sites in found.items() for site in sorted(sites)[: 2 if name in learners else 1]
        ]
        self._resume = {number: 1 + n for n, (_, number) in enumerate(sorted(waits))}
        tracked = facts.zero_at_start(v, arch.kept_always(v))
        self._known = facts.solve(analysis, items, tracked, bits(self.context))
        self.out.is_valid = self._is_valid
        self.state.last_wait = {
            name: max((n for _, n in sites if n in self._resume), default=0) for name, sites in found.items()
        }

    def _is_valid(self, header: str) -> bool | None:
        """Whether a header is valid at this Item, if that is known."""
        value = self._known.constant(self._at, self.v.valid(header))
        return None if value is None else bool(value)

    def write(self) -> None:
        told = Source()
        for at, item in enumerate(self.items):
            self._at = at
            self.out.live_after = self.after[self._at]
            source = getattr(item.op, "source", Source())
            if source.line and source != told and not isinstance(item.op, Mark):
                self.out.line(f"/* {_safe(str(source))} */")
                told = source
            self._item(item)
        self._tail()
        self._starts()
        text = "\n".join(self.out.lines)
        self.errors = set(re.findall(r"ERROR_(\w+)", text))
        wanted = set(re.findall(r"goto (\w+);", "\n".join([*self._resumes, text])))
        body = []
        for line in self.out.lines:
            if line.startswith("    " + _LABEL):
                label, _, comment = line[4 + len(_LABEL) :].partition(" ")
                if label in wanted:
                    body.append(f"{label}:;{f' /* {_safe(comment)} */' if comment else ''}")
            else:
                body.append(line)
        self.lines = [*self._resumes, *body]

    def resume_of(self, site: Site) -> int:
        """The number under which packets wait there."""
        return self._resume[site.number]

    # --- where a packet waits, and where it goes on ---

    def _keep(self, variables: list[Variable]) -> None:
        for variable in variables:
            self.saved[variable] = None

    def _move_kept(self) -> None:
        """What waiting packets keep lives in their context from the start, where nothing outlives a pass:
        moved into C variables and back it would cost twice that, for most of them get no register."""
        if self.program.architecture == "swx":  # the others begin at several places, with what was kept
            outlive = self.arch.kept_always(self.v)
            self.context += [x for x in self.saved if x not in outlive and x not in self.context]

    def _starts(self) -> None:
        self._move_kept()
        lines = ["    switch (p->resume) {"]
        for site in self.waits:
            n = site.number
            lines.append(f"    case {self._resume[n]}: /* {_safe(site.table.name)} */")
            told, moved = self._told[n], [x for x in self._waiting[n] if x not in self.context]
            lines += [f"        {x.name} = {told.get(x, f'c->s.{x.name}')};" for x in moved]
            words = self.state.keys[site.table.name].size // 8
            lines += [f"        k{n}[{i}] = c->key[{i}];" for i in range(words)]
            lines += [f"        h{n} = c->hash;"]
            if prefix_key(site.table) is None:
                lines.append("        near = c->near;")
            lines.append(f"        goto R_{n};")
        for resume in self.arch.resumes:
            variables = self.arch.start(self.out, resume)
            self._keep(variables)
            lines.append(f"    case {resume.macro}:")
            if not resume.keeps_headers:
                lines += self._fresh()
            lines += [f"        {x.name} = c->s.{x.name};" for x in variables]
            if resume.macro == "RESUME_PARSE":
                lines += self._parse_start()
            lines.append(f"        goto {resume.label};")
        self._keep(self.arch.kept_always(self.v))
        self._resumes = [
            *lines,
            "    default:",
            *self._fresh(),
            "        break;",
            "    }",
        ]

    def _fresh(self) -> list[str]:
        """A packet at its first instruction."""
        lines = ["        memset(z, 0, sizeof *z);"] if self.context else []
        if self.program.architecture == "swx":
            lines.append("        pos = olen = 0; /* as it is: now the compiler knows */")
        return lines

    def _parse_start(self) -> list[str]:
        held = len(self.out.lines)
        self.out.live_after = -1
        intrinsic = getattr(self.arch, "intrinsic", {})
        ref = intrinsic.get("ingress_port")
        if ref is not None:
            variable = self.v.of_field(ref.header, ref.field)
            self.out.line(f"    {variable.name} = ({variable.type})p->port;")
        lines = self.out.lines[held:]
        del self.out.lines[held:]
        return lines

    def _wait(self, site: Site) -> None:
        """Let a packet of a burst wait while its bucket is fetched."""
        n, number = site.number, self.state.numbers.tables[site.table.name]
        live = [x for x in self.v.all() if self.before[self._at] >> x.bit & 1]
        told = self._known.texts(self._at)
        kept = [x for x in live if x not in told]
        self._keep(kept)
        self.waits.append(site)
        self._waiting[n] = live
        self._told[n] = told
        out = self.out
        out.line(f"if (p->waits && relaxed_load(&e->tables[{number}].big)) {{")
        if prefix_key(site.table) is None:
            out.line(f"    prefetch_bucket(&e->tables[{number}], h{n});")
        for line in save(kept):
            out.line(f"    {line}")
        words = self.state.keys[site.table.name].size // 8
        for i in range(words):
            out.line(f"    c->key[{i}] = k{n}[{i}];")
        out.line(f"    c->hash = h{n};")
        out.line("    p->position = pos;")
        out.line("    p->out_length = olen;")
        out.line(f"    p->resume = {self._resume[n]};")
        out.line("    return ST_SUSPENDED;")
        out.line("}")
        out.line(f"{_LABEL}R_{n}")

    def _tail(self) -> None:
        out = self.out
        out.line(f"{_LABEL}{FINISHED}")
        out.live_after = -1
        self.arch.finished(out)
        out.line(f"{_LABEL}L_fuel")
        out.line("p->reason = REASON_LOOP;")
        out.line("return ST_DROPPED;")
        out.line(f"{_LABEL}L_slow")
        out.line("return ST_SLOW;")

    # --- Items ---

    def _item(self, item: Item) -> None:
        op, scope, out = item.op, item.scope, self.out
        match op:
            case Mark(label, comment):
                out.line(f"{_LABEL}{label} {comment}")
            case Goto(label):
                self._go("", label)
            case Hook(name):
                self.arch.hook(out, name)
                if name == "start":
                    out.line(f"{_LABEL}L_again")
                    for number, table in enumerate(self.program.tables.values()):
                        if table.is_learner:
                            out.line(f"learned{number} = NULL;")
            case Key(site):
                self.state.key(site, scope)
            case Find(site):
                if site.number in self._resume:
                    self._wait(site)
                self.state.find(op, scope, waits=site.number in self._resume)
            case Bind(names, args):
                for (name, width), arg in zip(names, args, strict=True):
                    out.line(f"{name} = {out.unsigned(arg, width, scope)};")
            case _:
                self._operation(op, scope)

    def _go(self, condition: str, label: str) -> None:
        """Jump, if the condition holds; a jump backwards burns fuel, so that no loop runs for ever."""
        out = self.out
        prefix = f"if ({condition}) " if condition else ""
        if not self._loops or self._position.get(label, self._at + 1) > self._at:
            out.line(f"{prefix}goto {label};")
            return
        out.line(f"{prefix}{{")
        out.line("    if (--p->fuel < 0)")
        out.line("        goto L_fuel;")
        out.line(f"    goto {label};")
        out.line("}")

    def _operation(self, op: ops.Op, scope: Scope) -> None:
        out = self.out
        match op:
            case ops.Move():
                emit_compute.move(out, op, scope)
            case ops.Unary():
                emit_compute.unary(out, op, scope)
            case ops.Binary():
                emit_compute.binary(out, op, scope)
            case ops.Choose():
                emit_compute.choose(out, op, scope)
            case ops.Hash():
                emit_compute.hash_(out, op, scope, self.counters, self.state.for_real)
            case ops.ChecksumAdd():
                emit_compute.checksum_add(out, self.items, self._at, self._sums)
            case (
                ops.Extract() | ops.Lookahead() | ops.Advance() | ops.Emit() | ops.SetValid() |
                ops.SetInvalid() | ops.CopyHeader() | ops.Push() | ops.Pop()
            ):  # fmt: skip
                emit_headers.write(out, op, scope)
            case (
                ops.Learn() | ops.Rearm() | ops.Forget() | ops.EntryId() | ops.Count() | ops.CountDirect()
                | ops.Meter() | ops.RegisterRead() | ops.RegisterWrite() | ops.RegisterAdd() | ops.Random()
                | ops.Digest() | ops.LogMessage() | ops.Assert()
            ):  # fmt: skip
                self.state.write(op, scope)
            case ops.Branch(relation, a, b, target):
                self._go(out.compare(relation, a, b, scope), scope.label(target))
            case ops.BranchHit(target, hit):
                self._go(f"{'' if hit else '!'}{self.v.last('hit').name}", scope.label(target))
            case ops.BranchAction(action, target, ran):
                number = self.state.numbers.actions[action]
                self._go(f"{self.v.last('ran').name} {'==' if ran else '!='} {number}u", scope.label(target))
            case ops.Switch():
                self._switch(op, scope)
            case ops.Verify():
                self._verify(op, scope)
            case ops.Reject(error):
                out.line(f"failure = ERROR_{error};")
                out.line(f"goto {scope.error};")
            case _:
                self._packet(op, scope)

    def _packet(self, op: ops.Op, scope: Scope) -> None:
        out = self.out
        match op:
            case ops.Receive(dst):
                # A recirculated packet keeps its metadata, the input port among them.
                if out.shape(dst, scope)[0] > MAX_WIDTH:
                    out.line("if (!p->passes) {")
                    out.store(dst, "p->port", 32, scope)
                    out.line("}")
                    return
                kind = "u128" if out.shape(dst, scope)[0] > 64 else "u64"
                text = f"p->passes ? ({kind}){out.read(dst, scope)} : ({kind})p->port"
                out.store(dst, text, None, scope)
            case ops.Transmit(port):
                out.line(f"p->transmit = (i64)(u64){out.read(port, scope)};")
                out.line(f"goto {FINISHED};")
            case ops.Drop():
                out.line("p->transmit = -1;")
                out.line(f"goto {FINISHED};")
            case ops.RecirculationId(dst):
                out.store(dst, "p->passes", 32, scope)
            case ops.Truncate(length):
                text = out.read(length, scope)
                out.line("p->limited = 1;")
                out.line(f"p->limit = (u64){text} > UINT32_MAX ? UINT32_MAX : (u32){text};")
            case ops.Clone(_, session, fields):
                self.state.for_real()
                out.line("p->cloned = 1;")
                out.line(f"p->clone_session = (u32){out.read(session, scope)};")
                out.line(f"p->clone_kept = {self._kept.index(fields)};")
            case ops.Resubmit(fields) | ops.Recirculate(fields):
                name = "resubmit" if isinstance(op, ops.Resubmit) else "recirculate"
                self.state.for_real()
                out.line(f"p->{name}{'ted' if name == 'resubmit' else 'd'} = 1;")
                out.line(f"p->{name}_kept = {self._kept.index(fields)};")
            case ops.Mirror(slot, session):
                self.state.for_real()
                out.line(f"mirror_add(p, (u32){out.read(slot, scope)}, (u32){out.read(session, scope)});")
            case _:
                raise AssertionError(f"{type(op).__name__} is flattened away or written elsewhere")

    def _verify(self, op: ops.Verify, scope: Scope) -> None:
        out = self.out
        if isinstance(op.error, str):
            emit_headers.fail(out, op.error, scope, f"!{out.truth(op.cond, scope)}")
            return
        if self.program.architecture == "swx":
            raise UnsupportedError(
                f"{op.source}: a run-time error number in verify is not run natively; use --backend interp"
            )
        number = out.fresh("u64")
        out.line(f"if (!{out.truth(op.cond, scope)}) {{")
        out.line(f"    {number} = (u64){out.read(op.error, scope)};")
        known = " || ".join(f"{number} == {n}u" for n in self.program.errors.values()) or "0"
        out.line(f"    failure = {known} ? (u32){number} : 0;")
        out.line(f"    goto {scope.error};")
        out.line("}")

    # --- select ---

    def _switch(self, op: ops.Switch, scope: Scope) -> None:
        out = self.out
        widths = [out.shape(k, scope)[0] for k in op.keys]
        if max([*widths, 0]) > MAX_WIDTH and any(c.value_set is not None for c in op.cases):
            raise UnsupportedError(
                f"{op.source}: a value set of {max(widths)} bits is not run natively; use --backend interp"
            )
        values = []
        for key, width in zip(op.keys, widths, strict=True):
            name = out.fresh(c_type(width) if width > MAX_WIDTH else "u128" if width > 64 else "u64")
            out.line(f"{name} = {out.unsigned(key, width, scope)};")
            values.append(name)
        if len(values) == 1 and widths[0] <= 64 and all(self._is_exact(c, widths) for c in op.cases):
            self._dispatch(op, scope, values[0], widths[0])
        else:
            for case in op.cases:
                self._go(self._condition(case, values, widths), scope.label(case.target))
        if op.default is not None:
            self._go("", scope.label(op.default))
        else:
            out.line("failure = ERROR_NoMatch;")
            out.line(f"goto {scope.error};")

    def _is_exact(self, case: ops.Case, widths: list[int]) -> bool:
        return case.value_set is None and all(
            m & ((1 << w) - 1) == (1 << w) - 1 for m, w in zip(case.masks, widths, strict=True)
        )

    def _dispatch(self, op: ops.Switch, scope: Scope, value: str, width: int) -> None:
        out = self.out
        seen: dict[int, str] = {}
        for case in op.cases:
            seen.setdefault(wrap(case.values[0], width), case.target)
        if not seen:
            return
        out.line(f"switch ({value}) {{")
        for number, target in seen.items():
            out.line(f"case {number:#x}u:")
            self._go("", scope.label(target))
        out.line("default:")
        out.line("    break;")
        out.line("}")

    def _condition(self, case: ops.Case, values: list[str], widths: list[int]) -> str:
        if case.value_set is not None:
            number = self.state.numbers.value_sets[case.value_set]
            listed = ", ".join(f"(u128){name}" for name in values)
            return f"value_set_has(&e->value_sets[{number}], (const u128[]){{{listed}}}, {len(values)})"
        tests = []
        for name, width, value, mask in zip(values, widths, case.values, case.masks, strict=True):
            full = (1 << width) - 1
            if width > MAX_WIDTH:
                tests += wide.tests(name, width, value & mask & full, mask & full)
            elif mask & full:
                tests.append(f"({name} & {literal(mask & full)}) == {literal(value & mask & full)}")
        return " && ".join(tests) or "1"


def _safe(text: str) -> str:
    """Text from an artifact as it may stand in a C comment."""
    return re.sub(r"[^\w.\[\]:/ -]+", "_", text).replace("*/", "_").replace("/*", "_")
