"""The committed p4c outputs belong to the committed sources: nobody edits one without the other."""

import hashlib
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = [
    ROOT / "pipeline",
    ROOT / "tests" / "programs",
    ROOT / "tests" / "programs" / "pna",
    ROOT / "benchmarks" / "programs",
]
ADVICE = "run `make pipeline` (needs p4c) and commit build/"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_sources_are_the_compiled_ones(folder: Path) -> None:
    recorded = json.loads((folder / "build" / "fingerprint.json").read_text())["sources"]
    nested = [path.parent for path in folder.glob("*/build")]
    sources = [p for p in folder.rglob("*.p4") if not any(n in p.parents for n in nested)]
    present = {path.relative_to(folder).as_posix(): sha256(path) for path in sources}
    assert present == recorded, f"{folder.name}: sources changed after the last compilation; {ADVICE}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_outputs_are_the_compilers(folder: Path) -> None:
    build = folder / "build"
    recorded = json.loads((build / "fingerprint.json").read_text())["outputs"]
    present = {path.name: sha256(path) for path in build.iterdir() if path.name != "fingerprint.json"}
    assert present == recorded, f"{folder.name}: build/ was edited by hand; {ADVICE}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_outputs_name_no_path_of_the_machine_that_compiled(folder: Path) -> None:
    for path in sorted((folder / "build").iterdir()):
        text = path.read_text()
        for prefix in ('"/', "/tmp/", "/home/", "/root/", "/work", "/usr/local"):
            assert prefix not in text, f"{path.name} contains {prefix!r}: compile from inside {folder.name}/"
