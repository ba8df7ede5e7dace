"""Python with the sanitizers' libraries preloaded: they must be there before the interpreter is.

In: an environment. Out: one for a process that loads units compiled with `engines.SANITIZE`. Called by
`__main__`, `conformance.sanitized` and tests.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

from p4nic.backend.native import compiler

_LIBRARIES = ("libasan.so", "libubsan.so")


def libraries() -> list[str]:
    """Paths of the compiler's sanitizers; [] if it has none."""
    command = compiler.compiler()
    found = []
    for name in _LIBRARIES if command else ():
        told = subprocess.run(
            [*command, f"-print-file-name={name}"], capture_output=True, text=True, check=False
        )
        if "/" in told.stdout:
            found.append(told.stdout.strip())
    return found if len(found) == len(_LIBRARIES) else []


def environment() -> Mapping[str, str]:
    """Of a process that may load sanitized units."""
    return {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries()),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python itself keeps memory at exit
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def preloaded() -> bool:
    """Whether this process has them."""
    return _LIBRARIES[0] in os.environ.get("LD_PRELOAD", "")
