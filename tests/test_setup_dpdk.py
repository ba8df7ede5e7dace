"""`make setup-dpdk` asks apt for what is missing, and for nothing if all is there."""

from __future__ import annotations

from pathlib import Path

import pytest
import setup_dpdk


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of our own: apt writes its arguments down; dpkg knows gcc, and whatever $HAVE names."""
    log = tmp_path / "log"
    programs = {
        "apt-get": f'echo "$@" >> {log}; test "$1" != "$FAIL"',
        "dpkg-query": 'case " gcc $HAVE " in *" $3 "*) printf installed;; *) exit 1;; esac',
        "pkg-config": "echo 22.11.11",
        "sudo": 'exec "$@"',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    return log


def test_only_what_is_missing_is_installed(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert setup_dpdk.main() == 0
    asked = log.read_text(encoding="utf-8").splitlines()
    assert asked == [
        "update --quiet",
        "install --yes --no-install-recommends libdpdk-dev libc6-dev pkg-config",
    ]
    out = capsys.readouterr().out
    assert out.startswith("Installing with apt (about 100 MB of DPDK): libdpdk-dev libc6-dev pkg-config\n")
    assert "Installed: libdpdk 22.11.11." in out


def test_nothing_is_done_where_all_is_there(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HAVE", "libdpdk-dev libc6-dev pkg-config")
    assert setup_dpdk.main() == 0
    assert not log.exists()
    assert capsys.readouterr().out == "DPDK for --backend swx is installed already: libdpdk 22.11.11.\n"


def test_a_failure_of_apt_is_told(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAIL", "install")
    assert setup_dpdk.main() == 2
    assert "apt did not install them" in capsys.readouterr().err


def test_without_apt_the_way_out_is_named(
    log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (log.parent / "apt-get").unlink()
    assert setup_dpdk.main() == 2
    assert "setup-dpdk knows apt alone; install DPDK 22.11" in capsys.readouterr().err
