"""A client in another language: Node with @grpc/grpc-js, unmodified, drives the server.

Its two packages are installed once, with npm, into the user's cache directory. Without node, npm or a
registry in reach the test is skipped, and says so.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from fcntl import LOCK_EX, flock
from pathlib import Path

import finsy
import pytest
from p4runtime_peer import ROOT, Names, ServerUnderTest, packet_io

PACKAGES = ("@grpc/grpc-js@1", "@grpc/proto-loader@0.8")
FRAME = bytes.fromhex("0000000000aa 0000000000bb 1234") + b"payload"
NAMES = Names(packet_io().info.message)
SIMULATION = ROOT / "sim" / "p4nic" / "server" / "simulation.proto"


@pytest.fixture(scope="session")
def modules() -> Path:
    """The node_modules with gRPC; made on demand, by one process at a time."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "p4nic" / "node-grpc-1"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not (home / "complete").exists():
            install = [
                "npm",
                "install",
                "--silent",
                "--no-audit",
                "--no-fund",
                "--prefix",
                str(home),
                *PACKAGES,
            ]
            result = subprocess.run(install, capture_output=True, text=True, timeout=300)
            if result.returncode != 0:
                pytest.skip(f"npm cannot install gRPC here: {result.stderr.strip()[-200:]}")
            (home / "complete").touch()
    return home / "node_modules"


def proto_folder(folder: Path) -> Path:
    """P4Runtime's .proto files as finsy brings them, under the paths their authors gave them."""
    brought = Path(finsy.__file__).parent / "proto"
    for file in brought.rglob("*.proto"):
        place = folder / file.relative_to(brought)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(file.read_text().replace('import "finsy/proto/', 'import "'))
    return folder


def test_a_session_of_node(modules: Path, tmp_path: Path) -> None:
    ids = {name: NAMES.ids[f"Switch.{name}"] for name in ("l2", "drop", "to_cpu")}
    with ServerUnderTest(packet_io()) as server:
        command: list[str | Path] = ["node", ROOT / "tests" / "node_session.js", server.server.address]
        command += [proto_folder(tmp_path), modules, json.dumps(ids), SIMULATION]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as session:
            assert session.stdout is not None
            if session.stdout.readline() == "listening\n":
                server.switch.inject(5, FRAME)
            out, error = session.communicate(timeout=60)
    assert session.returncode == 0, error
    seen = json.loads(out)
    twice = seen.pop("twice")
    assert twice["code"] == 2
    assert "table Switch.l2: entry dst=0x1 exists already; modify it instead" in twice["details"]
    assert seen == {
        "version": "1.5.0",
        "primary": 0,
        "read": [[1, "node"], [2, ""]],
        "packet": [FRAME.hex(), [5, 9]],
        "idle": [0xAA],
        "error": 3,
        "now": 5,
    }
