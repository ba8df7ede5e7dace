"""`p4nic bench`: the list, the one JSON object, bad input. Nothing here judges how fast anything is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from p4nic.__main__ import main
from p4nic.bench.registry import workloads

TINY = ("--trials", "2", "--seconds", "0.002", "--json")


def answer(capsys: pytest.CaptureFixture[str], words: Sequence[str]) -> dict[str, Any]:
    """The object on stdout of a run that must succeed."""
    code = main(["bench", *words])
    told = capsys.readouterr()
    assert code == 0, told.err
    assert told.err, "progress is expected on stderr"
    found = json.loads(told.out)
    assert isinstance(found, dict)
    return found


def test_without_a_name_every_workload_is_listed_on_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(workloads())


@pytest.mark.parametrize("backend", ["interp", "native"])
def test_json_is_one_object_with_the_keys_of_the_interface(
    backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(
        capsys, ["lb-established", "--flows", "64", "--backend", backend, "--peers", "none", *TINY]
    )
    assert found["name"] == "lb-established"
    assert found["backend"] == backend
    assert found["parameters"]["flows"] == 64
    assert len(found["samples"]) == 2
    assert min(found["samples"]) <= found["mpps"] <= max(found["samples"])
    assert found["unit"] == "Mpps"
    assert found["peers"] == {}
    assert {"processor", "commit", "load", "load_after"} <= set(found["machine"])


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["lb-establish"], 'there is no benchmark "lb-establish"; did you mean "lb-established"?'),
        (["zebra"], 'there is no benchmark "zebra"; there are forward, l2-exact, '),
        (["lb-established", "--flows", "0"], "--flows 0 is not a number above 0"),
        (["lb-established", "--seconds", "0"], "--seconds 0 is not above 0"),
        (["lb-established", "--peers", "vpp"], '--peers has "vpp"; peers are floor, swx, bmv2, or none'),
        (
            ["lb-established", "--workers", "2", "--backend", "interp"],
            "--workers 2: the interp backend has one worker",
        ),
        (["lb-first-packet", "--workers", "2"], "--workers 2: lb-first-packet measures one worker; "),
    ],
)
def test_bad_input_is_one_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *words]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"p4nic: {sentence}")
    assert told.err.count("\n") == 1


def test_without_a_compiler_the_interpreter_is_measured_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from p4nic.backend.native import NativeBackend

    monkeypatch.setattr(NativeBackend, "missing", "there is no C compiler")
    found = answer(capsys, ["forward", "--peers", "none", *TINY])
    assert found["backend"] == "interp"
