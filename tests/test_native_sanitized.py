"""The emitted C and the runtime under AddressSanitizer and UndefinedBehaviorSanitizer: a random life without
a complaint.

In a process of its own, because the sanitizer must be there before Python is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from p4nic.backend.native import compiler

_LIFE = """
import sys
from native_fuzz import Pair
from p4nic.backend.api import Options
from p4nic.backend.interp import InterpreterBackend
from p4nic.backend.native import NativePipeline, compiler, emit
from p4nic.load.artifact import load_program
from p4nic.load.shipped import shipped

files = shipped(sys.argv[1])
program = load_program(files.paths, files.p4info)
options = Options(table_sizes={"Lb.flow_table": 60})
unit = emit(program, options)
compiler.OPTIMISE = ("-O0", "-g")
flags = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
native = NativePipeline(program, options, unit, compiler.load(compiler.shared_object(unit.text, flags)))
made = Pair(program, native, InterpreterBackend().build(program, options), 5)
for table in program.tables.values():
    for _ in range(10):
        made.change()
made.run(int(sys.argv[2]))
native.close()
print("lived", native.program.name)
"""


def library_of(name: str) -> str:
    """The sanitizer's library of gcc; "" if there is none."""
    command = compiler.compiler()
    if not command:
        return ""
    told = subprocess.run([*command, f"-print-file-name={name}"], capture_output=True, text=True, check=False)
    return told.stdout.strip() if "/" in told.stdout else ""


@pytest.mark.skipif(not library_of("libasan.so"), reason="this compiler has no AddressSanitizer")
@pytest.mark.parametrize("kind", ["spec", "json"])
def test_a_random_life_under_the_sanitizers(kind: str) -> None:
    here = Path(__file__).parent
    environment = {
        **os.environ,
        "LD_PRELOAD": f"{library_of('libasan.so')} {library_of('libubsan.so')}",
        "ASAN_OPTIONS": "detect_leaks=0",  # Python itself keeps memory at exit
        "PYTHONPATH": os.pathsep.join([str(here), *sys.path]),
    }
    done = subprocess.run(
        [sys.executable, "-c", _LIFE, kind, "80"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("lived")
