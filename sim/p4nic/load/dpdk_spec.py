"""Loads a `.spec` of p4c-dpdk, with the P4 names of its P4Info if there is one.

In: the file, a decoded P4Info or None, the context JSON or None. Out: a Program (architecture `swx`, one
block `pipeline`). Called by `load.artifact`; the work is in `load.spec`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from p4nic.ir.program import Program
from p4nic.load.files import read_text
from p4nic.load.spec.bind import bind
from p4nic.load.spec.build import build
from p4nic.load.spec.const_entries import EntriesFile, with_entries
from p4nic.load.spec.context import Context, read_context
from p4nic.load.spec.image import image
from p4nic.load.spec.names import Names
from p4nic.load.spec.parse import parse
from p4nic.load.spec.profiles import fuse

if TYPE_CHECKING:
    from p4nic.load.p4info import P4Info

IPSEC = "ipsec_port_out_inbound"
"""The first of the registers that p4c-dpdk makes of PNA's ipsec_accelerator; nothing else tells of it."""


def load(path: Path, p4info: P4Info | None = None, context: Path | None = None) -> Program:
    """Load a file; raises ArtifactError (UnsupportedError) with the line. Without a P4Info names are the
    `.spec`'s own."""
    found = read_context(read_text(context, "context JSON"), str(context)) if context else None
    return load_text(read_text(path, ".spec"), path.name, p4info, found)


def load_text(
    text: str,
    file: str,
    p4info: P4Info | None = None,
    context: Context | None = None,
    entries: Sequence[EntriesFile] = (),
) -> Program:
    """Load a `.spec` given as text; `file` names it in messages and positions."""
    raw = parse(text, file)
    if (ipsec := raw.regarrays.get(IPSEC)) is not None:
        raise ipsec.line.unsupported("the extern ipsec_accelerator needs an engine that p4nic has not")
    spec = fuse(raw)
    filled = frozenset(one.table for one in entries)
    names = bind(spec, p4info, context, filled) if p4info is not None else Names()
    program = with_entries(build(spec, names, file.removesuffix(".spec")), names, entries)
    return replace(program, image=image(text, raw, spec, names))
