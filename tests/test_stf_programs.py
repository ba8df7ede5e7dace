"""Every construct of P4 in a small program, its STF file beside it, on every backend, plain and traced."""

from __future__ import annotations

from pathlib import Path

import pytest

from p4nic.__main__ import main
from p4nic.cli.common import backend
from p4nic.errors import InputError

PROGRAMS = Path(__file__).parent / "programs"
SCRIPTS = sorted(PROGRAMS.glob("*.stf"))


def backends() -> list[str]:
    found = []
    for name in ("interp", "native"):
        try:
            backend(name)
        except InputError:
            continue
        found.append(name)
    return found


def artifact(script: Path) -> list[str]:
    build = PROGRAMS / "build"
    program = next(p for p in (build / f"{script.stem}.json", build / f"{script.stem}.spec") if p.exists())
    return [str(program), str(build / f"{script.stem}.p4info.txtpb")]


def test_every_program_has_a_script() -> None:
    # These have tests in Python: they are about the server, about time, and about DPDK itself.
    without = {p.stem for p in PROGRAMS.glob("*.p4")} - {p.stem for p in SCRIPTS}
    assert without == {"packet_io", "add_on_miss", "bulk", "dpdk_services"}


@pytest.mark.parametrize("name", backends())
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_program(script: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["stf", *artifact(script), str(script), "--backend", name])
    shown = capsys.readouterr()
    if name != "interp" and "use --backend interp" in shown.err:
        pytest.skip(shown.err.strip())  # it says at load what it does not execute (I10)
    assert code == 0, shown.out


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_program_traced(script: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["stf", *artifact(script), str(script), "--traced"])
    assert code == 0, capsys.readouterr().out
