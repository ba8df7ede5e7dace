"""Compile the committed P4 programs with p4c and write their outputs and fingerprints.

In: the `.p4` files under `pipeline/` and `tests/programs/`; p4c-dpdk and p4c-bm2-ss, -psa, -pna from PATH.
Out: `build/` beside them, with `fingerprint.json` (SHA-256 of every source and output, p4c's version).
Called by `make pipeline`. `tests/test_pipeline_fingerprint.py` compares the fingerprint, so that nobody edits
a program without recompiling.

p4c is run inside the program's folder with relative paths: it writes the paths it is given into its outputs.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

DPDK = "p4c-dpdk"
BMV2 = "p4c-bm2-ss"
BMV2_PSA = "p4c-bm2-psa"
BMV2_PNA = "p4c-bm2-pna"

# p4c's copy propagation folds the steps of a computation back into one expression, and p4c-dpdk then spends a
# metadata field on every level of it: 285 bytes instead of 227, more than DPDK SWX can address. Hence the
# excluded pass.
DPDK_OPTIONS = ("--arch", "pna", "--excludeMidendPasses", "P4::LocalCopyPropagation")

# Everything of pna.p4 that a program does not use, and parameters named like a table.
QUIET = ("--Wdisable=unused", "--Wdisable=shadow")

# p4c-bm2-pna knows none of PNA's own table properties.
PNA_QUIET = ("--Wdisable=ignore-prop",)

# p4c-dpdk writes the moment and the command line into the context JSON: different on every run.
VOLATILE_CONTEXT_FIELDS = ("build_date", "compile_command")


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one compiler: `source` and the output names are relative to `folder` and `folder/build`."""

    folder: str
    compiler: str
    source: str
    output: str
    p4info: str
    context: str | None = None


JOBS = (
    Job("pipeline", DPDK, "k8s_lb_pna.p4", "k8s_lb.spec", "k8s_lb.pna.p4info.txtpb", "k8s_lb.context.json"),
    Job("pipeline", BMV2, "k8s_lb_v1model.p4", "k8s_lb.json", "k8s_lb.v1model.p4info.txtpb"),
    Job("tests/programs", BMV2, "packet_io.p4", "packet_io.json", "packet_io.p4info.txtpb"),
    Job("tests/programs", BMV2, "bulk.p4", "bulk.json", "bulk.p4info.txtpb"),
    Job("tests/programs", DPDK, "add_on_miss.p4", "add_on_miss.spec", "add_on_miss.p4info.txtpb",
        "add_on_miss.context.json"),
    # p4c-dpdk 1.2.5.16 aborts on --context of a program with an action selector
    Job("tests/programs", DPDK, "dpdk_pipeline.p4", "dpdk_pipeline.spec", "dpdk_pipeline.p4info.txtpb"),
    Job("tests/programs", DPDK, "dpdk_services.p4", "dpdk_services.spec", "dpdk_services.p4info.txtpb"),
    Job("tests/programs", BMV2_PSA, "psa_pipeline.p4", "psa_pipeline.json", "psa_pipeline.p4info.txtpb"),
    Job("benchmarks/programs", BMV2, "writes.p4", "writes.json", "writes.p4info.txtpb"),
    *(
        Job("benchmarks/programs", DPDK, f"{name}.p4", f"{name}.spec", f"{name}.p4info.txtpb")
        for name in ("forward", "l2_exact", "lb_small", "routes")
    ),
    *(
        Job("tests/programs", BMV2, f"v1_{name}.p4", f"v1_{name}.json", f"v1_{name}.p4info.txtpb")
        for name in ("arithmetic", "arrays", "checksums", "copies", "hashes", "matching", "messages",
                     "meters", "parser", "profiles", "stacks", "unions", "value_set", "varbit")
    ),
    *(
        job
        for name in ("direction", "flows", "forwarding", "ipsec", "passes")
        for job in (
            Job("tests/programs/pna", DPDK, f"{name}.p4", f"{name}.spec", f"{name}.dpdk.p4info.txtpb"),
            Job("tests/programs/pna", BMV2_PNA, f"{name}.p4", f"{name}.json", f"{name}.bm2.p4info.txtpb"),
        )
    ),
)  # fmt: skip


class RecompileError(Exception):
    """p4c is missing or refused a program; the message is the whole story."""


def main() -> int:
    """Compile everything; 0 when all outputs are written, 2 with one sentence (or p4c's own) when not."""
    try:
        version = compiler_version()
        for job in JOBS:
            compile_one(job)
        for folder in sorted({job.folder for job in JOBS}):
            write_fingerprint(ROOT / folder, version)
    except RecompileError as error:
        print(f"recompile: {error}", file=sys.stderr)
        return 2
    return 0


def compiler_version() -> str:
    """Version and commit of p4c, "1.2.5.16 34b86e9bac"; both compilers have to come from one commit."""
    versions = {}
    for name in (DPDK, BMV2):
        if shutil.which(name) is None:
            raise RecompileError(
                f"{name} is not on PATH. Install p4c (https://github.com/p4lang/p4c) or use the image that "
                "has it; the committed outputs in build/ need no compiler."
            )
        done = subprocess.run([name, "--version"], capture_output=True, text=True, check=False)
        found = re.search(r"Version\s+(\S+)\s+\(SHA:\s+(\w+)", done.stdout + done.stderr)
        if found is None:
            raise RecompileError(f"{name} --version names no version and commit.")
        versions[name] = found.groups()
    if versions[DPDK][1] != versions[BMV2][1]:
        raise RecompileError(
            f"{DPDK} is of commit {versions[DPDK][1]}, {BMV2} of {versions[BMV2][1]}; use one build."
        )
    return " ".join(versions[BMV2])  # p4c-dpdk calls itself 0.1


def compile_one(job: Job) -> None:
    """Run one compiler and move its outputs into `build/`, complete or not at all."""
    folder = ROOT / job.folder
    build = folder / "build"
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=build) as scratch_name:
        scratch = Path(scratch_name)
        out = scratch.relative_to(folder)
        command = [
            job.compiler,
            *QUIET,
            "-o",
            str(out / job.output),
            "--p4runtime-files",
            str(out / job.p4info),
        ]
        if job.compiler == DPDK:
            command += DPDK_OPTIONS
        if job.compiler == BMV2_PNA:
            command += PNA_QUIET
        if job.context is not None:
            command += ["--context", str(out / job.context)]
        print(" ".join([*command[:1], f"{job.folder}/{job.source}"]))
        done = subprocess.run([*command, job.source], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RecompileError(f"{job.compiler} refused {job.folder}/{job.source}:\n{done.stderr.rstrip()}")
        print(done.stderr, end="")  # warnings
        if job.context is not None:
            steady_context(scratch / job.context)
        if job.compiler != DPDK:
            steady_positions(scratch / job.output)
        for path in sorted(scratch.iterdir()):
            path.replace(build / path.name)


def steady_context(path: Path) -> None:
    """Empty the fields of a context JSON that change from run to run."""
    context = json.loads(path.read_text())
    for name in VOLATILE_CONTEXT_FIELDS:
        if name in context:
            context[name] = ""
    path.write_text(json.dumps(context, indent=2) + "\n")


def steady_positions(path: Path) -> None:
    """Positions in p4c's own include files begin where p4c is installed; keep them from `p4include` on."""
    path.write_text(re.sub(r'"/[^"]*/(p4include/[^"]*")', r'"\1', path.read_text()))


def write_fingerprint(folder: Path, version: str) -> None:
    """Write `build/fingerprint.json` for every `.p4` under `folder`, without folders that have a `build/` of
    their own, and every other file in its `build/`."""
    build = folder / "build"
    nested = [p.parent for p in folder.glob("*/build")]
    sources = [p for p in sorted(folder.rglob("*.p4")) if not any(n in p.parents for n in nested)]
    outputs = sorted(path for path in build.iterdir() if path.name != "fingerprint.json")
    fingerprint = {
        "p4c": version,
        "sources": {str(p.relative_to(folder)): sha256(p) for p in sources},
        "outputs": {path.name: sha256(path) for path in outputs},
    }
    (build / "fingerprint.json").write_text(json.dumps(fingerprint, indent=2) + "\n")


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
