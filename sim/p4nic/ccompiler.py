"""From C text to a shared object: the compiler that is there, and a cache by content.

In: C text, flags, a folder of headers. Out: the path of a shared object, and that loaded. Called by
`backend.native` for a program's unit and by `server.wire` for the bulk path's reader and writer of messages.
The cache is `$XDG_CACHE_HOME/p4nic` (`~/.cache/p4nic`); a file's name is the hash of all that went into it,
so that nothing in it is ever wrong, only unused.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, final

from p4nic import kept
from p4nic.errors import P4nicError
from p4nic.kept import cache_folder

FLAGS = (
    "-std=gnu11",
    "-march=native",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wno-type-limits",  # a program may compare an unsigned field with 0: `x < 0` is its way of saying never
    "-fPIC",
    "-fvisibility=hidden",
    "-shared",
)


@final
class CompilerError(P4nicError):
    """There is no C compiler, or it refused the emitted C."""


@cache
def compiler() -> tuple[str, ...]:
    """The command of a C compiler; empty if there is none."""
    named = os.environ.get("CC")
    if named:
        return tuple(shlex.split(named))
    for name in ("gcc", "cc", "clang"):
        found = shutil.which(name)
        if found:
            return (found,)
    if find_spec("ziglang") is not None:
        return (sys.executable, "-m", "ziglang", "cc")
    return ()


@cache
def _identity(command: tuple[str, ...], headers: Path) -> str:
    """What makes two compilations the same besides the text: compiler, processor, headers."""
    parts = [_version(command)]
    processor = Path("/proc/cpuinfo")
    if processor.exists():
        lines = processor.read_text("utf-8", "replace").splitlines()
        parts += sorted({line for line in lines if line.startswith(("flags", "model name", "Features"))})
    parts += [path.read_text("utf-8") for path in sorted(headers.glob("*.h"))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _version(command: tuple[str, ...]) -> str:
    """What it says of itself. Asked again only if one of the files of the command is another than before."""
    files = []
    for word in command:
        with contextlib.suppress(OSError):
            path = Path(shutil.which(word) or word).resolve()
            told = path.stat()
            files.append(f"{path} {told.st_size} {told.st_mtime_ns} {told.st_ino}")

    def ask() -> str:
        told = _call([*command, "--version"])
        if told.returncode:
            raise CompilerError(
                f"{shlex.join(command)} is no C compiler: {told.stderr.strip()[:200]}; set CC to one"
            )
        return told.stdout

    return kept.made(str, kept.key("compiler", [*command, *files]), ask)


@cache
def accepts(flag: str) -> bool:
    """Whether the compiler, and the assembler behind it, take a flag. Each compiler is asked once."""
    command = compiler()

    def ask() -> bool:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "empty.c"
            source.write_text("", "utf-8")
            return not _call(
                [*command, "-Werror", flag, "-c", "-o", f"{folder}/empty.o", str(source)]
            ).returncode

    return bool(command) and kept.made(bool, kept.key("accepts", [_version(command), flag]), ask)


def _call(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CompilerError(
            f"{command[0]} cannot be run ({error.strerror}); set CC to a C compiler"
        ) from None


Part = tuple[str, ...]
"""Flags of one part of a text."""


def shared_object(text: str, flags: tuple[str, ...], headers: Path, parts: Sequence[Part] = ((),)) -> Path:
    """The compiled text, from the cache if it is there. `headers`: the folder of its includes. `parts`: it is
    compiled so many times side by side, each time with these flags more, and linked. CompilerError names the
    file kept for inspection."""
    command = compiler()
    if not command:
        raise CompilerError("no C compiler was found (gcc, cc, clang or ziglang)")
    what = [_identity(command, headers), *flags, *(" ".join(part) for part in parts), text]
    key = hashlib.sha256("\0".join(what).encode()).hexdigest()[:32]
    folder = cache_folder()
    made = folder / f"{key}.so"
    if made.exists():
        return made
    try:
        folder.mkdir(parents=True, exist_ok=True)
        source = folder / f"{key}.c"
        with tempfile.TemporaryDirectory(dir=folder) as work:
            written = Path(work) / "made.c"
            written.write_text(text, "utf-8")
            written.replace(source)  # whole: the compiler of another process may be reading it
            output = Path(work) / "made.so"
            _compile([*command, *flags, f"-I{headers}"], source, output, parts)
            output.replace(made)  # at once: another process may be doing the same
    except OSError as error:
        raise CompilerError(
            f"the cache {folder} cannot be written ({error.strerror}); set XDG_CACHE_HOME"
        ) from None
    return made


def _compile(command: list[str], source: Path, output: Path, parts: Sequence[Part]) -> None:
    if len(parts) == 1:
        _build([[*command, *parts[0], "-o", str(output), str(source)]], source)
        return
    objects = [str(output.with_suffix(f".{number}.o")) for number, _ in enumerate(parts)]
    compiles = [
        [*command, *part, "-c", "-o", made, str(source)] for part, made in zip(parts, objects, strict=True)
    ]
    _build(compiles, source)
    _build([[*command, "-o", str(output), *objects]], source)


def _build(calls: list[list[str]], source: Path) -> None:
    """Run compilers side by side; CompilerError with what the first that failed says."""
    with ThreadPoolExecutor(len(calls)) as pool:
        answers = list(pool.map(_call, calls))
    for done in answers:
        if done.returncode:
            first = next(
                (line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip()[:200]
            )
            raise CompilerError(
                f"{shlex.join(compiler())} refused the emitted C, which is kept in {source}: {first}; use "
                f"--backend interp"
            )


def load(path: Path, declarations: str) -> tuple[Any, Any]:
    """(ffi, library) of a shared object with these functions."""
    ffi = declared(declarations)
    return ffi, ffi.dlopen(str(path))


def declared(declarations: str) -> Any:
    """A new ffi that knows them. cffi parses declarations once per cache."""
    import _cffi_backend  # of cffi: what runs what its parser, thirty times slower to import, has made

    def parse() -> str:
        import cffi
        from cffi import recompiler

        ffi = cffi.FFI()
        ffi.cdef(declarations)
        ffi.set_source("declared", None)
        with tempfile.TemporaryDirectory() as folder:
            made = Path(folder) / "declared.py"
            recompiler.make_py_source(ffi, "declared", str(made))
            return made.read_text("utf-8")

    space: dict[str, Any] = {}
    parts = [_cffi_backend.__version__, declarations]
    exec(kept.made(str, kept.key("declared", parts), parse), space)
    return space["ffi"]


def owned(library: tuple[Any, Any], made: Any, destroy: str) -> Any:
    """`made`, which the library's function `destroy` gets when nobody has it any more. The library stays
    until then: cffi unmaps it with its last user, which may be dropped before what it made."""
    ffi, functions = library
    return ffi.gc(made, lambda gone: getattr(functions, destroy)(gone))
