"""The native backend by command: `p4nic run` gives the interpreter's bytes, and what a missing or broken
compiler leads to."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cli_samples import ENTRIES, NOBODY, syn, write_pcap

from p4nic.__main__ import main
from p4nic.backend.native import compiler

needs_compiler = pytest.mark.skipif(not compiler.compiler(), reason="there is no C compiler on this machine")
BUILD = Path(__file__).parents[1] / "pipeline" / "build"
ARTIFACTS = {"spec": [], "json": [str(BUILD / "k8s_lb.json")]}


def words(tmp_path: Path, backend: str, artifact: str = "spec") -> list[str]:
    """A `p4nic run` of three packets."""
    entries = tmp_path / "lb.yaml"
    entries.write_text(ENTRIES)
    source = write_pcap(tmp_path / "in.pcap", [syn(), syn(NOBODY), syn(sport=2000)])
    given = [*ARTIFACTS[artifact], "--entries", str(entries), "--in", f"1={source}"]
    return ["run", *given, "--out", str(tmp_path / backend), "--backend", backend]


def fresh(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    """p4nic in a process of its own: which compiler there is, is found out once per process."""
    return subprocess.run(
        [sys.executable, "-m", "p4nic", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@needs_compiler
@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_run_writes_the_same_bytes_on_both_backends(artifact: str, tmp_path: Path) -> None:
    for backend in ("native", "interp"):
        assert main(words(tmp_path, backend, artifact)) == 0
    for name in ("port-2.pcap", "summary.json"):
        assert (tmp_path / "native" / name).read_bytes() == (tmp_path / "interp" / name).read_bytes()


def test_without_a_compiler_the_interpreter_serves_and_says_so(tmp_path: Path) -> None:
    done = fresh(words(tmp_path, "native"), PATH=str(tmp_path), CC="")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert "there is no C compiler" in done.stderr
    assert (tmp_path / "native" / "port-2.pcap").exists()


def test_a_compiler_that_refuses_ends_in_one_sentence_with_the_file(tmp_path: Path) -> None:
    broken = tmp_path / "cc"
    version = '[ "$1" = --version ] && echo broken 1.0 && exit 0'
    broken.write_text(f'#!/bin/sh\n{version}\necho "error: no" >&2\nexit 1\n')
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    done = fresh(words(tmp_path, "native"), CC=str(broken), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 2
    assert "refused the emitted C, which is kept in" in done.stderr
    assert len(list((tmp_path / "cache" / "p4nic").glob("*.c"))) == 1
    assert not list((tmp_path / "cache" / "p4nic").glob("*.so"))


def test_emit_c_prints_one_unit_with_positions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emit-c"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("/* k8s_lb (swx), emitted by p4nic. */")
    assert "static int step(struct worker *w, struct ctx *c)" in text
    assert "/* k8s_lb.spec:782 */" in text, "where the first header is extracted"
    assert main(["emit-c"]) == 0
    assert capsys.readouterr().out == text, "the same program gives the same C"


WIDE_KEY = """struct ethernet_t {{
	bit<48> dst
	bit<48> src
	bit<16> ether_type
}}
struct meta_t {{
	bit<32> port
{fields}
}}
metadata instanceof meta_t
header ethernet instanceof ethernet_t
action nothing args none {{
	return
}}
table wide {{
	key {{
{keys}
	}}
	actions {{
		nothing
	}}
	default_action nothing args none
	size 16
}}
apply {{
	rx m.port
	extract h.ethernet
	table wide
	emit h.ethernet
	tx m.port
}}
"""


def test_what_it_does_not_run_names_the_way_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = range(33)
    text = WIDE_KEY.format(
        fields="\n".join(f"\tbit<64> f{i}" for i in numbers),
        keys="\n".join(f"\t\tm.f{i} exact" for i in numbers),
    )
    spec = tmp_path / "wide.spec"
    spec.write_text(text)
    assert main(["emit-c", str(spec)]) == 2
    assert "use --backend interp" in capsys.readouterr().err


@needs_compiler
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--backend", "interp", "--workers", "2"], "--workers does not go with --backend interp"),
        (["--backend", "native", "--workers", "2", "--clock", "manual"], "--clock manual"),
        (["--backend", "native", "--workers", "2", "--port", "1@unix:/tmp/never"], "passes through Python"),
        (["--backend", "native", "--workers", "0"], "not a number of workers from 1 to 64"),
        (["--backend", "native", "--port", "1@veth:p4nowhere"], "there is no interface p4nowhere"),
    ],
)
def test_serve_refuses_what_workers_cannot_do(
    given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        raise SystemExit(main(["serve", "--grpc", "127.0.0.1:0", *given]))
    assert stopped.value.code in (1, 2)
    assert said in capsys.readouterr().err
