"""docs/p4nic.md is true: its entries file is accepted, its options and drop reasons exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cli_samples import syn

from p4nic.__main__ import COMMANDS, main

PAGE = (Path(__file__).parents[1] / "docs" / "p4nic.md").read_text()


@pytest.mark.parametrize("artifact", ["", "k8s_lb.json"])
def test_the_entries_file_works(artifact: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = tmp_path / "lb.yaml"
    entries.write_text(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])
    given = [str(Path(__file__).parents[1] / "pipeline" / "build" / artifact)] if artifact else []
    assert main(["explain", *given, "--entries", str(entries), "--port", "1", "--hex", syn().hex()]) == 0
    assert "⇒ sent to port 2" in capsys.readouterr().out


def test_every_option_and_command_exists(capsys: pytest.CaptureFixture[str]) -> None:
    for command in COMMANDS:
        main([command, "--help"])
    known = set(re.findall(r"--[a-z0-9-]+", capsys.readouterr().out))
    assert set(re.findall(r"(?<!-)--[a-z][a-z0-9-]*", PAGE)) <= known
    assert set(re.findall(r"`p4nic ([a-z]+(?:-[a-z]+)?)", PAGE)) == set(COMMANDS)


@pytest.mark.parametrize("artifact", ["", "k8s_lb.json"])
def test_every_event_of_explain_json_is_described(
    artifact: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    described = {
        kind: set(re.findall(r"`(\w+)`", row))
        for kinds, row in re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| (.*) \|$", PAGE, re.MULTILINE)
        for kind in re.findall(r"\w+", kinds)
    }
    entries = tmp_path / "lb.yaml"
    entries.write_text(re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0])
    given = [str(Path(__file__).parents[1] / "pipeline" / "build" / artifact)] if artifact else []
    for frame in (syn(), bytes(60), b"x"):
        words = ["explain", *given, "--entries", str(entries), "--port", "1", "--hex", frame.hex(), "--json"]
        assert main(words) == 0
        (packet,) = json.loads(capsys.readouterr().out)
        assert all(f"`{field}`" in PAGE for field in packet)
        for event in packet["events"]:
            assert set(event) - {"kind", "source"} <= described[event["kind"]], event


def test_every_reason_of_the_target_is_listed() -> None:
    from p4nic.target import ports, switch

    reasons = {ports.QUEUE_FULL, ports.PORT_DOWN, ports.NO_PEER, ports.TOO_LONG}
    reasons |= {switch.NO_PIPELINE, switch.NO_SUCH_PORT, switch.OVERSIZE, switch.EMPTY}
    listed = set(re.findall(r"`([^`]+)`", PAGE.partition("## Drop reasons")[2]))
    assert reasons <= listed
