"""DPDK runs the `.spec` itself: a `.spec` with one instruction changed is told from the one we loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cli_samples import ENTRIES, syn
from swx_samples import needs_dpdk

from p4nic.backend.api import Options, Semantics
from p4nic.backend.interp import InterpreterBackend
from p4nic.backend.swx import SwxBackend, SwxPipeline
from p4nic.cli.entries_file import read_updates
from p4nic.differential.compare import Difference, compare
from p4nic.differential.engines import Engine
from p4nic.differential.scenario import Packet, Scenario
from p4nic.ir.program import Program
from p4nic.load.artifact import load_program

pytestmark = needs_dpdk
SECOND = 10**9


class Mutant:
    """DPDK with another `.spec` than the one that was loaded."""

    name = "swx"

    def __init__(self, old: str, new: str) -> None:
        self._old, self._new = old, new

    def build(self, program: Program, options: Options) -> SwxPipeline:
        image = program.image
        assert image is not None
        assert self._old in image.text
        text = image.text.replace(self._old, self._new)
        return SwxBackend().build(replace(program, image=replace(image, text=text)), options)


def difference(old: str, new: str, folder: Path, packets: tuple[Packet, ...]) -> Difference | None:
    program = load_program([])
    path = folder / "lb.yaml"
    path.write_text(ENTRIES, encoding="utf-8")
    updates = tuple((operation, entity) for _, operation, entity in read_updates(path, program))
    options = Options(semantics=Semantics.DPDK)
    both = [Engine(InterpreterBackend(), program, options), Engine(Mutant(old, new), program, options)]
    return compare(both, Scenario(updates, packets))


FLOW = tuple(Packet(at * SECOND, 1, syn()) for at in (0, 20, 40))


def test_the_spec_as_it_is_makes_no_difference(tmp_path: Path) -> None:
    assert difference("rx ", "rx ", tmp_path, FLOW) is None


@pytest.mark.parametrize(
    ("old", "new", "position", "what"),
    [
        ("add h.ipv4.ttl 0xFF", "add h.ipv4.ttl 0xFE", 0, "the packet"),
        ("LABEL_FALSE_87 :\trearm\n", "LABEL_FALSE_87 :\tjmp LABEL_END_87\n", None, "what was learned"),
        ("drop_reason 0x11", "drop_reason 0x12", None, "registers and counters"),
    ],
)
def test_one_changed_instruction_is_found(
    old: str, new: str, position: int | None, what: str, tmp_path: Path
) -> None:
    nobody = Packet(41 * SECOND, 1, syn("10.96.0.11"))
    found = difference(old, new, tmp_path, (*FLOW, nobody))
    assert found is not None
    assert (found.position, found.what) == (position, what)
