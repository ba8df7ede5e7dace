"""Targets by name, what each may answer otherwise, and whole folders of programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any as Anything

import pytest
from swx_samples import needs_dpdk

from p4nic.__main__ import main
from p4nic.backend.api import Options, Outcome, Pipeline
from p4nic.backend.interp import InterpreterBackend
from p4nic.cli.common import backend
from p4nic.cli.entries_file import read_updates
from p4nic.differential.compare import play
from p4nic.differential.engines import Engine, Profile
from p4nic.differential.scenario import Packet, Scenario
from p4nic.differential.targets import Artifact, make
from p4nic.errors import InputError
from p4nic.ir.program import Program
from p4nic.load.artifact import load_program

PROGRAMS = Path(__file__).parent / "programs" / "build"


def fixture(name: str, suffix: str = "json") -> Program:
    return load_program([PROGRAMS / f"{name}.{suffix}"], PROGRAMS / f"{name}.p4info.txtpb")


# --- targets by name ---------------------------------------------------------------------------------


def made(names: str, program: Program) -> list[tuple[str, str]]:
    targets = make(names.split(","), Artifact(program, (), None), backend)
    return [(target.name, target.profile.semantics) for target in targets]


def test_dpdk_and_the_native_engine_each_have_a_reference_of_their_own_meaning() -> None:
    program = fixture("dpdk_pipeline", "spec")
    assert made("interp,swx", program) == [("interp", "dpdk"), ("swx", "dpdk")]
    assert made("interp,native", program) == [("interp", "spec"), ("native", "spec")]
    assert made("interp,native,swx", program) == [
        ("interp (dpdk)", "dpdk"),
        ("interp (spec)", "spec"),
        ("native", "spec"),
        ("swx", "dpdk"),
    ]


def test_bmv2_takes_no_spec() -> None:
    with pytest.raises(InputError, match=r"BMv2 runs a JSON, and .* is a \.spec"):
        made("interp,bmv2", fixture("dpdk_pipeline", "spec"))


# --- free choices ------------------------------------------------------------------------------------


class Chooser:
    """The interpreter of a switch whose groups are cut down to one member: another, but allowed, choice."""

    name = "chooser"

    def __init__(self, change: Anything) -> None:
        self._change = change

    def build(self, program: Program, options: Options) -> Pipeline:
        pipeline: Anything = InterpreterBackend().build(program, options)
        honest, change, process = pipeline.set_group, self._change, pipeline.process

        class Choosing:
            def __getattr__(self, name: str) -> Anything:
                return getattr(pipeline, name)

            def set_group(self, profile: str, group: int, members: Anything, random: bool = False) -> None:
                honest(profile, group, members[-1:] if members else members, random)

            def process(self, packets: Sequence[tuple[int, bytes]], now_ns: int) -> list[Outcome]:
                return [change(outcome) for outcome in process(packets, now_ns)]

        return Choosing()


ENTRIES = """\
members:
  - {profile: chosen, id: 1, action: Main.set, args: [0xa1]}
  - {profile: chosen, id: 2, action: Main.set, args: [0xa2]}
  - {profile: chosen, id: 3, action: Main.set, args: [0xa3]}
groups:
  - {profile: chosen, id: 1, members: {1: 1, 2: 1, 3: 1}}
entries:
  - {table: selected, match: {h.d.key: 1}, group: 1}
"""
FLOWS = tuple(Packet(0, 0, bytes([0, 1, 0, flow, 0])) for flow in range(12))


def profiles(folder: Path) -> tuple[Program, Scenario]:
    program = fixture("v1_profiles")
    path = folder / "entries.yaml"
    path.write_text(ENTRIES, encoding="utf-8")
    updates = tuple((operation, entity) for _, operation, entity in read_updates(path, program))
    return program, Scenario(updates, FLOWS)


def engines(program: Program, change: Anything, profile: Profile) -> list[Engine]:
    other = Engine(Chooser(change), program, Options(), profile)
    return [Engine(InterpreterBackend(), program, Options()), other]


def test_any_member_of_a_group_is_right_where_the_profile_leaves_the_choice(tmp_path: Path) -> None:
    program, scenario = profiles(tmp_path)
    free = Profile(selectors="any")
    assert play(engines(program, lambda outcome: outcome, free), scenario).difference is None
    assert play(engines(program, lambda outcome: outcome, Profile()), scenario).difference is not None


def test_what_no_member_would_have_sent_is_wrong_all_the_same(tmp_path: Path) -> None:
    def changed(outcome: Outcome) -> Outcome:
        port, frame = outcome.sent[0]
        return Outcome(((port, frame[:-1] + b"\xa4"),))

    program, scenario = profiles(tmp_path)
    found = play(engines(program, changed, Profile(selectors="any")), scenario).difference
    assert found is not None
    assert found.position == 0


# --- folders -----------------------------------------------------------------------------------------


@needs_dpdk
def test_every_program_of_a_folder_goes_through_the_targets_that_take_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("add_on_miss.spec", "add_on_miss.p4info.txtpb", "v1_matching.json", "fingerprint.json"):
        (tmp_path / name).symlink_to(PROGRAMS / name)
    argv = ["diff", "--corpus", str(tmp_path), "--targets", "interp,native,swx", "--random", "20"]
    assert main([*argv, "--out", str(tmp_path / "out")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "add_on_miss.spec: interp,native,swx: 1 of 1 runs comparable, 0 different"
    assert lines[1].startswith("v1_matching.json: interp,native: 1 of 1 runs comparable, 0 different")
    assert lines[2].startswith("2 programs: 2 comparable, 0 that a target refuses; 2 runs, 2 comparable, 40 ")


def test_a_folder_without_programs_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["diff", "--corpus", str(tmp_path), "--random", "20"]) == 2
    assert "there is no .spec and no BMv2 .json in that folder" in capsys.readouterr().err
