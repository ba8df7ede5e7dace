"""The native engine as the switch sees it: `backend.api.Backend` and `Pipeline`.

In: a verified Program. Out: a Pipeline whose packets run in compiled C; cffi lets other threads run
meanwhile. Called by `target` (packets, table changes, time) and by the command line (build).
"""

from __future__ import annotations

import logging
import sys
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, final

from p4nic import kept
from p4nic.backend.api import (
    Alike,
    CloneSession,
    DigestMessage,
    Entry,
    EntryState,
    Options,
    Outcome,
    Pipeline,
    Replica,
    TraceEvent,
)
from p4nic.backend.native import compiler
from p4nic.backend.native.described import MAX_PROFILES, Numbers, Unit
from p4nic.backend.native.expiry import Expiry
from p4nic.backend.native.forwarding import NativeForwarding
from p4nic.backend.native.handover import Handover
from p4nic.backend.native.measuring import LATENCY_STEPS, MAX_ROUNDS, Frames, Timing, in_c, timing
from p4nic.backend.native.messages import DIGEST, decode, decode_outcomes, digest_message, log_message
from p4nic.backend.native.meters import Meters
from p4nic.backend.native.rows import Rows
from p4nic.backend.native.tables import NativeTable, value_and_mask
from p4nic.backend.native.workers import Workers
from p4nic.bits import mask, wrap
from p4nic.ccompiler import owned
from p4nic.errors import ErrorKind, StateError, UnsupportedError
from p4nic.ir.program import ActionCall, Match, Program, Range

STATISTICS = (
    "learned", "learn_failed", "rearmed", "forgotten", "expired", "digest_dropped", "assert_failed",
    "copy_dropped",
)  # fmt: skip
MAX_CELLS = 1 << 30
"""Cells of one counter, meter or register: beyond, even untouched memory is too much address space."""
MAX_ENTRIES = 1 << 31
MAX_FRAME = 1 << 20

_log = logging.getLogger(__name__)


@final
class NativePipeline:
    """A Program compiled, with all its state."""

    def __init__(
        self,
        program: Program,
        options: Options,
        unit: Unit,
        library: tuple[Any, Any],
        later: compiler.Later | None = None,
    ) -> None:
        """`library`: (ffi, lib) of the compiled unit. `later`: its optimised compilation, to take over."""
        self.program = program
        self.options = options
        self.source = unit.text
        self._unit = unit
        self._ffi, self._lib = library
        self._number = Numbers(program)
        engine = self._lib.p4_create(
            options.cpu_port, options.drop_port, options.port_count, options.seed & mask(64)
        )
        self._need(engine != self._ffi.NULL, engine, "the engine")
        self._others: list[tuple[Any, Any]] = []
        self._engine = owned(library, engine, "p4_destroy", self._others)
        library_ = (self._ffi, self._lib, self._engine)
        self.workers = Workers(library_)
        self.forwarding = NativeForwarding(
            library_, self.workers, list(program.digests.values()), unit.messages, unit.reasons
        )
        self._start_arrays()
        self._tables = self._start_tables()
        self._rows = Rows((self._ffi, self._lib, self._engine), self._tables, self.workers)
        self.row_layout, self.read_rows = self._rows.layout, self._rows.reader
        self.write_rows = self._rows.write
        expiry = Expiry(library_, self._tables, self.workers)
        self.expire, self.expire_untold, self.next_expiry_ns = expiry.told, expiry.untold, expiry.next_ns
        self._meters = meters = Meters(library_, self._number.meters, self._tables, self.workers.gate)
        self.meter, self.set_meter = meters.meter, meters.set_meter
        self.direct_meter, self.set_direct_meter = meters.direct_meter, meters.set_direct_meter
        self.default_meter, self.set_default_meter = meters.default_meter, meters.set_default_meter
        self.default_counter, self.set_default_counter = meters.default_counter, meters.set_default_counter
        self.marks, self.set_marks = meters.marks, meters.set_marks
        self._digests: list[DigestMessage] = []
        self._handover = None if later is None else Handover(later, self.take_over)

    # --- making ---

    def _need(self, there: bool, made: Any, what: str) -> Any:
        if not there:
            raise StateError(
                ErrorKind.RESOURCE_EXHAUSTED, f"there is no memory for {what} of {self.program.name}"
            )
        return made

    def _start_arrays(self) -> None:
        lib, engine, program = self._lib, self._engine, self.program
        for kind, arrays in (
            ("counter", program.counters),
            ("meter", program.meters),
            ("register", program.registers),
        ):
            for array_ in arrays.values():
                if array_.size > MAX_CELLS:
                    raise UnsupportedError(
                        f"the {kind} {array_.name} has more cells than the native backend's {MAX_CELLS}; "
                        f"use --backend interp"
                    )
        for i, counter in enumerate(program.counters.values()):
            self._need(lib.p4_start_counter(engine, i, counter.size), None, f"counter {counter.name}")
        for i, meter in enumerate(program.meters.values()):
            made = lib.p4_start_meter(engine, i, meter.size, meter.unit == "packets")
            self._need(made, None, f"meter {meter.name}")
        for i, register in enumerate(program.registers.values()):
            if register.width > 128:
                raise UnsupportedError(
                    f"the register {register.name} has cells of {register.width} bits, more than the native "
                    f"backend's 128; use --backend interp"
                )
            initial = wrap(register.initial, register.width)
            made = lib.p4_start_register(engine, i, register.size, initial & mask(64), initial >> 64)
            self._need(made, None, f"register {register.name}")

    def _start_tables(self) -> dict[str, NativeTable]:
        tables = {}
        actions = {
            name: (self._number.actions[name], packing) for name, packing in self._unit.actions.items()
        }
        for number, spec in enumerate(self.program.tables.values()):
            size = table_size(self.options, spec.name, spec.size)
            timeouts = (self.options.learner_timeouts or {}).get(spec.name, spec.learner_timeouts)
            if len(timeouts) > MAX_PROFILES:
                raise UnsupportedError(
                    f"the table {spec.name} has {len(timeouts)} timeouts, more than the native backend's "
                    f"{MAX_PROFILES}; use --backend interp"
                )
            nanoseconds = [t * 1_000_000_000 for t in timeouts]
            made = self._lib.p4_start_table(self._engine, number, size, nanoseconds, len(nanoseconds))
            self._need(made, None, f"table {spec.name}")
            if spec.meter is not None:
                made = self._lib.p4_start_direct_meter(self._engine, number)
                self._need(made, None, f"the meters of table {spec.name}")
            library = (self._ffi, self._lib, self._engine)
            table = NativeTable(library, number, spec, size, self._unit.tables[spec.name], actions)
            for const in spec.const_entries:
                origin = spec.entries_origin
                table.insert(Entry(spec.name, const.key, const.call, const.priority, origin=origin), 0)
            tables[spec.name] = table
        return tables

    # --- packets ---

    def process(self, packets: Sequence[tuple[int, bytes]], now_ns: int) -> list[Outcome]:
        self.workers.gate()
        frames = b"".join([frame for _, frame in packets])
        ports = array("I", [port for port, _ in packets])
        lengths = array("I", [len(frame) for _, frame in packets])
        ffi = self._ffi
        self._lib.p4_run(
            self._engine, frames, ffi.from_buffer("uint32_t[]", ports), ffi.from_buffer("uint32_t[]",
            lengths), len(packets), now_ns,
        )  # fmt: skip
        size = ffi.new("uint64_t *")
        reply = self._lib.p4_reply(self._engine, size)
        told = bytes(ffi.buffer(reply, size[0])) if size[0] else b""
        outcomes = decode_outcomes(told, len(packets), self._unit.reasons)
        self._take_messages()
        return outcomes

    def measure(
        self, traffic: Frames, first: int, now_ns: int, rounds: int = MAX_ROUNDS, seconds: float = 3600.0
    ) -> Timing:
        """The loop of a benchmark, wholly in C: bursts of 32 of these frames in turn, from frame `first` on,
        until so many bursts are done or the time is up."""
        self.optimised()
        frames, kept = in_c(traffic, self._ffi)
        out = self._ffi.new("p4_timing_t *")
        self._lib.p4_bench(self._engine, frames, first, rounds, int(seconds * 1e9), now_ns, out)
        del kept
        return timing(out)

    def latencies(
        self, traffic: Frames, interval: int, seconds: float, now_ns: int
    ) -> tuple[Timing, list[int]]:
        """Frames arrive every `interval` / 65536 ticks of the time stamp counter. Also how many took how
        long: `measuring.ticks_of_step` says what a place in the list means."""
        self.optimised()
        frames, kept = in_c(traffic, self._ffi)
        out, steps = self._ffi.new("p4_timing_t *"), self._ffi.new("uint64_t[]", LATENCY_STEPS)
        self._lib.p4_latency(self._engine, frames, 0, interval, int(seconds * 1e9), now_ns, steps, out)
        del kept
        return timing(out), list(steps)

    def take_over(self, library: tuple[Any, Any]) -> None:
        """From the next burst on, packets run in the code of another compilation of the same unit."""
        if library not in self._others:
            self._others.append(library)
        self._lib.p4_take_over(self._engine, library[1].p4_code())

    def optimised(self) -> None:
        """Wait until optimised code runs packets, if the pipeline was built in a hurry."""
        if self._handover is not None:
            self._handover.wait()

    def trace(self, port: int, frame: bytes, now_ns: int) -> tuple[Outcome, list[TraceEvent]]:
        raise StateError(
            ErrorKind.UNIMPLEMENTED,
            "explain runs on the interpreter, not on the native engine: use --backend interp",
        )

    def _take_messages(self) -> None:
        words = self._ffi.new("uint64_t *")
        events = self._lib.p4_events(self._engine, words)
        if not words[0]:
            return
        digests = list(self.program.digests.values())
        for kind, number, values in decode(self._ffi.unpack(events, words[0])):
            if kind == DIGEST:
                self._digests.append(digest_message(digests[number], values))
            else:
                log_message(_log, kind, self._unit.messages[number], values)
        self._lib.p4_clear_messages(self._engine)

    def digests(self) -> list[DigestMessage]:
        taken, self._digests = self._digests, []
        self._lib.p4_clear_digests(self._engine)
        return taken

    # --- tables ---

    def insert(self, entry: Entry, now_ns: int) -> None:
        self.workers.gate()
        self._tables[entry.table].insert(entry, now_ns)

    def modify(self, entry: Entry, now_ns: int) -> None:
        self.workers.gate()
        self._tables[entry.table].modify(entry, now_ns)

    def delete(self, entry: Entry) -> None:
        self.workers.gate()
        table = self._tables[entry.table]
        table.remove(table.existing(entry.key, entry.priority))

    def lookup(self, table: str, key: tuple[Match, ...], priority: int, now_ns: int) -> EntryState | None:
        found = self._tables[table].find(key, priority)
        return None if found < 0 else self._tables[table].describe(found, now_ns)

    def entries(self, table: str, now_ns: int) -> Iterator[EntryState]:
        return self._tables[table].states(now_ns)

    def entry_count(self, table: str) -> int:
        return self._tables[table].count()

    def default_action(self, table: str) -> ActionCall:
        return self._tables[table].default

    def set_default_action(self, table: str, call: ActionCall) -> None:
        self.workers.gate()
        self._tables[table].set_default(call)

    def set_direct_counter(self, entry: Entry, packets: int, bytes_: int) -> None:
        self.workers.gate()
        table = self._tables[entry.table]
        number = table.existing(entry.key, entry.priority)
        self._lib.p4_set_entry_counter(self._engine, table.number, number, packets, bytes_)

    # --- action profiles ---

    def set_member(self, profile: str, member_id: int, call: ActionCall | None) -> None:
        self.workers.gate()
        number, args = -1, b""
        if call is not None:
            number, args = self._number.actions[call.action], self._unit.actions[call.action].pack(call.args)
        self._lib.p4_set_member(
            self._engine, self._number.profiles[profile], member_id, number, args, len(args)
        )

    def set_group(
        self, profile: str, group_id: int, members: tuple[tuple[int, int], ...] | None, random: bool = False
    ) -> None:
        self.workers.gate()
        slots = list(self.program.action_profiles[profile].layout(members or ()))
        count = -1 if members is None else len(slots)
        number = self._number.profiles[profile]
        self._lib.p4_set_group(self._engine, number, group_id, slots, count, random)

    # --- arrays ---

    def counter(self, name: str, index: int) -> tuple[int, int]:
        out = self._ffi.new("uint64_t[2]")
        self._lib.p4_counter(self._engine, self._number.counters[name], index, out)
        return int(out[0]), int(out[1])

    def set_counter(self, name: str, index: int, packets: int, bytes_: int) -> None:
        self.workers.gate()
        self._lib.p4_set_counter(self._engine, self._number.counters[name], index, packets, bytes_)

    def register(self, name: str, index: int) -> int:
        out = self._ffi.new("uint64_t[2]")
        self._lib.p4_register(self._engine, self._number.registers[name], index, out)
        return int(out[0]) | int(out[1]) << 64

    def set_register(self, name: str, index: int, value: int) -> None:
        self.workers.gate()
        stored = wrap(value, self.program.registers[name].width)
        self._lib.p4_set_register(
            self._engine, self._number.registers[name], index, stored & mask(64), stored >> 64
        )

    # --- parser value sets, replication ---

    def set_value_set(self, name: str, members: tuple[tuple[Match, ...], ...]) -> None:
        self.workers.gate()
        widths = self.program.value_sets[name].widths
        words: list[int] = []
        for member in members:
            for match, width in zip(member, widths, strict=True):
                low, high = (
                    (match.low, match.high) if isinstance(match, Range) else value_and_mask(match, width)
                )
                words += [
                    low & mask(64),
                    low >> 64,
                    high & mask(64),
                    high >> 64,
                    int(isinstance(match, Range)),
                ]
        number = self._number.value_sets[name]
        self._lib.p4_set_value_set(self._engine, number, words, len(members), len(widths))

    def set_multicast_group(self, group_id: int, replicas: tuple[Replica, ...] | None) -> None:
        self._set_replicas(0, group_id, replicas)

    def set_clone_session(self, session_id: int, session: CloneSession | None) -> None:
        self._set_replicas(1, session_id, None if session is None else session.replicas, session)

    def _set_replicas(
        self,
        clones: int,
        number: int,
        replicas: tuple[Replica, ...] | None,
        session: CloneSession | None = None,
    ) -> None:
        self.workers.gate()
        pairs = [word for r in replicas or () for word in (r.port, r.instance)]
        count = -1 if replicas is None else len(replicas)
        truncate, service = (session.truncate_bytes, session.class_of_service) if session else (0, 0)
        self._lib.p4_set_replicas(self._engine, clones, number, pairs, count, truncate, service)

    # --- replacing another pipeline ---

    def adoptable(self, old: Pipeline, alike: Alike) -> Alike:
        if not isinstance(old, NativePipeline) or old.options != self.options:
            return Alike()
        tables = {name for name in alike.tables if self._tables[name].can_adopt(old._tables[name])}
        return replace(alike, tables=frozenset(tables))

    def adopt(self, old: Pipeline, what: Alike) -> None:
        assert isinstance(old, NativePipeline)
        old.workers.stop()  # for good: its wires come here, too
        for name in what.tables:
            self._tables[name].adopt(old._tables[name])
        self._meters.adopt(old._meters, what.meters, what.tables)
        ours, theirs = self._number, old._number
        for kind, (names, mine, other) in enumerate(
            (
                (what.counters, ours.counters, theirs.counters),
                (what.meters, ours.meters, theirs.meters),
                (what.registers, ours.registers, theirs.registers),
            )
        ):
            for name in names:
                there = old._lib.p4_array(old._engine, kind, other[name])
                address = self._ffi.cast("void *", int(old._ffi.cast("uintptr_t", there)))
                self._lib.p4_adopt_array(self._engine, kind, mine[name], address)

    # --- statistics ---

    def statistics(self) -> Mapping[str, int]:
        self.workers.gate()
        count = max(len(self._tables), 1)
        own = self._ffi.new("uint64_t[]", len(STATISTICS))
        hits, misses = self._ffi.new("uint64_t[]", count), self._ffi.new("uint64_t[]", count)
        self._lib.p4_statistics(self._engine, own, hits, misses)
        told = {name: int(own[i]) for i, name in enumerate(STATISTICS)}
        for i, name in enumerate(self._tables):
            told[f"table.{name}.hit"] = int(hits[i])
            told[f"table.{name}.miss"] = int(misses[i])
        return told

    def hold(self) -> None:
        self.workers.gate()

    def resume(self) -> None:
        """All changes so far are visible; packets go on, if workers run."""
        self.workers.resume()

    def close(self) -> None:
        """Give the memory back, after the last read under way; the pipeline must not be used any more."""
        self.workers.stop()
        if self._handover is not None:
            self._handover.close()
        if not self._rows.reading:
            self._ffi.release(self._engine)


def table_size(options: Options, name: str, size: int) -> int:
    """Entries a table takes."""
    wanted = (options.table_sizes or {}).get(name, size)
    if wanted > MAX_ENTRIES:
        raise UnsupportedError(
            f"the table {name} is to hold {wanted} entries, more than the native backend's {MAX_ENTRIES}; "
            f"give it a size with --table-size {name}=N or use --backend interp"
        )
    return wanted


@final
class NativeBackend:
    """The product: compiled C. `hurry`: a program that is not in the cache runs as soon as it is compiled
    quickly, and by itself goes over to optimised code when that is there, seconds later."""

    name = "native"

    def __init__(self, hurry: bool = False) -> None:
        self._hurry = hurry

    @property
    def missing(self) -> str:
        """What this machine lacks, as a sentence's beginning; "" if nothing."""
        return (
            ""
            if compiler.compiler()
            else "there is no C compiler (gcc, cc, clang or ziglang; CC names another)"
        )

    def build(self, program: Program, options: Options) -> Pipeline:
        """Raises UnsupportedError for what this backend cannot execute, CompilerError if the C cannot be
        compiled; the Program has been verified."""
        unit = emit(program, options)
        return NativePipeline(program, options, unit, *compiler.loaded(unit.text, self._hurry))


def emit(program: Program, options: Options) -> Unit:
    """The C of a program, without compiling it; from the cache if the program is a known one."""
    if sys.byteorder != "little":
        raise UnsupportedError("the native backend needs a little-endian machine; use --backend interp")
    sizes = {t.name: table_size(options, t.name, t.size) for t in program.tables.values()}

    def make() -> Unit:
        from p4nic.backend.native.unit import make_unit

        return make_unit(program, sizes, options.semantics)

    name = kept.name_of(program)
    return (
        make()
        if name is None
        else kept.made(Unit, kept.key("unit", [name, repr(sizes), options.semantics.value]), make)
    )
