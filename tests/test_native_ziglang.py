"""Without gcc, cc and clang, the ziglang package (PyPI) is the C compiler: a program on the native engine
gives the interpreter's bytes. Skipped where it is not installed: it is large; `make setup` does without."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

TESTS = Path(__file__).parent

_RUN = """
from ir_builders import const, header_type, one, swx
from p4nic.backend.api import Options
from p4nic.backend.interp import InterpreterBackend
from p4nic.backend.native import NativeBackend, compiler
from p4nic.ir.ops import Binary, Emit, Extract, Ref, Transmit

print(compiler.compiler())
value = Ref("h", "value")
code = [Extract("h"), Binary(value, "mul", value, const(0x1_0000_0001, 64)), Emit("h"), Transmit(const(3))]
program = swx(code, types=[header_type("h_t", value=128)], headers={"h": "h_t"})
frame = bytes(range(40))
hurried = NativeBackend(hurry=True).build(program, Options())
answers = [one(engine.build(program, Options()), frame) for engine in (InterpreterBackend(), NativeBackend())]
assert answers[0].sent and answers[0] == answers[1], answers
answers += [one(hurried, frame)]
hurried.optimised()
answers += [one(hurried, frame)]
assert answers[2] == answers[3] == answers[0], answers
"""


@pytest.mark.skipif(find_spec("ziglang") is None, reason="ziglang is not installed (pip install ziglang)")
def test_ziglang_compiles_what_the_native_engine_emits(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "CC"}
    environment |= {
        "PATH": str(tmp_path),  # no compiler there
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "PYTHONPATH": str(TESTS),
    }
    done = subprocess.run(
        [sys.executable, "-c", _RUN], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "'-m', 'ziglang', 'cc'" in done.stdout
