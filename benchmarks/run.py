"""`make bench`: every benchmark of this folder in turn, with the machine and the commit they ran on.

Out: what each prints; exit code 1 if one failed. Arguments choose (`make bench ARGS=plan_scale`).
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def main() -> int:
    """Run them; the exit code."""
    found = {path.stem: path for path in sorted(FOLDER.glob("*.py")) if path.stem != "run"}
    wanted = sys.argv[1:] or list(found)
    unknown = [name for name in wanted if name not in found]
    if unknown:
        print(f"bench: there is no benchmark {unknown[0]!r}; there are {', '.join(found)}", file=sys.stderr)
        return 2
    print(
        f"machine: {os.cpu_count()} cores, {_cpu()}, Python {platform.python_version()}; commit {_commit()}"
    )
    failed = []
    for name in wanted:
        print(f"\n== {name}: {_headline(found[name])}", flush=True)
        if subprocess.run([sys.executable, str(found[name])], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"bench: failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _commit() -> str:
    words = ["git", "-C", str(FOLDER), "describe", "--always", "--dirty"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown (no git checkout)"


def _headline(path: Path) -> str:
    """The first line of the script's docstring."""
    return path.read_text().split('"""')[1].strip().splitlines()[0]


if __name__ == "__main__":
    sys.exit(main())
