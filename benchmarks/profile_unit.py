"""Where an engine's cycles go: `perf record` over one workload, functions of the compiled unit by their part.

In: words of `p4nic bench`. Out: rows of function, part and cycles per packet. Called by `run` where a goal is
missed; `perf` is optional (Debian: linux-perf).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from p4nic.bench import lb, programs
from p4nic.ir.program import Program

ROW = re.compile(r"^\s*([\d.]+)%\s+(\S+)\s+\[\.\]\s+(\S+)")
SHOWN = 8


def profile(words: Sequence[str]) -> list[dict[str, Any]]:
    """The functions of the compiled unit that take most, largest first, parts of its whole; empty without
    perf."""
    perf = shutil.which("perf")
    if perf is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "perf.data")
        bench = [sys.executable, "-m", "p4nic", "bench", *words, "--peers", "none", "--trials", "3", "--json"]
        record = [perf, "record", "-q", "-e", "cpu-clock", "-F", "1999", "-o", data, "--", *bench]
        done = subprocess.run(record, capture_output=True, text=True, check=False)
        if done.returncode:
            return []
        answer = json.loads(done.stdout)
        shown = subprocess.run(
            [perf, "report", "-i", data, "--stdio", "--no-children", "-s", "dso,symbol"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    found = [match.groups() for line in shown.stdout.splitlines() if (match := ROW.match(line))]
    unit = [
        (float(part), symbol)
        for part, file, symbol in found
        if re.fullmatch(r"[0-9a-f]{32}\.so", file) and symbol != "make_frames"  # the benchmark's own
    ]
    whole = sum(part for part, _ in unit)
    cycles = answer["cycles_per_packet"] or 0.0
    return [
        {"symbol": _told(symbol, words[0]), "percent": 100 * part / whole, "cycles": cycles * part / whole}
        for part, symbol in unit[:SHOWN]
    ]


def _told(symbol: str, workload: str) -> str:
    """A table's lookup is a function with the table's number; here with its name."""
    number = re.fullmatch(r"find_(\d+)", symbol)
    program = _PROGRAMS.get(workload)
    if number is None or program is None:
        return symbol
    return f"{symbol} ({list(program().tables)[int(number[1])]})"


_PROGRAMS: dict[str, Callable[[], Program]] = {
    "lb-established": lb.program,
    "lb-first-packet": lb.program,
    "policy": lb.program,
    "vxlan": lb.program,
    "lb-swx-like": lambda: programs.load("lb_small"),
    "l2-exact": lambda: programs.load("l2_exact"),
}
