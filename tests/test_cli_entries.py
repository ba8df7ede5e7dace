"""Entries files: what can be written, what it means, and the sentence for each mistake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fake_pipeline import SECOND, FakePipeline, sample_program

from p4nic.backend.api import ActionSet, CloneSession, Entry, GroupRef, MemberRef, Replica, WeightedAction
from p4nic.cli.entries_file import apply_file, read_updates
from p4nic.clock import ManualClock
from p4nic.errors import InputError
from p4nic.ir.program import ActionCall, Any, Exact, Lpm, Range, Ternary
from p4nic.target.entities import (
    CloneSessionEntry,
    DefaultEntry,
    Group,
    GroupMember,
    Member,
    MulticastGroup,
    RegisterCell,
)
from p4nic.target.switch import Switch

DROP = ActionCall("C.drop")
FULL = """
members: [{profile: selector, id: 1, action: drop}]
groups: [{profile: selector, id: 2, members: {1: 3}}]
multicast_groups: [{id: 4, replicas: [1, 2, [3, 9]]}]
clone_sessions: [{id: 5, replicas: [7], truncate: 64}]
registers: [{register: state, index: 2, value: 0xabc}]
defaults: [{table: exact, action: forward, args: {port: 3, mac: 10:20:30:40:50:55}}]
entries:
  - {table: spread, match: {x: 1}, group: 2}
  - {table: spread, match: {x: 2}, member: 1}
  - {table: C.route, match: {ip: 10.0.0.0/8}, action: drop, idle_timeout: 1m}
  - {table: learned, match: {k: 0x10}, action: C.drop}
"""


def updates(tmp_path: Path, text: str, name: str = "e.yaml") -> list[object]:
    path = tmp_path / name
    path.write_text(text)
    return [entity for _, _, entity in read_updates(path, sample_program())]


def test_every_section(tmp_path: Path) -> None:
    assert updates(tmp_path, FULL) == [
        Member("C.selector", 1, DROP),
        Group("C.selector", 2, (GroupMember(1, 3),), 6),
        MulticastGroup(4, (Replica(1, 0), Replica(2, 1), Replica(3, 9))),
        CloneSessionEntry(5, CloneSession((Replica(7, 0),), 64)),
        RegisterCell("C.state", 2, 0xABC),
        DefaultEntry("C.exact", ActionCall("C.forward", (3, 0x102030405055))),
        Entry("C.spread", (Exact(1),), GroupRef(2)),
        Entry("C.spread", (Exact(2),), MemberRef(1)),
        Entry("C.route", (Lpm(0x0A000000, 8),), DROP, idle_timeout_ns=60_000_000_000),
        Entry("learned", (Exact(0x10),), DROP),
    ]


def test_it_is_applied(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(FULL)
    switch = Switch(FakePipeline(), ManualClock())
    assert apply_file(path, switch.program, switch.tables) == 10
    assert switch.tables.entry_count("C.spread") == 2


def test_json_says_the_same(tmp_path: Path) -> None:
    document = {"entries": [{"table": "route", "match": {"ip": "10.0.0.0/8"}, "action": "drop"}]}
    assert updates(tmp_path, json.dumps(document), "e.json") == [
        Entry("C.route", (Lpm(0x0A000000, 8),), DROP)
    ]


def test_one_shots(tmp_path: Path) -> None:
    text = """
entries:
  - table: spread
    match: {x: 1}
    one_shot: [{action: forward, args: [1, 2], weight: 3, watch_port: 1}, {action: drop}]
"""
    forward = WeightedAction(ActionCall("C.forward", (1, 2)), 3, 1)
    assert updates(tmp_path, text) == [
        Entry("C.spread", (Exact(1),), ActionSet((forward, WeightedAction(DROP, 1))))
    ]


@pytest.mark.parametrize(
    ("match", "key"),
    [
        ("{}", (Any(), Any(), Any())),
        ("{src: '*', port: 0..65535, proto: '*'}", (Any(), Any(), Any())),
        ("{src: 0.0.0.0/0}", (Any(), Any(), Any())),
        ("{src: 10.1.0.0/16}", (Ternary(0x0A010000, 0xFFFF0000), Any(), Any())),
        ("{src: 0x50&&&0xff}", (Ternary(0x50, 0xFF), Any(), Any())),
        ("{src: 10.1.2.3, port: 80, proto: 6}", (Ternary(0x0A010203, 0xFFFFFFFF), Range(80, 80), Exact(6))),
        ("{port: 1024..65535}", (Any(), Range(1024, 65535), Any())),
    ],
)
def test_how_matches_are_written(tmp_path: Path, match: str, key: tuple[object, ...]) -> None:
    text = f"entries: [{{table: acl, priority: 1, action: drop, match: {match}}}]"
    (entry,) = updates(tmp_path, text)
    assert isinstance(entry, Entry)
    assert entry.key == key


def test_durations(tmp_path: Path) -> None:
    found = []
    for text in ("30", "30s", "1.5s", "250ms", "2m", "12h", "7us", "9ns"):
        line = f"entries: [{{table: route, match: {{ip: 1.2.3.4}}, action: drop, idle_timeout: {text}}}]"
        (entry,) = updates(tmp_path, line)
        assert isinstance(entry, Entry)
        found.append(entry.idle_timeout_ns)
    assert found == [
        30 * SECOND, 30 * SECOND, SECOND * 3 // 2, SECOND // 4, 120 * SECOND, 43_200 * SECOND, 7_000, 9
    ]  # fmt: skip


BROKEN = [
    ("[1]", "PATH is not a mapping; it begins with `entries:` and a list"),
    ("a: [", "PATH:1: not YAML: expected the node content, but found '<stream end>'"),
    ("\tx", "PATH:1: not YAML: found character '\\t' that cannot start any token"),
    (
        "entrys: []",
        'PATH: "entrys" means nothing here; keys are members, groups, multicast_groups, clone_sessions, '
        "registers, "
        "defaults, entries",
    ),
    ("entries: 5", "PATH: entries is not a list"),
    ("entries: [5]", "PATH: entries 1 is not a mapping with keys and values"),
    ("entries: [{action: drop}]", "PATH: entries 1: table is missing"),
    (
        "entries: [{table: rout, action: drop}]",
        'PATH: entries 1: there is no table "rout"; did you mean "route"?',
    ),
    (
        "entries: [{table: route, actoin: drop}]",
        'PATH: entries 1: "actoin" means nothing here; keys are table, match, action, args, member, group, '
        "one_shot, priority, idle_timeout",
    ),
    (
        "entries: [{table: route}]",
        "PATH: entries 1 (C.route): give one of action, member, group, one_shot, not none",
    ),
    (
        "entries: [{table: route, action: drop, member: 1}]",
        "PATH: entries 1 (C.route): give one of action, member, group, one_shot, not action and member",
    ),
    (
        "entries: [{table: route, match: {ipp: 1}, action: drop}]",
        'PATH: entries 1 (C.route): there is no field "ipp"; did you mean "ip"?',
    ),
    (
        "entries: [{table: route, match: 5, action: drop}]",
        "PATH: entries 1 (C.route): match is not a mapping of fields to values",
    ),
    (
        "entries: [{table: route, match: {ip: 10.0.0.0/40}, action: drop}]",
        'PATH: entries 1 (C.route), field ip: prefix length "40" is not in 0..32',
    ),
    (
        "entries: [{table: route, match: {ip: 10.0.0.1/8}, action: drop}]",
        "PATH: entries 1: table C.route, field ip: 0xa000001/8 has bits beyond the prefix; 0xa000000/8 has "
        "not",
    ),
    (
        "entries: [{table: route, match: {ip: hello}, action: drop}]",
        'PATH: entries 1 (C.route), field ip: "hello" is not a value; write a number, an IP address or a '
        "MAC address",
    ),
    (
        "entries: [{table: route, match: {ip: 02:00:00:00:00:01}, action: drop}]",
        "PATH: entries 1 (C.route), field ip: 02:00:00:00:00:01 is a MAC address of 48 bits, the field has "
        "32",
    ),
    (
        "entries: [{table: route, match: {ip: yes}, action: drop}]",
        "PATH: entries 1 (C.route), field ip: True is not a value; write a number, an IP address or a MAC "
        "address",
    ),
    (
        "entries: [{table: route, action: forward, args: {port: 1}}]",
        "PATH: entries 1 (C.route), action C.forward: parameter mac is missing",
    ),
    (
        "entries: [{table: route, action: forward, args: {port: 1, mac: 1, mack: 2}}]",
        'PATH: entries 1 (C.route), action C.forward: there is no parameter "mack"; did you mean "mac"?',
    ),
    (
        "entries: [{table: route, action: forward, args: [1]}]",
        "PATH: entries 1 (C.route), action C.forward: 1 arguments given, parameters are port, mac",
    ),
    (
        "entries: [{table: route, action: drop, idle_timeout: soon}]",
        'PATH: entries 1 (C.route), idle_timeout: "soon" is not a duration; write 30s, 500ms, 2m or 12h',
    ),
    (
        "entries: [{table: exact, match: {dst: 1, vlan: 4096}, action: drop}]",
        "PATH: entries 1: table C.exact, field vlan: 0x1000 does not fit in 12 bits (at most 0xfff)",
    ),
    (
        "entries: [{table: exact, match: {dst: 1}, action: drop}]",
        "PATH: entries 1: table C.exact, field vlan: exact fields cannot be left out",
    ),
    (
        "groups: [{profile: selector, id: 1, members: 3}]",
        "PATH: groups 1: members is not a mapping of member ids to weights",
    ),
    (
        "multicast_groups: [{id: 1, replicas: [[1, 2, 3]]}]",
        "PATH: multicast_groups 1: replica [1, 2, 3] is neither a port nor [port, instance]",
    ),
    ("multicast_groups: [{replicas: []}]", "PATH: multicast_groups 1: id is missing"),
]


@pytest.mark.parametrize(("text", "sentence"), BROKEN, ids=[row[1][6:70] for row in BROKEN])
def test_each_mistake_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(text)
    switch = Switch(FakePipeline(), ManualClock())
    with pytest.raises(InputError) as refusal:
        apply_file(path, switch.program, switch.tables)
    assert str(refusal.value).replace(str(path), "PATH") == sentence


def test_a_broken_entry_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "e.yaml"
    path.write_text(FULL + "  - {table: exact, match: {dst: 1, vlan: 4096}, action: drop}\n")
    switch = Switch(FakePipeline(), ManualClock())
    with pytest.raises(InputError, match=r"entries 5: table C.exact, field vlan"):
        apply_file(path, switch.program, switch.tables)
    assert list(switch.tables.read("C.route")) == []
    assert switch.tables.multicast_groups() == []


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"\xff\xfe", "PATH is not text in UTF-8"),
        (b'{"entries": [}', "PATH:1: not JSON: Expecting value"),
        (b"[" * 100_000, "PATH is nested too deeply"),
        (b"", "PATH:1: not JSON: Expecting value"),
    ],
)
def test_files_that_are_no_json(tmp_path: Path, data: bytes, sentence: str) -> None:
    path = tmp_path / "e.json"
    path.write_bytes(data)
    with pytest.raises(InputError) as refusal:
        list(read_updates(path, sample_program()))
    assert str(refusal.value).replace(str(path), "PATH") == sentence


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*e.yaml: No such file or directory"):
        list(read_updates(tmp_path / "e.yaml", sample_program()))
