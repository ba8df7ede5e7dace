"""Tables and stateful objects: the function of each table, and Learn, Rearm, Forget, EntryId, Count…,
Meter, Register….

The objects themselves (`backend.interp.state.State`) are bound into the module; the text calls their methods.
"""

from __future__ import annotations

from typing import assert_never

from p4nic.backend.interp.emit.code import CodeWriter, source_text
from p4nic.backend.interp.emit.compute import hash_input
from p4nic.backend.interp.emit.writer import ModuleText
from p4nic.backend.interp.state import State
from p4nic.backend.interp.tables.table import MatchTable
from p4nic.ir.ops import (
    Count,
    CountDirect,
    EntryId,
    Forget,
    Learn,
    Meter,
    Operand,
    Rearm,
    RegisterAdd,
    RegisterRead,
    RegisterWrite,
)
from p4nic.ir.program import ActionProfile, Table


def table_function(module: ModuleText, out: CodeWriter, state: State, table: MatchTable) -> None:
    """Write `apply_TABLE(f, pkt)`: key, lookup, bookkeeping of a hit, action."""
    spec = table.spec
    name = module.bind("table", spec.name, table)
    parts = [_key_part(out, k.operand, k.width, k.mask) for k in spec.keys]
    key = parts[0] if len(parts) == 1 else f"({', '.join(parts)})"
    with module.inside(f"def {module.identifier('apply', spec.name)}(f, pkt):"):
        module.line(f"key = {key}")
        find = module.bind("find", spec.name, table.find)
        module.line(
            f"pkt.hit = pkt.entry = entry = {find}(key)"
            if spec.keys
            else "pkt.hit = pkt.entry = entry = None"
        )
        if spec.is_learner:
            learner = module.bind("learner", spec.name, state.learners[spec.name])
            module.line(f"pkt.learner, pkt.learner_key, pkt.learner_entry = {learner}, key, entry")
        if module.traced:
            module.line(f"tell_apply(pkt, {name}, key, entry, {source_text(spec.source)})")
        with module.inside("if entry is None:"):
            module.line(f"{name}.misses += 1")
            module.line(f"entry = {name}.default")
            _on_miss(module, out, state, table)
        with module.inside("else:"):
            module.line(f"{name}.hits += 1")
            _on_hit(module, out, state, table)
        if state.has_direct:
            module.line("pkt.direct = entry")
        _run(module, out, state, table)
    module.line("")


def _key_part(out: CodeWriter, operand: Operand, width: int, mask: int | None) -> str:
    text = out.unsigned(operand, width)
    return text if mask is None else f"({text}) & {mask:#x}"


def _on_hit(module: ModuleText, out: CodeWriter, state: State, table: MatchTable) -> None:
    spec = table.spec
    _count_entry(module, spec)
    if spec.idle_timeout and not spec.is_learner:
        # BMv2 keeps the same two moments: the hit, and what the sweep has reported since.
        module.line("entry.last_ns = pkt.now_ns")
        with module.inside("if entry.queued_ns is None and entry.timeout_ns:"):
            module.line(f"{module.bind('ageing', '', state.ageing)}.arm(entry)")
    _colour_entry(out, state, spec)


def _on_miss(module: ModuleText, out: CodeWriter, state: State, table: MatchTable) -> None:
    """The default entry's own counter and meter (P4Runtime 1.5 §9.1.3). BMv2 has neither: without a
    configuration the field of the colour stays as it is there.
    """
    spec = table.spec
    _count_entry(module, spec)
    if spec.meter is not None and spec.meter_result is not None:
        with module.inside("if entry.meter is not None and entry.meter.config is not None:"):
            _colour_entry(out, state, spec)
        with module.inside("else:"):
            module.line(f"colour_direct(entry, {_unit(state, spec.meter)}, pkt.length, pkt.now_ns, 0)")


def _count_entry(module: ModuleText, spec: Table) -> None:
    if spec.counter is not None and spec.counts_on_hit:
        module.line("entry.packets += 1")
        module.line("entry.bytes += pkt.length")


def _colour_entry(out: CodeWriter, state: State, spec: Table) -> None:
    if spec.meter is not None and spec.meter_result is not None:
        out.store(
            spec.meter_result,
            f"colour_direct(entry, {_unit(state, spec.meter)}, pkt.length, pkt.now_ns, 0)",
            2,
            spec.source,
            effect=True,  # the bucket pays although the field cannot hold the colour
        )


def _unit(state: State, meter: str) -> str:
    """What one packet costs a meter."""
    return "1" if state.program.meters[meter].unit == "packets" else "pkt.length"


def _run(module: ModuleText, out: CodeWriter, state: State, table: MatchTable) -> None:
    """Call the action of `entry`; where an action profile stands between, ask it first."""
    build = "traced" if module.traced else "fast"
    chosen = "entry"
    if table.spec.implementation is not None:
        profile = state.profiles[table.spec.implementation]
        selector = _selector_name(module, state.program.action_profiles[table.spec.implementation])
        module.line("chosen = entry")
        with module.inside("if entry.ref is not None:"):
            module.line(
                f"chosen = {module.bind('profile', table.spec.implementation, profile)}"
                f".select(entry.ref, {selector}, f, pkt)"
            )
            with module.inside("if chosen is None:"):
                module.line("pkt.ran = None")
                module.line("return")
        chosen = "chosen"
    module.line(f"pkt.ran = action = {chosen}.action")
    if module.traced:
        module.line(f"tell_action(pkt, action, {chosen}.args)")
    module.line(f"action.{build}(f, pkt, {chosen}.args)")


def _selector_name(module: ModuleText, profile: ActionProfile) -> str:
    return module.identifier("selector", profile.name) if profile.selector_algorithm is not None else "None"


def selector_function(module: ModuleText, out: CodeWriter, state: State, profile: ActionProfile) -> None:
    """Write `selector_PROFILE(f, pkt)`: the hash of a selector's inputs."""
    assert profile.selector_algorithm is not None
    function = module.bind("hash", f"selector {profile.name}", state.selector_hash(profile))
    with module.inside(f"def {_selector_name(module, profile)}(f, pkt):"):
        order, skip = profile.selector_host_order, profile.selector_skip_invalid
        module.line(f"return {function}({hash_input(out, profile.selector_inputs, order, False, skip)})")
    module.line("")


StateOp = (
    Learn
    | Rearm
    | Forget
    | EntryId
    | Count
    | CountDirect
    | Meter
    | RegisterRead
    | RegisterWrite
    | RegisterAdd
)


def write(out: CodeWriter, op: StateOp, state: State) -> None:
    """Write one instruction."""
    match op:
        case Learn():
            learn(out, op, state)
        case Rearm():
            rearm(out, op)
        case Forget():
            forget(out, op)
        case EntryId():
            entry_id(out, op)
        case Count():
            count(out, op, state)
        case CountDirect():
            count_direct(out, op)
        case Meter():
            meter(out, op, state)
        case RegisterRead():
            register_read(out, op, state)
        case RegisterWrite():
            register_write(out, op, state)
        case RegisterAdd():
            register_add(out, op, state)
        case _:
            assert_never(op)


# --- learners ---


def learn(out: CodeWriter, op: Learn, state: State) -> None:
    action = out.module.bind("code", op.action, state.actions[op.action])
    widths = [p.width for p in state.program.actions[op.action].params]
    args = "".join(f"{out.unsigned(a, w)}, " for a, w in zip(op.args, widths, strict=True))
    out.module.line(f"args_ = ({args})")
    out.module.line(f"ok = learn(pkt, {action}, args_, {out.read(op.profile)})")
    if out.traced:
        out.module.line(f"tell_learn(pkt, {action}, args_, ok, {source_text(op.source)})")


def rearm(out: CodeWriter, op: Rearm) -> None:
    profile = "None" if op.profile is None else out.read(op.profile)
    with out.module.inside("if pkt.learner_entry is not None:"):
        out.module.line(f"pkt.learner.rearm(pkt.learner_entry, {profile}, pkt.now_ns)")


def forget(out: CodeWriter, op: Forget) -> None:
    with out.module.inside("if pkt.learner_entry is not None:"):
        out.module.line("pkt.learner.forget(pkt.learner_entry)")
        out.module.line("pkt.learner_entry = None")


def entry_id(out: CodeWriter, op: EntryId) -> None:
    out.store(op.dst, "0 if pkt.entry is None else pkt.entry.id", None, op.source)


# --- counters, meters, registers ---


def count(out: CodeWriter, op: Count, state: State) -> None:
    counter = out.module.bind("counter", op.counter, state.counters[op.counter])
    packets, bytes_ = _amount(out, op.packets), _amount(out, op.bytes)
    out.module.line(f"{counter}.add({out.index(op.index)}, {packets}, {bytes_})")
    data = (
        f'"counter": {op.counter!r}, "index": {out.index(op.index)}, "packets": {packets}, "bytes": {bytes_}'
    )
    out.tell("count", op.source, data)


def count_direct(out: CodeWriter, op: CountDirect) -> None:
    packets, bytes_ = _amount(out, op.packets), _amount(out, op.bytes)
    entry = _entry(out)
    with out.module.inside(f"if {entry} is not None:"):
        out.module.line(f"{entry}.packets += {packets}")
        out.module.line(f"{entry}.bytes += {bytes_}")
        data = f'"counter": {op.counter!r}, "packets": {packets}, "bytes": {bytes_}'
        out.tell("count", op.source, data)


def _entry(out: CodeWriter) -> str:
    """Whose direct counter and meter it is: on a miss the default entry's, for the action it runs alone."""
    return "pkt.direct" if out.in_action else "pkt.entry"


def _amount(out: CodeWriter, operand: Operand | None) -> str:
    return "0" if operand is None else out.read(operand)


def meter(out: CodeWriter, op: Meter, state: State) -> None:
    colour = "0" if op.color is None else out.read(op.color)
    length = "pkt.length" if op.length is None else out.read(op.length)
    if op.index is None:
        amount = "1" if state.program.meters[op.meter].unit == "packets" else length
        text = f"colour_direct({_entry(out)}, {amount}, {length}, pkt.now_ns, {colour})"
    else:
        cells = out.module.bind("meter", op.meter, state.meters[op.meter])
        text = f"{cells}.colour({out.index(op.index)}, {length}, pkt.now_ns, {colour})"
    out.store(op.dst, text, None, op.source, effect=True)


def register_read(out: CodeWriter, op: RegisterRead, state: State) -> None:
    register = out.module.bind("register", op.register, state.registers[op.register])
    spec = state.program.registers[op.register]
    bound = None if spec.signed else spec.width
    out.store(op.dst, f"{register}.read({out.index(op.index)})", bound, op.source)


def register_write(out: CodeWriter, op: RegisterWrite, state: State) -> None:
    register = out.module.bind("register", op.register, state.registers[op.register])
    out.module.line(f"{register}.write({out.index(op.index)}, {out.read(op.src)})")
    out.tell(
        "write",
        op.source,
        f'"place": {_cell(out, op.register, op.index)}, "old": None, "new": {out.read(op.src)}',
    )


def register_add(out: CodeWriter, op: RegisterAdd, state: State) -> None:
    register = out.module.bind("register", op.register, state.registers[op.register])
    out.module.line(f"{register}.add({out.index(op.index)}, {out.read(op.src)})")
    new = f"{register}.read({out.index(op.index)})"
    out.tell("write", op.source, f'"place": {_cell(out, op.register, op.index)}, "old": None, "new": {new}')


def _cell(out: CodeWriter, register: str, index: Operand) -> str:
    """`REGISTER[index]` as an expression for the trace."""
    return f"{register!r} + f'[{{{out.index(index)}}}]'"
