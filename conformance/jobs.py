"""Checks one program: compile, load, STF and random packets on every engine.

In: a Source or a Golden. Out: Results. Called by `__main__`, in worker processes.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from conformance.compilers import compile_source
from conformance.corpora import Golden, Source
from conformance.engine_fuzz.engines import SANITIZE
from conformance.known import JSON_REFUSALS, KNOWN, SPEC_AGAINST_P4INFO, SPEC_REFUSALS
from conformance.pairs import engine_pair
from conformance.results import Result
from p4nic.backend.api import Options
from p4nic.backend.native import compiler as native_compiler
from p4nic.cli.common import backend
from p4nic.clock import ManualClock
from p4nic.differential.compare import Run
from p4nic.differential.engines import Engine, Refused
from p4nic.differential.generate import next_packet, random_updates
from p4nic.differential.scenario import Packet, Scenario
from p4nic.differential.values import Values
from p4nic.errors import P4nicError, UnsupportedError
from p4nic.ir.program import Program
from p4nic.load.artifact import load_program
from p4nic.stf.runner import run_text
from p4nic.target.switch import Switch

LOAD_JSON, LOAD_PAIR = "Load BMv2 JSON", "Load BMv2 JSON with its P4Info"
LOAD_SPEC = "Load golden .spec"
AGREE = "Engines agree"
CRASH = "No exception"
TRACED = "interp, traced"
SEED = "p4nic"


@final
@dataclass(frozen=True, slots=True)
class Settings:
    """`engines` by name, the first is the reference; `binaries` by compiler name; `optimise`: the C
    compiler's -O for the native engine."""

    work: Path
    binaries: dict[str, str]
    engines: tuple[str, ...]
    packets: int
    optimise: str = "2"


SANITIZED = "sanitized"
"""Instead of a level: under AddressSanitizer and UndefinedBehaviorSanitizer, where an error is the end of the
process that runs the program."""


def check(item: Source | Golden, settings: Settings) -> list[Result]:
    """Everything about one program. An exception is what no program may cause: it is counted as a failure."""
    results: list[Result] = []
    sanitized = settings.optimise == SANITIZED
    native_compiler.OPTIMISE = ("-O0", *SANITIZE) if sanitized else (f"-O{settings.optimise}",)
    try:
        results.extend(_golden(item, settings) if isinstance(item, Golden) else _source(item, settings))
    except Exception as error:  # noqa: BLE001 - the verdict of the run, not the run's own mistake
        results.append(_failed(CRASH, item.name, "", f"{type(error).__name__}: {error}"))
    return results


def _source(source: Source, settings: Settings) -> Iterator[Result]:
    if source.reason:
        yield Result(source.suite, source.name, "", "not applicable", source.reason, source.reason)
        return
    binary = settings.binaries.get(source.compiler)
    if binary is None:
        why = f"{source.compiler} is neither in the checkout's build folder nor on PATH"
        yield from _not_applicable(source, why, why)
        return
    compiled = compile_source(source, binary, settings.work)
    if compiled.json is None:
        group = f"{source.compiler} does not compile it"
        yield from _not_applicable(source, f"{group}: {compiled.reason}", group)
        return
    started = time.perf_counter()
    try:
        program = load_program([compiled.json])
    except P4nicError as error:
        sentence = str(error)
        common = next((common for part, common in JSON_REFUSALS if part in sentence), "")
        if common:
            yield from _not_applicable(source, sentence, common)
        else:
            yield _failed(LOAD_JSON, source.name, "", sentence)
        return
    yield Result(LOAD_JSON, source.name, "", "passed", seconds=time.perf_counter() - started)
    if compiled.p4info is not None:
        yield _with_p4info(source, compiled.json, compiled.p4info)
    if source.stf is not None:
        text = source.stf.read_text(encoding="utf-8")
        for engine in (settings.engines[0], TRACED, *settings.engines[1:]):
            yield _stf(source, text, program, engine)
    yield from _agree(f"{source.name} ({source.architecture})", program, settings)


def _with_p4info(source: Source, json: Path, p4info: Path) -> Result:
    try:
        load_program([json], p4info)
    except P4nicError as error:
        return _failed(LOAD_PAIR, source.name, "", str(error))
    return Result(LOAD_PAIR, source.name, "", "passed")


def _not_applicable(source: Source, reason: str, group: str) -> Iterator[Result]:
    yield Result(LOAD_JSON, source.name, "", "not applicable", reason, group)
    if source.stf is not None:
        yield Result(source.suite, source.name, "", "not applicable", reason, group)


def _golden(golden: Golden, settings: Settings) -> Iterator[Result]:
    started = time.perf_counter()
    refused = ""
    try:
        try:
            program = load_program([golden.path], golden.p4info)
        except P4nicError as error:
            if golden.p4info is None:
                raise
            refused = str(error)
            program = load_program([golden.path])
    except P4nicError as error:
        sentence = str(error)
        group = next((group for part, group in SPEC_REFUSALS if part in sentence), "")
        if group:
            yield Result(LOAD_SPEC, golden.name, "", "not applicable", sentence, group)
        else:
            yield _failed(LOAD_SPEC, golden.name, "", sentence)
        return
    if refused:
        yield Result(LOAD_SPEC, golden.name, "", "known", f"{SPEC_AGAINST_P4INFO}: {refused}")
    else:
        yield Result(LOAD_SPEC, golden.name, "", "passed", seconds=time.perf_counter() - started)
    yield from _agree(f"{golden.name} (.spec)", program, settings)


def _stf(source: Source, text: str, program: Program, engine: str) -> Result:
    started = time.perf_counter()
    traced = engine == TRACED
    try:
        pipeline = backend("interp" if traced else engine).build(program, Options())
        with Switch(pipeline, ManualClock()) as switch:
            verdict = run_text(text, source.name, switch, traced=traced)
    except UnsupportedError as error:
        return Result(source.suite, source.name, engine, "not applicable", str(error), _refusal(str(error)))
    except P4nicError as error:
        return _failed(source.suite, source.name, engine, str(error))
    seconds = time.perf_counter() - started
    if verdict.passed:
        return Result(source.suite, source.name, engine, "passed", seconds=seconds)
    first = verdict.failures[0]
    return _failed(source.suite, source.name, engine, f"line {first.line}: {first.sentence}")


def _failed(suite: str, name: str, engine: str, reason: str) -> Result:
    why = KNOWN.get((suite, name))
    return Result(suite, name, engine, "known" if why else "failed", why or reason)


def _refusal(sentence: str) -> str:
    """The part of an UnsupportedError that is the same for many programs."""
    return sentence.partition("; use --backend")[0].rpartition(": ")[2]


# --- random packets -----------------------------------------------------------------------------------------


def _agree(name: str, program: Program, settings: Settings) -> Iterator[Result]:
    for other in settings.engines[1:]:
        pair = f"{settings.engines[0]} and {other}"
        try:
            engines = engine_pair(program, settings.engines[0], other)
            started = time.perf_counter()
            difference = _random_packets(program, engines, settings.packets)
        except UnsupportedError as error:
            yield Result(AGREE, name, pair, "not applicable", str(error), _refusal(str(error)))
        except P4nicError as error:
            yield _failed(AGREE, name, pair, str(error))
        else:
            if difference:
                yield _failed(AGREE, name, pair, difference)
            else:
                yield Result(AGREE, name, pair, "passed", seconds=time.perf_counter() - started)


def _random_packets(program: Program, engines: Sequence[Engine], wanted: int) -> str:
    """What differs, "" if nothing: once with random entries, once with none."""
    for with_entries in (True, False):
        rng = random.Random(f"{SEED}/{program.name}/{with_entries}")
        values = Values(rng, (), program)
        updates = tuple(random_updates(program, values, rng)) if with_entries else ()
        values.learn(updates, program)
        try:
            run = Run(engines, Scenario(updates, ()))
        except Refused:
            continue  # random entries that the program's own rules forbid; the run without them is left
        try:
            if difference := _one_run(run, values, rng, wanted // 2):
                return difference
        finally:
            run.close()
    return ""


def _one_run(run: Run, values: Values, rng: random.Random, wanted: int) -> str:
    packet: Packet | None = None
    answers: list[tuple[int, bytes]] = []
    for number in range(1, wanted + 1):
        packet = next_packet(packet.time_ns if packet else 0, answers, values, rng)
        if found := run.packet(packet):
            told = ", ".join(f"{engine} {answer}" for engine, answer in found[1].items())
            return f"packet {number} ({packet.frame[:40].hex()} at port {packet.port}): {told}"
        if run.ended is not None:
            return ""  # a difference that docs/target-differences.md knows
        if run.reference is not None:
            answers += run.reference.sent
    if found := run.state():
        return f"{found[0]} differ: {', '.join(f'{engine} {state}' for engine, state in found[1].items())}"
    return ""
