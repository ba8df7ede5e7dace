"""Learn as C.

A packet that is real has just missed the key: the entry is written where it belongs, and not searched for
again. Of a speculative one the entry waits in the packet. Called by `emit_state`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from p4nic.backend.native.flat import Scope, Site
from p4nic.backend.native.layout import Packing
from p4nic.ir import ops

if TYPE_CHECKING:
    from p4nic.backend.native.emit_state import StateWriter


def write(state: StateWriter, op: ops.Learn, site: Site, scope: Scope) -> None:
    """`site`: the learner's lookup, whose key is learned."""
    out, n, number = state.out, site.number, state.numbers.actions[op.action]
    widths = [p.width for p in state.program.actions[op.action].params]
    values = [
        f"f{i} = {out.unsigned(arg, width, scope)};"
        for i, (arg, width) in enumerate(zip(op.args, widths, strict=True))
    ]
    table, size = state.numbers.tables[site.table.name], state.keys[site.table.name].size
    of, profile = state.table(site.table.name), f"(u32){out.read(op.profile, scope)}"
    if state.remembers(site) and not scope.params:  # whose arguments could lie where it is written
        at = out.fresh("u8 *")
        out.line(f"{at} = NULL;")
        out.line(f"if (!p->speculative && !e{n} && !is_near(learned{table}, k{n}, {size}))")
        out.line(f"    {at} = entry_fresh({of}, k{n}, {size}, ENTRY_{table});")
        out.line(f"if (likely({at} != NULL)) {{")
        if widths:  # the struct of none has a byte all the same, which would be another entry's
            out.line(f"    struct args_{number} *made = (void *)({at} + sizeof(struct entry) + {size});")
            out.line("    memset(made, 0, sizeof *made);")
        for text in values:
            out.line(f"    made->{text}")
        what = f"(u64){profile} << 16 | {number}"
        out.line(f"    learned{table} = learn_missed(w, {of}, {at}, h{n}, {what});")
        out.line("} else {")
    else:
        out.line("{")
    out.line(f"    struct args_{number} learned;")
    out.line("    memset(&learned, 0, sizeof learned);")
    for text in values:
        out.line(f"    learned.{text}")
    logged = f"effect_learn(w, p, {table}, h{n}, k{n}, {size}, {number})"
    length = "sizeof learned" if widths else "0"
    out.line("    if (p->speculative) {")
    out.line(f"        struct pending *l = e{n} ? NULL : {logged};")
    out.line("        if (l == NULL)")
    out.line("            goto L_slow;")
    out.line(f"        l->profile = {profile};")
    out.line(f"        l->args_bytes = {length};")
    out.line(f"        memcpy(key_of(&l->entry) + {size}, &learned, {length});")
    out.line("    } else {")
    if scope.params:
        # Learning may write over the entry this action runs for, whose arguments it may still read.
        held = out.fresh(f"u64[{Packing(list(scope.params.values())).size // 8}]")
        out.line(f"        memcpy({held}, a{n}, sizeof {held});")
        out.line(f"        a{n} = (const u8 *){held};")
    done = f"learn(w, {of}, k{n}, h{n}, {number}, &learned, {length}, {profile})"
    out.line(f"        note_learned(w, {table}, h{n}, {done});")
    out.line("    }")
    out.line("}")
