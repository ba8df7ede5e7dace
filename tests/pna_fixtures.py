"""The fixtures of tests/programs/pna: each program as p4c-dpdk's `.spec` and as p4c-bm2-pna's JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ir_builders import build

from p4nic.backend.api import Backend, Options, Pipeline
from p4nic.ir.program import Program
from p4nic.load.artifact import load_program

BUILD = Path(__file__).parent / "programs" / "pna" / "build"
Artifact = Literal["spec", "json"]
ARTIFACTS: tuple[Artifact, ...] = ("spec", "json")
SECOND = 1_000_000_000


def fixture(name: str, artifact: Artifact, *more: Path) -> Program:
    """The verified Program, checked against its P4Info; `more` are files given beside the artifact."""
    path = BUILD / f"{name}.{artifact}"
    compiler = "dpdk" if artifact == "spec" else "bm2"
    return load_program([path, *more], BUILD / f"{name}.{compiler}.p4info.txtpb")


def nic(backend: Backend, name: str, artifact: Artifact) -> Pipeline:
    """A fresh pipeline of a fixture."""
    return build(backend, fixture(name, artifact), Options())


def request(*fields: tuple[int, int], payload: bytes = b"payload") -> bytes:
    """A frame: (value, bytes) of each header field, then the payload."""
    return b"".join(value.to_bytes(size, "big") for value, size in fields) + payload
