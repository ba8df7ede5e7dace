"""One pipeline configuration and what Reads and Writes under it refer to.

Made by `pipeline_config`, one per configuration: committed, or saved and not yet committed. Used by
`writer`, `reader` and `notifications`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import final

from p4nic.ir.program import Program
from p4nic.server.change import Note
from p4nic.server.codec import Codec
from p4nic.server.digests import Digests
from p4nic.server.wire import Wire, make
from p4nic.target.entities import Entity, Operation
from p4nic.target.tables import Tables
from p4rt import p4r


@final
@dataclass(slots=True)
class Forwarding:
    """`tables` asks for the tables of now. `replay`: what was written since a save, for the commit; None once
    committed.
    """

    config: p4r.ForwardingPipelineConfig
    codec: Codec
    program: Program
    tables: Callable[[], Tables]
    digests: Digests = field(default_factory=Digests)
    replay: list[tuple[Operation, Entity]] | None = None
    _notes: dict[Hashable, bytes] = field(default_factory=dict)
    _wire: tuple[Tables, Wire] | None = None

    def keep(self, note: Note) -> None:
        """Remember what P4Runtime wants read back and the target has no use for."""
        if note.value is None:
            self._notes.pop(note.key, None)
        else:
            self._notes[note.key] = note.value

    def kept(self, key: Hashable) -> bytes | None:
        return self._notes.get(key)

    def wire(self) -> Wire | None:
        """The bulk path's way to and from messages, for the tables of now; None where there is none (yet)."""
        tables = self.tables()
        if self._wire is None or self._wire[0] is not tables:
            made = make(self.codec, tables)
            self._wire = (tables, made) if made is not None else None
            return made
        return self._wire[1]

    def notes(self) -> list[Note]:
        """All of them, for a configuration that takes over the state of this one."""
        return [Note(key, value) for key, value in self._notes.items()]
