"""Counters, meters, registers and parser value sets: validated writes, and readers.

In: CounterCell, MeterCell, RegisterCell, ValueSetMembers. Out: calls on the pipeline, undo functions for
`tables.batch`. Called by `target.tables` alone, under the switch's lock. P4Runtime 1.5 §9.3, §9.4, §9.6,
§9.7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from p4nic.backend.api import ColourCounting, Marks, MeterConfig, MeterIndex, MeterPlace, Pipeline
from p4nic.errors import ErrorKind
from p4nic.ir.program import Any as DontCare
from p4nic.ir.program import Counter, Match, MeterArray, Program, ValueSet
from p4nic.ir.text import spell_match
from p4nic.target.checks import (
    MAX_COUNT,
    check_count,
    check_index,
    check_match,
    fits,
    invalid,
    named,
    refuse,
)
from p4nic.target.entities import CounterCell, MeterCell, RegisterCell, ValueSetMembers

Undo = Callable[[], None]
T = TypeVar("T")
_MATCH_KINDS = {"Exact": "exact", "Lpm": "lpm", "Ternary": "ternary", "Range": "range"}


class Arrays:
    """Everything of one pipeline that is addressed by name and index."""

    def __init__(self, program: Program, pipeline: Pipeline) -> None:
        self._program = program
        self._pipeline = pipeline
        self._value_sets: dict[str, tuple[tuple[Match, ...], ...]] = dict.fromkeys(program.value_sets, ())

    # --- writes ---

    def write_counter(self, cell: CounterCell) -> Undo:
        array = _indexed("counter", cell.counter, self._program.counters)
        check_count(f"counter {array.name}", cell.packets, cell.bytes)
        cells = _cells(f"counter {array.name}", cell.index, array.size)
        before = [self._pipeline.counter(array.name, i) for i in cells]
        for i in cells:
            self._pipeline.set_counter(array.name, i, cell.packets, cell.bytes)

        def undo() -> None:
            for i, (packets, bytes_) in zip(cells, before, strict=True):
                self._pipeline.set_counter(array.name, i, packets, bytes_)

        return undo

    def write_meter(self, cell: MeterCell) -> Undo:
        array = _indexed("meter", cell.meter, self._program.meters)
        check_meter(f"meter {array.name}", cell.config)
        cells = _cells(f"meter {array.name}", cell.index, array.size)
        places = [MeterIndex(array.name, i) for i in cells] if cell.unmark else []
        unmarked = [unmark(self._pipeline, place) for place in places]
        before = [self._pipeline.meter(array.name, i) for i in cells]
        for i in cells:
            self._pipeline.set_meter(array.name, i, cell.config)

        def undo() -> None:
            for i, config in zip(cells, before, strict=True):
                self._pipeline.set_meter(array.name, i, config)
            for mark_again in unmarked:
                mark_again()

        return undo

    def write_register(self, cell: RegisterCell) -> Undo:
        array = named("register", cell.register, self._program.registers)
        fits(f"register {array.name}", cell.value, array.width)
        cells = _cells(f"register {array.name}", cell.index, array.size)
        before = [self._pipeline.register(array.name, i) for i in cells]
        for i in cells:
            self._pipeline.set_register(array.name, i, cell.value)

        def undo() -> None:
            for i, value in zip(cells, before, strict=True):
                self._pipeline.set_register(array.name, i, value)

        return undo

    def write_value_set(self, entity: ValueSetMembers) -> Undo:
        value_set = named("value set", entity.value_set, self._program.value_sets)
        self._check_members(value_set, entity.members)
        before = self._value_sets[value_set.name]
        self._set_members(value_set.name, entity.members)
        return lambda: self._set_members(value_set.name, before)

    def _set_members(self, name: str, members: tuple[tuple[Match, ...], ...]) -> None:
        self._pipeline.set_value_set(name, members)
        self._value_sets[name] = members

    def _check_members(self, value_set: ValueSet, members: tuple[tuple[Match, ...], ...]) -> None:
        place = f"value set {value_set.name}"
        if len(members) > value_set.size:
            refuse(
                ErrorKind.RESOURCE_EXHAUSTED, f"{place}: {len(members)} members, it holds {value_set.size}"
            )
        seen: set[tuple[Match, ...]] = set()
        for number, member in enumerate(members):
            if len(member) != len(value_set.widths):
                invalid(
                    f"{place}, member {number}: {len(member)} fields given, it has {len(value_set.widths)}"
                )
            for match, width in zip(member, value_set.widths, strict=True):
                if not isinstance(match, DontCare):
                    # The IR keeps no kind per field, so any kind that fits the width is taken.
                    check_match(f"{place}, member {number}", _MATCH_KINDS[type(match).__name__], width, match)
            if member in seen:
                spelled = ", ".join(spell_match(m) for m in member)
                refuse(ErrorKind.ALREADY_EXISTS, f"{place}: member {spelled} is listed twice")
            seen.add(member)

    # --- reads ---

    def counters(self, name: str | None, index: int | None) -> Iterator[CounterCell]:
        for array in _chosen("counter", name, self._program.counters):
            if name is not None or array.table is None:
                _indexed("counter", array.name, self._program.counters)
                for i in _cells(f"counter {array.name}", index, array.size):
                    yield CounterCell(array.name, i, *self._pipeline.counter(array.name, i))

    def meters(self, name: str | None, index: int | None) -> Iterator[MeterCell]:
        for array in _chosen("meter", name, self._program.meters):
            if name is not None or array.table is None:
                _indexed("meter", array.name, self._program.meters)
                for i in _cells(f"meter {array.name}", index, array.size):
                    yield MeterCell(array.name, i, self._pipeline.meter(array.name, i))

    def marks(self, name: str, index: int) -> Marks:
        array = _indexed("meter", name, self._program.meters)
        check_index(f"meter {name}", index, array.size)
        return colour_counting(self._pipeline, f"meter {name}").marks(MeterIndex(name, index))

    def registers(self, name: str | None, index: int | None) -> Iterator[RegisterCell]:
        for array in _chosen("register", name, self._program.registers):
            for i in _cells(f"register {array.name}", index, array.size):
                yield RegisterCell(array.name, i, self._pipeline.register(array.name, i))

    def value_sets(self, name: str | None) -> Iterator[ValueSetMembers]:
        for value_set in _chosen("value set", name, self._program.value_sets):
            yield ValueSetMembers(value_set.name, self._value_sets[value_set.name])


def colour_counting(pipeline: Pipeline, place: str) -> ColourCounting:
    """The pipeline as one whose meters count colours; UNIMPLEMENTED if they do not (§9.4)."""
    if not isinstance(pipeline, ColourCounting):
        refuse(ErrorKind.UNIMPLEMENTED, f"{place}: meters of this target do not count by colour")
    return pipeline


def unmark(pipeline: Pipeline, place: MeterPlace) -> Undo:
    """Set what a meter has coloured to 0."""
    counting = colour_counting(pipeline, "counter_data")
    before = counting.marks(place)
    counting.set_marks(place, Marks())
    return lambda: counting.set_marks(place, before)


def check_meter(place: str, config: MeterConfig | None) -> None:
    """Rates and bursts are not negative, the peak not below the committed rate."""
    if config is None:
        return
    for name in ("cir", "cburst", "pir", "pburst"):
        value = getattr(config, name)
        if not 0 <= value <= MAX_COUNT:
            refuse(ErrorKind.OUT_OF_RANGE, f"{place}: {name} {value} is not in 0..{MAX_COUNT}")
    if config.kind == "two_rate_three_color" and config.pir < config.cir:
        invalid(f"{place}: the peak rate pir {config.pir} is below the committed rate cir {config.cir}")


A = TypeVar("A", Counter, MeterArray)


def _indexed(what: str, name: str, arrays: Mapping[str, A]) -> A:
    array = named(what, name, arrays)
    if array.table is not None:
        invalid(
            f"{what} {name} is direct: its cells belong to the entries of table {array.table}, not to an "
            "index"
        )
    return array


def _chosen(what: str, name: str | None, arrays: Mapping[str, T]) -> list[T]:
    return list(arrays.values()) if name is None else [named(what, name, arrays)]


def _cells(place: str, index: int | None, size: int) -> range:
    if index is None:
        return range(size)
    check_index(place, index, size)
    return range(index, index + 1)
