"""Entries files: the state of a switch as a small YAML or JSON file, by name.

In: the file and the Program. Out: updates for `Tables.batch`, each with its place in the file for messages.
Used by `p4nic run`, `p4nic explain` and tests. The format is described in docs/p4nic.md. Tables, actions,
fields and parameters may be named by their last part (`flow_table` for `Lb.flow_table`) where only one fits.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any as Json

from p4nic.backend.api import ActionSet, CloneSession, Entry, GroupRef, MemberRef, Replica, WeightedAction
from p4nic.cli.common import resolve
from p4nic.cli.values import parse_duration, parse_match, parse_value
from p4nic.errors import InputError
from p4nic.ir.program import ActionCall, Program, Table
from p4nic.target.entities import (
    CloneSessionEntry,
    DefaultEntry,
    Entity,
    Group,
    GroupMember,
    Member,
    MulticastGroup,
    Operation,
    RegisterCell,
)
from p4nic.target.tables import Tables

Item = Mapping[str, Json]
Update = tuple[str, Operation, Entity]


def apply_file(path: Path, program: Program, tables: Tables) -> int:
    """Write everything the file says, or nothing; the number of updates. InputError naming file and place."""
    updates = list(read_updates(path, program))
    results = tables.batch([(operation, entity) for _, operation, entity in updates], "rollback")
    for (place, _, _), error in zip(updates, results, strict=True):
        if error is not None and error.kind.name != "ABORTED":
            raise InputError(f"{place}: {error}")
    return len(updates)


def read_updates(path: Path, program: Program) -> Iterator[Update]:
    """Updates in the order they must be written: what is referred to comes first."""
    document = _parse(path)
    if not isinstance(document, dict):
        raise InputError(f"{path} is not a mapping; it begins with `entries:` and a list")
    _check_keys(str(path), document, tuple(_SECTIONS))
    for section, reader in _SECTIONS.items():
        items = document.get(section) or []
        if not isinstance(items, list):
            raise InputError(f"{path}: {section} is not a list")
        for number, item in enumerate(items, start=1):
            place = f"{path}: {section} {number}"
            if not isinstance(item, dict):
                raise InputError(f"{place} is not a mapping with keys and values")
            yield (
                place,
                "modify" if section in ("defaults", "registers") else "insert",
                reader(place, item, program),
            )


# --- one reader per section ---------------------------------------------------------------------------------


def _entry(place: str, item: Item, program: Program) -> Entity:
    keys = ("table", "match", "action", "args", "member", "group", "one_shot", "priority", "idle_timeout")
    _check_keys(place, item, keys)
    table = program.tables[_named(place, "table", item, program.tables)]
    place = f"{place} ({table.name})"
    given = item.get("match") or {}
    if not isinstance(given, dict):
        raise InputError(f"{place}: match is not a mapping of fields to values")
    by_name = {
        _resolve(place, "field", name, [k.name for k in table.keys]): value for name, value in given.items()
    }
    key = tuple(
        parse_match(f"{place}, field {k.name}", by_name.get(k.name), k.kind, k.width) for k in table.keys
    )
    timeout = parse_duration(f"{place}, idle_timeout", item["idle_timeout"]) if "idle_timeout" in item else 0
    return Entry(
        table.name, key, _target(place, item, table, program), _int(place, item, "priority", 0), timeout
    )


def _target(
    place: str, item: Item, table: Table, program: Program
) -> ActionCall | MemberRef | GroupRef | ActionSet:
    given = [name for name in ("action", "member", "group", "one_shot") if name in item]
    match given:
        case ["action"]:
            return _call(place, item, program, table)
        case ["member"]:
            return MemberRef(_int(place, item, "member"))
        case ["group"]:
            return GroupRef(_int(place, item, "group"))
        case ["one_shot"]:
            return ActionSet(
                tuple(_weighted(place, one, program, table) for one in _list(place, item, "one_shot"))
            )
        case _:
            raise InputError(
                f"{place}: give one of action, member, group, one_shot, not {' and '.join(given) or 'none'}"
            )


def _weighted(place: str, item: Item, program: Program, table: Table) -> WeightedAction:
    _check_keys(f"{place}, one_shot", item, ("action", "args", "weight", "watch_port"))
    watch = _int(place, item, "watch_port") if "watch_port" in item else None
    return WeightedAction(_call(place, item, program, table), _int(place, item, "weight", 1), watch)


def _default(place: str, item: Item, program: Program) -> Entity:
    _check_keys(place, item, ("table", "action", "args"))
    table = program.tables[_named(place, "table", item, program.tables)]
    return DefaultEntry(table.name, _call(f"{place} ({table.name})", item, program, table))


def _member(place: str, item: Item, program: Program) -> Entity:
    _check_keys(place, item, ("profile", "id", "action", "args"))
    profile = _named(place, "profile", item, program.action_profiles)
    return Member(profile, _int(place, item, "id"), _call(place, item, program, None))


def _group(place: str, item: Item, program: Program) -> Entity:
    _check_keys(place, item, ("profile", "id", "members", "max_size"))
    profile = _named(place, "profile", item, program.action_profiles)
    weights = item.get("members") or {}
    if not isinstance(weights, dict):
        raise InputError(f"{place}: members is not a mapping of member ids to weights")
    members = tuple(
        GroupMember(parse_value(place, number, 32), parse_value(place, weight, 32))
        for number, weight in weights.items()
    )
    largest = program.action_profiles[profile].max_group_size
    return Group(profile, _int(place, item, "id"), members, _int(place, item, "max_size", largest))


def _multicast(place: str, item: Item, program: Program) -> Entity:
    _check_keys(place, item, ("id", "replicas"))
    return MulticastGroup(_int(place, item, "id"), _replicas(place, item))


def _clone(place: str, item: Item, program: Program) -> Entity:
    _check_keys(place, item, ("id", "replicas", "truncate"))
    session = CloneSession(_replicas(place, item), _int(place, item, "truncate", 0))
    return CloneSessionEntry(_int(place, item, "id"), session)


def _register(place: str, item: Item, program: Program) -> Entity:
    _check_keys(place, item, ("register", "index", "value"))
    name = _named(place, "register", item, program.registers)
    index = _int(place, item, "index") if "index" in item else None
    return RegisterCell(name, index, _int(place, item, "value"))


_SECTIONS: dict[str, Callable[[str, Item, Program], Entity]] = {
    "members": _member,
    "groups": _group,
    "multicast_groups": _multicast,
    "clone_sessions": _clone,
    "registers": _register,
    "defaults": _default,
    "entries": _entry,
}


# --- parts --------------------------------------------------------------------------------------------------


def _call(place: str, item: Item, program: Program, table: Table | None) -> ActionCall:
    allowed = [ref.action for ref in table.actions] if table is not None else list(program.actions)
    action = program.actions[_named(place, "action", item, allowed)]
    place = f"{place}, action {action.name}"
    args = item.get("args") or {}
    if isinstance(args, list):
        if len(args) != len(action.params):
            names = ", ".join(p.name for p in action.params) or "none"
            raise InputError(f"{place}: {len(args)} arguments given, parameters are {names}")
        args = {p.name: value for p, value in zip(action.params, args, strict=True)}
    if not isinstance(args, dict):
        raise InputError(f"{place}: args is neither a mapping nor a list")
    for name in args:
        _resolve(place, "parameter", name, [p.name for p in action.params])
    missing = [p.name for p in action.params if p.name not in args]
    if missing:
        raise InputError(f"{place}: parameter {missing[0]} is missing")
    return ActionCall(
        action.name,
        tuple(parse_value(f"{place}, parameter {p.name}", args[p.name], p.width) for p in action.params),
    )


def _replicas(place: str, item: Item) -> tuple[Replica, ...]:
    """Ports, or [port, instance] pairs; of plain ports the instances count up."""
    out = []
    for position, one in enumerate(_list(place, item, "replicas")):
        pair = one if isinstance(one, list) else [one, position]
        if len(pair) != 2:
            raise InputError(f"{place}: replica {one} is neither a port nor [port, instance]")
        out.append(Replica(parse_value(place, pair[0], 32), parse_value(place, pair[1], 32)))
    return tuple(out)


def _list(place: str, item: Item, key: str) -> list[Json]:
    value = item.get(key, [])
    if not isinstance(value, list):
        raise InputError(f"{place}: {key} is not a list")
    return value


def _int(place: str, item: Item, key: str, default: int | None = None) -> int:
    if key not in item:
        if default is None:
            raise InputError(f"{place}: {key} is missing")
        return default
    return parse_value(f"{place}, {key}", item[key], 64)


def _named(place: str, what: str, item: Item, names: Mapping[str, object] | list[str]) -> str:
    if what not in item:
        raise InputError(f"{place}: {what} is missing")
    return _resolve(place, what, item[what], names)


def _resolve(place: str, what: str, name: Json, names: Mapping[str, object] | list[str]) -> str:
    try:
        return resolve(what, str(name), names)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def _check_keys(place: str, item: Item, allowed: tuple[str, ...]) -> None:
    for key in item:
        if key not in allowed:
            raise InputError(f'{place}: "{key}" means nothing here; keys are {", ".join(allowed)}')


# --- the file -----------------------------------------------------------------------------------------------


def _parse(path: Path) -> Json:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not text in UTF-8") from None
    if path.suffix == ".json":
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
        except RecursionError:
            raise InputError(f"{path} is nested too deeply") from None
    return _parse_yaml(path, text)


def _parse_yaml(path: Path, text: str) -> Json:
    import yaml

    class Loader(yaml.SafeLoader):
        """YAML 1.1 without its base-60 numbers: 10:20:30:40:50:55 is a MAC address, not 7840461055."""

    plain = re.compile(r"[-+]?(0x[0-9a-fA-F_]+|0b[01_]+|[0-9][0-9_]*)$")
    dropped = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:float")
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in patterns if tag not in dropped]
        for first, patterns in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:int", plain, list("-+0123456789"))
    try:
        return yaml.load(text, Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise InputError(f"{path}:{line}: not YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{path} is not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise InputError(f"{path} is nested too deeply") from None
