"""`python -m conformance` on a made-up checkout: what it finds, runs, counts, writes; the fuzzer's judge.

The checkout's programs are our own fixtures; its compilers are scripts that copy the committed outputs.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ROOT / "tests" / "programs"
COMPILER = """\
#!/bin/sh
# Copies the committed output of the program named last; refuses a program without one.
if [ "$1" = --version ]; then echo "Version 1.2.3 (SHA: 0123456789 BUILD: Test)"; exit 0; fi
while [ $# -gt 1 ]; do [ "$1" = -o ] && out=$2; shift; done
name=$(basename "$1" .p4)
if [ ! -f "{build}/$name.json" ]; then echo "$1(3): error: no such thing" >&2; exit 1; fi
cp "{build}/$name.json" "$out"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A p4c checkout of three programs that compile, one that does not, one of another target, one .spec."""
    samples = tmp_path / "testdata" / "p4_16_samples"
    outputs = tmp_path / "testdata" / "p4_16_samples_outputs"
    build = tmp_path / "build"
    for folder in (samples, outputs, build):
        folder.mkdir(parents=True)
    for name in ("v1_stacks", "v1_varbit", "psa_pipeline"):
        text = (PROGRAMS / f"{name}.p4").read_text().replace('#include "include/v1_shell.p4"', "main;")
        (samples / f"{name}.p4").write_text(text)
        (samples / f"{name}.stf").write_text((PROGRAMS / f"{name}.stf").read_text())
    (samples / "refused.p4").write_text("#include <v1model.p4>\nmain;\n")
    (samples / "filter_ebpf.p4").write_text("#include <ebpf_model.p4>\nmain;\n")
    (samples / "filter_ebpf.stf").write_text("packet 0 00\n")
    (outputs / "dpdk.p4.spec").write_bytes((PROGRAMS / "build" / "dpdk_pipeline.spec").read_bytes())
    info = (PROGRAMS / "build" / "dpdk_pipeline.p4info.txtpb").read_bytes()
    (outputs / "dpdk.p4.p4info.txtpb").write_bytes(info)
    for name in ("p4c-bm2-ss", "p4c-bm2-psa"):
        (build / name).write_text(COMPILER.format(build=PROGRAMS / "build"))
        (build / name).chmod(0o755)
    return tmp_path


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "conformance", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)


def test_everything_is_counted(checkout: Path) -> None:
    page, junit = checkout / "page.md", checkout / "r.xml"
    done = run(str(checkout), "--engines", "interp", "--jobs", "2", "--out", str(page), "--junit", str(junit))
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    for expected in (
        "STF, v1model (interp): 2 passed",
        "STF, v1model (interp, traced): 2 passed",
        "STF, PSA (interp): 1 passed",
        "Load BMv2 JSON: 3 passed, 1 not applicable",
        "Load golden .spec: 1 passed",
        "not applicable: Load BMv2 JSON: refused: p4c-bm2-ss does not compile it: no such thing",
        "not applicable: STF, other targets: filter_ebpf: it is for another target (eBPF, uBPF or XDP)",
    ):
        assert expected in lines
    text = page.read_text()
    assert "p4c 1.2.3, commit 0123456789; p4nic at commit " in text
    assert "| STF, v1model | interp | 2 | 0 | 0 | 0 |" in text
    assert str(checkout) not in text
    assert {suite.get("failures") for suite in ElementTree.parse(junit).getroot()} == {"0"}


def test_a_failure_is_named_and_is_exit_code_1(checkout: Path) -> None:
    script = checkout / "testdata" / "p4_16_samples" / "v1_varbit.stf"
    script.write_text("packet 0 00 00 aa bb\nexpect 1 ff\n")
    page = checkout / "page.md"
    done = run(str(checkout), "--engines", "interp", "--only", "varbit", "--out", str(page))
    assert done.returncode == 1
    why = "line 2: port 1: the packet of line 1 has digit 0 at byte 0, expected f: 0000aabb"
    assert f"failed: STF, v1model: v1_varbit on interp: {why}" in done.stdout.splitlines()
    assert f"- STF, v1model, `v1_varbit` (interp; interp, traced): {why}" in page.read_text()


def test_two_engines_are_compared(checkout: Path) -> None:
    done = run(str(checkout), "--engines", "interp,interp", "--only", "v1_stacks", "--packets", "10")
    assert "Engines agree (interp and interp): 1 passed" in done.stdout.splitlines(), (
        done.stdout + done.stderr
    )


@pytest.mark.parametrize(
    ("there", "sentence"), [("", "is no checkout of p4c"), ("testdata", "is no checkout of p4c")]
)
def test_no_checkout(there: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / there).mkdir(exist_ok=True)
    done = run(str(tmp_path))
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_the_fuzzer_counts_and_is_deterministic() -> None:
    command = [sys.executable, "-m", "conformance.fuzz", "--count", "1000", "--seed", "1", "--jobs", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout.strip().removeprefix("1000 inputs: ").split(", ")
    counts = {name: int(count) for count, name in (part.split(" ") for part in told)}
    assert set(counts) == {"loaded", "ArtifactError"}
    assert all(count > 50 for count in counts.values())  # neither too crude nor too gentle


def test_the_fuzzer_tells_an_escape() -> None:
    """The judge must not take a crash for a refusal."""
    code = (
        "from conformance import fuzz\n"
        "from p4nic.load import dpdk_spec\n"
        "def bad(text, name): raise KeyError('x')\n"
        "def two_lines(text, name):\n"
        "    from p4nic.errors import ArtifactError\n"
        "    raise ArtifactError('a\\nb')\n"
        "dpdk_spec.load_text = bad\n"
        "print(fuzz.judge('a.spec', ''))\n"
        "dpdk_spec.load_text = two_lines\n"
        "print(fuzz.judge('a.spec', ''))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["KeyError: 'x'", r"no sentence: 'a\nb'"], done.stderr
