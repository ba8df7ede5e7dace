"""From C text to a shared object: the compiler that is there, and a cache by content.

In: C text, flags, a folder of headers. Out: the path of a shared object, and that loaded. Called by
`backend.native` for a program's unit and by `server.wire` for the bulk path's reader and writer of messages.
The cache is `$XDG_CACHE_HOME/p4nic` (`~/.cache/p4nic`); a file's name is the hash of all that went into it,
so that nothing in it is ever wrong, only unused.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
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
        # Below -O1 it sanitizes what nobody asked it to, with a runtime that a shared object does not get.
        return (sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=undefined")
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


@final
@dataclass(frozen=True)
class Source:
    """A text, and all that decides what is made of it. `headers`: the folder of its includes. `parts`: it is
    compiled so many times side by side, each time with these flags more, and linked."""

    text: str
    flags: tuple[str, ...]
    headers: Path
    parts: tuple[Part, ...] = ((),)

    @cached_property
    def made(self) -> Path:
        """Where the cache has the shared object, once it is made."""
        return cache_folder() / f"{self._name(*(' '.join(part) for part in self.parts))}.so"

    def made_part(self, part: Part) -> Path:
        """Where the cache has the object of a part: two that differ in other parts share it."""
        return cache_folder() / f"{self._name(' '.join(part))}.o"

    def _name(self, *parts: str) -> str:
        what = [_identity(_command(), self.headers), *self.flags, *parts, self.text]
        return hashlib.sha256("\0".join(what).encode()).hexdigest()[:32]


def _command() -> tuple[str, ...]:
    command = compiler()
    if not command:
        raise CompilerError("no C compiler was found (gcc, cc, clang or ziglang)")
    return command


def shared_object(source: Source) -> Path:
    """The compiled text, from the cache if it is there. CompilerError names the file kept for inspection."""
    made = source.made
    if made.exists():
        return made
    folder = made.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = made.with_suffix(".c")
        with tempfile.TemporaryDirectory(dir=folder) as work:
            written = Path(work) / "made.c"
            written.write_text(source.text, "utf-8")
            written.replace(text)  # whole: the compiler of another process may be reading it
            output = Path(work) / "made.so"
            _compile([*_command(), *source.flags, f"-I{source.headers}"], source, text, output)
            output.replace(made)  # at once: another process may be doing the same
    except OSError as error:
        raise CompilerError(
            f"the cache {folder} cannot be written ({error.strerror}); set XDG_CACHE_HOME"
        ) from None
    return made


def _compile(command: list[str], source: Source, text: Path, output: Path) -> None:
    if len(source.parts) == 1:
        _build([[*command, *source.parts[0], "-o", str(output), str(text)]], text)
        return
    missing = {
        str(output.with_suffix(f".{number}.o")): part
        for number, part in enumerate(source.parts)
        if not source.made_part(part).exists()
    }
    if missing:
        _build([[*command, *part, "-c", "-o", made, str(text)] for made, part in missing.items()], text)
    for made, part in missing.items():
        Path(made).replace(source.made_part(part))
    objects = [str(source.made_part(part)) for part in source.parts]
    _build([[*command, "-o", str(output), *objects]], text)


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


@final
class Later:
    """Another compilation of what `shared_object` has just compiled, by a process of its own: it fills the
    cache even if this one ends first."""

    def __init__(self, source: Source, text: Path) -> None:
        """`text`: where the first compilation left it. CompilerError if no process can be started."""
        self._made = source.made
        told = json.dumps([str(text), str(source.headers), source.flags, source.parts])
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, told],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                start_new_session=True,  # Ctrl-C is not meant for it
            )  # fmt: skip
        except OSError as error:
            raise CompilerError(f"no process for the compiler can be started ({error.strerror})") from None

    def made(self) -> Path:
        """The shared object, once it is there; CompilerError says why there is none."""
        said = self._process.communicate()[1].strip().splitlines()
        if self._process.returncode:
            raise CompilerError(said[-1] if said else "the compiler was stopped")
        return self._made


def _later(told: str) -> int:
    """What the process of a Later does."""
    text, headers, flags, parts = json.loads(told)
    try:
        source = Source(Path(text).read_text("utf-8"), tuple(flags), Path(headers), tuple(map(tuple, parts)))
        shared_object(source)
    except (OSError, CompilerError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def load(path: Path, declarations: str) -> tuple[Any, Any]:
    """(ffi, library) of a shared object with these functions. CompilerError if it cannot be loaded."""
    ffi = declared(declarations)
    try:
        return ffi, ffi.dlopen(str(path))
    except OSError as error:
        said = str(error).rpartition(f"{path}: ")[2]
        raise CompilerError(f"{path} cannot be loaded ({said}); delete it, and it is made anew") from None


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


def owned(library: tuple[Any, Any], made: Any, destroy: str, others: Collection[Any] = ()) -> Any:
    """`made`, which the library's function `destroy` gets when nobody has it any more. The library stays
    until then, and so do `others` that it runs code of: cffi unmaps them with their last users, which may be
    dropped before what was made."""
    ffi, functions = library

    def gone(made: Any, _others: Collection[Any] = others) -> None:
        getattr(functions, destroy)(made)

    return ffi.gc(made, gone)


if __name__ == "__main__":
    sys.exit(_later(sys.argv[1]))
