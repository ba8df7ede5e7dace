"""STF statements that change state, as writes to the switch's tables.

In: statements and a Switch. Out: its Tables changed, and the ids and handles that later statements name.
Called by `runner`. A statement that cannot be carried out ends in InputError or StateError; `runner` adds the
line.
"""

from __future__ import annotations

from typing import NoReturn, assert_never

from p4nic.backend.api import CloneSession, Entry, GroupRef, MemberRef, MeterConfig, Replica
from p4nic.bits import mask
from p4nic.errors import ErrorKind, InputError, StateError
from p4nic.ir.program import ActionCall, Program, Table
from p4nic.stf.names import resolve, resolve_key
from p4nic.stf.statements import (
    Add,
    CallText,
    Command,
    GroupAdd,
    MemberAdd,
    Rates,
    Remove,
    SetDefault,
    StateStatement,
    Target,
    ValueSetAdd,
)
from p4nic.stf.values import left_out, match_of
from p4nic.target.entities import (
    CloneSessionEntry,
    CounterCell,
    DefaultEntry,
    DirectMeter,
    EntryKey,
    Group,
    GroupMember,
    Member,
    MeterCell,
    MulticastGroup,
    RegisterCell,
    ValueSetMembers,
)
from p4nic.target.switch import Switch

_PER_SECOND = 1_000_000
"""simple_switch_CLI gives meter rates per microsecond."""


class State:
    """Carries out state statements; knows what the file has named so far."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self._program: Program = switch.program
        self.ids: dict[str, Entry] = {}
        self._nodes: list[tuple[Replica, ...]] = []
        self._groups: dict[int, list[int]] = {}
        self._mirrored_groups: dict[int, int] = {}

    def apply(self, statement: StateStatement) -> None:
        """Do what the statement says."""
        match statement:
            case Add():
                self._add(statement)
            case Remove(_, label):
                self._remove(label)
            case SetDefault(_, table, call):
                chosen = self._table(table)
                made = self._call(chosen, call)
                self._switch.tables.modify(DefaultEntry(chosen.name, made))
            case ValueSetAdd():
                self._value_set(statement)
            case MemberAdd(_, profile, member, call):
                name = resolve("action profile", profile, self._program.action_profiles)
                self._switch.tables.insert(Member(name, member, self._profile_call(name, call)))
            case GroupAdd(_, profile, group, members):
                name = resolve("action profile", profile, self._program.action_profiles)
                made_of = tuple(GroupMember(member, weight) for member, weight in members)
                size = self._program.action_profiles[name].max_group_size
                self._switch.tables.insert(Group(name, group, made_of, size))
            case Rates():
                self._rates(statement)
            case Command():
                self._command(statement)
            case _:
                assert_never(statement)

    def entry(self, label: str) -> Entry:
        """The entry that `add … = label` made."""
        if label not in self.ids:
            known = ", ".join(f"${name}" for name in sorted(self.ids)) or "none yet"
            raise InputError(f"there is no entry ${label}; entries with an id are {known}")
        return self.ids[label]

    # --- entries -----------------------------------------------------------------------------------------

    def _table(self, name: str) -> Table:
        return self._program.tables[resolve("table", name, self._program.tables)]

    def _add(self, statement: Add) -> None:
        table = self._table(statement.table)
        place = f"table {table.name}"
        names = [key.name for key in table.keys]
        given = {resolve_key(table.name, name, names): value for name, value in statement.matches}
        key = tuple(
            match_of(f"{place}, field {k.name}", given[i], k.kind, k.width)
            if i in given
            else left_out(k.kind)
            for i, k in enumerate(table.keys)
        )
        action: ActionCall | MemberRef | GroupRef
        match statement.action:
            case CallText():
                action = self._call(table, statement.action)
            case Target("member", number):
                action = MemberRef(number)
            case Target(_, number):
                action = GroupRef(number)
            case _:
                assert_never(statement.action)
        # STF counts priorities from 0, P4Runtime from 1; in both the higher wins.
        priority = (statement.priority or 0) + 1 if table.has_priority else 0
        entry = Entry(table.name, key, action, priority)
        self._switch.tables.insert(entry)
        if statement.id:
            self.ids[statement.id] = entry

    def _call(self, table: Table, call: CallText) -> ActionCall:
        name = resolve(f"action of table {table.name}", call.action, [ref.action for ref in table.actions])
        return self._with_args(name, call)

    def _profile_call(self, profile: str, call: CallText) -> ActionCall:
        actions = {
            ref.action: None
            for table in self._program.tables.values()
            if table.implementation == profile
            for ref in table.actions
        }
        return self._with_args(resolve(f"action of profile {profile}", call.action, actions), call)

    def _with_args(self, name: str, call: CallText) -> ActionCall:
        params = self._program.actions[name].params
        names = [param.name for param in params]
        values: dict[str, int] = {}
        for position, (given, value) in enumerate(call.args):
            if not given and position >= len(params):
                raise InputError(f"action {name} takes {len(params)} arguments, not {len(call.args)}")
            values[resolve(f"parameter of {name}", given, names) if given else names[position]] = value
        if missing := [name for name in names if name not in values]:
            raise InputError(f"action {name} also needs {', '.join(missing)}")
        return ActionCall(name, tuple(values[p.name] & mask(p.width) for p in params))

    def _remove(self, label: str | None) -> None:
        tables = self._switch.tables
        if label is not None:
            tables.delete(self.entry(label))
            del self.ids[label]
            return
        for state in list(tables.read()):
            if state.entry.origin != "const":
                tables.delete(EntryKey(state.entry.table, state.entry.key, state.entry.priority))
        self.ids.clear()

    def _value_set(self, statement: ValueSetAdd) -> None:
        tables, sets = self._switch.tables, self._program.value_sets
        name = resolve("value set", statement.value_set, sets)
        widths = sets[name].widths
        if len(statement.values) != len(widths):
            raise InputError(f"value set {name} has {len(widths)} keys, {len(statement.values)} are given")
        member = tuple(
            match_of(f"value set {name}", value, "ternary" if value.operator else "exact", width)
            for value, width in zip(statement.values, widths, strict=True)
        )
        before = tables.value_sets(name)[0].members
        tables.modify(ValueSetMembers(name, (*before, member)))

    # --- arrays ------------------------------------------------------------------------------------------

    def _rates(self, statement: Rates) -> None:
        config = _meter_config(statement.rates)
        if isinstance(statement.index, str):
            entry = self.entry(statement.index)
            self._switch.tables.modify(DirectMeter(EntryKey(entry.table, entry.key, entry.priority), config))
            return
        name = resolve("meter", statement.meter, self._program.meters)
        self._switch.tables.modify(MeterCell(name, statement.index, config))

    def _command(self, command: Command) -> None:
        tables, numbers = self._switch.tables, command.numbers
        match command.name:
            case "counter_read" | "counter_write":
                counter = resolve("counter", command.object, self._program.counters)
                if command.name == "counter_read":
                    tables.counters(counter, numbers[0])
                else:
                    tables.modify(CounterCell(counter, *numbers))
            case "register_read" | "register_write" | "register_reset":
                register = resolve("register", command.object, self._program.registers)
                array = self._program.registers[register]
                if command.name == "register_read":
                    tables.registers(register, numbers[0])
                elif command.name == "register_write":
                    tables.modify(RegisterCell(register, numbers[0], numbers[1] & mask(array.width)))
                else:
                    tables.modify(RegisterCell(register, None, 0))
            case "meter_get_rates":
                tables.meters(resolve("meter", command.object, self._program.meters), numbers[0])
            case _:
                self._replicate(command)

    # --- replication -------------------------------------------------------------------------------------

    def _replicate(self, command: Command) -> None:
        numbers = command.numbers
        match command.name:
            case "mc_mgrp_create":
                self._switch.tables.insert(MulticastGroup(numbers[0]))
                self._groups[numbers[0]] = []
            case "mc_node_create":
                self._nodes.append(_node(numbers))
            case "mc_node_update":
                handle = self._handle(numbers[0])
                instance = self._nodes[handle][0].instance if self._nodes[handle] else 0
                self._nodes[handle] = _node((instance, *numbers[1:]))
                for group, handles in self._groups.items():
                    if handle in handles:
                        self._write_group(group)
            case "mc_node_associate":
                if numbers[0] not in self._groups:
                    raise InputError(f"there is no multicast group {numbers[0]}; create it first")
                self._groups[numbers[0]].append(self._handle(numbers[1]))
                self._write_group(numbers[0])
            case "mirroring_add":
                self._mirrored_groups.pop(numbers[0], None)
                self._write_session(numbers[0], (Replica(numbers[1], 0),))
            case "mirroring_add_mc":
                if numbers[1] not in self._groups:
                    raise InputError(f"there is no multicast group {numbers[1]}; create it first")
                self._mirrored_groups[numbers[0]] = numbers[1]
                self._write_session(numbers[0], self._replicas(numbers[1]))
            case "mirroring_delete":
                self._mirrored_groups.pop(numbers[0], None)
                self._switch.tables.delete(CloneSessionEntry(numbers[0]))
            case "mirroring_get":
                if numbers[0] not in self._switch.replication.sessions:
                    raise StateError(ErrorKind.NOT_FOUND, f"there is no clone session {numbers[0]}")
            case name:
                _unknown(name)

    def _handle(self, number: int) -> int:
        if number >= len(self._nodes):
            raise InputError(f"there is no multicast node {number}; {len(self._nodes)} were created")
        return number

    def _replicas(self, group: int) -> tuple[Replica, ...]:
        return tuple(replica for handle in self._groups[group] for replica in self._nodes[handle])

    def _write_group(self, group: int) -> None:
        replicas = self._replicas(group)
        self._switch.tables.modify(MulticastGroup(group, replicas))
        for session, mirrored in self._mirrored_groups.items():
            if mirrored == group:
                self._write_session(session, replicas)

    def _write_session(self, session: int, replicas: tuple[Replica, ...]) -> None:
        entry = CloneSessionEntry(session, CloneSession(replicas))
        exists = session in self._switch.replication.sessions
        self._switch.tables.modify(entry) if exists else self._switch.tables.insert(entry)


def _node(numbers: tuple[int, ...]) -> tuple[Replica, ...]:
    """A node's copies: BMv2 keeps a node's ports as a bit map, so they go out in ascending order."""
    return tuple(Replica(port, numbers[0]) for port in sorted(set(numbers[1:])))


def _meter_config(rates: tuple[tuple[float, int], ...]) -> MeterConfig:
    """Two rates are committed and peak, as BMv2 orders them; one is a meter of two colours."""
    (cir, cburst), (pir, pburst) = rates[0], rates[-1]
    return MeterConfig(
        "two_rate_three_color" if len(rates) == 2 else "single_rate_two_color",
        round(cir * _PER_SECOND),
        cburst,
        round(pir * _PER_SECOND),
        pburst,
    )


def _unknown(name: str) -> NoReturn:
    raise AssertionError(f"the parser let {name} through")
