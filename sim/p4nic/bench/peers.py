"""Who is measured in one run: our own engine and the peers that are there, each given the same entries.

In: options, a Program, its entries. Out: engines by name, and for absent peers the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from statistics import median
from types import MappingProxyType, TracebackType
from typing import Self, final

from p4nic.backend import api
from p4nic.backend.api import Entry, Pipeline
from p4nic.backend.native import NativePipeline
from p4nic.backend.swx import SwxBackend, SwxPipeline
from p4nic.bench import csource
from p4nic.bench.api import Measured, Options, Progress, round_to
from p4nic.bench.engines import ApartLoop, Loop, Measurable, SwxLoop, WorkersLoop
from p4nic.bench.floor import Floor
from p4nic.bench.traffic import Traffic
from p4nic.bench.trials import Subject, take_turns
from p4nic.errors import P4nicError
from p4nic.ir.program import Program

NO_FLOOR = {"floor": "the hand-written load balancer does not do this work"}
ONE_WORKER = "1 worker"
APART = "engines apart"
SWX_LARGEST = 1_000_000
"""Connections: beyond, DPDK's heap of 2 GB does not hold the learner."""


@final
@dataclass(slots=True)
class Engines:
    """Our engine first, then peers; `absent` says why one is not there. A context that closes them."""

    own: str
    made: dict[str, Pipeline | Measurable] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    apart: list[NativePipeline] = field(default_factory=list)
    """With several workers: more engines like our own, so that each worker could have one to itself."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for engine in (*self.made.values(), *self.apart):
            if not isinstance(engine, Floor):
                getattr(engine, "close")()  # noqa: B009 - what is measurable and no Floor is a Pipeline

    def measure(self, traffic: Traffic, options: Options, progress: Progress) -> dict[str, Measured]:
        """All of them in turn; with more workers than one also our engine with one, for the ratio, and as
        many engines that share nothing, for the machine's part in it."""
        subjects: dict[str, Subject] = {name: loop.timed for name, loop in self.loops(traffic).items()}
        own = self.made[self.own]
        if options.workers > 1:
            assert isinstance(own, NativePipeline)
            subjects = {
                self.own: WorkersLoop(own, traffic, options.workers).timed,
                ONE_WORKER: WorkersLoop(own, traffic, 1).timed,
                APART: ApartLoop((own, *self.apart), traffic).timed,
                **{name: timed for name, timed in subjects.items() if name != self.own},
            }
        found = take_turns(subjects, options, progress)
        if options.workers > 1:
            one, apart, many = found.pop(ONE_WORKER), found.pop(APART), found[self.own]

            def ratio(of: Measured, to: Measured) -> float:
                return round_to(median(a / b for a, b in zip(of.samples, to.samples, strict=True)))

            figures = {
                "mpps_1_worker": round_to(one.mpps),
                "ratio_to_1_worker": ratio(many, one),
                "ratio_of_engines_apart": ratio(apart, one),
                "ratio_to_engines_apart": ratio(many, apart),
            }
            found[self.own] = replace(many, figures=figures)
        return found

    def loops(self, traffic: Traffic) -> dict[str, Loop | SwxLoop]:
        """Each engine with these frames."""
        return {
            name: SwxLoop(engine, list(traffic.packets()))
            if isinstance(engine, SwxPipeline)
            else Loop(engine, traffic)
            for name, engine in self.made.items()
        }

    def once(self, traffic: Traffic) -> None:
        """Every frame once through each."""
        for loop in (*self.loops(traffic).values(), *(Loop(engine, traffic) for engine in self.apart)):
            loop.once()


def engines(
    options: Options,
    program: Program,
    entries: Iterable[Entry],
    flows: int,
    sizes: Mapping[str, int],
    progress: Progress,
    unfit: Mapping[str, str] = MappingProxyType({}),
) -> Engines:
    """`options.backend` with its table sizes and entries, and the peers asked for, but those of `unfit`,
    which says why they cannot do this work."""
    entries = list(entries)
    found = Engines(options.backend)
    if options.backend == "swx":
        found.made["swx"] = _swx(options, program, entries, sizes)
    else:
        fitting = api.Options(table_sizes={name: n for name, n in sizes.items() if name in program.tables})
        for number in range(options.workers):
            pipeline = options.make_backend(options.backend).build(program, fitting)
            for entry in entries:
                pipeline.insert(entry, 0)
            if number == 0:
                found.made[options.backend] = pipeline
            elif isinstance(pipeline, NativePipeline):
                found.apart.append(pipeline)
    for peer in options.peers:
        if peer == options.backend:
            continue
        why = unfit.get(peer, "") or _why_not(peer, flows)
        if not why:
            progress(f"starting the peer {peer}")
            try:
                found.made[peer] = _peer(peer, options, program, entries, flows, sizes)
                continue
            except P4nicError as error:
                why = str(error)
        found.absent[peer] = why
    return found


def _why_not(peer: str, flows: int) -> str:
    if peer == "bmv2":
        return "simple_switch takes packets from interfaces only: see the workload veth"
    if peer == "floor" and not csource.has_compiler():
        return "the floor is C, and there is no C compiler"
    if peer == "swx" and flows > SWX_LARGEST:
        return f"DPDK's heap of 2 GB does not hold {flows} connections"
    return ""


def _peer(
    peer: str,
    options: Options,
    program: Program,
    entries: list[Entry],
    flows: int,
    sizes: Mapping[str, int],
) -> Pipeline | Measurable:
    if peer == "swx":
        return _swx(options, program, entries, sizes)
    made = Floor(flows)
    made.configure(entries)
    return made


def _swx(options: Options, program: Program, entries: list[Entry], sizes: Mapping[str, int]) -> SwxPipeline:
    """DPDK polls all its input ports, so it gets two; and takes table sizes from the .spec."""
    sized = program
    if program.image is not None:
        text = program.image.text
        for name, size in sizes.items():
            text = resized(text, program.image.tables[name].name, size)
        sized = replace(program, image=replace(program.image, text=text))
    made = SwxBackend(inputs=4, source=options.swx_source).build(sized, api.Options())
    for entry in entries:
        made.insert(entry, 0)
    made.commit()
    return made


def resized(spec: str, table: str, size: int) -> str:
    """The `.spec` with room for `size` entries in a table or learner; DPDK wants a power of two, and twice as
    many as there will be keeps its buckets from overflowing."""
    room = 1 << (2 * size - 1).bit_length()
    pattern = rf"(^(?:table|learner) {re.escape(table)} \{{.*?^\s*size )\S+"
    return re.sub(pattern, rf"\g<1>{room:#x}", spec, count=1, flags=re.DOTALL | re.MULTILINE)
