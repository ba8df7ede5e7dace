"""What a workload is, what it is given and what it answers.

A workload is a module of `p4nic.bench.workloads` with NAME, ABOUT (one line), and `run(options, progress) ->
Result`. A new one is a module and a line in `registry`. Called by `cli.bench` and by `benchmarks/run.py`.

Time is the CPU time of the thread that does the work, unless a workload's unit says otherwise: on a machine
that others use too, that is what one core of one's own would take; the wall clock stands beside it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, final

from p4nic.backend.api import Backend
from p4nic.errors import P4nicError

FrameSize = Literal["64", "imix", "1518"]
FRAME_SIZES: tuple[FrameSize, ...] = ("64", "imix", "1518")
PEERS = ("floor", "swx", "bmv2")
"""The hand-written C load balancer, real DPDK's SWX pipeline, simple_switch."""
NOW_NS = 1_000_000
"""The clock of everything that is measured with the time standing still."""

Progress = Callable[[str], None]
"""Takes one line about what happens now; it goes to a person, never into a result."""


@final
class BenchError(P4nicError):
    """What was measured did not do the work it was measured at: there is no number to give."""


@final
@dataclass(frozen=True, slots=True)
class Options:
    """How a workload is run; None stands for the workload's own default. `seconds` is one trial's."""

    make_backend: Callable[[str], Backend]
    flows: int | None = None
    rules: int | None = None
    backend: str = "native"
    workers: int = 1
    trials: int = 5
    seconds: float = 1.0
    frame_size: FrameSize = "64"
    peers: tuple[str, ...] = PEERS
    swx_source: Path | None = None
    masks: int | None = None


@final
@dataclass(frozen=True, slots=True)
class Sample:
    """One trial: how many units of work, in how long. `cycles` are ticks of the time stamp counter while the
    thread ran; 0 where there is none to read."""

    count: int
    cpu_ns: int
    wall_ns: int
    cycles: int = 0

    @property
    def million_per_s(self) -> float:
        return self.count * 1e3 / max(self.cpu_ns, 1)

    @property
    def wall_million_per_s(self) -> float:
        return self.count * 1e3 / max(self.wall_ns, 1)

    @property
    def cycles_each(self) -> float:
        return self.cycles / max(self.count, 1)


@final
@dataclass(frozen=True, slots=True)
class Measured:
    """What was found about one engine.

    `samples` are the trials' values in `unit`, `mpps` their median (the Interface's name; the unit may be
    another, or a time, and says so). `figures` are further numbers by name, the unit at the name's end.
    """

    mpps: float
    samples: tuple[float, ...]
    unit: str = "Mpps"
    cycles_per_packet: float | None = None
    wall: tuple[float, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, samples: list[Sample], unit: str = "Mpps", **figures: Any) -> Measured:
        """From trials of work done per time."""
        values = tuple(s.million_per_s for s in samples)
        cycles = statistics.median(s.cycles_each for s in samples)
        wall = tuple(s.wall_million_per_s for s in samples)
        return cls(statistics.median(values), values, unit, cycles or None, wall, figures)

    @classmethod
    def of_wall(cls, samples: list[Sample], unit: str = "Mpps (wall clock)") -> Measured:
        """From trials judged by the wall clock; a figure tells the rate by the CPU time spent."""
        values = tuple(s.wall_million_per_s for s in samples)
        by_cpu = statistics.median(s.million_per_s for s in samples)
        return cls(
            statistics.median(values), values, unit, None, values, {"mpps_per_cpu_s": round_to(by_cpu)}
        )

    @property
    def spread(self) -> float:
        """Largest minus smallest sample, as a part of the median."""
        return (max(self.samples) - min(self.samples)) / self.mpps if self.mpps else 0.0

    def as_json(self) -> dict[str, Any]:
        """The object of the Interface: numbers short enough to read."""
        told: dict[str, Any] = {
            "mpps": round_to(self.mpps),
            "cycles_per_packet": None if self.cycles_per_packet is None else round(self.cycles_per_packet, 1),
            "samples": [round_to(value) for value in self.samples],
            "unit": self.unit,
            "cycles_unit": "TSC cycles of CPU time per packet",
        }
        if self.wall:
            told["wall_samples"] = [round_to(value) for value in self.wall]
        return {**told, **self.figures}


class Run(Protocol):
    """Who took part: our engine's name, and why peers did not (`peers.Engines`)."""

    own: str
    absent: dict[str, str]


@final
@dataclass(frozen=True, slots=True)
class Result:
    """One run of a workload: `own` is the engine asked for. `absent` says why a peer is not in `peers`."""

    name: str
    backend: str
    own: Measured
    peers: Mapping[str, Measured] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, name: str, engines: Run, measured: Mapping[str, Measured], parameters: Mapping[str, Any]
    ) -> Result:
        """From what `trials.take_turns` found: the own engine among it."""
        peers = {peer: found for peer, found in measured.items() if peer != engines.own}
        return cls(name, engines.own, measured[engines.own], peers, dict(engines.absent), parameters)

    def as_json(self) -> dict[str, Any]:
        """One JSON object: the engine's own numbers at the top, the peers' under `peers`."""
        return {
            "name": self.name,
            "backend": self.backend,
            "parameters": dict(self.parameters),
            **self.own.as_json(),
            "peers": {name: peer.as_json() for name, peer in self.peers.items()},
            "absent": dict(self.absent),
        }


class Workload(Protocol):
    """A module of `workloads/`."""

    @property
    def NAME(self) -> str: ...
    @property
    def ABOUT(self) -> str: ...
    def run(self, options: Options, progress: Progress) -> Result: ...


def round_to(value: float, digits: int = 4) -> float:
    """Significant digits: nobody reads more, and measurements do not have more."""
    return float(f"{value:.{digits}g}")
