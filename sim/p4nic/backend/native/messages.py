"""What packets tell the control plane and the log, decoded from words.

In: the engine's event words: (kind << 32 | number), count, then two words for each value. Called by
`pipeline`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

DIGEST, LOG, ASSERT = range(3)


def decode(words: Sequence[int]) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    """(kind, number, values) of each message."""
    at = 0
    while at < len(words):
        kind, number, count = words[at] >> 32, words[at] & 0xFFFFFFFF, words[at + 1]
        values = words[at + 2 : at + 2 + 2 * count]
        yield (
            kind,
            number,
            tuple(low | high << 64 for low, high in zip(values[::2], values[1::2], strict=True)),
        )
        at += 2 + 2 * count


def log_message(log: logging.Logger, kind: int, told: str, values: tuple[int, ...]) -> None:
    """A log_msg, or an assertion that failed; `told` is "position NUL text"."""
    source, _, text = told.partition("\0")
    if kind == ASSERT:
        log.warning("assertion failed at %s: %s", source, text)
        return
    for value in values:
        text = text.replace("{}", str(value), 1)
    log.info("%s (%s)", text, source)
