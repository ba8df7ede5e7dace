"""p4runtime-shell, unmodified, drives the server.

It wants protobuf 3.20, so it lives in an environment of its own, made once in the user's cache directory.
Without a package index in reach the test is skipped, and says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest
from p4runtime_peer import ROOT, SECOND, ServerUnderTest, packet_io

PACKAGES = ("p4runtime-shell==0.0.6", "protobuf>=3.20,<3.21")
FRAME = bytes.fromhex("0000000000aa 0000000000bb 1234") + b"payload"


@pytest.fixture(scope="session")
def shell_python() -> Path:
    """The interpreter of an environment with p4runtime-shell; made on demand, by one process at a time."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "p4nic"
    cache.mkdir(parents=True, exist_ok=True)
    home = cache / f"p4runtime-shell-0.0.6-py{sys.version_info.major}{sys.version_info.minor}"
    python, done = home / "bin" / "python", home / "complete"
    with (cache / "p4runtime-shell.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not done.exists():
            venv.create(home, clear=True, with_pip=True)
            install: list[str | Path] = [
                python,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--timeout",
                "10",
                "--retries",
                "1",
                *PACKAGES,
            ]
            result = subprocess.run(install, capture_output=True, text=True, timeout=300)
            if result.returncode != 0:
                pytest.skip(f"p4runtime-shell cannot be installed here: {result.stderr.strip()[-200:]}")
            done.touch()
    return python


def test_a_session_of_p4runtime_shell(shell_python: Path) -> None:
    artifact = packet_io()
    with ServerUnderTest(None) as server:
        command: list[str | Path] = [shell_python, ROOT / "tests" / "shell_session.py", server.server.address]
        with subprocess.Popen(
            [*command, artifact.p4info_path, artifact.path],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as session:
            assert session.stdout is not None
            if session.stdout.readline() == "listening\n":
                server.switch.inject(5, FRAME)
                server.client().advance(5 * SECOND)
            out, error = session.communicate(timeout=60)
    assert session.returncode == 0, error
    seen = json.loads(out)
    assert seen.pop("read") == ['param_id: 1\nvalue: "\\003"\n']
    assert "table Switch.l2: entry dst=0x1 exists already; modify it instead" in seen.pop("twice")
    assert seen == {
        "version": "1.5.0",
        "acl": [7],
        "left": 0,
        "members": 1,
        "groups": 1,
        "replicas": [[1, 2]],
        "clones": [5],
        "counter": [9],
        "digest": 4,
        "packet_in": [list(FRAME), [[5], [9]]],
        "digest_data": [[0xBB], [5]],
        "idle": [[0xAA]],
    }
