"""What p4c optimised out of the JSON after it had written the P4Info is there for the control plane all the
same; a P4Info of another program stays a mistake."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from p4nic.backend.api import Entry, Options
from p4nic.backend.interp import InterpreterBackend
from p4nic.clock import ManualClock
from p4nic.errors import ArtifactError
from p4nic.ir import verify
from p4nic.ir.program import ActionCall, Exact
from p4nic.load.artifact import load_program
from p4nic.load.p4info import check, load_p4info
from p4nic.load.p4info_dead import with_unreachable
from p4nic.load.shipped import shipped
from p4nic.target.switch import Switch

PROGRAMS = Path(__file__).parent / "programs" / "build"


def test_dead_objects_can_be_filled_and_read(caplog: pytest.LogCaptureFixture) -> None:
    files = shipped("json")
    assert files.p4info is not None
    info = load_p4info(files.p4info)
    whole = load_program(files.paths, files.p4info)
    dead = "Lb.maglev_bucket"
    users = {ref.action for ref in whole.tables[dead].actions} - {"NoAction"}
    without = replace(
        whole,
        tables={n: t for n, t in whole.tables.items() if n != dead},
        actions={n: a for n, a in whole.actions.items() if n not in users},
        digests={},
    )
    completed = with_unreachable(without, info)
    check(completed, info)
    assert verify.problems(completed) == []
    assert dead in caplog.text
    assert completed.digests.keys() == whole.digests.keys()
    with Switch(InterpreterBackend().build(completed, Options()), ManualClock()) as switch:
        entry = Entry(dead, (Exact(1), Exact(0)), ActionCall("Lb.set_endpoint", (7,)))
        switch.tables.insert(entry)
        assert [state.entry.action for state in switch.tables.read(dead)] == [entry.action]


def test_a_program_that_has_everything_stays_as_it_is() -> None:
    files = shipped("json")
    assert files.p4info is not None
    program = load_program(files.paths)
    assert with_unreachable(program, load_p4info(files.p4info)) == program


def test_the_p4info_of_another_program_is_refused() -> None:
    with pytest.raises(ArtifactError, match="is not in the artifact"):
        load_program(shipped("json").paths, PROGRAMS / "v1_matching.p4info.txtpb")
    with pytest.raises(ArtifactError, match="is not in the artifact"):
        load_program([PROGRAMS / "v1_matching.json"], shipped("json").p4info)
    with pytest.raises(ArtifactError, match="is not in the artifact"):
        load_program(shipped("json").paths, shipped("spec").p4info)  # another architecture's, that has more
