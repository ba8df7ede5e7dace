"""Random programs on interpreter and native engine: a slice of `make fuzz-engines`; and that the fuzzer sees
what it should: a lying engine is caught, its case made small, kept, and fails again when it is replayed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from conformance.engine_fuzz.keep import load
from conformance.engine_fuzz.life import LifeMaker
from conformance.engine_fuzz.program import random_program

from p4nic.backend.interp.tables.indexes import index_for
from p4nic.backend.native import compiler
from p4nic.ir import ops, verify

ROOT = Path(__file__).parent.parent

_LYING = """
import sys
from conformance.engine_fuzz import engines
from p4nic.backend.api import Outcome
from p4nic.backend.interp import InterpreterBackend

class Liar:
    name = "liar"
    def build(self, program, options):
        pipeline = InterpreterBackend().build(program, options)
        honest = pipeline.process
        def process(packets, now_ns):
            return [
                Outcome(tuple((p, b"lie" if len(f) > 40 else f) for p, f in o.sent), o.drop_reason)
                for o in honest(packets, now_ns)
            ]
        pipeline.process = process
        return pipeline

honest = engines.engine
engines.engine = lambda name: Liar() if name == "liar" else honest(name)
sys.argv[0] = "engine_fuzz"
from conformance.engine_fuzz import __main__
"""


def command(*options: object, script: str = "") -> subprocess.CompletedProcess[str]:
    how = ["-c", script] if script else ["-m", "conformance.engine_fuzz"]
    asked = [sys.executable, *how, *(str(o) for o in options)]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("seed", [50_000, 60_000])
def test_engines_agree_on_random_programs(seed: int, tmp_path: Path) -> None:
    if not compiler.compiler():
        pytest.skip("there is no C compiler on this machine")
    done = command(
        "--count",
        16_000,
        "--packets",
        2_000,
        "--lives",
        1,
        "--seed",
        seed,
        "--jobs",
        1,
        "--tries",
        60,
        "--out",
        tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert re.search(r"^packets: \d{5} compared, [1-9]\d* sent", done.stdout, re.MULTILINE), done.stdout


def test_a_lying_engine_is_caught_and_its_case_made_small_kept_and_replayed(tmp_path: Path) -> None:
    asked = ("--engines", "interp,liar", "--packets", 200, "--most", 1, "--tries", 120, "--out", tmp_path)
    done = command(*asked, "--jobs", 1, script=_LYING)
    assert done.returncode == 1, done.stdout + done.stderr
    (folder,) = tmp_path.glob("seed-*")
    small = load(folder)
    assert [step.method for step in small.steps] == ["process"]
    assert len(small.steps[0].args[0]) == 1
    assert sum(len(block.code) for block in small.program.blocks.values()) <= 4
    assert "liar: Outcome(sent=(" in (folder / "verdict.txt").read_text()
    assert list(folder.glob("port-*.pcap"))
    again = command("--replay", folder, "--engines", "interp,liar", script=_LYING)
    assert again.returncode == 1
    assert again.stdout.startswith("differ")


def test_everything_follows_from_the_seed_and_verifies() -> None:
    for seed in range(40):
        made = random_program(seed)
        assert verify.problems(made.program) == []
        assert made.program == random_program(seed).program
        assert LifeMaker(made, seed).steps(50) == LifeMaker(made, seed).steps(50)


def test_no_table_is_drawn_with_two_entries_of_one_meaning() -> None:
    """Seed 700054 had `0..1` and `_` of one bit: every engine refuses such a program."""
    tables = 0
    for seed in (700_054, *range(300)):
        for table in random_program(seed).program.tables.values():
            index = index_for(table.keys, {})
            given = [index.identity(e.key, e.priority) for e in table.const_entries]
            assert len(set(given)) == len(given), (seed, table.name)
            tables += len(given) > 1
    assert tables > 10


def test_random_programs_use_the_whole_instruction_set() -> None:
    seen: set[str] = set()
    for seed in range(150):
        program = random_program(seed).program
        codes = [b.code for b in program.blocks.values()] + [a.code for a in program.actions.values()]
        seen |= {type(op).__name__ for code in codes for op in code}
    assert {op.__name__ for op in get_args(ops.Op)} - seen == set()
