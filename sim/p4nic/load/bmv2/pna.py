"""PNA as p4c-bm2-pna writes it: the externs that decide about a packet, and add-on-miss.

In: primitives that BMv2's pna_nic does not know, and what the document says about the tables around them.
Out: ordinary instructions, so that a backend needs nothing but the architecture. Called by `primitives`,
`actions`, `tables` and `bmv2_json`.

- `send_to_port` and `drop_packet` write hidden metadata (`VERDICT`); the architecture reads it when the
  deparser is done, so the last of them wins, as the specification has it. Neither: port 0.
- `add_entry` names an action without its control ("hit"): it is one of the table that calls it. A table with
  an action that calls it is add-on-miss; that is all the document tells of the table's properties.
- The times behind the expiry profiles are nowhere in it; they are p4c-dpdk's unless a side file says
  otherwise (`bmv2.pna_side`).
- `istd.direction`, which <pna.p4> has and <bmv2/pna.p4> has not, comes from a register `direction` that the
  control plane fills, one cell per port: exactly what p4c-dpdk makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from p4nic.ir.ops import Code, Jump, Learn, Mirror, Move, Operand, Rearm, Ref, RegisterRead
from p4nic.ir.program import Action, ActionRef, Block, Register, Table
from p4nic.ir.types import Field, Header, HeaderType
from p4nic.load.bmv2 import values
from p4nic.load.bmv2.emit import Emitter, const
from p4nic.load.bmv2.pna_side import Timers
from p4nic.load.bmv2.scope import Scope
from p4nic.load.bmv2.tree import Node

VERDICT = "$pna"
"""Hidden metadata: `dropped`, and the `port` to leave by."""
PORT_BITS = 32
DIRECTION = "direction"
DIRECTION_PORTS = 256
PARSER_INPUT, CONTROL_INPUT = "pna_main_parser_input_metadata", "pna_main_input_metadata"

TIMEOUTS = (10, 30, 60, 120, 300, 43_200, 120, 120)
"""Seconds by expiry profile, as p4c-dpdk writes them for every add-on-miss table."""

PRIMITIVES = {
    "send_to_port": 1, "drop_packet": 0, "mirror_packet": 2, "add_entry": 3, "add_entry_if": 4,
    "restart_expire_timer": 0, "set_entry_expire_time": 1, "set_entry_expire_time_if": 2,
    "update_expire_info": 3,
}  # fmt: skip
"""What p4c-bm2-pna writes for PNA's extern functions, with the numbers of parameters."""


def prepare(root: Node, scope: Scope) -> None:
    """Before any action is loaded: the hidden metadata, the direction, and who learns what."""
    fields = (Field("dropped", 1), Field("port", PORT_BITS))
    scope.layout.types[VERDICT] = HeaderType(VERDICT, fields)
    scope.layout.headers[VERDICT] = Header(VERDICT, VERDICT, metadata=True)
    if _direction_fields(scope) and DIRECTION not in scope.registers:
        scope.registers[DIRECTION] = Register(DIRECTION, 32, DIRECTION_PORTS)
    for pipeline in root.items("pipelines"):
        for table in pipeline.items("tables"):
            names = [node.text() for node in table.items("actions")]
            for number in table.items("action_ids"):
                known = scope.siblings.setdefault(number.integer(), [])
                known += [name for name in names if name not in known]


def _direction_fields(scope: Scope) -> list[Ref]:
    """The parser's and the control's field, where the program's pna.p4 has them."""
    found = []
    for name in (PARSER_INPUT, CONTROL_INPUT):
        header = scope.layout.headers.get(name)
        if header is not None and scope.layout.types[header.type].field(DIRECTION) is not None:
            found.append(Ref(name, DIRECTION))
    return found


def with_direction(block: Block, scope: Scope) -> Block:
    """The main parser, reading the direction of the input port before anything else."""
    header = scope.layout.headers.get(PARSER_INPUT)
    if header is None or scope.layout.types[header.type].field("input_port") is None:
        return block
    port = Ref(PARSER_INPUT, "input_port")
    reads: Code = tuple(RegisterRead(f, DIRECTION, port, block.source) for f in _direction_fields(scope))
    return replace(block, code=(*reads, *block.code))


# --- primitives ---------------------------------------------------------------------------------------------


def lower(em: Emitter, call: Node, params: list[Node]) -> None:
    """Add the instructions of one extern function; the number of parameters has been checked."""
    if VERDICT not in em.layout.headers:
        raise call.unsupported(f"PNA's {call.get('op').text()!r} in another architecture", "compile for PNA")
    match call.get("op").text():
        case "send_to_port":
            port = values.operand(em, params[0], PORT_BITS).operand
            em.add(Move(Ref(VERDICT, "port"), port))
            em.add(Move(Ref(VERDICT, "dropped"), const(0, 1)))
        case "drop_packet":
            em.add(Move(Ref(VERDICT, "dropped"), const(1, 1)))
        case "mirror_packet":
            slot, session = (values.operand(em, p).operand for p in params)
            em.add(Mirror(slot, session))
        case "add_entry":
            _learn(em, params)
        case "add_entry_if":
            skip = em.fresh_label("kept")
            values.branch_unless(em, params[0], skip)
            _learn(em, params[1:])
            em.label(skip)
        case "restart_expire_timer":
            em.add(Rearm())
        case "set_entry_expire_time":
            em.add(Rearm(values.operand(em, params[0]).operand))
        case "set_entry_expire_time_if":
            skip = em.fresh_label("kept")
            values.branch_unless(em, params[0], skip)
            em.add(Rearm(values.operand(em, params[1]).operand))
            em.label(skip)
        case _:
            _update_expire_info(em, params)


def _update_expire_info(em: Emitter, params: list[Node]) -> None:
    """if (a) { if (b) set_entry_expire_time(c) else restart_expire_timer() }."""
    end, restart = em.fresh_label("kept"), em.fresh_label("restart")
    values.branch_unless(em, params[0], end)
    values.branch_unless(em, params[1], restart)
    em.add(Rearm(values.operand(em, params[2]).operand))
    em.add(Jump(end))
    em.label(restart)
    em.add(Rearm())
    em.label(end)


def _learn(em: Emitter, params: list[Node]) -> None:
    name, args, profile = params
    action = _hit_action(em, name)
    operands: list[Operand] = [values.operand(em, node).operand for node in _arguments(args)]
    em.add(Learn(action, tuple(operands), values.operand(em, profile).operand))


def _hit_action(em: Emitter, node: Node) -> str:
    """The action of the calling table that add_entry's string means."""
    if node.get("type").value != "string":
        raise node.get("type").wrong("'string'")
    name = node.get("value").text()
    found = [a for a in em.siblings if a == name or a.endswith(f".{name}")]
    if not em.siblings:
        raise node.fail("add_entry stands in an action that no table uses, so it could add to none.")
    if len(found) != 1:
        what = "several actions are" if found else "no action is"
        known = ", ".join(em.siblings)
        raise node.fail(f"{what} called {name!r} in the tables of this action, which have {known}.")
    return found[0]


def _arguments(node: Node) -> Iterator[Node]:
    """p4c writes a struct as a bare array, and what is no struct as itself."""
    if isinstance(node.value, list):
        yield from node.items()
    else:
        yield node


# --- tables -------------------------------------------------------------------------------------------------


def with_timers(table: Table, actions: Mapping[str, Action], node: Node, scope: Scope) -> Table:
    """The table as a learner if an action of it adds entries, or restarts the timer of the hit one."""
    told = scope.timers.get(table.name, Timers())
    codes = {ref.action: actions[ref.action].code for ref in table.actions}
    adding = [name for name, code in codes.items() if any(isinstance(op, Learn) for op in code)]
    restarting = [name for name, code in codes.items() if any(isinstance(op, Rearm) for op in code)]
    timeouts = told.timeouts or TIMEOUTS
    if not adding:
        if told.idle_timeout == "AUTO_DELETE":
            raise node.unsupported("AUTO_DELETE in a table without add_entry", "say NOTIFY_CONTROL")
        if not restarting or told.idle_timeout == "NO_TIMEOUT":
            return replace(table, idle_timeout=told.idle_timeout == "NOTIFY_CONTROL")
    elif told.idle_timeout == "NOTIFY_CONTROL":
        raise node.unsupported("NOTIFY_CONTROL in a table with add_entry", "say AUTO_DELETE or NO_TIMEOUT")
    elif told.idle_timeout == "NO_TIMEOUT":
        timeouts = (0,) * len(timeouts)
    for key in table.keys:
        if key.kind != "exact":
            what = "add_entry" if adding else "restart_expire_timer"
            raise node.unsupported(f"{what} in a table with the {key.kind} key {key.name!r}", "match exactly")
    refs = tuple(ActionRef(r.action, "default_only") if r.action in adding else r for r in table.actions)
    return replace(table, actions=refs, learner_timeouts=timeouts)


def check_side(tables: Mapping[str, Table], scope: Scope, root: Node) -> None:
    """Every table of the side file must exist."""
    for name in scope.timers:
        if name not in tables:
            raise root.unknown("table (which the side file names)", name, tables)
