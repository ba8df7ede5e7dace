"""Compiles the shim against the DPDK that is installed, once.

In: the C files beside this one, `pkg-config libdpdk`, a C compiler. Out: the path of an executable in the
user's cache, named by the hash of everything that went into it. Called by `process`.

DPDK's readers of a `.spec` are in its static libraries only; so the shim is linked statically, and no header
but the installed ones is needed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from p4nic.errors import TargetError

_FOLDER = Path(__file__).parent / "shim"
_LIBRARIES = (
    *(
        "pipeline",
        "port",
        "table",
        "sched",
        "ip_frag",
        "cryptodev",
        "eventdev",
        "timer",
        "hash",
        "lpm",
        "acl",
    ),
    *("fib", "rib", "rcu", "meter", "kni", "ethdev", "net", "mbuf", "mempool", "ring", "telemetry", "kvargs"),
    *("eal", "security", "stack", "reorder", "bbdev", "gso", "gro", "pci", "log"),
)
# Whole: their drivers announce themselves when the program starts, and nothing else refers to them.
_DRIVERS = ("bus_vdev", "mempool_ring", "net_af_packet", "net_tap", "net_ring", "net_null")
_SYSTEM = ("-lpthread", "-ldl", "-lm", "-lnuma", "-lpcap", "-lbsd")
_LEARNER = ("mailbox_size_get", "lookup", "add", "rearm", "rearm_new", "delete")
_WRAPPED = ("memfd_create", *(f"rte_swx_table_learner_{call}" for call in _LEARNER))
# -rdynamic: a pipeline compiled by `measure` calls DPDK's functions in this program.
_FLAGS = ("-O2", "-Wall", "-Wextra", "-DALLOW_EXPERIMENTAL_API", "-rdynamic")


def unavailable() -> str | None:
    """Why this machine cannot run the backend, as a sentence; None if it can."""
    try:
        tools()
    except TargetError as error:
        return str(error)
    return None


@cache
def dpdk_version() -> str:
    """The version of the installed libdpdk; TargetError without one."""
    return tools()[1]


@cache
def executable() -> Path:
    """The compiled shim; TargetError with the compiler's words if that fails."""
    compiler, version, libraries, flags = tools()
    sources = sorted(_FOLDER.glob("*.[ch]"))
    digest = hashlib.sha256()
    for text in (compiler, version, str(libraries), *flags, *_FLAGS, *_LIBRARIES, *_DRIVERS, *_WRAPPED):
        digest.update(text.encode() + b"\0")
    for source in sources:
        digest.update(source.read_bytes())
    path = cache_folder() / f"swx-{digest.hexdigest()[:20]}"
    if not path.exists():
        _compile(compiler, libraries, flags, [s for s in sources if s.suffix == ".c"], path)
    return path


@cache
def tools() -> tuple[str, str, Path, tuple[str, ...]]:
    """(compiler, version of DPDK, folder of its libraries, its compiler flags)."""
    way_out = "run `make setup-dpdk`, which installs libdpdk-dev, gcc and pkg-config with apt"
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if compiler is None or shutil.which("pkg-config") is None:
        missing = "a C compiler" if compiler is None else "pkg-config"
        raise TargetError(f"the swx backend needs {missing}, which is not installed here; {way_out}")
    answer = run(["pkg-config", "--modversion", "libdpdk"])
    if answer.returncode:
        raise TargetError(f"the swx backend needs DPDK, and libdpdk-dev is not installed here; {way_out}")
    folder = Path(run(["pkg-config", "--variable=libdir", "libdpdk"]).stdout.strip())
    if not (folder / "librte_pipeline.a").is_file():
        raise TargetError(f"{folder} has no librte_pipeline.a, DPDK's static library; {way_out}")
    flags = run(["pkg-config", "--cflags-only-I", "libdpdk"]).stdout.split()
    other = run(["pkg-config", "--cflags-only-other", "libdpdk"]).stdout.split()
    return compiler, answer.stdout.strip(), folder, (*flags, *other)


def _compile(compiler: str, libraries: Path, flags: tuple[str, ...], sources: list[Path], path: Path) -> None:
    archives = [str(a) for name in _LIBRARIES if (a := libraries / f"librte_{name}.a").is_file()]
    # Two processes may compile at once: each writes a file of its own, and the last rename wins.
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    os.close(handle)
    command = [compiler, *_FLAGS, *flags, *map(str, sources), "-o", unfinished]
    command += [f"-Wl,--wrap={name}" for name in _WRAPPED]
    drivers = [str(a) for name in _DRIVERS if (a := libraries / f"librte_{name}.a").is_file()]
    command += ["-Wl,--whole-archive", *drivers, "-Wl,--no-whole-archive"]
    command += ["-Wl,--start-group", *archives, "-Wl,--end-group", *_SYSTEM]
    answer = run(command)
    if answer.returncode:
        Path(unfinished).unlink()
        first = next(
            (x for x in answer.stderr.splitlines() if "error" in x or "undefined" in x), "no message"
        )
        raise TargetError(f"the DPDK shim does not compile with {compiler}: {first.strip()}")
    os.chmod(unfinished, 0o755)
    os.replace(unfinished, path)


def cache_folder() -> Path:
    """A folder of the user's to keep the executable in."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "p4nic"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return Path(tempfile.mkdtemp(prefix="p4nic-swx-"))


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)
