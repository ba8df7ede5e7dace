"""Where and when a measurement was made: processor, load, commit, compiler. Out: JSON-ready facts.

A number without these is no measurement. Called by `cli.bench` and the report.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import time
from pathlib import Path
from typing import Any


def facts() -> dict[str, Any]:
    """The machine, the software and the load average now."""
    return {
        "processor": processor(),
        "cores": os.cpu_count() or 1,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "commit": commit(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "load": load(),
    }


def load() -> list[float]:
    """Load averages of 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def speed() -> float:
    """MB/s of SHA-256 in CPU time, over 0.1 s: always the same work, so changes are the machine's own (its
    clock, and what other guests of the host do with the same core)."""
    block, done, start = bytes(1 << 20), 0, time.thread_time()
    while (took := time.thread_time() - start) < 0.1:
        hashlib.sha256(block).digest()
        done += 1
    return round(done * 1.048576 / took, 1)


def processor() -> str:
    """Its name as the kernel has it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def commit() -> str:
    """The checkout this runs from, or that there is none."""
    words = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown (no git)"
    return done.stdout.strip() or "unknown (no git checkout)"
