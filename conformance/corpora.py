"""Which files of a p4c checkout are tests of what, and how each is compiled.

In: the checkout. Out: Programs to compile and golden .spec files. Called by `__main__`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import final

SAMPLES = Path("testdata/p4_16_samples")
OUTPUTS = Path("testdata/p4_16_samples_outputs")
P4_14 = Path("testdata/p4_14_samples")
P4_14_CONVERTED = Path("testdata/p4_14_samples_outputs")
_COMPILERS = (("psa", "p4c-bm2-psa"), ("pna", "p4c-bm2-pna"), ("v1model", "p4c-bm2-ss"))
_OTHER_TARGET = re.compile(r"ebpf|ubpf|xdp|/tc/|p4tc|tna|tofino")
STF_SUITES = {"v1model": "STF, v1model", "psa": "STF, PSA", "pna": "STF, PNA"}


@final
@dataclass(frozen=True, slots=True)
class Source:
    """A P4 program: `compiler` and its `options`, or "" with `reason` where none of BMv2's is for it."""

    name: str
    path: Path
    architecture: str
    compiler: str
    options: tuple[str, ...] = ()
    stf: Path | None = None
    suite: str = ""
    reason: str = ""


@final
@dataclass(frozen=True, slots=True)
class Golden:
    """A .spec that p4c keeps as its expected output, with the P4Info beside it if there is one."""

    name: str
    path: Path
    p4info: Path | None


def sources(checkout: Path) -> list[Source]:
    """Every P4-16 sample with an architecture of BMv2 or an STF file, and the P4-14 samples with one."""
    found = [source for path in _programs(checkout) if (source := _source(checkout, path)) is not None]
    return found + [_p4_14(checkout, stf) for stf in sorted((checkout / P4_14).rglob("*.stf"))]


def goldens(checkout: Path) -> list[Golden]:
    """Every golden .spec."""
    return [
        Golden(path.name.removesuffix(".spec"), path, _existing(path.with_suffix(".p4info.txtpb")))
        for path in sorted((checkout / OUTPUTS).rglob("*.spec"))
    ]


def _programs(checkout: Path) -> list[Path]:
    folder = checkout / SAMPLES
    return sorted([*folder.glob("*.p4"), *folder.glob("*/*.p4")])


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


def _source(checkout: Path, path: Path) -> Source | None:
    stf = _existing(path.with_suffix(".stf"))
    name = str(path.relative_to(checkout / SAMPLES).with_suffix(""))
    text = _with_includes(path)
    architecture = next((a for a, _ in _COMPILERS if re.search(rf"#\s*include\s*[<\"].*\b{a}\.p4", text)), "")
    if not re.search(r"\bmain\b", text) and stf is None:
        return None
    if not architecture or "dpdk/" in text:
        if stf is None:
            return None
        target = "another target (eBPF, uBPF or XDP)" if _OTHER_TARGET.search(name + text) else "no target"
        return Source(name, path, "", "", stf=stf, suite="STF, other targets", reason=f"it is for {target}")
    options = ("--parser-inline-opt",) if path.parent.name == "parser-inline" else ()
    suite = STF_SUITES[architecture]
    return Source(name, path, architecture, dict(_COMPILERS)[architecture], options, stf, suite)


def _with_includes(path: Path, depth: int = 0) -> str:
    """The text with the local files it includes: some samples name their architecture in a skeleton."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if depth < 3:
        for name in re.findall(r'^\s*#\s*include\s*"([^"]+)"', text, re.M):
            inner = path.parent / name
            if inner.is_file():
                text += _with_includes(inner, depth + 1)
    return text


def _p4_14(checkout: Path, stf: Path) -> Source:
    """A P4-14 sample, in the P4-16 form that p4c keeps as its expected output: the usual build of p4c has no
    P4-14 front end any more."""
    name = stf.relative_to(checkout / P4_14).with_suffix("")
    path = checkout / P4_14_CONVERTED / name.with_suffix(".p4")
    if not path.exists():
        return Source(
            str(name), path, "", "", stf=stf, suite="STF, P4-14", reason="there is no program for this file"
        )
    return Source(str(name), path, "v1model", "p4c-bm2-ss", stf=stf, suite="STF, P4-14")
