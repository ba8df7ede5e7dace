"""The second route to a pipeline: C code that DPDK generates from the `.spec`, compiled for this machine.

In: a SpecImage, DPDK's sources. Out: the path of a shared object in the user's cache. Called by `target`.
The generated code includes DPDK's private headers, which are in no Debian package but the source package
(`apt-get source dpdk`); so this works only where somebody names a folder with them.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from p4nic.backend.swx.process import start
from p4nic.backend.swx.shim import cache_folder, dpdk_version, run, tools
from p4nic.backend.swx.wire import Operation
from p4nic.errors import InputError, TargetError, UnsupportedError
from p4nic.ir.image import SpecImage

_FLAGS = ("-O3", "-march=native", "-fPIC", "-shared", "-w", "-DALLOW_EXPERIMENTAL_API")
_PRIVATE = "rte_swx_pipeline_internal.h"


def compiled(image: SpecImage, source: Path) -> Path:
    """The shared object for this `.spec`; InputError if `source` is not DPDK's source of the version
    installed."""
    headers = _headers(source)
    compiler, _, _, flags = tools()
    code = _generated(image)
    digest = hashlib.sha256("\0".join((compiler, dpdk_version(), str(headers), *_FLAGS)).encode() + code)
    path = cache_folder() / f"swx-{digest.hexdigest()[:20]}.so"
    if path.exists():
        return path
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        text, unfinished = Path(folder) / "pipeline.c", Path(folder) / "pipeline.so"
        text.write_bytes(code)
        command = [compiler, *_FLAGS, f"-I{headers}", *flags, str(text), "-o", str(unfinished)]
        answer = run(command)
        if answer.returncode:
            first = next((line for line in answer.stderr.splitlines() if "error" in line), "no message")
            raise TargetError(f"the code DPDK generated from {image.file} does not compile: {first.strip()}")
        os.replace(unfinished, path)
    return path


def _headers(source: Path) -> Path:
    headers = source / "lib" / "pipeline"
    if not (headers / _PRIVATE).is_file():
        raise InputError(
            f"{source} has no lib/pipeline/{_PRIVATE}: name a folder that `apt-get source dpdk` has unpacked"
        )
    version = source / "VERSION"
    found = version.read_text(encoding="utf-8").strip() if version.is_file() else "unknown"
    if found != dpdk_version():
        raise InputError(
            f"{source} is DPDK {found}, and {dpdk_version()} is installed: they must be the same"
        )
    return headers


def _generated(image: SpecImage) -> bytes:
    child = start()
    try:
        status, answer = child.request(Operation.CODEGEN, image.text.encode())
    finally:
        child.close()
    if status:
        said = answer.rest().decode(errors="replace")
        raise UnsupportedError(f"{image.file}: DPDK generates no code from it: {said}")
    return answer.rest()
