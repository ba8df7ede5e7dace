"""What happened to a packet and why, from the events of a traced run: as text and as JSON.

In: `Switch.trace`'s outcome and events. Out: lines for a person, or a JSON-ready dict. Used by `p4nic
explain`, `p4nic run --explain` and reports; `observe.page` makes a page of the same.

    table Lb.service_vip  ip_dst=10.96.0.10 proto=6 dport=80                                    service.p4:31
      hit   ip_dst=0xa60000a proto=0x6 dport=0x50
    action Lb.set_service(service_id=7, bucket_mask=255, affinity=0)                            service.p4:12
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Any as Json
from typing import final

from p4nic.backend.api import Outcome, TraceEvent
from p4nic.ir.program import Program
from p4nic.observe.frames import changes, summary

_SOURCE_COLUMN = 96
_QUIET = ("branch", "emit", "send", "drop")  # sends and drops are told at the end
_NUMBER = re.compile(r"0x[0-9a-f]+")


@final
@dataclass(frozen=True, slots=True)
class Explanation:
    """One traced packet. `number` counts from 1 within its capture."""

    number: int
    port: int
    frame: bytes
    time_ns: int
    outcome: Outcome
    events: Sequence[TraceEvent]


def verdict(explanation: Explanation) -> str:
    """`sent to port 3`, or `dropped: drop action`."""
    outcome = explanation.outcome
    if not outcome.sent:
        return f"dropped: {outcome.drop_reason or 'nothing was sent'}"
    return "sent to " + ", ".join(f"port {number}" for number, _ in outcome.sent)


def headline(explanation: Explanation) -> str:
    """The packet and its fate in one line."""
    e = explanation
    return f"#{e.number} port {e.port}  {summary(e.frame)}  ⇒ {verdict(e)}"


def as_json(explanation: Explanation) -> dict[str, Json]:
    """Everything, JSON-ready."""
    e = explanation
    return {
        "number": e.number,
        "port": e.port,
        "time_ns": e.time_ns,
        "frame": e.frame.hex(),
        "summary": summary(e.frame),
        "verdict": verdict(e),
        "drop_reason": e.outcome.drop_reason,
        "sent": [{"port": port, "frame": out.hex(), "summary": summary(out)} for port, out in e.outcome.sent],
        "events": [{"kind": t.kind, "source": t.source, **t.data} for t in e.events],
    }


def as_text(explanation: Explanation, program: Program, everything: bool = False) -> str:
    """Lines for a person. `everything` also tells branches, emits and tables without a key."""
    e = explanation
    lines = [
        f"packet {e.number} on port {e.port}, {len(e.frame)} bytes, at {e.time_ns / 1e9:.6f} s",
        f"  {summary(e.frame)}",
    ]
    for event in e.events:
        if everything or not is_quiet(event, program):
            first, *more = describe(event, program)
            lines.append(_with_source(f"  {first}", event.source))
            lines += [f"    {line}" for line in more]
    lines += _ending(e)
    return "\n".join(lines) + "\n"


def is_quiet(event: TraceEvent, program: Program) -> bool:
    """Whether an event is noise to a person: branches, helper tables, and what compilers do with metadata."""
    match event.kind:
        case "apply":
            return not event.data.get("key")
        case "write":
            header = program.headers.get(str(event.data["place"]).rpartition(".")[0])
            return header is None or header.metadata or event.data.get("old") == event.data["new"]
        case kind:
            return kind in _QUIET


def _with_source(line: str, source: str) -> str:
    return f"{line.ljust(_SOURCE_COLUMN)} {source}" if source else line


def _ending(e: Explanation) -> list[str]:
    if not e.outcome.sent:
        return [f"  ⇒ {verdict(e)}"]
    lines = []
    for port, frame in e.outcome.sent:
        lines.append(f"  ⇒ sent to port {port}, {len(frame)} bytes: {summary(frame)}")
        lines += [f"      {change}" for change in changes(e.frame, frame)]
    return lines


def describe(event: TraceEvent, program: Program) -> list[str]:
    """One event as a line, with further lines of detail."""
    data = event.data
    match event.kind:
        case "state":
            return [f"state {data['name']}"]
        case "extract":
            return [
                f"extract {data['header']}  "
                f"{_fields(data.get('fields') or {}, _header_widths(program, data['header']))}"
            ]
        case "apply":
            return _apply(data, program)
        case "action":
            return [_call(data["name"], data["args"], program)]
        case "learn":
            verb = "learned" if data["ok"] else "could not learn"
            key = _fields(data["key"], _key_widths(program, data["table"]))
            return [f"{verb} in table {data['table']}  {key}", _call(data["action"], data["args"], program)]
        case "write":
            header, _, field = str(data["place"]).rpartition(".")
            width = _header_widths(program, header).get(field, 0)
            old = "" if data.get("old") is None else f"{_value(data['old'], width)} → "
            return [f"write {data['place']} = {old}{_value(data['new'], width)}"]
        case "drop":
            return [f"drop: {data['reason']}"]
        case _:
            detail = " ".join(f"{name}={_number(value)}" for name, value in data.items())
            return [f"{event.kind} {detail}".rstrip()]


def _apply(data: Mapping[str, Json], program: Program) -> list[str]:
    widths = _key_widths(program, data["table"])
    lines = [f"table {data['table']}  {_fields(data['key'], widths)}".rstrip()]
    if data["hit"]:
        lines.append(f"hit   {_entry(data['entry'], widths)}")
    else:
        lines.append("miss")
    for near in data.get("near") or ():
        failed = near["failed"]
        value = _value(data["key"].get(failed, 0), widths.get(failed, 0))
        wanted = _match(near["wanted"], widths.get(failed, 0))
        lines.append(f"near  {_entry(near['entry'], widths)}: {failed} is {value}, the entry wants {wanted}")
    return lines


def _entry(entry: Mapping[str, Json] | None, widths: Mapping[str, int]) -> str:
    if not entry:
        return ""
    words = [f"{name}={_match(match, widths.get(name, 0))}" for name, match in entry["key"].items()]
    if entry.get("priority"):
        words.append(f"priority={entry['priority']}")
    if entry.get("origin") not in (None, "control"):
        words.append(f"({entry['origin']})")
    return " ".join(words)


def _match(text: str, width: int) -> str:
    """`0xa600000/12` as `10.96.0.0/12`; masks stay bit patterns."""
    value, ands, bits = text.partition("&&&")
    return _NUMBER.sub(lambda number: _value(int(number[0], 16), width), value) + ands + bits


def _call(name: str, args: Mapping[str, Json], program: Program) -> str:
    action = program.actions.get(name)
    widths = {p.name: p.width for p in action.params} if action is not None else {}
    return f"action {name}({', '.join(f'{k}={_value(v, widths.get(k, 0))}' for k, v in args.items())})"


def _fields(fields: Mapping[str, Json], widths: Mapping[str, int]) -> str:
    return " ".join(f"{name}={_value(value, widths.get(name, 0))}" for name, value in fields.items())


def _key_widths(program: Program, table: str) -> dict[str, int]:
    found = program.tables.get(table)
    return {key.name: key.width for key in found.keys} if found is not None else {}


def _header_widths(program: Program, header: str) -> dict[str, int]:
    instance = program.headers.get(header)
    kind = program.header_types.get(instance.type) if instance is not None else None
    return {field.name: field.width for field in kind.fields} if kind is not None else {}


def _value(value: Json, width: int) -> str:
    """A MAC for 48 bits; for 32 bits an address, unless it is too small to be one."""
    if not isinstance(value, int) or isinstance(value, bool):
        return str(value)
    if width == 48 and value >= 0:
        return value.to_bytes(6, "big").hex(":")
    if width == 32 and 1 << 24 <= value < 1 << 32:
        return str(IPv4Address(value))
    return _number(value)


def _number(value: Json) -> str:
    """Small numbers in decimal, large ones (bit patterns, mostly) in hex."""
    if isinstance(value, bool) or not isinstance(value, int):
        return str(value)
    return str(value) if -0x10000 < value < 0x10000 else f"{value:#x}"
