"""Each import contract breaks when its rule is broken: a violation is planted in a copy of the packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("sim", "controlplane", "traffic")

PLANTED = [
    ("sim/p4nic/ir/planted.py", "import p4nic.target", "dataflow order"),
    ("sim/p4nic/load/planted.py", "import p4nic.target", "dataflow order"),
    ("sim/p4nic/backend/planted_low.py", "import p4nic.server", "dataflow order"),
    ("sim/p4nic/target/planted.py", "import p4nic.backend.interp", "backend is injected"),
    ("sim/p4nic/backend/interp/planted.py", "import p4nic.backend.native", "nothing of each other"),
    ("sim/p4nic/backend/interp/planted.py", "from time import monotonic", "(I7)"),
    ("sim/p4nic/ir/planted.py", "import p4nic.clock", "(I7)"),
    ("sim/p4nic/planted.py", "import lbctl", "(I6)"),
    ("controlplane/lbctl/planted.py", "import p4nic.bits", "(I6)"),
    ("traffic/lbtraffic/planted.py", "import lbctl", "(I6)"),
    ("sim/p4rt/planted.py", "import p4nic.bits", "p4rt is a door"),
    ("sim/p4nic/observe/planted.py", "import grpc", "named files only"),
    ("controlplane/lbctl/planted.py", "import kubernetes_asyncio", "named files only"),
    ("traffic/lbtraffic/planted.py", "import p4rt", "named files only"),
    ("controlplane/lbctl/model.py", "import socket", "pure in the middle"),
    ("sim/p4nic/target/planted.py", "import google.protobuf", "not even through others"),
]


@pytest.fixture(scope="module")
def copy_of_the_packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("contracts")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, root / package, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    shutil.copy(ROOT / "pyproject.toml", root)
    native = root / "sim/p4nic/backend/native"
    native.mkdir(exist_ok=True)
    (native / "__init__.py").touch()
    return root


@pytest.mark.parametrize(("path", "statement", "contract"), PLANTED, ids=lambda value: str(value)[-40:])
def test_a_planted_import_breaks_its_contract(
    copy_of_the_packages: Path, path: str, statement: str, contract: str
) -> None:
    planted = copy_of_the_packages / path
    before = planted.read_text() if planted.exists() else ""
    planted.write_text(before + statement + "\n")
    try:
        broken = broken_contracts(copy_of_the_packages)
    finally:
        planted.write_text(before)
    assert any(contract in name for name in broken), broken


def broken_contracts(root: Path) -> list[str]:
    """The names of the contracts that lint-imports reports as broken for the packages below `root`."""
    path = os.pathsep.join(str(root / package) for package in PACKAGES)
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"],
        cwd=root,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    return [line.partition(" BROKEN")[0] for line in done.stdout.splitlines() if " BROKEN" in line]
