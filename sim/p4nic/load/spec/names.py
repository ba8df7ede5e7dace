"""What the objects of a `.spec` are called in P4, as far as a P4Info told. Out of `bind`; into `build` and
the `instr_*` files.

Everything is keyed by the name in the `.spec`; what is missing keeps that name. `Names()` is a `.spec`
without a P4Info.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, final

from p4nic.ir.program import ActionParam
from p4nic.load.p4info_model import CounterInfo, MeterInfo, ProfileInfo, RegisterInfo, TableInfo

Half = Literal["packets", "bytes"]


@final
@dataclass(frozen=True, slots=True)
class Names:
    """`actions` maps every copy p4c made of one P4 action to that P4 name; `copies` are those to leave out.

    `counters` maps a regarray to the counter it is a half of; `params` an action to its P4 parameters.
    """

    tables: Mapping[str, TableInfo] = field(default_factory=dict)
    actions: Mapping[str, str] = field(default_factory=dict)
    copies: frozenset[str] = frozenset()
    params: Mapping[str, tuple[ActionParam, ...]] = field(default_factory=dict)
    counters: Mapping[str, tuple[CounterInfo, Half]] = field(default_factory=dict)
    registers: Mapping[str, RegisterInfo] = field(default_factory=dict)
    meters: Mapping[str, MeterInfo] = field(default_factory=dict)
    profiles: Mapping[str, ProfileInfo] = field(default_factory=dict)

    def table(self, name: str) -> str:
        info = self.tables.get(name)
        return info.name if info else name

    def action(self, name: str) -> str:
        return self.actions.get(name, name)

    def register(self, name: str) -> str:
        info = self.registers.get(name)
        return info.name if info else name

    def meter(self, name: str) -> str:
        info = self.meters.get(name)
        return info.name if info else name

    def profile(self, name: str) -> str:
        info = self.profiles.get(name)
        return info.name if info else name
