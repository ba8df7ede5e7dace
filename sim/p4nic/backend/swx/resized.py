"""A `.spec` with other table sizes (`--table-size`).

In: a SpecImage, sizes by P4 name. Out: one with those sizes. Called by `pipeline`. What DPDK 22.11 calls the
size of a learner is the number of its buckets, a power of two, and each holds four entries: it gets as many
as hold at most what is asked for, and one at least.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from p4nic.ir.image import SpecImage

_PER_BUCKET = 4


def resized(image: SpecImage, sizes: Mapping[str, int]) -> SpecImage:
    """The image itself if there is nothing to change."""
    text = image.text
    for name, size in sizes.items():
        table = re.escape(image.tables[name].name)
        pattern = rf"^(table|learner)( {table} \{{$.*?^\s*size )0x[0-9A-Fa-f]+"
        found = re.search(pattern, text, re.M | re.S)
        if found is not None:
            number = _buckets(size) if found[1] == "learner" else size
            text = f"{text[: found.start()]}{found[1]}{found[2]}{number:#x}{text[found.end() :]}"
    return replace(image, text=text) if sizes else image


def _buckets(entries: int) -> int:
    return 1 << max((entries // _PER_BUCKET).bit_length() - 1, 0)
