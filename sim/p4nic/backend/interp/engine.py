"""Program to executable code: every block, action, table and selector written as Python and run once to
define them.

In: Program, State, Layout. Out: a Build: the blocks' functions by name. Called by `pipeline`, once for
the fast build and, when a trace is first asked for, once for the traced one.
"""

from __future__ import annotations

import linecache
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any as Json
from typing import final

from p4nic.backend.api import Semantics, TraceEvent
from p4nic.backend.interp import checksum, runtime, trace
from p4nic.backend.interp.emit.code import CodeWriter
from p4nic.backend.interp.emit.flow import CodeEmitter
from p4nic.backend.interp.emit.state import selector_function, table_function
from p4nic.backend.interp.emit.writer import ModuleText
from p4nic.backend.interp.layout import Layout
from p4nic.backend.interp.runtime import Packet
from p4nic.backend.interp.state import State, fill
from p4nic.ir.program import Program

BlockFunction = Callable[[list[int], Packet, tuple[int, ...]], object]


@final
@dataclass(frozen=True, slots=True)
class Build:
    """Executable code. `template` is a fresh packet's field slots; `source` the Python text."""

    blocks: dict[str, BlockFunction]
    template: list[int]
    source: str


def _error_names(program: Program) -> Callable[[int], str]:
    """From the number of an error to its name."""
    names = {number: name for name, number in program.errors.items()}
    return lambda number: names.get(number, f"number {number}")


def _namespace(program: Program, state: State) -> dict[str, Json]:
    """The names every generated module knows."""
    padded = program.architecture == "swx" and state.options.semantics is Semantics.DPDK
    return {
        "take": runtime.take_padded if padded else runtime.take,
        "peek": runtime.peek_padded if padded else runtime.peek,
        "advance": runtime.advance_padded if padded else runtime.advance,
        "room": runtime.room_padded if padded else runtime.room,
        "varbit_bits": runtime.varbit_bits,
        "join_bits": runtime.join_bits,
        "divide": runtime.divide,
        "remainder": runtime.remainder,
        "stack_get": runtime.stack_get,
        "stack_put": runtime.stack_put,
        "stack_set": runtime.stack_set,
        "stack_shift": runtime.stack_shift,
        "burn": runtime.burn,
        "learn": runtime.learn,
        "ParserError": runtime.ParserError,
        "ExitBlock": runtime.ExitBlock,
        "EndOfPacket": runtime.EndOfPacket,
        "DROPPED": runtime.DROPPED,
        "adjust": checksum.adjust,
        "words": checksum.words,
        "colour_direct": state.colour_direct,
        "random_between": state.random.between,
        "send_digest": state.send_digest,
        "assert_failed": state.assert_failed,
        "log_message": state.log_message,
        "error_name": _error_names(program),
        "fill": fill,
        "TraceEvent": TraceEvent,
        "tell_apply": trace.tell_apply,
        "tell_action": trace.tell_action,
        "tell_learn": trace.tell_learn,
    }


def build(program: Program, state: State, layout: Layout, traced: bool) -> Build:
    """Generate, compile and bind everything; the actions of `state` get their functions."""
    namespace = _namespace(program, state)
    module = ModuleText(namespace, traced)
    blocks = {
        name: CodeEmitter(module, layout, state, f"block {name}", block.code, None)
        for name, block in program.blocks.items()
    }
    actions = {
        name: CodeEmitter(module, layout, state, f"action {name}", action.code, action)
        for name, action in program.actions.items()
    }
    for emitter in (*blocks.values(), *actions.values()):
        emitter.emit()
    for profile in program.action_profiles.values():
        if profile.selector_algorithm is not None:
            selector_function(module, CodeWriter(module, layout, {}, False), state, profile)
    for table in state.tables.values():
        table_function(module, CodeWriter(module, layout, {}, False), state, table)
    source = module.source()
    filename = f"<p4nic {'traced' if traced else 'fast'} build of {program.name}>"
    # So that a traceback of ours shows the generated line.
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    exec(compile(source, filename, "exec"), namespace)
    for name, emitter in actions.items():
        if traced:
            state.actions[name].traced = namespace[emitter.entry]
        else:
            state.actions[name].fast = namespace[emitter.entry]
    return Build({name: namespace[e.entry] for name, e in blocks.items()}, layout.template(), source)
