"""What cannot be run on DPDK is refused in one sentence: a `.spec` it does not take, a JSON, no package."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from swx_samples import SPEC, entry, needs_dpdk, swx_switch

from p4nic.__main__ import main
from p4nic.backend.api import Options
from p4nic.backend.swx import SwxBackend, process, shim
from p4nic.backend.swx.cleared import cleared
from p4nic.backend.swx.resized import resized
from p4nic.clock import ManualClock
from p4nic.errors import StateError, TargetError, UnsupportedError
from p4nic.ir.program import Exact
from p4nic.load.dpdk_spec import load_text
from p4nic.load.shipped import shipped
from p4nic.target.switch import Switch


@needs_dpdk
def test_a_line_dpdks_parser_does_not_know() -> None:
    program = load_text(SPEC, "small.spec")
    assert program.image is not None
    broken = replace(program, image=replace(program.image, text=program.image.text + "nonsense\n"))
    with pytest.raises(
        UnsupportedError, match=r"small.spec, line \d+: DPDK's parser refuses it: Unknown statement"
    ):
        SwxBackend().build(broken, Options())


@needs_dpdk
def test_an_instruction_dpdk_does_not_take() -> None:
    program = load_text(SPEC, "small.spec")
    assert program.image is not None
    text = program.image.text.replace("jmpeq SAME h.eth.type 0x1", "jmpeq SAME 0x1 h.eth.type")
    with pytest.raises(
        UnsupportedError, match="DPDK refuses to configure the pipeline .*does not say which line"
    ):
        SwxBackend().build(replace(program, image=replace(program.image, text=text)), Options())


@needs_dpdk
def test_tables_larger_than_the_memory_it_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(process.MEMORY_VARIABLE, "64")
    large = SPEC.replace("size 0x40", "size 0x400000")
    with pytest.raises(UnsupportedError, match=r"not enough memory .* in 64 MB; it takes \d+ MB") as caught:
        swx_switch(large)
    (enough,) = re.findall(r"set \$P4NIC_SWX_MEMORY_MB to (\d+) or more", str(caught.value))
    monkeypatch.setenv(process.MEMORY_VARIABLE, enough)
    swx_switch(large).close()


@needs_dpdk
def test_the_construct_dpdk_stumbles_over_is_named_by_lint(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.spec"
    wrong.write_text(SPEC.replace("jmpeq SAME h.eth.type 0x1", "jmpeq SAME 0x1 h.eth.type"), encoding="utf-8")
    (tmp_path / "a.pcap").write_bytes(b"")
    argv = ["run", str(wrong), "--backend", "swx", "--in", f"1={tmp_path / 'a.pcap'}"]
    assert main([*argv, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "DPDK refuses to configure the pipeline" in said
    assert "p4nic lint says: wrong.spec:67: jmpeq compares the constant 0x1 with h.eth.type" in said


@needs_dpdk
def test_memory_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(process.MEMORY_VARIABLE, "2G")
    with pytest.raises(TargetError, match='is "2G", which is no number of megabytes'):
        swx_switch()


def test_a_json_is_no_spec(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    files = shipped("json")
    argv = ["run", str(files.paths[0]), "--p4info", str(files.p4info), "--backend", "swx"]
    (tmp_path / "a.pcap").write_bytes(b"")
    assert main([*argv, "--in", f"1={tmp_path / 'a.pcap'}", "--out", str(tmp_path)]) == 2
    assert "is no .spec: DPDK runs what p4c-dpdk wrote; use --backend interp" in capsys.readouterr().err


@needs_dpdk
def test_table_sizes_are_written_into_the_spec() -> None:
    program = load_text(SPEC, "small.spec")
    sizes = Options(table_sizes={"same": 4})
    with Switch(SwxBackend().build(program, sizes), ManualClock()) as switch:
        for number in range(4):
            switch.tables.insert(entry("same", Exact(number), 1))
        with pytest.raises(StateError, match="full"):
            switch.tables.insert(entry("same", Exact(9), 1))
        image = switch.pipeline.program.image
        assert image is not None
        assert resized(image, {"same": 4}).text.count("size 0x4\n") == 1
        assert resized(image, {"same": 4}).text.count("size 0x40\n") == 2


def test_without_dpdk_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    shim.tools.cache_clear()
    try:
        reason = shim.unavailable()
    finally:
        monkeypatch.undo()
        shim.tools.cache_clear()
    assert reason == (
        "the swx backend needs a C compiler, which is not installed here; run `make setup-dpdk`, which "
        "installs libdpdk-dev, gcc and pkg-config with apt"
    )


def test_without_the_library_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("cc", "gcc", "pkg-config"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    shim.tools.cache_clear()
    try:
        reason = shim.unavailable()
    finally:
        monkeypatch.undo()
        shim.tools.cache_clear()
    assert reason is not None
    assert reason.startswith("the swx backend needs DPDK, and libdpdk-dev is not installed here; run `make")


# --- metadata of zeros ------------------------------------------------------------------------------


def test_metadata_is_cleared_behind_rx_but_not_the_port() -> None:
    image = load_text(SPEC, "small.spec").image
    assert image is not None
    text = cleared(image).text
    body = text[text.index("rx m.in_port") : text.index("extract")]
    assert "mov m.out_port 0x0" in body
    assert "mov m.in_port" not in body
    assert body.count("mov") == 6


def test_a_program_that_recirculates_keeps_its_metadata() -> None:
    image = load_text(SPEC.replace("OUT : emit", "recirculate\n\tOUT : emit"), "small.spec").image
    assert image is not None
    with pytest.raises(UnsupportedError, match="small.spec recirculates packets"):
        cleared(image)
