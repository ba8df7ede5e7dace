"""What DPDK's learner tables hold: entries that packets made.

In: requests to the shim, which notes the keys that were added. Out: entries by P4 name. Called by `pipeline`.
DPDK's own API cannot list a learner; see `shim/learned.c` for how it is done all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

from p4nic.backend.api import Entry
from p4nic.backend.swx.layout import ActionLayout, Description, TableLayout
from p4nic.backend.swx.wire import Reader
from p4nic.ir.image import SpecImage
from p4nic.ir.program import ActionCall, Match, Program

NEVER = (1 << 64) - 1


@final
@dataclass(frozen=True, slots=True)
class Learned:
    """An entry with its times, in nanoseconds: when a packet last touched it, when it dies or died."""

    entry: Entry
    touched_ns: int
    until_ns: int


@final
class Learners:
    """Decodes entries of all learners of a pipeline."""

    def __init__(
        self,
        program: Program,
        image: SpecImage,
        description: Description,
        timeouts: Mapping[str, tuple[int, ...]],
    ) -> None:
        self.layouts: dict[str, TableLayout] = {
            name: description.learners[image.tables[name].name]
            for name, table in program.tables.items()
            if table.is_learner
        }
        self._names = {layout.number: name for name, layout in self.layouts.items()}
        self._tables = program.tables
        self._timeouts = {
            name: timeouts.get(name, program.tables[name].learner_timeouts) for name in self.layouts
        }
        self._actions: dict[int, tuple[str, ActionLayout]] = {}
        self._data_sizes: dict[str, int] = {}
        for name in self.layouts:
            spec = image.tables[name]
            for p4_name, spelling in spec.actions.items():
                layout = description.actions[spelling]
                self._actions[layout.number] = (p4_name, layout)
            self._data_sizes[name] = max(description.actions[s].size for s in spec.actions.values())

    def read(self, reader: Reader) -> list[Learned]:
        """Entries up to the 0 that ends them."""
        out = []
        while reader.u8():
            name = self._names[reader.u32()]
            layout = self.layouts[name]
            key = layout.decode(reader.take(layout.size))
            action, arguments = self._actions[reader.u32()]
            args = arguments.decode(reader.take(self._data_sizes[name]))
            timeouts = self._timeouts[name]
            timeout = reader.u32()
            seconds = timeouts[timeout] if timeout < len(timeouts) else timeouts[0]
            entry = Entry(
                name, key, ActionCall(action, args), idle_timeout_ns=seconds * 10**9, origin="learned"
            )
            out.append(Learned(entry, reader.u64(), reader.u64()))
        return out

    def key(self, name: str, key: tuple[Match, ...]) -> bytes:
        """The bytes of a key."""
        return self.layouts[name].slot(name, self._tables[name].keys, key).key
