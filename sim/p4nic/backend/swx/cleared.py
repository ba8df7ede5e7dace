"""A `.spec` that begins every packet with metadata of zeros.

In: a SpecImage. Out: one with `mov FIELD 0x0` for every field behind `rx`. Called by `pipeline`.

DPDK leaves in the metadata what an earlier packet wrote there. A program that reads a field before it writes
it then does one thing today and another tomorrow, and a comparison finds nothing but that. This takes it
away.
"""

from __future__ import annotations

import re
from dataclasses import replace

from p4nic.errors import UnsupportedError
from p4nic.ir.image import SpecImage

_LARGEST = 64
"""Bits an immediate can be moved into."""
_REACH = 256
"""Bytes of metadata that instructions of DPDK 22.11 can address."""


def cleared(image: SpecImage) -> SpecImage:
    """UnsupportedError where it would change the program: a packet that recirculates keeps its metadata."""
    if re.search(r"^\s*(?:\w+\s*:\s*)?recirculate\b", image.text, re.M):
        raise UnsupportedError(
            f"{image.file} recirculates packets, which keep their metadata; compare it without "
            "--clear-metadata"
        )
    struct = re.search(r"^metadata instanceof (\w+)", image.text, re.M)
    body = struct and re.search(rf"^struct {struct[1]} \{{(.*?)^\}}", image.text, re.M | re.S)
    receive = re.search(r"^\s*rx m\.(\w+)\s*$", image.text, re.M)
    if body is None or receive is None:
        raise UnsupportedError(f"{image.file} has no metadata struct, or no rx; leave --clear-metadata out")
    fields = [(name, int(width)) for width, name in re.findall(r"bit<(\d+)>\s+(\w+)", body[1])]
    if sum(width for _, width in fields) > _REACH * 8:
        raise UnsupportedError(
            f"{image.file} has more than {_REACH} bytes of metadata, of which DPDK's instructions "
            f"reach the first {_REACH} only"
        )
    zeros = "".join(
        f"\tmov m.{name} 0x0\n" for name, width in fields if name != receive[1] and width <= _LARGEST
    )
    at = receive.end() + 1
    return replace(image, text=image.text[:at] + zeros + image.text[at:])
