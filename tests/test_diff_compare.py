"""Engines side by side: one that lies is found out; what shows it is made small and written down."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any as Anything

import pytest
from cli_samples import ENTRIES, syn

from p4nic.backend.api import Entry, Options, Outcome, Pipeline
from p4nic.backend.interp import InterpreterBackend
from p4nic.cli.entries_file import read_updates
from p4nic.differential import reproducer
from p4nic.differential.compare import Difference, Run, compare
from p4nic.differential.engines import Engine, Refused
from p4nic.differential.scenario import Packet, Scenario, Update
from p4nic.differential.shrink import shrink
from p4nic.errors import ErrorKind, StateError, TargetError
from p4nic.ir.program import Program
from p4nic.load.artifact import load_program


class Liar:
    """The interpreter, but for what `change` makes of an outcome."""

    name = "liar"

    def __init__(self, change: Anything) -> None:
        self._change = change

    def build(self, program: Program, options: Options) -> Pipeline:
        pipeline = InterpreterBackend().build(program, options)
        honest, change = pipeline.process, self._change

        class Lying:
            def __getattr__(self, name: str) -> Anything:
                return getattr(pipeline, name)

            def process(self, packets: Sequence[tuple[int, bytes]], now_ns: int) -> list[Outcome]:
                outcomes = honest(packets, now_ns)
                return [change(frame, outcome) for (_, frame), outcome in zip(packets, outcomes, strict=True)]

        return Lying()


@pytest.fixture(scope="module")
def program() -> Program:
    return load_program([])


@pytest.fixture
def updates(program: Program, tmp_path: Path) -> tuple[Update, ...]:
    path = tmp_path / "lb.yaml"
    path.write_text(ENTRIES, encoding="utf-8")
    return tuple((operation, entity) for _, operation, entity in read_updates(path, program))


def engines(program: Program, change: Anything) -> list[Engine]:
    return [Engine(InterpreterBackend(), program, Options()), Engine(Liar(change), program, Options())]


def flip_flow_77(frame: bytes, outcome: Outcome) -> Outcome:
    """Changes the last byte of what the flow of port 77 sends."""
    if outcome.sent and frame == syn(sport=77):
        port, copy = outcome.sent[0]
        return Outcome(((port, copy[:-1] + b"\xff"),))
    return outcome


PACKETS = tuple(Packet(0, 1, syn(sport=sport)) for sport in (1, 2, 77, 3))


def test_engines_that_agree_have_no_difference(program: Program, updates: tuple[Update, ...]) -> None:
    assert compare(engines(program, lambda _, outcome: outcome), Scenario(updates, PACKETS)) is None


def test_one_byte_is_a_difference_and_the_packet_is_named(
    program: Program, updates: tuple[Update, ...]
) -> None:
    found = compare(engines(program, flip_flow_77), Scenario(updates, PACKETS))
    assert found is not None
    assert (found.position, found.what) == (2, "the packet")
    assert found.answers["interp"].startswith("port 2: 020000000006")
    assert found.answers["liar"] == found.answers["interp"][:-2] + "ff"


def test_a_drop_is_a_difference_but_its_reason_is_not(program: Program, updates: tuple[Update, ...]) -> None:
    dropped = engines(program, lambda _, outcome: Outcome((), "gone"))
    assert compare(dropped, Scenario(updates, PACKETS[:1])) is not None
    renamed = engines(program, lambda _, outcome: outcome if outcome.sent else Outcome((), "another word"))
    assert compare(renamed, Scenario((), PACKETS)) is None


def test_order_counts_unless_it_is_said_not_to(program: Program) -> None:
    def twice(_: bytes, outcome: Outcome) -> Outcome:
        return Outcome(((1, b"a"), (2, b"b")))

    def turned(_: bytes, outcome: Outcome) -> Outcome:
        return Outcome(((2, b"b"), (1, b"a")))

    first, second = Liar(twice), Liar(turned)
    first.name = "first"
    both = [Engine(first, program, Options()), Engine(second, program, Options())]
    assert compare(both, Scenario((), PACKETS[:1])) is not None
    assert compare(both, Scenario((), PACKETS[:1]), "any") is None


def test_a_target_that_dies_differs_from_one_that_lives(
    program: Program, updates: tuple[Update, ...]
) -> None:
    def dies(frame: bytes, outcome: Outcome) -> Outcome:
        raise TargetError("it crashed")

    found = compare(engines(program, dies), Scenario(updates, PACKETS))
    assert found is not None
    assert (found.position, found.answers["liar"]) == (0, "fails: it crashed")


def test_where_a_target_may_do_anything_a_run_ends_without_a_verdict(program: Program) -> None:
    def nowhere(_: bytes, outcome: Outcome) -> Outcome:
        return Outcome((), "egress port does not exist")

    def dies(_: bytes, outcome: Outcome) -> Outcome:
        raise TargetError("it crashed")

    ours, theirs = Liar(nowhere), Liar(dies)
    ours.name = "ours"
    both = [Engine(ours, program, Options()), Engine(theirs, program, Options())]
    run = Run(both, Scenario((), PACKETS))
    try:
        assert run.packet(PACKETS[0]) is None
        assert run.ended == "egress port does not exist"
    finally:
        run.close()
    assert compare(both, Scenario((), PACKETS)) is None


def test_what_was_learned_is_compared_in_the_end(program: Program, updates: tuple[Update, ...]) -> None:
    class Forgetful:
        name = "forgetful"

        def build(self, program: Program, options: Options) -> Pipeline:
            pipeline: Anything = InterpreterBackend().build(program, options)
            pipeline.entries = lambda table, now_ns: iter(())
            return pipeline  # type: ignore[no-any-return]

    both = [Engine(InterpreterBackend(), program, Options()), Engine(Forgetful(), program, Options())]
    found = compare(both, Scenario(updates, PACKETS[:1]))
    assert found is not None
    assert (found.position, found.what) == (None, "what was learned")
    assert "Lb.flow_table" in found.answers["forgetful"]
    assert "not there" in found.answers["forgetful"]


def test_an_engine_that_refuses_an_entry_gives_no_verdict(
    program: Program, updates: tuple[Update, ...]
) -> None:
    class Poor:
        name = "poor"

        def build(self, program: Program, options: Options) -> Pipeline:
            pipeline: Anything = InterpreterBackend().build(program, options)

            def insert(entry: Entry, now_ns: int) -> None:
                raise StateError(ErrorKind.UNIMPLEMENTED, "no entries here")

            pipeline.insert = insert
            return pipeline  # type: ignore[no-any-return]

    poor = Engine(Poor(), program, Options())
    with pytest.raises(Refused, match="poor refuses an insert: no entries here"):
        compare([Engine(InterpreterBackend(), program, Options()), poor], Scenario(updates, ()))


# --- shrinking and writing down ----------------------------------------------------------------------


def test_a_difference_shrinks_to_what_it_needs(program: Program, updates: tuple[Update, ...]) -> None:
    both = engines(program, flip_flow_77)
    small = shrink(Scenario(updates, PACKETS), 2, lambda s: compare(both, s) is not None)
    assert small.packets == (Packet(0, 1, syn(sport=77)),)
    tables = {entity.table for _, entity in small.updates if isinstance(entity, Entry)}
    assert tables == {"Lb.port_role", "Lb.service_vip", "Lb.maglev_bucket", "Lb.endpoint", "Lb.route"}
    assert len(small.updates) == 5, "the second port's role is not needed"


def test_a_scenario_that_never_differs_again_stays_whole_in_few_tries() -> None:
    asked: list[Scenario] = []

    def same(scenario: Scenario) -> bool:
        asked.append(scenario)
        return False

    scenario = Scenario((), PACKETS)
    assert shrink(scenario, None, same, tries=5) == scenario
    assert len(asked) == 5


def test_the_reproducer_reads_back_as_the_same_scenario(
    program: Program, updates: tuple[Update, ...], tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    found = Difference(2, "the packet", {"interp": "one thing", "liar": "another"})
    reproducer.write(folder, program, Scenario(updates, PACKETS), found, "p4nic diff")
    again = tuple(
        (operation, entity) for _, operation, entity in read_updates(folder / "entries.json", program)
    )
    assert again == updates
    text = (folder / "difference.txt").read_text(encoding="utf-8")
    assert "packet 3: the packet differs\ninterp: one thing\nliar: another\n" in text
    command = f"p4nic diff --entries {folder / 'entries.json'} --pcap 1={folder / 'port-1.pcap'}"
    assert text.rstrip().endswith(command)
