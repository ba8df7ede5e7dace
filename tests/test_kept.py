"""What is kept between two starts: made once per input, never wrong, and never in the way."""

from __future__ import annotations

import gc
import logging
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from p4nic import ccompiler, kept
from p4nic.backend.api import Options
from p4nic.backend.native import NativeBackend, NativePipeline, compiler, emit
from p4nic.errors import ArtifactError
from p4nic.ir.program import Program
from p4nic.load.artifact import load_program
from p4nic.load.known import load_known
from p4nic.load.shipped import shipped

PROGRAMS = Path(__file__).parent / "programs" / "build"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "p4nic"


class Maker:
    """Makes a mapping, and counts."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> dict[str, object]:
        self.times += 1
        return {"proxy": MappingProxyType({"a": 1}), "times": self.times}


def test_what_is_kept_is_made_once() -> None:
    make, name = Maker(), kept.key("thing", ["a", b"b"])
    first, second = kept.made(dict, name, make), kept.made(dict, name, make)
    assert first == second
    assert make.times == 1


@pytest.mark.parametrize("parts", [["ab", ""], ["a", b"c"], ["a"], ["a", b"b", b""]])
def test_other_input_has_another_name(parts: list[str | bytes]) -> None:
    assert kept.key("thing", parts) != kept.key("thing", ["a", b"b"])


def test_changed_source_of_p4nic_makes_it_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept.key("thing", ["a"])
    monkeypatch.setattr(kept, "_source", lambda: "of another version")
    assert kept.key("thing", ["a"]) != before


@pytest.mark.parametrize("damage", [b"", b"not a pickle", b"\x80\x05]\x94."], ids=["empty", "text", "a list"])
def test_damaged_file_is_made_anew(cache: Path, damage: bytes) -> None:
    make, name = Maker(), kept.key("thing", ["a"])
    kept.made(dict, name, make)
    (file,) = cache.glob("*.kept")
    file.write_bytes(damage)
    assert kept.made(dict, name, make)["times"] == 2
    assert kept.made(dict, name, make)["times"] == 2, "the new one is kept"


def test_cache_that_cannot_be_written_only_costs_time(cache: Path) -> None:
    cache.parent.write_text("a file where the folder should be")
    make = Maker()
    kept.made(dict, kept.key("thing", ["a"]), make)
    kept.made(dict, kept.key("thing", ["a"]), make)
    assert make.times == 2


def test_oldest_go(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 3)
    names = [kept.key("thing", [str(i)]) for i in range(5)]
    for i, name in enumerate(names):
        kept.made(dict, name, Maker())
        os.utime(cache / f"{name}.kept", ns=(i, i))
    kept.made(dict, kept.key("other", ["a"]), Maker())
    assert {path.stem for path in cache.glob("thing-*.kept")} == set(names[2:])


@pytest.mark.parametrize("kind", ["spec", "json"])
def test_known_program_is_the_program(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    files = shipped("spec" if kind == "spec" else "json")
    fresh = load_program(files.paths, files.p4info)
    load_known(files.paths, files.p4info)
    monkeypatch.setattr("p4nic.load.artifact.load_program", _must_not_be_called)
    known = load_known(files.paths, files.p4info)
    assert known == fresh
    assert known.image == fresh.image
    assert list(known.tables) == list(fresh.tables), "the order says what has which number"


def test_changed_file_is_another_program(tmp_path: Path) -> None:
    files = shipped("json")
    copied = tmp_path / files.paths[0].name
    text = files.paths[0].read_text()
    copied.write_text(text)
    before = load_known([copied], files.p4info)
    copied.write_text(text.replace('"max_size" : 65536', '"max_size" : 65537'))
    assert text != copied.read_text()
    assert load_known([copied], files.p4info) != before


def test_wrong_file_is_told_as_ever(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="does not exist"):
        load_known([tmp_path / "absent.json"])
    broken = tmp_path / "broken.json"
    broken.write_text('{"header_types": [')
    for _ in range(2):
        with pytest.raises(ArtifactError, match="cut short"):
            load_known([broken])


def test_what_the_loader_warns_of_is_said_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warns(*given: Any) -> Program:
        logging.getLogger("p4nic.load.p4info_dead").warning("%s has no effect", "it")
        return load_program(*given)

    monkeypatch.setattr("p4nic.load.artifact.load_program", warns)
    for _ in range(2):
        caplog.clear()
        load_known([PROGRAMS / "packet_io.json"])
        assert [record.getMessage() for record in caplog.records] == ["it has no effect"]


def test_known_program_is_emitted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    files = shipped()
    program = load_program(files.paths, files.p4info)
    fresh = emit(program, Options())
    emit(load_known(files.paths, files.p4info), Options())
    monkeypatch.setattr("p4nic.backend.native.unit.make_unit", _must_not_be_called)
    again = emit(load_known(files.paths, files.p4info), Options())
    assert again.text == fresh.text
    assert (again.reasons, again.messages) == (fresh.reasons, fresh.messages)
    for name, packing in fresh.actions.items():
        assert (again.actions[name].members, again.actions[name].size) == (packing.members, packing.size)
    assert [layout.size for layout in again.tables.values()] == [t.size for t in fresh.tables.values()]


def test_changed_copy_of_a_known_program_is_emitted_itself() -> None:
    known = load_known(())
    assert kept.name_of(known) is not None
    changed = replace(known, name="another")
    assert kept.name_of(changed) is None
    assert emit(changed, Options()).text != emit(known, Options()).text


def test_sizes_of_tables_are_part_of_the_unit() -> None:
    known = load_known(())
    small = emit(known, Options(table_sizes={"Lb.flow_table": 64}))
    assert small.text != emit(known, Options()).text


def test_another_process_emits_the_same(tmp_path: Path) -> None:
    """Where sets have another order, a text that follows it would be compiled anew at each start."""
    told = [
        subprocess.run(
            [sys.executable, "-m", "p4nic", "emit-c", str(PROGRAMS / "psa_pipeline.json")],
            env={**os.environ, "PYTHONHASHSEED": seed, "XDG_CACHE_HOME": str(tmp_path / seed)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("0", "1")
    ]  # fmt: skip
    assert told[0] == told[1]


@pytest.mark.skipif(not ccompiler.compiler(), reason="no C compiler")
def test_pipeline_that_is_dropped_and_not_closed_goes_before_its_library() -> None:
    program = load_known([PROGRAMS / "packet_io.json"])
    for _ in range(3):
        dropped = NativeBackend().build(program, Options())
        assert dropped.statistics()["learned"] == 0
        del dropped  # the library used to be unmapped first: a crash
        gc.collect()


@pytest.mark.skipif(not ccompiler.compiler(), reason="no C compiler")
def test_refused_text_leaves_nothing_half_made(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(ccompiler.CompilerError, match="refused the emitted C, which is kept in"):
        ccompiler.shared_object(ccompiler.Source("this is no C\n", ccompiler.FLAGS, tmp_path))
    assert [path.suffix for path in cache.iterdir() if path.suffix != ".kept"] == [".c"]


@pytest.mark.skipif(not ccompiler.compiler(), reason="no C compiler")
def test_text_is_never_seen_half_written(tmp_path: Path, cache: Path) -> None:
    text = '__attribute__((visibility("default"))) int one(void) { return 1; }\n'
    made = ccompiler.shared_object(ccompiler.Source(text, ccompiler.FLAGS, tmp_path))
    read = tmp_path / "read"  # what the compiler of another process has open
    read.hardlink_to(made.with_suffix(".c"))
    made.unlink()
    ccompiler.shared_object(ccompiler.Source(text, ccompiler.FLAGS, tmp_path))
    assert not read.samefile(made.with_suffix(".c")), "written over instead of replaced"


PARTS = (("-DUNIT_PART=1",), ("-DUNIT_PART=2",))


@pytest.mark.skipif(not ccompiler.compiler(), reason="no C compiler")
def test_parts_make_one_library(tmp_path: Path) -> None:
    text = """
        __attribute__((visibility("default"))) extern int one(void), two(void);
        #if UNIT_PART == 1
        int one(void) { return 1; }
        #else
        int two(void) { return 1 + one(); }
        #endif
    """
    path = ccompiler.shared_object(ccompiler.Source(text, ccompiler.FLAGS, tmp_path, PARTS))
    _ffi, library = ccompiler.load(path, "int one(void); int two(void);")
    assert (library.one(), library.two()) == (1, 2)


@pytest.mark.skipif(not ccompiler.compiler(), reason="no C compiler")
def test_part_that_is_refused_is_told(tmp_path: Path, cache: Path) -> None:
    text = "#if UNIT_PART == 2\nthis is no C\n#endif\n"
    with pytest.raises(ccompiler.CompilerError, match=r"refused the emitted C, which is kept in .*: .*error"):
        ccompiler.shared_object(ccompiler.Source(text, ccompiler.FLAGS, tmp_path, PARTS))
    assert [path.suffix for path in cache.iterdir() if path.suffix != ".kept"] == [".c"], "nothing half made"


@pytest.mark.skipif(not ccompiler.compiler(), reason="no C compiler")
@pytest.mark.parametrize("name", ["psa_pipeline.json", "packet_io.json"])
def test_units_in_parts_and_whole_answer_alike(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # At the level of tests, units are compiled whole otherwise.
    monkeypatch.setattr(compiler, "AS_USED", compiler.OPTIMISE)
    program = load_known([PROGRAMS / name])
    unit = emit(program, Options())
    whole = compiler.load(compiler.shared_object(unit.text, ("-O0",)))
    pipelines = [NativeBackend().build(program, Options()), NativePipeline(program, Options(), unit, whole)]
    packets = [(port, bytes(range(length))) for port in range(4) for length in (1, 14, 64)]
    assert len({tuple(pipeline.process(packets, 1)) for pipeline in pipelines}) == 1
    assert pipelines[0].statistics() == pipelines[1].statistics()


@pytest.mark.skipif(not ccompiler.compiler(), reason="no C compiler")
def test_declarations_are_parsed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = tmp_path / "h"
    header.mkdir()
    text = '__attribute__((visibility("default"))) int twice(int x) { return 2 * x; }\n'
    path = ccompiler.shared_object(ccompiler.Source(text, ccompiler.FLAGS, header))
    ccompiler.load(path, "int twice(int x);")
    monkeypatch.setattr("cffi.recompiler.make_py_source", _must_not_be_called)
    _ffi, library = ccompiler.load(path, "int twice(int x);")
    assert library.twice(21) == 42


@pytest.mark.skipif(not ccompiler.compiler(), reason="no C compiler")
def test_damaged_library_is_named(tmp_path: Path) -> None:
    path = ccompiler.shared_object(ccompiler.Source("int x;\n", ccompiler.FLAGS, tmp_path))
    path.write_bytes(b"no library")
    with pytest.raises(ccompiler.CompilerError, match=r"\.so cannot be loaded \(.+\); delete it, and it is"):
        ccompiler.load(path, "int one(void);")


def _must_not_be_called(*_: object) -> None:
    raise AssertionError("it was made before")
