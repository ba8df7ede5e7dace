"""`p4nic diff` against real BMv2, where simple_switch_grpc is on PATH; and what it says where it is not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from p4nic.backend.api import Options
from p4nic.backend.interp import InterpreterBackend
from p4nic.differential.bmv2 import bmv2_target
from p4nic.differential.compare import compare
from p4nic.differential.engines import Engine
from p4nic.differential.scenario import Packet, Scenario
from p4nic.errors import InputError
from p4nic.load.artifact import load_program
from p4nic.load.shipped import shipped

PROGRAMS = Path(__file__).parent / "programs" / "build"
JSON, P4INFO = PROGRAMS / "v1_arithmetic.json", PROGRAMS / "v1_arithmetic.p4info.txtpb"
PROGRAM = load_program([JSON], P4INFO)
SCENARIO = Scenario((), tuple(Packet(i, i % 4, bytes([i]) * (40 + i)) for i in range(12)))
needs_bmv2 = pytest.mark.skipif(
    shutil.which("simple_switch_grpc") is None, reason="simple_switch_grpc is not on PATH"
)


def test_without_bmv2_on_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="simple_switch_grpc is not on PATH; leave bmv2 out of --targets"):
        bmv2_target(PROGRAM, (JSON,), P4INFO)


def test_without_a_p4info() -> None:
    with pytest.raises(InputError, match="name the program's P4Info with --p4info"):
        bmv2_target(PROGRAM, (JSON,), None)


def test_actions_the_p4info_keeps_for_the_default_are_no_entrys() -> None:
    files = shipped("json")
    program = load_program(files.paths, files.p4info)
    assert any(ref.scope == "default_only" for table in program.tables.values() for ref in table.actions)


@needs_bmv2
def test_bmv2_and_the_interpreter_agree_and_a_changed_program_is_noticed(tmp_path: Path) -> None:
    own = Engine(InterpreterBackend(), PROGRAM, Options())
    assert compare([own, bmv2_target(PROGRAM, (JSON,), P4INFO)], SCENARIO) is None

    document = json.loads(JSON.read_text())
    document["deparsers"][0]["order"] = []
    document["deparsers"][0]["primitives"] = []
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(document))
    found = compare([own, bmv2_target(PROGRAM, (changed,), P4INFO)], SCENARIO)
    assert found is not None
    assert found.what == "the packet"
