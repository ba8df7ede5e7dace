"""Writes a scenario that differs down, so that one command runs it again.

Out: a folder with `entries.json` (the format of `p4nic run`), `port-N.pcap` per port, `difference.txt`.
Called by `cli.diff`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any as Json

from p4nic.backend.api import ActionSet, CloneSession, Entry, GroupRef, MemberRef
from p4nic.differential.compare import Difference
from p4nic.differential.scenario import Scenario, Update
from p4nic.errors import InputError
from p4nic.ir.program import ActionCall, Any, Program
from p4nic.ir.text import spell_match
from p4nic.target.entities import (
    CloneSessionEntry,
    DefaultEntry,
    Group,
    Member,
    MulticastGroup,
    RegisterCell,
    TableWrite,
)
from p4nic.target.ports.pcap import PcapWriter


def write(folder: Path, program: Program, scenario: Scenario, difference: Difference, command: str) -> None:
    """Write the files; `command` is what to type, without entries and captures. InputError if it cannot."""
    captures = write_scenario(folder, program, scenario)
    where = "after the last packet" if difference.position is None else f"packet {difference.position + 1}"
    answers = "".join(f"{name}: {answer}\n" for name, answer in difference.answers.items())
    given = " ".join(f"--pcap {port}={path}" for port, path in captures.items())
    again = f"{command} --entries {folder / 'entries.json'} {given}"
    text = f"{where}: {difference.what} differs\n{answers}\n{again}\n"
    (folder / "difference.txt").write_text(text, encoding="utf-8")


def write_scenario(folder: Path, program: Program, scenario: Scenario) -> dict[int, Path]:
    """Entries and captures; the captures by port. InputError if they cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        document = json.dumps(_entries_document(program, scenario.updates), indent=1) + "\n"
        (folder / "entries.json").write_text(document, encoding="utf-8")
        return _captures(folder, scenario)
    except OSError as error:
        raise InputError(f"cannot write the reproducer to {folder}: {error.strerror}") from None


def _captures(folder: Path, scenario: Scenario) -> dict[int, Path]:
    """One file per port. Times keep the order: packets of one time are told apart by a nanosecond each."""
    writers: dict[int, PcapWriter] = {}
    for number, packet in enumerate(scenario.packets):
        if packet.port not in writers:
            writers[packet.port] = PcapWriter(folder / f"port-{packet.port}.pcap")
        writers[packet.port].write(packet.frame, packet.time_ns + number)
    for writer in writers.values():
        writer.close()
    return {port: folder / f"port-{port}.pcap" for port in sorted(writers)}


def _entries_document(program: Program, updates: tuple[Update, ...]) -> dict[str, list[Json]]:
    document: dict[str, list[Json]] = {}
    for _, entity in updates:
        match entity.entry if isinstance(entity, TableWrite) else entity:
            case Entry() as entry:
                document.setdefault("entries", []).append(_entry(program, entry))
            case Member(profile, number, ActionCall() as call):
                document.setdefault("members", []).append(
                    {"profile": profile, "id": number, **_call(program, call)}
                )
            case Group(profile, number, members, _):
                weights = {str(m.member_id): m.weight for m in members}
                document.setdefault("groups", []).append(
                    {"profile": profile, "id": number, "members": weights}
                )
            case DefaultEntry(table, ActionCall() as call):
                document.setdefault("defaults", []).append({"table": table, **_call(program, call)})
            case RegisterCell(register, index, value):
                place = {} if index is None else {"index": index}
                document.setdefault("registers", []).append({"register": register, **place, "value": value})
            case MulticastGroup(number, replicas):
                copies = [[r.port, r.instance] for r in replicas]
                document.setdefault("multicast_groups", []).append({"id": number, "replicas": copies})
            case CloneSessionEntry(number, CloneSession() as session):
                copies = [[r.port, r.instance] for r in session.replicas]
                document.setdefault("clone_sessions", []).append(
                    {"id": number, "replicas": copies, "truncate": session.truncate_bytes}
                )
            case other:
                raise AssertionError(f"{other}: no section of an entries file makes this")
    return document


def _entry(program: Program, entry: Entry) -> Mapping[str, Json]:
    keys = program.tables[entry.table].keys
    match_ = {k.name: spell_match(m) for k, m in zip(keys, entry.key, strict=True) if not isinstance(m, Any)}
    item: dict[str, Json] = {"table": entry.table, "match": match_}
    match entry.action:
        case ActionCall() as call:
            item |= _call(program, call)
        case MemberRef(number):
            item["member"] = number
        case GroupRef(number):
            item["group"] = number
        case ActionSet(actions):
            item["one_shot"] = [{**_call(program, w.call), "weight": w.weight} for w in actions]
    if entry.priority:
        item["priority"] = entry.priority
    if entry.idle_timeout_ns:
        item["idle_timeout"] = f"{entry.idle_timeout_ns}ns"
    return item


def _call(program: Program, call: ActionCall) -> dict[str, Json]:
    params = program.actions[call.action].params
    return {"action": call.action, "args": {p.name: v for p, v in zip(params, call.args, strict=True)}}
