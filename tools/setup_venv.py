"""Make the virtual environment the other make targets use. Called by `make setup`.

In: pyproject.toml. Out: .venv with p4nic installed editable and every development tool.
A stamp in .venv holds a hash of what was asked for, so the second call returns at once, and so does
a call after an edit of tool settings that changes no dependency. Runs on the system's Python, with the
standard library only, and keeps to syntax that an old Python can parse so that it can say it is too old.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
PIP = os.path.join(VENV, "bin", "pip")
STAMP = os.path.join(VENV, "p4nic-setup.stamp")
OLDEST = (3, 11)

# pip compiles what it installs, but not what it installs editable; where PYTHONDONTWRITEBYTECODE is set, each
# start would compile those again, a fifth of a second of them.
SOURCES = ("sim", "controlplane", "traffic")

# ptf declares netifaces, a C extension without wheels for current Pythons, and never imports it. Without it
# no Python headers are needed, and set-up is shorter. What ptf does import, six and scapy, is there already.
PTF = "ptf>=0.12"


def main() -> int:
    """Create or update .venv; the exit code is 0, or 2 with one sentence that says what is missing."""
    problem = missing_prerequisite()
    if problem:
        print(problem, file=sys.stderr)
        return 2
    wanted = fingerprint()
    if installed() == wanted:
        return 0
    steps = [
        [PYTHON, "-m", "pip", "install", "--quiet", "--editable", ROOT + "[dev]"],
        [PYTHON, "-m", "pip", "install", "--quiet", "--no-deps", PTF],
        [PYTHON, "-m", "compileall", "-q", *SOURCES],
    ]
    if not os.path.exists(PIP):  # the last thing `venv` makes: without it, an earlier set-up was interrupted
        steps.insert(0, [sys.executable, "-m", "venv", VENV])
    print("Setting up .venv (once; about a minute) ...", flush=True)
    os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    for step in steps:
        if subprocess.call(step, cwd=ROOT) != 0:
            print("Set-up failed at: " + " ".join(step), file=sys.stderr)
            return 2
    with open(STAMP, "w") as stamp:
        stamp.write(wanted)
    return 0


def missing_prerequisite() -> str | None:
    """One sentence naming what this machine lacks, or None."""
    if sys.version_info[:2] < OLDEST:
        found = "{} is {}.{}".format(sys.executable, *sys.version_info[:2])
        return "p4nic needs Python 3.11 or newer, and " + found + ": name a newer one with PYTHON=python3.11."
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return "This Python cannot make virtual environments: run `sudo apt-get install python3-venv` first."
    return None


def fingerprint() -> str:
    """A hash over everything that decides what `pip install` would do, and for which Python."""
    import tomllib

    with open(os.path.join(ROOT, "pyproject.toml"), "rb") as file:
        config = tomllib.load(file)
    packages = config["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    wanted = [sorted(config["project"].items()), config["build-system"], packages, PTF, ROOT, sys.version]
    return hashlib.sha256(repr(wanted).encode()).hexdigest()


def installed() -> str | None:
    """The fingerprint of the last completed set-up, or None."""
    try:
        with open(STAMP) as stamp:
            return stamp.read()
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main())
