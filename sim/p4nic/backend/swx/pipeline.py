"""DPDK as the switch sees it: `backend.api.Backend` and `Pipeline`.

Called by `target` (packets, table changes, time) and by `cli.common` (build). A write is kept until `commit`,
which `target.tables` calls once per batch, and which every packet calls first.

Not there, because DPDK has it not: traces, digests, multicast groups, idle timeouts of entries the control
plane wrote, entries of a learner written by the control plane. These are StateErrors UNIMPLEMENTED.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, final

from p4nic.backend.api import (
    CloneSession,
    DigestMessage,
    Entry,
    EntryState,
    Expired,
    MeterConfig,
    Options,
    Outcome,
    Replica,
    TraceEvent,
)
from p4nic.backend.swx import wire
from p4nic.backend.swx.arrays import Arrays
from p4nic.backend.swx.cleared import cleared
from p4nic.backend.swx.crash import Report, crash
from p4nic.backend.swx.devices import Departed, Device, Devices
from p4nic.backend.swx.learners import NEVER, Learned, Learners
from p4nic.backend.swx.resized import resized
from p4nic.backend.swx.state import State, TableState
from p4nic.backend.swx.target import Target
from p4nic.backend.swx.wire import Operation
from p4nic.errors import ErrorKind, StateError, TargetError, UnsupportedError
from p4nic.ir.image import SpecImage
from p4nic.ir.program import ActionCall, Match, Program

_BURST = 256
_SECOND = 10**9
_SESSIONS = 64
"""What DPDK has where a program does not ask for another number."""


@final
class SwxPipeline:
    """One program in one DPDK process."""

    def __init__(
        self,
        program: Program,
        options: Options,
        clear_metadata: bool = False,
        inputs: int = 0,
        source: Path | None = None,
        report: Report | None = None,
        devices: tuple[Device, ...] = (),
    ) -> None:
        if program.image is None:
            raise UnsupportedError(
                f"{program.name} is no .spec: DPDK runs what p4c-dpdk wrote; use --backend interp for a JSON"
            )
        self.program = program
        self.options = options
        self._report = report
        self._devices = Devices(devices)
        image = resized(program.image, options.table_sizes or {})
        self._image: SpecImage = cleared(image) if clear_metadata else image
        self.target = Target(self._image, options, inputs, source)
        description = self.target.description
        self._state = State(program, self._image, description)
        self._learners = Learners(program, self._image, description, options.learner_timeouts or {})
        self._arrays = Arrays(program, self._image, self._ask)
        self._sessions: dict[int, CloneSession] = {}
        self._direct_meters: dict[tuple[str, tuple[Match, ...], int], MeterConfig] = {}
        self._fresh_counters: dict[tuple[str, tuple[Match, ...]], None] = {}
        self._groups_changed = False
        self._expired = self._looked_ns = 0
        self._now_ns = 0
        self._set_up()
        for table in program.tables.values():
            for const in table.const_entries:
                entry = Entry(table.name, const.key, const.call, const.priority, origin=table.entries_origin)
                self._state.tables[table.name].put(entry)

    @property
    def inputs(self) -> int:
        """Ports packets can arrive at: 0 to this."""
        return self.target.receiving

    # --- packets ---

    def process(self, packets: Sequence[tuple[int, bytes]], now_ns: int) -> list[Outcome]:
        if packets and isinstance(packets[0][1], Departed):  # a DevicePort brings nothing else
            return [Outcome(((f.port, bytes(f)),)) for _, f in packets if isinstance(f, Departed)]
        self._show()
        self._devices.open(self.target, now_ns)
        self._now_ns = now_ns
        entries = sum(len(t.entries) for t in self._state.tables.values())
        outcomes: list[Outcome] = []
        for at in range(0, len(packets), _BURST):
            burst = packets[at : at + _BURST]
            try:
                outcomes += self.target.process(burst, now_ns, entries)
            except TargetError as error:
                if self._report is None or error.packet is None:
                    raise
                kept = self._report(crash(self.program, self.options, self._state, burst, error.packet))
                raise TargetError(f"{error}; {kept}", error.packet) from None
        return outcomes

    def trace(self, port: int, frame: bytes, now_ns: int) -> tuple[Outcome, list[TraceEvent]]:
        _unimplemented("DPDK tells nothing about a packet's way; trace the same .spec with --backend interp")

    def digests(self) -> list[DigestMessage]:
        return []

    def expire(self, now_ns: int) -> list[Expired]:
        self._looked_ns = now_ns
        dead = sorted(self._learned(now_ns, dead=True), key=lambda one: one.until_ns)
        self._expired += len(dead)
        return [Expired(EntryState(d.entry, now_ns - d.touched_ns, 0, 0), removed=True) for d in dead]

    def next_expiry_ns(self) -> int | None:
        if self._devices.all:  # flows are learned that nobody here hears of
            return self._looked_ns + _SECOND
        return self.target.soonest_ns

    def frames_from_devices(self, now_ns: int) -> list[Departed]:
        """Of packets that came from DPDK's own ports, what left through other ports. PortError if a device
        cannot be opened."""
        self._show()
        self._devices.open(self.target, now_ns)
        return self._devices.frames(self.target)

    # --- tables ---

    def commit(self) -> None:
        """Show DPDK's packets everything written so far; StateError if DPDK refuses: nothing is new then."""
        with _as_state_error():
            self._show()

    def _show(self) -> None:
        """`commit`, with a TargetError if DPDK dies of it."""
        if not self.target.running:
            self._restart()
        changes = self._state.changes()
        if changes or self._groups_changed:
            arguments = wire.u32(len(changes)) + b"".join(changes)
            status, answer = self.target.ask(Operation.COMMIT, arguments)
            if status:
                self._refused(status, answer.u32(), len(changes))
            self._state.committed()
            self._groups_changed = False
        for name, key in self._fresh_counters:
            table = self._state.tables[name]
            assert table.table.counter is not None
            # DPDK keeps counters by place: the entry that had the place before left its count there.
            self._arrays.set_direct_counter(table.table.counter, table.spec.name, table.slot(key).key, 0, 0)
        self._fresh_counters.clear()

    def insert(self, entry: Entry, now_ns: int) -> None:
        table = self._writable(entry)
        table.put(entry)
        if table.table.counter is not None:
            self._fresh_counters[entry.table, entry.key] = None

    def modify(self, entry: Entry, now_ns: int) -> None:
        self._writable(entry).put(entry)

    def delete(self, entry: Entry) -> None:
        if entry.table in self._state.tables:
            self._state.tables[entry.table].remove(entry.key, entry.priority)
            self._fresh_counters.pop((entry.table, entry.key), None)
            return
        number = self._learners.layouts[entry.table].number
        key = self._learners.key(entry.table, entry.key)
        self._ask(Operation.LEARNED_DELETE, wire.u64(self._now_ns) + wire.u32(number) + key)

    def lookup(self, table: str, key: tuple[Match, ...], priority: int, now_ns: int) -> EntryState | None:
        if table in self._state.tables:
            entry = self._state.tables[table].entries.get((key, priority))
            return None if entry is None else self._described(entry)
        self._now_ns = now_ns
        arguments = wire.u64(now_ns) + wire.u32(self._learners.layouts[table].number)
        _, answer = self._ask(Operation.LEARNED_FIND, arguments + self._learners.key(table, key))
        found = self._learners.read(answer)
        return self._described_learned(found[0], now_ns) if found else None

    def entries(self, table: str, now_ns: int) -> Iterator[EntryState]:
        if table in self._state.tables:
            for entry in list(self._state.tables[table].entries.values()):
                if (entry.key, entry.priority) in self._state.tables[table].entries:
                    yield self._described(entry)
            return
        for learned in self._learned(now_ns, dead=False):
            if learned.entry.table == table:
                yield self._described_learned(learned, now_ns)

    def entry_count(self, table: str) -> int:
        if table in self._state.tables:
            return len(self._state.tables[table].entries)
        return sum(one.entry.table == table for one in self._learned(self._now_ns, dead=False))

    def default_action(self, table: str) -> ActionCall:
        state = self._state.tables.get(table)
        return state.default if state is not None else self.program.tables[table].default

    def set_default_action(self, table: str, call: ActionCall) -> None:
        state = self._state.tables.get(table)
        if state is None:
            if call == self.program.tables[table].default:
                return
            # rte_swx_ctl_pipeline_learner_default_entry_add() of 22.11 looks the action up outside its array.
            _unimplemented(f"learner {table}: DPDK 22.11 cannot change a learner's default action safely")
        state.default = call
        state.default_changed = True

    def set_direct_counter(self, entry: Entry, packets: int, bytes_: int) -> None:
        self.commit()
        name, spec, key = self._direct(entry, self.program.tables[entry.table].counter)
        self._arrays.set_direct_counter(name, spec, key, packets, bytes_)

    def direct_meter(self, entry: Entry) -> MeterConfig | None:
        return self._direct_meters.get((entry.table, entry.key, entry.priority))

    def set_direct_meter(self, entry: Entry, config: MeterConfig | None) -> None:
        identity = (entry.table, entry.key, entry.priority)
        if config is None and identity not in self._direct_meters:
            return
        self.commit()
        name, spec, key = self._direct(entry, self.program.tables[entry.table].meter)
        self._arrays.set_direct_meter(name, spec, key, config)
        if config is None:
            del self._direct_meters[identity]
        else:
            self._direct_meters[identity] = config

    # --- action profiles ---

    def set_member(self, profile: str, member_id: int, call: ActionCall | None) -> None:
        state = self._state.profiles[profile]
        if call is None:
            state.members.pop(member_id, None)
        else:
            state.members[member_id] = call
        state.changed[member_id] = None

    def set_group(
        self, profile: str, group_id: int, members: tuple[tuple[int, int], ...] | None, random: bool = False
    ) -> None:
        if random:
            _unimplemented(f"action profile {profile}: DPDK's selectors choose by hash, not at random")
        state = self._state.profiles[profile]
        assert state.selector is not None
        selector = wire.name(state.selector)
        if group_id not in state.dpdk_groups:
            if members is None:
                return
            status, answer = self._ask(Operation.GROUP_ADD, selector)
            if status:
                raise StateError(
                    ErrorKind.RESOURCE_EXHAUSTED,
                    f"action profile {profile}: DPDK has no room for another group",
                )
            state.dpdk_groups[group_id] = answer.u32()
            self._state.regrouped(profile, group_id)
        number = wire.u32(state.dpdk_groups[group_id])
        if members is None:
            self._ask(Operation.GROUP_DELETE, selector + number)
            del state.dpdk_groups[group_id], state.groups[group_id]
        else:
            # DPDK lays them out in the order they came: all out, then in by ascending id, as everywhere here.
            gone = [(member, 0) for member, _ in state.groups.get(group_id, ())]
            for member, weight in (*gone, *sorted(members)):
                status, _ = self._ask(
                    Operation.MEMBER, selector + number + wire.u32(member) + wire.u32(weight)
                )
                if status:
                    raise StateError(
                        ErrorKind.INVALID_ARGUMENT,
                        f"action profile {profile}, group {group_id}: DPDK refuses member {member} "
                        f"of weight {weight}",
                    )
            state.groups[group_id] = members
        self._groups_changed = True

    # --- arrays ---

    def counter(self, name: str, index: int) -> tuple[int, int]:
        return self._arrays.counter(name, index)

    def set_counter(self, name: str, index: int, packets: int, bytes_: int) -> None:
        self._arrays.set_counter(name, index, packets, bytes_)

    def meter(self, name: str, index: int) -> MeterConfig | None:
        return self._arrays.meters.get((name, index))

    def set_meter(self, name: str, index: int, config: MeterConfig | None) -> None:
        self._arrays.set_meter(name, index, config)

    def register(self, name: str, index: int) -> int:
        return self._arrays.register(name, index)

    def set_register(self, name: str, index: int, value: int) -> None:
        self._arrays.set_register(name, index, value)

    # --- parser value sets, replication ---

    def set_value_set(self, name: str, members: tuple[tuple[Match, ...], ...]) -> None:
        _unimplemented(f"value set {name}: p4c-dpdk compiles value sets away; a .spec has none to write")

    def set_multicast_group(self, group_id: int, replicas: tuple[Replica, ...] | None) -> None:
        if replicas:
            _unimplemented(
                f"multicast group {group_id}: DPDK's pipeline replicates by mirroring sessions only"
            )

    def set_clone_session(self, session_id: int, session: CloneSession | None) -> None:
        if session_id >= _SESSIONS:
            raise StateError(
                ErrorKind.OUT_OF_RANGE, f"clone session {session_id}: DPDK has sessions 0 to {_SESSIONS - 1}"
            )
        if session is not None and len(session.replicas) != 1:
            _unimplemented(
                f"clone session {session_id}: DPDK mirrors to one port, not to {len(session.replicas)}; "
                "use one replica"
            )
        self._mirror(session_id, session)
        if session is None:
            self._sessions.pop(session_id, None)
        else:
            self._sessions[session_id] = session

    # --- statistics ---

    def statistics(self) -> Mapping[str, int]:
        _, answer = self._ask(Operation.STATISTICS, b"")
        description = self.target.description
        counts = {name: (answer.u64(), answer.u64()) for name in description.tables}
        learned = {name: tuple(answer.u64() for _ in range(6)) for name in description.learners}
        told = {"expired": self._expired, "digest_dropped": 0, "assert_failed": 0}
        for position, what in enumerate(("learned", "learn_failed", "rearmed", "forgotten"), start=2):
            told[what] = sum(row[position] for row in learned.values())
        for name, spec in self._image.tables.items():
            hits, misses = counts[spec.name] if spec.name in counts else learned[spec.name][:2]
            told[f"table.{name}.hit"], told[f"table.{name}.miss"] = hits, misses
        return told

    def close(self) -> None:
        self.target.close()

    # --- parts ---

    def _ask(self, operation: Operation, arguments: bytes) -> tuple[int, wire.Reader]:
        """A request to the shim; begins afresh after a crash."""
        with _as_state_error():
            if not self.target.running:
                self._restart()
            return self.target.ask(operation, arguments)

    def _set_up(self) -> None:
        """What DPDK must be told to do as P4 says: a session nobody has set mirrors to port 0."""
        for session_id in range(_SESSIONS):
            self._mirror(session_id, self._sessions.get(session_id))
        for name, timeouts in (self.options.learner_timeouts or {}).items():
            number = self._learners.layouts[name].number
            for position, seconds in enumerate(timeouts):
                arguments = wire.u32(number) + wire.u32(position) + wire.u32(seconds)
                self.target.ask(Operation.TIMEOUT, arguments)

    def _mirror(self, session_id: int, session: CloneSession | None) -> None:
        port = self.target.ports if session is None else session.replicas[0].port
        truncated = 0 if session is None else session.truncate_bytes
        arguments = wire.u32(session_id) + wire.u32(port) + wire.u32(truncated)
        status, _ = self.target.ask(Operation.MIRROR, arguments)
        if status and session is not None:
            raise StateError(
                ErrorKind.INVALID_ARGUMENT,
                f"clone session {session_id}: DPDK refuses port {port} (error {status})",
            )

    def _restart(self) -> None:
        """A fresh process with what the control plane wrote; learned entries and counts are gone."""
        self.target.build()
        self._state.lost()
        self._set_up()
        for name, profile in self._state.profiles.items():
            groups, profile.groups = profile.groups, {}
            for group_id, members in groups.items():
                self.set_group(name, group_id, members)
        self._arrays.lost()
        meters, self._direct_meters = self._direct_meters, {}
        if meters:
            self.commit()
        for (table, key, priority), config in meters.items():
            self.set_direct_meter(self._state.tables[table].entries[key, priority], config)

    def _refused(self, status: int, position: int, changes: int) -> NoReturn:
        if self._groups_changed:
            self.target.close()  # DPDK has undone groups that are noted here as done: begin afresh
        kind = ErrorKind.RESOURCE_EXHAUSTED if status in (-28, -12, -19) else ErrorKind.INVALID_ARGUMENT
        where = f"change {position + 1}" if position < changes else "the commit"
        raise StateError(
            kind, f"DPDK refuses {where} of {changes} (error {status}); nothing of it is applied"
        )

    def _writable(self, entry: Entry) -> TableState:
        table = self._state.tables.get(entry.table)
        if table is None:
            _unimplemented(f"learner {entry.table}: DPDK lets packets alone add and change its entries")
        if entry.idle_timeout_ns:
            _unimplemented(f"table {entry.table}: DPDK's tables have no idle timeout, only its learners have")
        return table

    def _direct(self, entry: Entry, resource: str | None) -> tuple[str, str, bytes]:
        """(counter or meter, table of the .spec, key) of an entry."""
        assert resource is not None
        state = self._state.tables.get(entry.table)
        if state is None:
            return resource, self._image.tables[entry.table].name, self._learners.key(entry.table, entry.key)
        if not state.layout.exact:
            _unimplemented(
                f"table {entry.table}: DPDK finds the place of an entry by its key, which is not unique in a "
                "table with prefixes or masks; its direct resources cannot be written"
            )
        return resource, state.spec.name, state.slot(entry.key).key

    def _described(self, entry: Entry) -> EntryState:
        """Idle time 0: DPDK does not keep it. Counters of tables with masks are 0: see `_direct`."""
        table = self._state.tables[entry.table]
        if table.table.counter is None or not table.layout.exact or table.changed or self._fresh_counters:
            return EntryState(entry, 0, 0, 0)
        key = table.slot(entry.key).key
        return EntryState(entry, 0, *self._arrays.direct_counter(table.table.counter, table.spec.name, key))

    def _described_learned(self, learned: Learned, now_ns: int) -> EntryState:
        counts = (0, 0)
        entry = learned.entry
        counter = self.program.tables[entry.table].counter
        if counter is not None:
            counts = self._arrays.direct_counter(*self._direct(entry, counter))
        return EntryState(entry, now_ns - learned.touched_ns, *counts)

    def _learned(self, now_ns: int, dead: bool) -> list[Learned]:
        self._now_ns = now_ns
        _, answer = self._ask(Operation.LEARNED_LIST, wire.u64(now_ns) + wire.u8(dead))
        found = self._learners.read(answer)
        soonest = answer.u64()
        self.target.soonest_ns = None if soonest == NEVER else soonest
        return found


@contextmanager
def _as_state_error() -> Iterator[None]:
    """The control plane is told of a dead target as of any write that cannot be done."""
    try:
        yield
    except TargetError as error:
        raise StateError(ErrorKind.FAILED_PRECONDITION, str(error)) from None


def _unimplemented(message: str) -> NoReturn:
    raise StateError(ErrorKind.UNIMPLEMENTED, message)


@final
class SwxBackend:
    """The real P4-DPDK target.

    `clear_metadata`: see `cleared`; for comparisons. `inputs`, `source`: see `measure` and `compiled`; for
    measurements. `report`: is told when DPDK dies of a packet. `devices`: ports that are DPDK's own.
    """

    name = "swx"

    def __init__(
        self,
        clear_metadata: bool = False,
        inputs: int = 0,
        source: Path | None = None,
        report: Report | None = None,
        devices: tuple[Device, ...] = (),
    ) -> None:
        self._devices = devices
        self._clear_metadata = clear_metadata
        self._inputs = inputs
        self._source = source
        self._report = report

    def build(self, program: Program, options: Options) -> SwxPipeline:
        """UnsupportedError for a program without a .spec or one DPDK refuses; TargetError without DPDK."""
        return SwxPipeline(
            program, options, self._clear_metadata, self._inputs, self._source, self._report, self._devices
        )
