"""Tables and stateful objects as C: keys, lookups, Learn, Rearm, Forget, counters, meters, registers,
digests.

What may be postponed until the packet is known to count is written as an effect; what may not ends a
speculative run: `if (p->speculative) goto L_slow`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never, final

from p4nic.backend.native import emit_learn, wide
from p4nic.backend.native.described import Numbers
from p4nic.backend.native.emit_compute import hash_text
from p4nic.backend.native.expr import Writer, literal
from p4nic.backend.native.flat import Find, Key, Scope, Site
from p4nic.backend.native.layout import MAX_WIDTH, Packing
from p4nic.errors import UnsupportedError
from p4nic.ir import ops
from p4nic.ir.ops import Operand
from p4nic.ir.program import Program, Table

StateOp = (
    ops.Learn | ops.Rearm | ops.Forget | ops.EntryId | ops.Count | ops.CountDirect | ops.Meter
    | ops.RegisterRead | ops.RegisterWrite | ops.RegisterAdd | ops.Random | ops.Digest | ops.LogMessage |
    ops.Assert )  # fmt: skip


@final
class StateWriter:
    """Writes the stateful instructions of one unit."""

    def __init__(
        self, out: Writer, program: Program, suspends: frozenset[str], keys: Mapping[str, Packing]
    ) -> None:
        """`suspends`: tables at which a speculative packet may wait. `keys`: how each table's key lies."""
        self.keys = keys
        self.out = out
        self.program = program
        self.numbers = Numbers(program)
        self.suspends = suspends
        self.learns = any(t.is_learner for t in program.tables.values())
        self.looping: set[int] = set()
        """Sites in loops: a packet's path has one bit for each, so they run for real and count for
        themselves."""
        self.last_wait: dict[str, int] = {}
        """Of a learner, the last site at which packets wait. What they learn there or behind is remembered in
        `learned`: before, the variable would be live where no packet learns."""
        self.texts: list[str] = []
        """What log messages and assertions say, by number."""

    def table(self, table: str) -> str:
        return f"(&e->tables[{self.numbers.tables[table]}])"

    # --- lookups ---

    def key(self, site: Site, scope: Scope) -> None:
        """The key as whole words, each put together in a register: bytes stored one by one and loaded as a
        word would stall the processor."""
        out, n, table = self.out, site.number, site.table
        if n in self.looping:
            self.for_real()
        if not table.keys:
            return
        packing = self.keys[table.name]
        words: list[list[str]] = [[] for _ in range(packing.size // 8)]
        for key, member in zip(table.keys, packing.members, strict=True):
            if key.width > MAX_WIDTH or wide.is_needed(out, (key.operand,), scope):
                for i, text in wide.key_words(out, key, scope):
                    words[member.offset // 8 + i].append(f"{text} << {member.offset % 8 * 8}")
                continue
            text = out.unsigned(key.operand, key.width, scope)
            if key.mask is not None:
                text = f"({text} & {literal(key.mask)})"
            word, shift = member.offset // 8, member.offset % 8 * 8
            if key.width > 64:
                words[word].append(f"(u64){text}")
                words[word + 1].append(f"(u64)((u128){text} >> 64)")
            else:
                words[word].append(f"(u64){text} << {shift}" if shift else f"(u64){text}")
        for i, parts in enumerate(words):
            out.line(f"k{n}[{i}] = {' | '.join(parts) or '0'};")
        if prefix_key(table) is not None:
            out.line(f"h{n} = 0;")
        elif self.is_hashed(table):
            out.line(f"h{n} = hash_words(k{n}, {len(words)});")

    def is_hashed(self, table: Table) -> bool:
        """Whether the hash is wanted outside of the lookup: to wait, or to learn."""
        return table.is_learner or table.name in self.suspends

    def find(self, op: Find, scope: Scope, waits: bool) -> None:
        """The lookup itself, its bookkeeping, and the way to the action."""
        out, site = self.out, op.site
        n, table = site.number, site.table
        number = self.numbers.tables[table.name]
        if not table.keys:
            out.line(f"e{n} = NULL;")
        elif prefix_key(table) is not None:
            out.line(f"e{n} = find_{number}(w, k{n}, h{n});")
        elif self.is_hashed(table):
            found = f"find_{number}({self.table(table.name) if table.is_learner else 'w'}, k{n}, h{n})"
            size = self.keys[table.name].size
            if waits:
                found = f"is_near(near, k{n}, {size}) ? near : near == NOT_THERE ? NULL : {found}"
            if table.is_learner:
                pending = f"unlikely(p->pendings) ? pending_find(p, {number}, h{n}, k{n}, {size}) : NULL"
                if self.remembers(site) and not waits:
                    pending = f"is_near(learned{number}, k{n}, {size}) ? learned{number} : {pending}"
                out.line(f"e{n} = {pending};")
                out.line(f"if (e{n} == NULL && relaxed_load(&e->tables[{number}].count))")
                found = f"    e{n} = {found}"
            else:
                found = f"e{n} = {found}"
            out.line(f"{found};")
            if waits:
                out.line("near = NULL;")
        else:
            out.line(f"e{n} = find_{number}(w, k{n});")
        out.line(f"if (e{n}) {{")
        self._passed(site, hit=True)
        self._on_hit(site, scope)
        out.line(f"    a{n} = key_of(e{n}) + {self.keys[table.name].size};")
        out.line(f"    ran{n} = e{n}->action;")
        out.line("} else {")
        self._passed(site, hit=False)
        if table.is_learner:
            out.line(f"    key_missed(p, {number}, h{n});")
        if table.counter is not None and table.counts_on_hit:
            out.line(f"    effect_count(p, &w->default_cells[{number}], 1, p->length);")
        out.line(f"    a{n} = e->tables[{number}].default_args;")
        out.line(f"    ran{n} = e->tables[{number}].default_action;")
        out.line("}")
        self._last(site)
        self._colour(site, scope)
        if table.implementation is not None:
            self._profile(site, scope)
        out.set(out.v.last("ran"), f"ran{n}")
        out.line(f"switch (ran{n}) {{")
        for action, label in op.cases:
            out.line(f"case {self.numbers.actions[action]}: goto {label};")
        out.line(f"default: goto {site.end};")
        out.line("}")

    def _passed(self, site: Site, *, hit: bool) -> None:
        bit = 2 * site.number
        if site.number in self.looping:
            number = self.numbers.tables[site.table.name]
            self.out.line(f"    w->{'hits' if hit else 'misses'}[{number}]++;")
        else:
            self.out.line(f"    p->path[{bit // 64}] |= {(1 if hit else 2) << bit % 64:#x}u;")

    def _last(self, site: Site) -> None:
        out, n = self.out, site.number
        out.set(out.v.last("hit"), f"e{n} != NULL")
        out.set(out.v.last("entry"), f"e{n}")
        out.set(out.v.last("id"), f"e{n} ? id_of({self.table(site.table.name)}, e{n}) : 0")

    def _on_hit(self, site: Site, scope: Scope) -> None:
        n, table = site.number, site.table
        number = self.numbers.tables[table.name]
        if table.counter is not None and table.counts_on_hit:
            if table.is_learner:
                self.settled(f"e{n}", "    ")
            self.effect(f"effect_count(p, {self._cell(number, f'e{n}')}, 1, p->length)", "    ")
        if table.idle_timeout and not table.is_learner:
            self.effect(f"effect_timer(w, p, EFFECT_TOUCH, {number}, e{n}, -1)", "    ")

    def _colour(self, site: Site, scope: Scope) -> None:
        """v1model's direct meter colours each hit before the action runs; a miss by the default entry's, if
        that has a configuration."""
        out, n, table = self.out, site.number, site.table
        if table.meter is not None and table.meter_result is not None:
            number = self.numbers.tables[table.name]
            amount = "1" if self.program.meters[table.meter].unit == "packets" else "p->length"
            text = f"colour_direct(e, {number}, e{n}, e{n} != NULL, {amount}, p->length, w->now_ns, 0)"
            self.for_real()
            out.line(f"if (e{n} || e->default_meters[{number}].kind) {{")
            out.store(table.meter_result, text, 2, scope, effect=True)
            out.line("} else {")
            out.line(f"    (void){text};")
            out.line("}")

    def _profile(self, site: Site, scope: Scope) -> None:
        """The entry points to a member or a group: the action is the member's. An empty group, or a member
        that is gone, runs none."""
        out, n, name = self.out, site.number, site.table.implementation
        assert name is not None
        profile = self.program.action_profiles[name]
        number = self.numbers.profiles[name]
        member = out.fresh("const struct member *")
        out.line(f"if (e{n} && e{n}->kind != KIND_ACTION) {{")
        out.line("    u32 wanted;")
        out.line(f"    memcpy(&wanted, a{n}, 4);")
        out.line(f"    {member} = NULL;")
        out.line(f"    if (e{n}->kind == KIND_MEMBER) {{")
        out.line(f"        {member} = idmap_get(&e->profiles[{number}].members, wanted);")
        out.line("    } else {")
        out.line(
            f"        const struct member_group *group = idmap_get(&e->profiles[{number}].groups, wanted);"
        )
        out.line("        if (group && group->count) {")
        out.line("            u32 slot;")
        out.line("            if (unlikely(group->drawn)) {")
        self.for_real()
        out.line("                slot = group->slots[random_between(e, 0, group->count - 1)];")
        out.line("            } else {")
        chosen = "0"
        if profile.selector_algorithm == "round_robin":
            raise UnsupportedError(
                f"the selector {name} uses round_robin, which the native backend does not run; use "
                f"--backend interp"
            )
        if profile.selector_algorithm is not None:
            chosen = hash_text(
                out,
                profile.selector_algorithm,
                profile.selector_inputs,
                profile.selector_host_order,
                False,
                profile.selector_skip_invalid,
                scope,
            )
        out.line(f"                slot = group->slots[({chosen}) % group->count];")
        out.line("            }")
        out.line(f"            {member} = idmap_get(&e->profiles[{number}].members, slot);")
        out.line("        }")
        out.line("    }")
        out.line(f"    if ({member} == NULL) {{")
        out.set(out.v.last("ran"), "NONE")
        out.line(f"        goto {site.end};")
        out.line("    }")
        out.line(f"    ran{n} = (u32){member}->action;")
        out.line(f"    a{n} = {member}->args;")
        out.line("}")

    # --- instructions ---

    def for_real(self) -> None:
        """What follows must happen in the order of packets."""
        self.out.line("if (p->speculative) {")
        self.out.line("    goto L_slow;")
        self.out.line("}")

    def settled(self, entry: str, indent: str = "") -> None:
        """What follows needs the entry in its table, not one the packet is about to learn."""
        if self.learns:
            self.out.line(f"{indent}if (is_pending(p, {entry}))")
            self.out.line(f"{indent}    goto L_slow;")

    def effect(self, call: str, indent: str = "") -> None:
        """Something that no packet depends on: it happens at its turn, and may be held back until then."""
        self.out.line(f"{indent}if (unlikely(!{call}))")
        self.out.line(f"{indent}    goto L_slow;")

    def write(self, op: StateOp, scope: Scope) -> None:
        match op:
            case ops.Learn():
                emit_learn.write(self, op, self._learner(op, scope), scope)
            case ops.Rearm(profile):
                self._rearm(op, profile, scope)
            case ops.Forget():
                self._forget(op, scope)
            case ops.EntryId():
                self._entry_id(op, scope)
            case ops.Count():
                self._count(op, scope)
            case ops.CountDirect():
                self._count_direct(op, scope)
            case ops.Meter():
                self._meter(op, scope)
            case ops.RegisterRead() | ops.RegisterWrite() | ops.RegisterAdd():
                self._register(op, scope)
            case ops.Random(dst, low, high):
                self.for_real()
                for operand in (low, high):
                    if self.out.bound(operand, scope) is None or self.out.shape(operand, scope)[0] > 64:
                        raise UnsupportedError(
                            f"{op.source}: the native backend draws unsigned numbers of at most 64 bits; "
                            f"use --backend interp"
                        )
                text = f"random_between(e, {self.out.read(low, scope)}, {self.out.read(high, scope)})"
                self.out.store(dst, text, 64, scope, effect=True)
            case ops.Digest(digest, values):
                widths = [w for _, w in self.program.digests[digest].fields]
                self.for_real()
                parts = [
                    p for v, w in zip(values, widths, strict=True) for p in wide.pieces(self.out, v, w, scope)
                ]
                self._message(f"digest_make(w, {self.numbers.digests[digest]}, {len(parts)})", parts)
            case ops.LogMessage(text, values):
                self.for_real()
                shown = [wide.shown(self.out, v, scope) for v in values]
                signs = "".join(sign for sign, _ in shown)
                made = f"event_make(w, 1, {self._text(text, op, signs)}, {len(signs)})"
                self._message(made, [part for _, parts in shown for part in parts])
            case ops.Assert(cond, text):
                self.out.line(f"if (!{self.out.truth(cond, scope)}) {{")
                self.for_real()
                self.out.line("    w->statistics[STAT_ASSERT_FAILED]++;")
                self.out.line(f"    (void)event_make(w, 2, {self._text(text, op)}, 0);")
                self.out.line("}")
            case _:
                assert_never(op)

    def _text(self, text: str, op: ops.LogMessage | ops.Assert, signs: str = "") -> int:
        self.texts.append(f"{op.source}\0{signs}\0{text}")
        return len(self.texts) - 1

    def _message(self, made: str, values: list[str]) -> None:
        event = self.out.fresh("u64 *")
        self.out.line(f"{event} = {made};")
        self.out.line(f"if ({event}) {{")
        for i, text in enumerate(values):
            self.out.line(f"    {event}[{2 * i}] = (u64){text};")
            self.out.line(f"    {event}[{2 * i + 1}] = (u64)((u128){text} >> 64);")
        self.out.line("}")

    def _learner(self, op: ops.Learn | ops.Rearm | ops.Forget, scope: Scope) -> Site:
        if scope.site is None or not scope.site.table.is_learner:
            raise UnsupportedError(
                f"{op.source}: {type(op).__name__} outside of an action of a learner cannot be run natively; "
                f"use --backend interp"
            )
        return scope.site

    def remembers(self, site: Site) -> bool:
        """Whether `learned` has what the packet learned last when it comes there."""
        return site.number >= self.last_wait.get(site.table.name, 0)

    def _entry_id(self, op: ops.EntryId, scope: Scope) -> None:
        if self.learns:  # an entry that is yet to be learned has no number
            self.out.line("if (unlikely(p->pendings))")
            self.out.line("    goto L_slow;")
        self.out.store(op.dst, self.out.v.last("id").name, 32, scope)

    def _rearm(self, op: ops.Rearm, profile: Operand | None, scope: Scope) -> None:
        site = self._learner(op, scope)
        entry = f"e{site.number}"
        number = self.numbers.tables[site.table.name]
        text = "-1" if profile is None else f"(i32)({self.out.read(profile, scope)} & 0x7fffffff)"
        self.out.line(f"if ({entry}) {{")
        self.settled(entry, "    ")
        self.effect(f"effect_timer(w, p, EFFECT_REARM, {number}, {entry}, {text})", "    ")
        self.out.line("}")

    def _forget(self, op: ops.Forget, scope: Scope) -> None:
        site = self._learner(op, scope)
        entry = f"e{site.number}"
        self.out.line(f"if ({entry}) {{")
        self.for_real()
        self.out.line(f"    forget(w, {self.table(site.table.name)}, {entry});")
        self.out.line(f"    learned{self.numbers.tables[site.table.name]} = NULL;")
        self.out.line(f"    {entry} = NULL;")
        self.out.set(self.out.v.last("entry"), "NULL")
        self.out.line("}")

    def _cell(self, table: int, entry: str) -> str:
        return f"entry_cell(w, {table}, {entry}, ENTRY_{table})"

    def _counted(self, counter: str, scope: Scope) -> int:
        """The table whose entry a direct counter belongs to: the one whose action this is."""
        table = self.program.counters[counter].table
        if scope.site is not None:
            table = scope.site.table.name
        assert table is not None, f"{counter} is verified to be direct"
        return self.numbers.tables[table]

    def _amount(self, operand: Operand | None, scope: Scope) -> str:
        return "0" if operand is None else f"(u64){self.out.read(operand, scope)}"

    def _index(self, operand: Operand, scope: Scope) -> str:
        """An index as u64; what is negative or wider is beyond every array."""
        text = self.out.read(operand, scope)
        if self.out.shape(operand, scope)[0] > 64:
            return f"({text} > UINT32_MAX ? UINT64_MAX : (u64){text})"
        return f"(u64)(i64){text}" if self.out.bound(operand, scope) is None else f"(u64){text}"

    def _count(self, op: ops.Count, scope: Scope) -> None:
        number = self.numbers.counters[op.counter]
        at = self.out.fresh("u64")
        self.out.line(f"{at} = {self._index(op.index, scope)};")
        self.out.line(f"if ({at} < e->counters[{number}].size) {{")
        amounts = f"{self._amount(op.packets, scope)}, {self._amount(op.bytes, scope)}"
        self.effect(f"effect_count(p, &w->cells[{number}][{at}], {amounts})", "    ")
        self.out.line("}")

    def _count_direct(self, op: ops.CountDirect, scope: Scope) -> None:
        entry = self.out.v.last("entry").name
        amounts = f"{self._amount(op.packets, scope)}, {self._amount(op.bytes, scope)}"
        self.out.line(f"if ({entry}) {{")
        self.settled(entry, "    ")
        cell = self._cell(self._counted(op.counter, scope), entry)
        self.effect(f"effect_count(p, {cell}, {amounts})", "    ")
        self.out.line("}")
        if scope.site is not None:  # its default entry, unless the entry has been forgotten
            self.out.line(f"else if (!{self.out.v.last('hit').name}) {{")
            default = f"&w->default_cells[{self.numbers.tables[scope.site.table.name]}]"
            self.effect(f"effect_count(p, {default}, {amounts})", "    ")
            self.out.line("}")

    def _meter(self, op: ops.Meter, scope: Scope) -> None:
        out = self.out
        number = self.numbers.meters[op.meter]
        before = "0" if op.color is None else f"(u32){out.read(op.color, scope)}"
        length = "p->length" if op.length is None else f"(u64){out.read(op.length, scope)}"
        self.for_real()
        if op.index is not None:
            at = self._index(op.index, scope)
            text = f"colour_indexed(&e->meters[{number}], {at}, {length}, w->now_ns, {before})"
        else:
            table = self.program.meters[op.meter].table
            if scope.site is None or scope.site.table.name != table:
                raise UnsupportedError(
                    f"{op.source}: the direct meter {op.meter} is used outside of its table's actions, "
                    f"which cannot "
                    f"be run natively; use --backend interp"
                )
            amount = "1" if self.program.meters[op.meter].unit == "packets" else length
            found = f"{self.numbers.tables[table]}, e{scope.site.number}, {out.v.last('hit').name}"
            text = f"colour_direct(e, {found}, {amount}, {length}, w->now_ns, {before})"
        out.store(op.dst, text, 32, scope, effect=True)

    def _register(self, op: ops.RegisterRead | ops.RegisterWrite | ops.RegisterAdd, scope: Scope) -> None:
        out = self.out
        spec = self.program.registers[op.register]
        array = f"e->registers[{self.numbers.registers[op.register]}]"
        at = out.fresh("u64")
        self.for_real()
        out.line(f"{at} = {self._index(op.index, scope)};")
        if isinstance(op, ops.RegisterRead):
            text = f"({at} < {array}.size ? {array}.cells[{at}] ^ {array}.initial : 0)"
            if spec.signed:
                text = f"(i128)((i128)({text} << {128 - spec.width}) >> {128 - spec.width})"
            out.store(op.dst, text, None if spec.signed else spec.width, scope, effect=True)
            return
        value = f"(u128){wide.low(out, op.src, scope)}"
        if isinstance(op, ops.RegisterAdd):
            value = f"({array}.cells[{at}] ^ {array}.initial) + {value}"
        out.line(f"if ({at} < {array}.size)")
        out.line(f"    {array}.cells[{at}] = (({value}) & {_ones(spec.width)}) ^ {array}.initial;")


def prefix_key(table: Table) -> int | None:
    """The key whose longest prefix wins; None where priorities decide, or there is none. The search for a
    packet that waits leaves what it found in the place of the key's hash."""
    found = [i for i, k in enumerate(table.keys) if k.kind == "lpm"]
    return found[0] if found and not table.has_priority else None


def _ones(width: int) -> str:
    return f"((u128)-1 >> {128 - width})"


def write_key(state: StateWriter, op: Key, scope: Scope) -> None:
    """The Key of an Apply."""
    state.key(op.site, scope)
