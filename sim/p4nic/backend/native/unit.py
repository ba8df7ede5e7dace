"""The emitted translation unit: sizes and structs, `step`, the tables' descriptions, the runtime included
around.

    program.c:  #define N_TABLES …   #include "p4nic_packet.h"   struct ctx
                #if HAS_PACKETS   #include "p4nic_burst.h"   step()   #endif
                #if HAS_CONTROL   #include "p4nic_api.h"   #endif

Whole, or in two parts side by side (p4nic_base.h: UNIT_PART).

In: a verified Program and the sizes its tables get. Out: C text, and what the binding must know about it
(Unit). Called by `pipeline` and by `p4nic emit-c`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import final

from p4nic.backend.api import Semantics
from p4nic.backend.native import emit_headers, facts, wide
from p4nic.backend.native.arch import REASON_MACROS, Arch
from p4nic.backend.native.arch_pna import PnaArch
from p4nic.backend.native.arch_psa import PsaArch
from p4nic.backend.native.arch_swx import SwxArch
from p4nic.backend.native.arch_v1model import V1ModelArch
from p4nic.backend.native.described import TableLayout, Unit
from p4nic.backend.native.emit_flow import BodyWriter
from p4nic.backend.native.emit_state import prefix_key
from p4nic.backend.native.flat import Flattener, Hook, Site
from p4nic.backend.native.flow import Analysis
from p4nic.backend.native.layout import MAX_WIDTH, Packing, c_type, storage
from p4nic.backend.native.variables import Variable, Variables
from p4nic.errors import UnsupportedError
from p4nic.ir import ops
from p4nic.ir.program import Program, Table

MAX_KEY_BYTES = 256
LINE = 64
"""Bytes of a cache line."""
SUSPEND_SIZE = 8192
"""A speculative packet may wait at exact and longest-prefix tables that can hold this many entries."""


def table_layout(program: Program, table: Table, actions: Mapping[str, Packing]) -> TableLayout:
    key = Packing([(k.name, k.width) for k in table.keys])
    if key.size > MAX_KEY_BYTES:
        raise UnsupportedError(
            f"the key of table {table.name} takes {key.size} bytes, more than the {MAX_KEY_BYTES} of "
            f"the native "
            f"backend; use --backend interp"
        )
    for k in table.keys:
        if k.width > MAX_WIDTH and k.kind in ("lpm", "range"):
            raise UnsupportedError(
                f"the table {table.name} has a {k.kind} key of {k.width} bits, more than the native "
                f"backend's {MAX_WIDTH}; use --backend interp"
            )
    names = [r.action for r in table.actions] + [table.default.action]
    args = max([actions[name].size for name in names] + [8 if table.implementation is not None else 0])
    ranges = tuple(i for i, k in enumerate(table.keys) if k.kind == "range")
    head = entry_head(program)
    size = head + key.size + args + (2 * key.size if ranges else 0)
    if size <= LINE:
        size = 1 << (size - 1).bit_length()
    exact = all(k.kind == "exact" for k in table.keys)
    return TableLayout(head, key, args, size, ranges, exact)


def entry_head(program: Program) -> int:
    """Bytes of `struct entry`: longer by the counter in programs with direct counters."""
    return 32 if counts_entries(program) else 16


def counts_entries(program: Program) -> bool:
    return any(counter.table is not None for counter in program.counters.values())


def make_unit(program: Program, table_sizes: Mapping[str, int], semantics: Semantics) -> Unit:
    """Emit a program; UnsupportedError names what the native backend does not run."""
    padded = semantics is Semantics.DPDK and program.architecture == "swx"
    return _Builder(program, table_sizes, padded).build()


@final
class _Builder:
    def __init__(self, program: Program, table_sizes: Mapping[str, int], padded: bool) -> None:
        self.program = program
        self.padded = padded
        self.sizes = table_sizes
        self.actions = {
            name: Packing([(p.name, p.width) for p in a.params]) for name, a in program.actions.items()
        }
        self.resident: list[Variable] = []
        self.hashed: frozenset[str] = frozenset()
        self.finders: dict[str, str] = {}  # by what a lookup does, and by name: the function that does it
        self.tables = {name: table_layout(program, t, self.actions) for name, t in program.tables.items()}

    def _arch(self) -> Arch:
        match self.program.architecture:
            case "swx":
                return SwxArch(self.program)
            case "v1model":
                return V1ModelArch(self.program)
            case "pna":
                return PnaArch(self.program)
            case "psa":
                return PsaArch(self.program)

    def build(self) -> Unit:
        arch = self._arch()
        flat = Flattener(self.program)
        arch.lay_out(flat)
        v = Variables(self.program, flat.items, arch.hooked(), self.padded)
        items = flat.items
        analysis = Analysis(v, arch.effects(v), arch.exits(v))
        for _ in range(2):  # what a copy needs is known after the first round
            before, _after = analysis.live(items)
            hooks = {
                i.op.name: live for i, live in zip(items, before, strict=False) if isinstance(i.op, Hook)
            }
            arch.settle(v, hooks)
            analysis = analysis.settled(arch.effects(v), arch.exits(v))
        items = facts.simplified(analysis, items, facts.zero_at_start(v, arch.kept_always(v)))
        items = analysis.without_dead(items)
        suspends = frozenset(
            t.name
            for t in self.program.tables.values()
            if t.keys
            and (self.tables[t.name].exact or prefix_key(t) is not None)
            and self.sizes.get(t.name, t.size) >= SUSPEND_SIZE
        )
        keys = {name: layout.key for name, layout in self.tables.items()}
        self.hashed = suspends | {t.name for t in self.program.tables.values() if t.is_learner}
        body = BodyWriter(self.program, v, arch, analysis, items, suspends, keys)
        body.write()
        self._move_to_memory(body)
        text = self._assemble(arch, flat, v, body)
        return Unit(text, self.tables, self.actions, arch.reasons(), tuple(body.state.texts))

    def _move_to_memory(self, body: BodyWriter) -> None:
        """Variables of headers that must start as zeros, and what waiting packets keep, live in the packet's
        context, not in C variables: one memset clears them all, and they are there when the packet waits."""
        self.resident = body.context
        names = {x.name for x in self.resident}
        lines = []
        for line in body.lines:
            moved = "c->s." in line and re.fullmatch(r"\s*(?:(\w+) = c->s\.(\w+)|c->s\.(\w+) = (\w+));", line)
            if not (moved and (moved[1] or moved[4]) in names):
                lines.append(line)
        text = re.sub(
            r"\b[a-z]\d+_\w+",
            lambda word: f"z->{word[0]}" if word[0] in names else word[0],
            "\n".join(lines),
        )
        body.lines = text.split("\n")
        for x in self.resident:
            body.saved.pop(x, None)

    # --- the text ---

    def _assemble(self, arch: Arch, flat: Flattener, v: Variables, body: BodyWriter) -> str:
        lines = [
            f"/* {_comment(self.program.name)} ({self.program.architecture}), emitted by p4nic. */",
            "#define _GNU_SOURCE",
        ]
        lines += self._sizes(arch, flat, body)
        lines += ['#include "p4nic_packet.h"', ""]
        types_at = len(lines)
        for name, packing in self.actions.items():
            lines += [f"/* arguments of {_comment(name)} */", *packing.declare(f"args_{self._action(name)}")]
        for number, (name, layout) in enumerate(self.tables.items()):
            lines += [f"/* key of {_comment(name)} */", *layout.key.declare(f"key_{number}")]
            lines += self._range_test(number, layout)
            lines += self._finder(number, name, layout)
        lines += [*self._context(body), '#include "p4nic_slots.h"', "#if HAS_PACKETS", *self._waits(body)]
        lines += [
            f"#define STEP_LINES {len(body.lines)}",
            '#include "p4nic_step.h"',
            '#include "p4nic_burst.h"',
        ]
        lines += arch.helpers(v, {x.name for x in body.saved})
        lines += [f'#include "{arch.header}"', ""]
        lines += [*self._step(flat, body), '#include "p4nic_bench.h"', "#endif"]
        lines += ["#if HAS_CONTROL", *self._tables_start()]
        lines[types_at:types_at] = wide.types("\n".join(lines))
        if self.padded:
            lines.insert(types_at, '#include "p4nic_padded.h"')
        return "\n".join([*lines, '#include "p4nic_api.h"', "#endif"]) + "\n"

    def _action(self, name: str) -> int:
        return list(self.program.actions).index(name)

    def _sizes(self, arch: Arch, flat: Flattener, body: BodyWriter) -> list[str]:
        p = self.program
        emitted = [i.op.header for i in flat.items if isinstance(i.op, ops.Emit)]
        room = emit_headers.emit_room(body.out, emitted)
        sites = ", ".join(str(body.state.numbers.tables[s.table.name]) for s in flat.sites) or "0"
        learners = [t for t in p.tables.values() if t.is_learner]
        errors = [f"#define ERROR_{_macro(n)} {arch.error_code(n)}" for n in sorted(body.errors)]
        lines = [
            f"#define {name} {value}"
            for name, value in (
                ("N_TABLES", len(p.tables)),
                ("N_ACTIONS", len(p.actions)),
                ("N_COUNTERS", len(p.counters)),
                ("N_METERS", len(p.meters)),
                ("N_REGISTERS", len(p.registers)),
                ("N_PROFILES", len(p.action_profiles)),
                ("N_VALUE_SETS", len(p.value_sets)),
                ("N_ROUND_ROBIN", len(body.counters)),
                ("N_SITES", len(flat.sites)),
                ("PATH_WORDS", len(flat.sites) // 32 + 1),
                ("ENTRY_COUNTS", int(counts_entries(p))),
                ("EMIT_ROOM", room + 64),
                ("FIRST_RESUME", 1),
                ("RESUME_POINTS", 1 + len(body.waits)),
                ("NORMAL_PACKET", 0),
                ("LEARN_WORDS", max([self.tables[t.name].size // 8 for t in learners], default=0)),
                ("N_REASONS", len(arch.reasons())),
            )
        ]
        lines += [f"#define {r.macro} {1 + len(body.waits) + i}" for i, r in enumerate(arch.resumes)]
        lines += [f"#define REASON_{name} {i}" for i, name in enumerate(REASON_MACROS)]
        lines += errors
        lines += [f"#define ENTRY_{i} {layout.size}" for i, layout in enumerate(self.tables.values())]
        return [*lines, f"static const unsigned site_table[] = {{{sites}}};"]

    def _finder(self, number: int, name: str, layout: TableLayout) -> list[str]:
        """The lookup, with the sizes as constants. Only what is remembered is inlined: many Applies of one
        table share the rest, and so do tables of the same sizes."""
        if not layout.key.members:
            return []
        size, sizes = layout.key.size, f"{layout.key.size}, ENTRY_{number}"
        lpm = prefix_key(self.program.tables[name])
        search, bits, parameters = f"ternary_find(t, k, {sizes})", "CACHE_BITS", "const u64 *k"
        lookup, test, hashed = [], [], ""
        if name in self.hashed and lpm is None:
            search, hashed = f"index_find(t, &t->index, k, hash, {sizes})", ", u64 hash"
            if self.program.tables[name].is_learner:
                return self._shared("find", number, "const struct table *t, const u64 *k, u64 hash", search)
            lookup = self._shared("lookup", number, "const struct table *t, const u64 *k, u64 hash", search)
            search, bits, parameters = f"lookup_{number}(t, k, hash)", "TINY_BITS", "const u64 *k, u64 hash"
            test = ["    if (t->count > TINY)", f"        return {search};"]
        elif layout.exact or lpm is not None:
            search, few = f"index_find(t, &t->index, k, hash_words(k, {size // 8}), {sizes})", "TINY"
            bits = "TINY_BITS"
            if lpm is not None:
                search = f"longest_find(t, k, {sizes}, {_prefix_place(layout.key, lpm)})"
                bits, few, parameters = "CACHE_BITS", "LPM_REMEMBERED", "const u64 *k, u64 found"
                test = ["    if (found)", "        return lpm_told(found);"]
            lookup = self._shared("lookup", number, "const struct table *t, const u64 *k", search)
            search = f"lookup_{number}(t, k)"
            test += [f"    if (t->count > {few})", f"        return {search};"]
        remembered = f"struct remembered *r, const struct table *t, const u64 *k{hashed}"
        return [
            *lookup,
            *self._shared("search", number, remembered, f"remember(r, t, k, {size}, {search})"),
            f"INLINE struct entry *find_{number}(const struct worker *w, {parameters})",
            "{",
            f"    const struct table *t = &w->engine->tables[{number}];",
            *test,
            f"    struct remembered *r = remembered_at(w->memory[{number}], k, {size}, {bits});",
            f"    if (likely(is_remembered(r, t, k, {size})))",
            "        return r->entry;",
            f"    return search_{number}(r, t, k{', hash' if hashed else ''});",
            "}",
        ]

    def _shared(self, what: str, number: int, parameters: str, value: str) -> list[str]:
        """A function of its own, or the name of one that does the same."""
        layout = list(self.tables.values())[number]
        meaning = f"{what} {value.replace(f'ENTRY_{number}', str(layout.size))}"
        meaning = re.sub(r"lookup_(\d+)", lambda call: self.finders.get(call[0], call[0]), meaning)
        first = self.finders.setdefault(meaning, f"{what}_{number}")
        self.finders[f"{what}_{number}"] = first
        if first != f"{what}_{number}":
            return [f"#define {what}_{number} {first}"]
        alone = "__attribute__((noinline, unused)) static struct entry *"
        return [f"{alone}{first}({parameters})", "{", f"    return {value};", "}"]

    def _range_test(self, number: int, layout: TableLayout) -> list[str]:
        if not layout.ranges:
            return []
        bounds = layout.head + layout.key.size + layout.args
        tests = " && ".join(f"k->f{i} >= low->f{i} && k->f{i} <= high->f{i}" for i in layout.ranges)
        return [
            f"UNUSED static int in_ranges_{number}(const void *key, const void *entry)",
            "{",
            f"    const struct key_{number} *k = key;",
            f"    const struct key_{number} *low = (const void *)((const u8 *)entry + {bounds});",
            f"    const struct key_{number} *high = low + 1;",
            f"    return {tests};",
            "}",
        ]

    def _context(self, body: BodyWriter) -> list[str]:
        words = max([self.tables[s.table.name].key.size // 8 for s in body.waits], default=1)
        lines = ["/* What is kept of a packet that waits. */", "struct saved {", "    u8 nothing;"]
        lines += [f"    {x.type} {x.name};" for x in sorted(body.saved, key=_by_size)]
        lines += [
            "};",
            "/* What starts as zeros for each pass. */",
            "struct zeroed {",
            "    u64 nothing;",
            *(f"    {x.type} {x.name};" for x in sorted(self.resident, key=_by_size)),
            "} __attribute__((aligned(64)));",
            "struct ctx {",
            "    struct pass p;",
            "    struct zeroed z;",
            "    struct entry *near; /* probably what it waits for */",
            f"    u64 hash, key[{words}];",
        ]
        return [*lines, "    struct saved s;", "} __attribute__((aligned(64)));", ""]

    def _waits(self, body: BodyWriter) -> list[str]:
        numbers = body.state.numbers.tables
        waits = ", ".join(f"[{body.resume_of(s)}] = {numbers[s.table.name]}" for s in body.waits)
        return [
            "/* The table at which packets with this resume number wait. */",
            f"static const unsigned waits_at[RESUME_POINTS] = {{{waits or 0}}};",
        ]

    def _step(self, flat: Flattener, body: BodyWriter) -> list[str]:
        text = "\n".join(body.lines)
        words = set(re.findall(r"\w+", text))
        lines = [
            "/* One pass of one packet, from where it waits. */",
            "static int step(struct worker *w, struct ctx *c)",
        ]
        lines += [
            "{", "    struct engine *const e UNUSED = w->engine;", "    struct pass *p = &c->p;",
            "    const u8 *const data UNUSED = p->data;",
            "    const u32 len UNUSED = p->length;", "    u32 pos = p->position, olen UNUSED = "
            "p->out_length;",
            "    u32 failure UNUSED = 0;", "    struct zeroed *const z UNUSED = &c->z;",
            "    u8 *const out UNUSED = p->out;", "    struct entry *near UNUSED = NULL;",
        ]  # fmt: skip
        names = {x.name for x in self.resident}
        local = [x for x in body.v.all() if x.name in words and x.name not in names]
        lines += [f"    {x.type} {x.name} UNUSED = {wide.initial(x.type)};" for x in local]
        for kind, name in body.out.scratch:
            size = re.fullmatch(r"(\w+)(\[\d+\])", kind)
            lines.append(
                f"    {size[1]} {name}{size[2]} UNUSED;"
                if size
                else f"    {kind} {name} UNUSED = {wide.initial(kind)};"
            )
        bound = [(c_type(width), name) for name, width in flat.bound]
        lines += [f"    {kind} {name} UNUSED = {wide.initial(kind)};" for kind, name in bound]
        for number, name in enumerate(self.tables):
            if self.program.tables[name].is_learner:  # what this packet has learned last
                lines.append(f"    struct entry *learned{number} UNUSED = NULL;")
        for site in flat.sites:
            lines += self._site_variables(site, body)
        return [*lines, *body.lines, "}", ""]

    def _site_variables(self, site: Site, body: BodyWriter) -> list[str]:
        n = site.number
        return [
            f"    u64 k{n}[{max(body.state.keys[site.table.name].size // 8, 1)}] UNUSED;",
            f"    u64 h{n} UNUSED = 0;",
            f"    struct entry *e{n} UNUSED = NULL;",
            f"    const u8 *a{n} UNUSED = NULL;",
            f"    u32 ran{n} UNUSED = 0;",
        ]

    def _tables_start(self) -> list[str]:
        """What p4nic_api.h asks for each table."""
        lines = ["static const struct table_shape table_shapes[] = {"]
        for number, (name, layout) in enumerate(self.tables.items()):
            table = self.program.tables[name]
            lpm = prefix_key(table)
            ranges = f"in_ranges_{number}" if layout.ranges else "NULL"
            lines.append(
                f"    {{{layout.key.size}, {layout.args}, {layout.size}, {int(table.is_learner)}, "
                f"{int(not layout.exact)}, {int(lpm is not None)}, {ranges}, "
                f"{_prefix_place(layout.key, lpm)}}}, /* {_comment(name)} */"
            )
        return [
            "struct table_shape {",
            "    u32 key, args, entry;",
            "    u8 learner, masked, longest_prefix;",
            "    range_test *in_ranges;",
            "    u8 prefix_at, prefix_bytes, prefix_width, prefix_alone; /* of the lpm field */",
            "};",
            *lines,
            "    {0, 0, 32, 0, 0, 0, NULL, 0, 0, 0, 0}};",
            "",
        ]


def _prefix_place(key: Packing, lpm: int | None) -> str:
    """Offset, bytes, width, and whether it is the only key, as p4nic_lpm.h wants them."""
    if lpm is None:
        return "0, 0, 0, 0"
    member = key.members[lpm]
    return f"{member.offset}, {storage(member.width)}, {member.width}, {int(len(key.members) == 1)}"


def _by_size(variable: Variable) -> tuple[int, str]:
    digits = re.sub(r"\D", "", variable.type)
    return -int(digits or 64), variable.name


def _macro(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _comment(name: str) -> str:
    """A name from an artifact as it may stand in a C comment."""
    return re.sub(r"[^\w.\[\]: -]+", "_", name)
