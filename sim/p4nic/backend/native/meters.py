"""Meters of the native engine: their configurations, which only Python reads back, and what they have marked.

In: MeterConfig by array and index, by entry, by table (its default entry's). Out: calls of the library. Made
by `pipeline`, whose methods these are.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar, assert_never, final

from p4nic.backend.api import Count, DefaultOf, Entry, Marks, MeterConfig, MeterIndex, MeterPlace
from p4nic.backend.native.tables import NativeTable

_INDEXED, _OF_ENTRY, _OF_DEFAULT = range(3)
_KINDS = {"two_rate_three_color": 1, "single_rate_three_color": 2, "single_rate_two_color": 3}


K = TypeVar("K")


@final
class Meters:
    """All meters of one pipeline, and the direct counters of default entries."""

    def __init__(
        self,
        library: tuple[Any, Any, Any],
        numbers: Mapping[str, int],
        tables: Mapping[str, NativeTable],
        gate: Callable[[], None],
    ) -> None:
        """`library`: (ffi, lib, engine); `numbers`: of the meter arrays; `gate` stops the packets."""
        self._ffi, self._lib, self._engine = library
        self._numbers = numbers
        self._tables = tables
        self._gate = gate
        self._indexed: dict[tuple[str, int], MeterConfig] = {}
        self._direct: dict[tuple[str, int, int], MeterConfig] = {}
        """By table, entry number and sequence, which tells whether the number still means that entry."""
        self._defaults: dict[str, MeterConfig] = {}

    def _set(self, place: int, number: int, index: int, config: MeterConfig | None) -> None:
        self._gate()
        words = (
            (0, 0, 0, 0, 0)
            if config is None
            else (_KINDS[config.kind], config.cir, config.cburst, config.pir, config.pburst)
        )
        self._lib.p4_set_meter(self._engine, place, number, index, *words)

    # --- arrays ---

    def meter(self, name: str, index: int) -> MeterConfig | None:
        return self._indexed.get((name, index))

    def set_meter(self, name: str, index: int, config: MeterConfig | None) -> None:
        self._set(_INDEXED, self._numbers[name], index, config)
        _keep(self._indexed, (name, index), config)

    # --- entries ---

    def direct_meter(self, entry: Entry) -> MeterConfig | None:
        return self._direct.get(self._key(entry))

    def set_direct_meter(self, entry: Entry, config: MeterConfig | None) -> None:
        self._gate()  # an entry's number holds only while no packet runs
        table, key = self._tables[entry.table], self._key(entry)
        if table.spec.meter is not None:
            self._set(_OF_ENTRY, table.number, key[1], config)
        _keep(self._direct, key, config)

    def _key(self, entry: Entry) -> tuple[str, int, int]:
        table = self._tables[entry.table]
        number = table.existing(entry.key, entry.priority)
        return entry.table, number, table.raw(number).sequence

    # --- default entries ---

    def default_counter(self, table: str) -> Count:
        out = self._ffi.new("uint64_t[2]")
        self._lib.p4_default_counter(self._engine, self._tables[table].number, out)
        return int(out[0]), int(out[1])

    def set_default_counter(self, table: str, packets: int, bytes_: int) -> None:
        self._gate()
        self._lib.p4_set_default_counter(self._engine, self._tables[table].number, packets, bytes_)

    def default_meter(self, table: str) -> MeterConfig | None:
        return self._defaults.get(table)

    def set_default_meter(self, table: str, config: MeterConfig | None) -> None:
        self._set(_OF_DEFAULT, self._tables[table].number, 0, config)
        _keep(self._defaults, table, config)

    # --- what they have marked ---

    def marks(self, place: MeterPlace) -> Marks:
        out = self._ffi.new("uint64_t[6]")
        self._lib.p4_marks(self._engine, *self._at(place), out)
        return Marks(*((int(out[i]), int(out[i + 1])) for i in (0, 2, 4)))

    def set_marks(self, place: MeterPlace, marks: Marks) -> None:
        self._gate()
        words = [*marks.green, *marks.yellow, *marks.red]
        self._lib.p4_set_marks(self._engine, *self._at(place), words)

    def _at(self, place: MeterPlace) -> tuple[int, int, int]:
        """As C names it: where, number, index."""
        match place:
            case MeterIndex(name, index):
                return _INDEXED, self._numbers[name], index
            case DefaultOf(name):
                return _OF_DEFAULT, self._tables[name].number, 0
            case Entry():
                table = self._tables[place.table]
                return _OF_ENTRY, table.number, table.existing(place.key, place.priority)
            case _:
                assert_never(place)

    def adopt(self, other: Meters, arrays: Collection[str], tables: Collection[str]) -> None:
        """Configurations of another pipeline's arrays and entries that come here as they are."""
        self._direct.update({key: config for key, config in other._direct.items() if key[0] in tables})
        self._indexed.update({key: config for key, config in other._indexed.items() if key[0] in arrays})


def _keep(kept: dict[K, MeterConfig], key: K, config: MeterConfig | None) -> None:
    kept.pop(key, None)
    if config is not None:
        kept[key] = config
